#include "monitor/journal-read.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strlist.h"

enum { FIELD_LIMIT = 1 << 24 };

int journal_reader_start(const char *id, int64_t tail, bool follow, int *ret_fd, pid_t *ret_pid,
			 struct err *err)
{
	autostrlist struct strlist arguments = STRLIST_EMPTY;
	posix_spawn_file_actions_t actions;
	int fds[2];

	strlist_add(&arguments, "journalctl");
	strlist_add(&arguments, "--quiet");
	strlist_add(&arguments, "--no-pager");
	strlist_add(&arguments, "--all");
	strlist_add(&arguments, "--output=export");
	strlist_add(&arguments, "--output-fields=MESSAGE,PRIORITY,CONTAINER_PARTIAL_MESSAGE");
	if (follow)
		strlist_add(&arguments, "--follow");
	if (tail >= 0)
		strlist_addf(&arguments, "--lines=%lld", (long long)tail);
	else if (follow)
		strlist_add(&arguments, "--no-tail");
	strlist_addf(&arguments, "CONTAINER_ID_FULL=%s", id);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "read the journal");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	int code = posix_spawnp(ret_pid, "journalctl", &actions, NULL, arguments.items, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (code) {
		close(fds[0]);
		*ret_pid = -1;
		return err_set(
			err, ENOTSUP,
			"the log is in the journal, and journalctl, which reads it, cannot be "
			"started: %s; install systemd's journalctl",
			strerror(code));
	}
	if (follow)
		(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*ret_fd = fds[0];
	return 0;
}

int journal_reader_end(pid_t *pid, struct err *err)
{
	int status;

	if (*pid < 0)
		return 0;
	while (waitpid(*pid, &status, 0) < 0 && errno == EINTR)
		;
	*pid = -1;
	/* With no entry at all it ends with 1, and says nothing. */
	if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		return 0;
	return err_set(err, EIO,
		       "read the journal: journalctl failed with status %d; see what it says "
		       "by itself",
		       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void journal_reader_stop(pid_t *pid)
{
	if (*pid < 0)
		return;
	(void)kill(*pid, SIGTERM);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = -1;
}

static bool is_named(const char *name, size_t size, const char *wanted)
{
	return size == strlen(wanted) && memcmp(name, wanted, size) == 0;
}

static int64_t number_of(const char *value, size_t size)
{
	int64_t number = 0;

	for (size_t i = 0;
	     i < size && value[i] >= '0' && value[i] <= '9' && number < INT64_MAX / 20; i++)
		number = 10 * number + (value[i] - '0');
	return number;
}

ssize_t journal_entry_parse(const char *data, size_t size, struct journal_entry *ret_entry)
{
	struct journal_entry entry = { .priority = 6 };

	for (size_t at = 0;;) {
		const char *name = data + at;
		const char *newline = at < size ? memchr(name, '\n', size - at) : NULL;

		if (!newline)
			return size - at > FIELD_LIMIT ? -1 : 0;
		size_t line_size = (size_t)(newline - name);
		at += line_size + 1;
		if (line_size == 0) {
			*ret_entry = entry;
			return (ssize_t)at;
		}
		const char *equals = memchr(name, '=', line_size), *value;
		size_t name_size, value_size = 0;
		if (equals) {
			name_size = (size_t)(equals - name);
			value = equals + 1;
			value_size = line_size - name_size - 1;
		} else {
			/* Its size in 8 bytes, then the bytes and a newline. */
			name_size = line_size;
			if (size - at < 8)
				return 0;
			uint64_t wanted = 0;
			for (int i = 0; i < 8; i++)
				wanted |= (uint64_t)(unsigned char)data[at + (size_t)i] << 8 * i;
			if (wanted > FIELD_LIMIT)
				return -1;
			if (size - at < 8 + wanted + 1)
				return 0;
			value = data + at + 8;
			value_size = wanted;
			if (value[value_size] != '\n')
				return -1;
			at += 8 + value_size + 1;
		}
		if (is_named(name, name_size, "MESSAGE")) {
			entry.has_message = true;
			entry.message = value;
			entry.size = value_size;
		} else if (is_named(name, name_size, "__REALTIME_TIMESTAMP")) {
			entry.usec = number_of(value, value_size);
		} else if (is_named(name, name_size, "PRIORITY")) {
			entry.priority = (int)number_of(value, value_size);
		} else if (is_named(name, name_size, "CONTAINER_PARTIAL_MESSAGE")) {
			entry.is_partial = true;
		}
	}
}
