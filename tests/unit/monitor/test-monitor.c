/* davit-monitor with the attaching side, without any container: the test is the launcher, and the
 * "init" is a function in a forked child. The path of davit-monitor is the first argument. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "monitor/attach.h"
#include "monitor/launch.h"
#include "monitor/protocol.h"

static const char *monitor_path;

enum run_flags { RUN_INPUT = 1, RUN_CONSOLE = 2, RUN_DETACHED = 4 };

/* A container that is none: its directory, its monitor, and our connection. */
struct run {
	char dir[32];
	int dir_fd;
	pid_t monitor_pid;
	int fd;
};

static void sleep_msec(int msec)
{
	poll(NULL, 0, msec);
}

static void check(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

/* What the next launches get beside the usual; reset by each test that sets it. */
static struct {
	uint64_t log_max_bytes;
	unsigned timeout_seconds;
} more;

static void launch(struct run *run, int flags, int (*body)(void))
{
	int in[2] = { -1, -1 }, out[2], error[2], fds[2] = { -1, -1 }, master = -1, slave = -1;
	char cleaned[64];
	struct err err = { 0 };

	strcpy(run->dir, "/tmp/davit-monitor-XXXXXX");
	assert_non_null(mkdtemp(run->dir));
	run->dir_fd = open(run->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(run->dir_fd >= 0);
	if (!(flags & RUN_DETACHED))
		check(monitor_socketpair(fds, &err), &err);
	/* Before anybody can know of the container, as in a launcher: once its name is there, but before listen(2),
	 * who connects is refused. */
	int listen_fd = monitor_listen(run->dir_fd, &err);
	check(listen_fd, &err);
	if (flags & RUN_INPUT)
		assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(error, O_CLOEXEC), 0);
	if (flags & RUN_CONSOLE)
		assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);

	run->monitor_pid = fork();
	if (run->monitor_pid == 0) {
		pid_t init = fork();
		if (init == 0) {
			int null_fd = open("/dev/null", O_RDWR);
			if (flags & RUN_CONSOLE) {
				setsid();
				ioctl(slave, TIOCSCTTY, 0);
				out[1] = error[1] = in[0] = slave;
			}
			dup2(in[0] >= 0 ? in[0] : null_fd, 0);
			dup2(out[1], 1);
			dup2(error[1], 2);
			for (int fd = 3; fd < 64; fd++)
				close(fd);
			_exit(body());
		}
		snprintf(cleaned, sizeof(cleaned), "%s/cleaned", run->dir);
		const char *const cleanup[] = { "/usr/bin/touch", cleaned, NULL };
		struct monitor_launch launch = MONITOR_LAUNCH_EMPTY;
		launch.program = monitor_path;
		launch.id = "0123456789ab";
		launch.pid = init;
		if (flags & RUN_CONSOLE) {
			launch.console_fd = master;
		} else {
			launch.stdin_fd = in[1];
			launch.stdout_fd = out[0];
			launch.stderr_fd = error[0];
		}
		launch.client_fd = fds[1];
		launch.log_fd = openat(run->dir_fd, "ctr.log",
				       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		launch.run_dir_fd = run->dir_fd;
		launch.listen_fd = listen_fd;
		launch.cleanup = cleanup;
		char log_path[64];
		snprintf(log_path, sizeof(log_path), "%s/ctr.log", run->dir);
		launch.log_path = log_path;
		launch.log_max_bytes = more.log_max_bytes;
		launch.timeout_seconds = more.timeout_seconds;
		monitor_exec(&launch, &err);
		fprintf(stderr, "%s\n", err.text);
		_exit(125);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&in[i]);
		fd_close(&out[i]);
		fd_close(&error[i]);
	}
	fd_close(&master);
	fd_close(&slave);
	fd_close(&fds[1]);
	fd_close(&listen_fd);
	run->fd = fds[0];
}

/* The monitor must end by itself; then nothing is left but the directory. */
static void finish(struct run *run)
{
	struct err err = { 0 };
	int status;

	fd_close(&run->fd);
	for (int i = 0; i < 1000; i++) {
		pid_t pid = waitpid(run->monitor_pid, &status, WNOHANG);
		if (pid == run->monitor_pid) {
			assert_int_equal(status, 0);
			fd_close(&run->dir_fd);
			check(file_remove_tree(AT_FDCWD, run->dir, &err), &err);
			return;
		}
		sleep_msec(10);
	}
	kill(run->monitor_pid, SIGKILL);
	fail_msg("the monitor does not end");
}

static bool has_file(const struct run *run, const char *name)
{
	return faccessat(run->dir_fd, name, F_OK, 0) == 0;
}

static void wait_for_file(const struct run *run, const char *name)
{
	for (int i = 0; i < 1000 && !has_file(run, name); i++)
		sleep_msec(5);
	assert_true(has_file(run, name));
}

/* Attach with these contents as input; what comes out is appended to the buffers. */
static struct attach_outcome attach(int fd, const char *input, struct strbuf *out,
				    struct strbuf *error)
{
	struct attach_outcome outcome = { 0 };
	struct err err = { 0 };
	int in_fd = -1, out_fd = memfd_create("out", MFD_CLOEXEC),
	    error_fd = memfd_create("error", MFD_CLOEXEC);

	if (input) {
		in_fd = memfd_create("in", MFD_CLOEXEC);
		assert_int_equal(fd_write_all(in_fd, input, strlen(input)), 0);
		lseek(in_fd, 0, SEEK_SET);
	}
	struct attach_options options = {
		.fd = fd, .stdin_fd = in_fd, .stdout_fd = out_fd, .stderr_fd = error_fd
	};
	check(attach_run(&options, &outcome, &err), &err);
	lseek(out_fd, 0, SEEK_SET);
	lseek(error_fd, 0, SEEK_SET);
	assert_int_equal(fd_read_all(out_fd, out, 1 << 30), 0);
	assert_int_equal(fd_read_all(error_fd, error, 1 << 30), 0);
	fd_close(&in_fd);
	fd_close(&out_fd);
	fd_close(&error_fd);
	return outcome;
}

/* Undo the log format for one stream, strictly. */
static void read_log(const struct run *run, const char *stream, struct strbuf *out)
{
	autostrbuf struct strbuf log = STRBUF_EMPTY;
	struct err err = { 0 };

	check(file_read(run->dir_fd, "ctr.log", &log, (size_t)1 << 31, &err), &err);
	const char *at = strbuf_text(&log), *end = at + log.size;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		assert_non_null(newline);
		assert_true(newline - at >= 40);
		assert_int_equal(at[4], '-');
		assert_int_equal(at[10], 'T');
		assert_int_equal(at[19], '.');
		assert_int_equal(at[29], 'Z');
		assert_int_equal(at[30], ' ');
		assert_int_equal(at[37], ' ');
		assert_true(at[38] == 'P' || at[38] == 'F');
		assert_int_equal(at[39], ' ');
		if (strncmp(at + 31, stream, 6) == 0)
			strbuf_add(out, at + 40, (size_t)(newline - at - 40) + (at[38] == 'F'));
		at = newline + 1;
	}
}

/* ---- inits ---- */

static int say_both(void)
{
	(void)!write(1, "one\ntwo\n", 8);
	(void)!write(2, "oops\n", 5);
	(void)!write(1, "no end", 6);
	return 7;
}

static void test_output_and_status_arrive(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY, log = STRBUF_EMPTY,
				 text = STRBUF_EMPTY;
	struct err err = { 0 };
	struct run run;

	launch(&run, 0, say_both);
	struct attach_outcome outcome = attach(run.fd, NULL, &out, &error);
	assert_int_equal(outcome.end, ATTACH_EXITED);
	assert_int_equal(outcome.wait_status, 7 << 8);
	assert_true(outcome.you_clean_up);
	assert_false(outcome.oom_killed);
	assert_string_equal(strbuf_text(&out), "one\ntwo\nno end");
	assert_string_equal(strbuf_text(&error), "oops\n");
	read_log(&run, "stdout", &log);
	assert_string_equal(strbuf_text(&log), "one\ntwo\nno end");
	check(file_read(run.dir_fd, "exit", &text, 100, &err), &err);
	assert_true(strncmp(strbuf_text(&text), "1792 0 1", 8) == 0);
	attach_cleaned(run.fd, NULL);
	assert_false(has_file(&run, "cleaned"));
	finish(&run);
}

static void test_cleanup_is_executed_when_nobody_does_it(void **state)
{
	struct run run;

	launch(&run, RUN_DETACHED, say_both);
	wait_for_file(&run, "cleaned");
	assert_true(has_file(&run, "exit"));
	finish(&run);
}

static int hang(void)
{
	pause();
	return 0;
}

/* The monitor's only child, once it is one. */
static pid_t init_of(const struct run *run)
{
	char path[64], text[32] = "", comm[32] = "";

	for (int i = 0; i < 1000 && strcmp(comm, "davit-monitor\n") != 0; i++) {
		autostrbuf struct strbuf buf = STRBUF_EMPTY;
		struct err err = { 0 };
		snprintf(path, sizeof(path), "/proc/%d/comm", run->monitor_pid);
		if (i > 0)
			sleep_msec(2);
		if (file_read(AT_FDCWD, path, &buf, 64, &err) == 0)
			snprintf(comm, sizeof(comm), "%s", strbuf_text(&buf));
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", run->monitor_pid,
		 run->monitor_pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return (pid_t)strtol(text, NULL, 10);
}

static void test_death_by_signal_is_told(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY;
	struct run run;

	launch(&run, 0, hang);
	kill(init_of(&run), SIGKILL);
	struct attach_outcome outcome = attach(run.fd, NULL, &out, &error);
	assert_true(WIFSIGNALED(outcome.wait_status));
	assert_int_equal(WTERMSIG(outcome.wait_status), SIGKILL);
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

static int copy_input(void)
{
	char buffer[65536];
	ssize_t n;

	while ((n = read(0, buffer, sizeof(buffer))) > 0)
		if (fd_write_all(1, buffer, (size_t)n) < 0)
			return 1;
	return 3;
}

static void test_input_reaches_it_and_ends(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY, input = STRBUF_EMPTY;
	struct run run;

	for (int i = 0; i < 300000; i++)
		strbuf_addf(&input, "%d\n", i);
	launch(&run, RUN_INPUT, copy_input);
	struct attach_outcome outcome = attach(run.fd, strbuf_text(&input), &out, &error);
	assert_int_equal(outcome.wait_status, 3 << 8);
	assert_int_equal(out.size, input.size);
	assert_memory_equal(out.data, input.data, input.size);
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

/* Bytes of every value, in lines and pieces of many lengths. */
static size_t flood_fill(char *buffer, size_t size, uint32_t *seed)
{
	for (size_t i = 0; i < size; i++) {
		*seed = *seed * 1664525 + 1013904223;
		buffer[i] = (char)(*seed >> 24);
	}
	return size;
}

enum { FLOOD_PIECES = 1600, FLOOD_PIECE = 65536 };

static int flood(void)
{
	static char buffer[FLOOD_PIECE];
	uint32_t seed = 1;

	for (int i = 0; i < FLOOD_PIECES; i++) {
		flood_fill(buffer, sizeof(buffer), &seed);
		if (fd_write_all(1, buffer, sizeof(buffer)) < 0)
			return 1;
	}
	return 0;
}

static void assert_is_flood(const struct strbuf *out)
{
	static char buffer[FLOOD_PIECE];
	uint32_t seed = 1;

	assert_int_equal(out->size, (size_t)FLOOD_PIECES * FLOOD_PIECE);
	for (int i = 0; i < FLOOD_PIECES; i++) {
		flood_fill(buffer, sizeof(buffer), &seed);
		assert_memory_equal(buffer, out->data + (size_t)i * FLOOD_PIECE, FLOOD_PIECE);
	}
}

static void test_flood_loses_no_byte(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY, log = STRBUF_EMPTY;
	struct run run;

	launch(&run, 0, flood);
	struct attach_outcome outcome = attach(run.fd, NULL, &out, &error);
	assert_int_equal(outcome.wait_status, 0);
	assert_is_flood(&out);
	read_log(&run, "stdout", &log);
	assert_is_flood(&log);
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

static void test_killed_client_frees_the_container(void **state)
{
	autostrbuf struct strbuf log = STRBUF_EMPTY;
	struct run run;

	launch(&run, 0, flood);
	sleep_msec(200); /* nobody reads: the flood is held by now */
	assert_false(has_file(&run, "exit"));
	fd_close(&run.fd);
	wait_for_file(&run, "cleaned");
	read_log(&run, "stdout", &log);
	assert_is_flood(&log);
	finish(&run);
}

static void test_stopped_late_client_is_skipped_and_told(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY, log = STRBUF_EMPTY;
	struct err err = { 0 };
	struct run run;

	launch(&run, RUN_DETACHED | RUN_INPUT, copy_input);
	int stopped = attach_connect(run.dir_fd, &err);
	check(stopped, &err);
	int feeder = attach_connect(run.dir_fd, &err);
	check(feeder, &err);
	autostrbuf struct strbuf input = STRBUF_EMPTY;
	for (int i = 0; i < 100000; i++)
		strbuf_addf(&input, "line %d\n", i);
	struct attach_outcome outcome = attach(feeder, strbuf_text(&input), &out, &error);
	assert_int_equal(outcome.end, ATTACH_EXITED);
	assert_int_equal(outcome.wait_status, 3 << 8);
	assert_false(outcome.you_clean_up);
	assert_int_equal(out.size, input.size);
	read_log(&run, "stdout", &log);
	assert_int_equal(log.size, input.size);
	assert_memory_equal(log.data, input.data, input.size);

	/* It has the beginning and, when it goes on reading in time, the notice and the end. */
	char packet[MONITOR_PACKET_MAX];
	size_t got = 0;
	uint64_t skipped = 0;
	ssize_t n;
	bool has_exit = false;
	while ((n = recv(stopped, packet, sizeof(packet), 0)) > 0) {
		if (packet[0] == MONITOR_STDOUT)
			got += (size_t)n - 1;
		else if (packet[0] == MONITOR_SKIPPED)
			memcpy(&skipped, packet + 1, sizeof(skipped));
		else if (packet[0] == MONITOR_EXIT)
			has_exit = true;
	}
	assert_true(has_exit);
	assert_true(skipped > 0);
	assert_int_equal(got + skipped, input.size);
	close(stopped);
	close(feeder);
	wait_for_file(&run, "cleaned");
	finish(&run);
}

/* ---- the terminal ---- */

static int tell_size(void)
{
	struct winsize size;
	char byte, text[64];

	for (int i = 0; i < 1000; i++) {
		ioctl(0, TIOCGWINSZ, &size);
		if (size.ws_row == 33)
			break;
		sleep_msec(2);
	}
	snprintf(text, sizeof(text), "%d %d %d\n", isatty(1), size.ws_row, size.ws_col);
	(void)!write(1, text, strlen(text));
	return read(0, &byte, 1) == 1 ? byte : 1;
}

static void test_terminal_gets_size_and_keys(void **state)
{
	struct run run;
	struct monitor_resize resize = { .rows = 33, .columns = 99 };
	char packet[MONITOR_PACKET_MAX] = { MONITOR_RESIZE };
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct monitor_exit ended = { 0 };
	ssize_t n;

	launch(&run, RUN_CONSOLE, tell_size);
	memcpy(packet + 1, &resize, sizeof(resize));
	assert_int_equal(send(run.fd, packet, 1 + sizeof(resize), 0), 1 + sizeof(resize));
	assert_int_equal(send(run.fd, "iA\n", 3, 0), 3);
	while ((n = recv(run.fd, packet, sizeof(packet), 0)) > 0 && packet[0] != MONITOR_EXIT)
		strbuf_add(&out, packet + 1, (size_t)n - 1);
	memcpy(&ended, packet + 1, sizeof(ended));
	assert_int_equal(ended.wait_status, 'A' << 8);
	assert_non_null(strstr(strbuf_text(&out), "1 33 99\r\n"));
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

/* ---- the attaching command as a process of its own ---- */

enum { DETACHED = 100, LOST = 101 };

static pid_t signal_target;

static void pass_signal(int number, void *arg)
{
	kill(signal_target, number);
}

/* In a forked child: attach with our standard streams, and end with what came of it. */
static void attach_and_exit(struct run *run, bool is_terminal, bool pass_signals, int in_fd)
{
	struct attach_options options = { .fd = run->fd,
					  .stdin_fd = in_fd,
					  .stdout_fd = 1,
					  .stderr_fd = 2,
					  .is_terminal = is_terminal,
					  .on_signal = pass_signals ? pass_signal : NULL };
	struct attach_outcome outcome;
	struct err err = { 0 };

	if (detach_keys_parse(DETACH_KEYS_DEFAULT, &options.detach_keys, &err) < 0 ||
	    attach_run(&options, &outcome, &err) < 0)
		_exit(99);
	if (outcome.end != ATTACH_EXITED)
		_exit(outcome.end == ATTACH_DETACHED ? DETACHED : LOST);
	attach_cleaned(run->fd, NULL);
	_exit(WIFSIGNALED(outcome.wait_status) ? 128 + WTERMSIG(outcome.wait_status)
					       : WEXITSTATUS(outcome.wait_status));
}

static int exit_code_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_signals_are_passed_on(void **state)
{
	struct run run;

	launch(&run, 0, hang);
	signal_target = init_of(&run);
	/* Held from before there is anybody to get it, as by attach_hold_signals(): it may come before attach_run() has
	 * begun. */
	sigset_t term, before;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	pid_t pid = fork();
	if (pid == 0)
		attach_and_exit(&run, false, true, -1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd_close(&run.fd);
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 128 + SIGTERM);
	finish(&run);
}

static int write_for_ever(void)
{
	static char lines[65536];

	memset(lines, '\n', sizeof(lines));
	while (write(1, lines, sizeof(lines)) > 0)
		;
	return 1;
}

/* Even where input is stuck, because the container never reads it. */
static void test_closed_output_reaches_the_container(void **state)
{
	for (int with_input = 0; with_input < 2; with_input++) {
		struct run run;
		int out[2], zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		char buffer[4096];

		launch(&run, RUN_INPUT, write_for_ever);
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			dup2(out[1], 1);
			close(out[0]);
			close(out[1]);
			attach_and_exit(&run, false, true, with_input ? zero_fd : -1);
		}
		fd_close(&run.fd);
		close(zero_fd);
		close(out[1]);
		assert_true(read(out[0], buffer, sizeof(buffer)) > 0);
		sleep_msec(50);
		close(out[0]);
		assert_int_equal(exit_code_of(pid), 128 + SIGPIPE);
		finish(&run);
	}
}

static void test_killed_monitor_is_noticed(void **state)
{
	struct run run;

	launch(&run, 0, hang);
	pid_t init = init_of(&run), pid = fork();
	if (pid == 0)
		attach_and_exit(&run, false, true, -1);
	fd_close(&run.fd);
	kill(run.monitor_pid, SIGKILL);
	assert_int_equal(exit_code_of(pid), LOST);
	kill(init, SIGKILL);
	waitpid(run.monitor_pid, NULL, 0);
	/* For finish(): something that ends well. */
	run.monitor_pid = fork();
	if (run.monitor_pid == 0)
		_exit(0);
	finish(&run);
}

static int echo_keys(void)
{
	struct termios settings;
	struct winsize size;
	char key, text[64];

	tcgetattr(0, &settings);
	cfmakeraw(&settings);
	tcsetattr(0, TCSANOW, &settings);
	(void)!write(1, "ready.", 6);
	while (read(0, &key, 1) == 1) {
		if (key == 'q')
			return 5;
		ioctl(0, TIOCGWINSZ, &size);
		int n = snprintf(text, sizeof(text), "<%d %dx%d>", key, size.ws_col, size.ws_row);
		(void)!write(1, text, (size_t)n);
	}
	return 6;
}

/* Read from the terminal until `text` has come. */
static void expect(int master, const char *text)
{
	char seen[8192] = "";
	size_t size = 0;
	struct pollfd p = { master, POLLIN, 0 };

	while (!strstr(seen, text)) {
		if (poll(&p, 1, 5000) <= 0)
			fail_msg("waited for '%s', got '%s'", text, seen);
		ssize_t n = read(master, seen + size, sizeof(seen) - 1 - size);
		assert_true(n > 0);
		size += (size_t)n;
		seen[size] = '\0';
	}
}

static bool is_raw(int master)
{
	struct termios settings;

	tcgetattr(master, &settings); /* the two sides share them */
	return !(settings.c_lflag & ICANON);
}

/* A terminal with a shell of the simplest kind, in which the attaching command is a job. (Without a
 * shell its process group would be orphaned, and the kernel does not stop those.) `ret_job_fd`
 * tells the job's pid, then a byte whenever it stops. The shell ends with the job's exit code. */
static pid_t attach_as_job(struct run *run, const struct winsize *size, int *ret_master,
			   int *ret_job_fd)
{
	int told[2];

	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid_t shell = forkpty(ret_master, NULL, NULL, size);
	if (shell == 0) {
		signal(SIGTTOU, SIG_IGN);
		pid_t job = fork();
		int status;
		setpgid(job, job ? job : getpid());
		tcsetpgrp(0, job ? job : getpid());
		if (job == 0) {
			signal(SIGTTOU, SIG_DFL);
			attach_and_exit(run, true, false, 0);
		}
		(void)!write(told[1], &job, sizeof(job));
		while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status))
			(void)!write(told[1], "s", 1);
		_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	close(told[1]);
	*ret_job_fd = told[0];
	fd_close(&run->fd);
	return shell;
}

static void test_terminal_of_the_command(void **state)
{
	struct winsize small = { .ws_col = 70, .ws_row = 20 },
		       large = { .ws_col = 120, .ws_row = 40 };
	struct run run;
	struct err err = { 0 };
	int master, job_fd;
	pid_t job;
	char byte;

	launch(&run, RUN_CONSOLE, echo_keys);
	pid_t pid = attach_as_job(&run, &small, &master, &job_fd);
	assert_int_equal(read(job_fd, &job, sizeof(job)), sizeof(job));
	expect(master, "ready.");
	assert_true(is_raw(master));
	(void)!write(master, "\3", 1);
	expect(master, "<3 70x20>");
	ioctl(master, TIOCSWINSZ, &large);
	sleep_msec(50);
	(void)!write(master, "a", 1);
	expect(master, "<97 120x40>");

	/* Stopped from outside: a usable terminal meanwhile. */ kill(job, SIGTSTP);
	assert_int_equal(read(job_fd, &byte, 1), 1);
	assert_false(is_raw(master));
	kill(job, SIGCONT);
	for (int i = 0; i < 500 && !is_raw(master); i++)
		sleep_msec(2);
	assert_true(is_raw(master));

	(void)!write(master, "\20b", 2);
	expect(master, "<16 120x40><98 120x40>");
	(void)!write(master, "\20\21", 2);
	assert_int_equal(exit_code_of(pid), DETACHED);
	assert_false(is_raw(master));
	close(master);
	close(job_fd);

	/* A second command joins, is killed, and leaves the terminal as it was. */
	run.fd = attach_connect(run.dir_fd, &err);
	check(run.fd, &err);
	pid = forkpty(&master, NULL, NULL, &small);
	if (pid == 0)
		attach_and_exit(&run, true, false, 0);
	fd_close(&run.fd);
	for (int i = 0; i < 500 && !is_raw(master); i++)
		sleep_msec(2);
	(void)!write(master, "c", 1);
	expect(master, "<99 70x20>");
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 128 + SIGTERM);
	assert_false(is_raw(master));
	close(master);

	/* A third sees the end; nobody was left to clean up. */
	run.fd = attach_connect(run.dir_fd, &err);
	check(run.fd, &err);
	pid = forkpty(&master, NULL, NULL, &small);
	if (pid == 0)
		attach_and_exit(&run, true, false, 0);
	fd_close(&run.fd);
	(void)!write(master, "q", 1);
	assert_int_equal(exit_code_of(pid), 5);
	close(master);
	wait_for_file(&run, "cleaned");
	finish(&run);
}

/* ---- what is kept and what is left ---- */

static int write_270k(void)
{
	static char data[270000];
	uint32_t seed = 7;

	flood_fill(data, sizeof(data), &seed);
	return fd_write_all(1, data, sizeof(data)) < 0;
}

static void test_stopped_first_client_gets_the_rest_after_the_end(void **state)
{
	static char data[270000];
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY, log = STRBUF_EMPTY;
	uint32_t seed = 7;
	struct run run;

	flood_fill(data, sizeof(data), &seed);
	launch(&run, 0, write_270k);
	wait_for_file(&run, "exit"); /* although we have read nothing yet */
	read_log(&run, "stdout", &log);
	assert_int_equal(log.size, sizeof(data));
	assert_memory_equal(log.data, data, sizeof(data));
	struct attach_outcome outcome = attach(run.fd, NULL, &out, &error);
	assert_int_equal(outcome.end, ATTACH_EXITED);
	assert_int_equal(outcome.wait_status, 0);
	assert_int_equal(out.size, sizeof(data));
	assert_memory_equal(out.data, data, sizeof(data));
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

static int leave_a_holder(void)
{
	if (fork() == 0) {
		sleep_msec(3000);
		_exit(0);
	}
	(void)!write(1, "bye\n", 4);
	return 0;
}

static void test_outsider_that_holds_the_output_does_not_hold_the_end(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY;
	struct timespec before, after;
	struct run run;

	clock_gettime(CLOCK_MONOTONIC, &before);
	launch(&run, 0, leave_a_holder);
	attach(run.fd, NULL, &out, &error);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_string_equal(strbuf_text(&out), "bye\n");
	assert_true(after.tv_sec - before.tv_sec <= 1);
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

static size_t count_fds(pid_t pid)
{
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void wait_for_fds(pid_t pid, size_t count)
{
	for (int i = 0; i < 1000 && count_fds(pid) != count; i++)
		sleep_msec(5);
	assert_int_equal(count_fds(pid), count);
}

static void test_monitor_holds_only_what_it_needs(void **state)
{
	struct err err = { 0 };
	struct run run;
	int extra = open("/dev/null", O_RDONLY); /* inheritable on purpose */

	launch(&run, RUN_INPUT, copy_input);
	(void)init_of(&run);
	/* 0 1 2, signals, stdin, stdout, stderr, log, listening, client, run directory */
	wait_for_fds(run.monitor_pid, 11);
	for (int i = 0; i < 40; i++) {
		int fd = attach_connect(run.dir_fd, &err);
		check(fd, &err);
		assert_int_equal(send(fd, "ix\n", 3, 0), 3);
		char packet[64];
		while (recv(fd, packet, sizeof(packet), 0) > 0 && packet[0] != MONITOR_STDIN_TAKEN)
			;
		close(fd);
	}
	wait_for_fds(run.monitor_pid, 11);
	assert_int_equal(getsid(run.monitor_pid), run.monitor_pid);
	/* More clients than there are places: the last ones are sent away, the first keep theirs.
	 */
	int fds[20];
	for (int i = 0; i < 20; i++)
		fds[i] = attach_connect(run.dir_fd, &err);
	char byte;
	assert_int_equal(recv(fds[19], &byte, 1, 0), 0);
	ssize_t n; /* what came of the input above may still be on its way to it */
	while ((n = recv(fds[0], &byte, 1, MSG_DONTWAIT)) > 0)
		;
	assert_int_equal(n, -1);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	/* What would end another program does not end it. */
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGALRM };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		kill(run.monitor_pid, numbers[i]);
	sleep_msec(20);
	assert_int_equal(kill(run.monitor_pid, 0), 0);
	fd_close(&run.fd);
	kill(init_of(&run), SIGTERM);
	/* The cleanup runs although those signals were waiting. */
	wait_for_file(&run, "cleaned");
	close(extra);
	finish(&run);
}

static int write_lines(void)
{
	for (int i = 0; i < 4000; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "line %d\n", i);
		(void)!write(1, text, (size_t)n);
	}
	return 0;
}

static void test_log_is_rotated_between_lines(void **state)
{
	struct run run;
	struct stat newer, older;
	autofree char *path = NULL;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	more.log_max_bytes = 100000;
	launch(&run, RUN_DETACHED, write_lines);
	more.log_max_bytes = 0;
	wait_for_file(&run, "cleaned");
	assert_int_equal(fstatat(run.dir_fd, "ctr.log", &newer, 0), 0);
	assert_int_equal(fstatat(run.dir_fd, "ctr.log.1", &older, 0), 0);
	assert_true(newer.st_size > 0 && newer.st_size <= 100000);
	assert_true(older.st_size > 90000 && older.st_size <= 100000);
	check(file_read(run.dir_fd, "ctr.log", &text, 1 << 20, &err), &err);
	assert_memory_equal(text.data + text.size - 10, "line 3999\n", 10);
	finish(&run);
}

static void test_time_limit(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY;
	struct run run;

	more.timeout_seconds = 1;
	launch(&run, 0, hang);
	more.timeout_seconds = 0;
	struct attach_outcome outcome = attach(run.fd, NULL, &out, &error);
	assert_true(WIFSIGNALED(outcome.wait_status) && WTERMSIG(outcome.wait_status) == SIGKILL);
	attach_cleaned(run.fd, NULL);
	finish(&run);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status_arrive),
		cmocka_unit_test(test_cleanup_is_executed_when_nobody_does_it),
		cmocka_unit_test(test_death_by_signal_is_told),
		cmocka_unit_test(test_input_reaches_it_and_ends),
		cmocka_unit_test(test_flood_loses_no_byte),
		cmocka_unit_test(test_killed_client_frees_the_container),
		cmocka_unit_test(test_stopped_late_client_is_skipped_and_told),
		cmocka_unit_test(test_terminal_gets_size_and_keys),
		cmocka_unit_test(test_signals_are_passed_on),
		cmocka_unit_test(test_closed_output_reaches_the_container),
		cmocka_unit_test(test_killed_monitor_is_noticed),
		cmocka_unit_test(test_terminal_of_the_command),
		cmocka_unit_test(test_stopped_first_client_gets_the_rest_after_the_end),
		cmocka_unit_test(test_outsider_that_holds_the_output_does_not_hold_the_end),
		cmocka_unit_test(test_monitor_holds_only_what_it_needs),
		cmocka_unit_test(test_log_is_rotated_between_lines),
		cmocka_unit_test(test_time_limit),
	};

	if (argc != 2)
		return 2;
	monitor_path = argv[1];
	alarm(200);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
