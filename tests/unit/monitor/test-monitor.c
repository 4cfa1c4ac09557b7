/* davit-monitor with the attaching side, without any container: the test is the launcher, and the
 * "init" is a function in a forked child. The path of davit-monitor is the first argument. */
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
		launch.listen_fd = monitor_listen(run->dir_fd, &err);
		launch.cleanup = cleanup;
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
	attach_cleaned(run.fd);
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

static void test_death_by_signal_is_told(void **state)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY, error = STRBUF_EMPTY;
	struct run run;

	launch(&run, 0, hang);
	/* Its only child is the init. */
	char path[64], text[32] = "";
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", run.monitor_pid, run.monitor_pid);
	for (int i = 0; i < 500 && !*text; i++) {
		FILE *file = fopen(path, "re");
		if (!file || !fgets(text, sizeof(text), file))
			sleep_msec(2);
		fclose(file);
	}
	sleep_msec(20);
	kill((pid_t)strtol(text, NULL, 10), SIGKILL);
	struct attach_outcome outcome = attach(run.fd, NULL, &out, &error);
	assert_true(WIFSIGNALED(outcome.wait_status));
	assert_int_equal(WTERMSIG(outcome.wait_status), SIGKILL);
	attach_cleaned(run.fd);
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
	attach_cleaned(run.fd);
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
	attach_cleaned(run.fd);
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
	wait_for_file(&run, "attach");
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
	attach_cleaned(run.fd);
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
	};

	if (argc != 2)
		return 2;
	monitor_path = argv[1];
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
