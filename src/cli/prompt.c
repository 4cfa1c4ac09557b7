#include "cli/prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define LINE_MAX_BYTES 65536

/* Wait for standard input. -EINTR when one of the signals of `signal_fd` (or -1) is pending. */
static int wait_for_input(int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return -errno;
	return fds[1].revents ? -EINTR : 0;
}

/* Byte by byte, so that nothing behind the line is taken. */
static int read_line(struct strbuf *line, int signal_fd)
{
	for (;;) {
		char c;
		int r = wait_for_input(signal_fd);
		if (r < 0)
			return r;
		ssize_t n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return line->size ? 0 : -ENODATA;
		if (c == '\n')
			return 0;
		if (line->size >= LINE_MAX_BYTES)
			return -EFBIG;
		strbuf_addc(line, c);
	}
}

static void ask(const char *question)
{
	fputs(question, stderr);
	fflush(stderr);
}

/* Hidden first, then asked: what is typed before the question is forgotten, and whoever answers at
 * once, as programs do, is heard.
 *
 * The signals that would end us stay pending until the terminal shows again what is typed; they
 * are never taken from the descriptor, so they do their work as soon as they are let through. */
static int read_hidden(const char *question, struct strbuf *line, const struct termios *shown)
{
	struct termios hidden = *shown;
	sigset_t ending, before;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGQUIT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, &before);
	autoclose int signal_fd = signalfd(-1, &ending, SFD_CLOEXEC);
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	ask(question);
	int r = read_line(line, signal_fd);
	tcsetattr(STDIN_FILENO, TCSADRAIN, shown);
	fputc('\n', stderr);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int prompt_read(const char *question, bool secret, char **ret_line, struct err *err)
{
	autostrbuf struct strbuf line = STRBUF_EMPTY;
	struct termios shown;

	int r;
	if (secret && tcgetattr(STDIN_FILENO, &shown) == 0) {
		r = read_hidden(question, &line, &shown);
	} else {
		ask(question);
		r = read_line(&line, -1);
	}
	if (r < 0)
		return err_set(err, -r, "read from standard input: %s",
			       r == -ENODATA ? "it has ended" : strerror(-r));
	if (line.size && line.data[line.size - 1] == '\r')
		line.data[--line.size] = '\0';
	*ret_line = strbuf_take(&line);
	return 0;
}
