#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "monitor/container-log.h"
#include "monitor/log-cursor.h"
#include "monitor/logs.h"

static char dir[32];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/davit-logs-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err err = { 0 };

	return file_remove_tree(AT_FDCWD, dir, &err);
}

static void check(int r, const struct err *err)
{
	if (r < 0)
		fail_msg("%s", err->text);
}

static char *write_log(const char *name, const char *text)
{
	char *path = path_join(dir, name);
	struct err err = { 0 };

	check(file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &err), &err);
	return path;
}

/* Both streams, each as a string; owned by static buffers until the next call. */
static char read_out[1 << 16], read_error[1 << 16];

static void read_logs(const struct logs_source *sources, size_t count, struct logs_options options)
{
	struct err err = { 0 };

	options.stdout_fd = memfd_create("out", MFD_CLOEXEC);
	options.stderr_fd = memfd_create("err", MFD_CLOEXEC);
	check(logs_read(sources, count, &options, &err), &err);
	ssize_t n = pread(options.stdout_fd, read_out, sizeof(read_out) - 1, 0);
	read_out[n] = '\0';
	n = pread(options.stderr_fd, read_error, sizeof(read_error) - 1, 0);
	read_error[n] = '\0';
	close(options.stdout_fd);
	close(options.stderr_fd);
}

#define T(second) "2016-10-06T00:17:" second ".669794202Z "

static const char simple[] = T("01") "stdout F one\n" T("02") "stderr F oops\n" T(
	"03") "stdout P tw"
	      "\n" T("04") "stdout P \n" T("05") "stdout F o\n" T("06") "stdout F \n" T(
		      "07") "stdout P end";

static void test_streams_are_separate_and_pieces_joined(void **state)
{
	autofree char *text = xasprintf("%s\n", simple), *path = write_log("a", text);
	struct logs_source source = { path, NULL, NULL };

	read_logs(&source, 1, (struct logs_options){ .tail = -1 });
	assert_string_equal(read_out, "one\ntwo\n\nend");
	assert_string_equal(read_error, "oops\n");

	read_logs(&source, 1, (struct logs_options){ .tail = -1, .flags = LOGS_TIMESTAMPS });
	assert_string_equal(read_out, T("01") "one\n" T("03") "two\n" T("06") "\n" T("07") "end");

	source.prefix = "web";
	read_logs(&source, 1,
		  (struct logs_options){ .tail = -1, .flags = LOGS_TIMESTAMPS | LOGS_FOLLOW });
	assert_string_equal(read_error, "web " T("02") "oops\n");
}

static void test_entry_without_end_is_not_there_yet(void **state)
{
	autofree char *path = write_log("a", simple);
	struct logs_source source = { path, NULL, NULL };

	read_logs(&source, 1, (struct logs_options){ .tail = -1 });
	assert_string_equal(read_out, "one\ntwo\n\n");
}

static void test_torn_entry_is_passed_over(void **state)
{
	autofree char *path = write_log(
		"a", T("01") "stdout F one\n" T("02") "std\n\nxx\n" T("03") "stdout F two\n");
	struct logs_source source = { path, NULL, NULL };

	read_logs(&source, 1, (struct logs_options){ .tail = -1 });
	assert_string_equal(read_out, "one\ntwo\n");
}

static void test_tail(void **state)
{
	autofree char *text = xasprintf("%s\n", simple), *path = write_log("a", text);
	struct logs_source source = { path, NULL, NULL };
	static const char *const out[] = { "",		 "end",	       "\nend",
					   "two\n\nend", "two\n\nend", "one\ntwo\n\nend" };

	for (int tail = 0; tail < 10; tail++) {
		read_logs(&source, 1, (struct logs_options){ .tail = tail });
		assert_string_equal(read_out, out[tail < 6 ? tail : 5]);
		assert_string_equal(read_error, tail >= 4 ? "oops\n" : "");
	}
}

static void test_tail_of_long_log_and_across_rotation(void **state)
{
	autostrbuf struct strbuf older = STRBUF_EMPTY, newer = STRBUF_EMPTY;

	for (int i = 0; i < 20000; i++)
		strbuf_addf(i < 10000 ? &older : &newer, T("01") "stdout F line %d %.*s\n", i,
			    i % 50, "..................................................");
	autofree char *older_path = write_log("a.1", strbuf_text(&older));
	autofree char *path = write_log("a", strbuf_text(&newer));
	struct logs_source source = { path, NULL, NULL };

	for (int tail = 1; tail < 20000; tail += tail < 3000 ? 1 : 997) {
		struct logs_options options = { .tail = tail };
		struct err err = { 0 };
		char expect[32], got[32];

		options.stdout_fd = memfd_create("out", MFD_CLOEXEC);
		check(logs_read(&source, 1, &options, &err), &err);
		int size = snprintf(expect, sizeof(expect), "line %d ", 20000 - tail);
		assert_int_equal(pread(options.stdout_fd, got, (size_t)size, 0), size);
		assert_memory_equal(got, expect, (size_t)size);
		close(options.stdout_fd);
	}
	(void)unlink(older_path);
}

static void test_since_and_until(void **state)
{
	autofree char *text = xasprintf("%s\n", simple), *path = write_log("a", text);
	struct logs_source source = { path, NULL, NULL };
	int64_t second = INT64_C(1000000000), base = INT64_C(1475713020) * second + 669794202;

	read_logs(&source, 1, (struct logs_options){ .tail = -1, .since_nsec = base + 6 * second });
	assert_string_equal(read_out, "\nend");
	read_logs(&source, 1, (struct logs_options){ .tail = -1, .until_nsec = base + 1 * second });
	assert_string_equal(read_out, "one\n");
	read_logs(&source, 1,
		  (struct logs_options){ .tail = -1, .until_nsec = base + 1 * second - 1 });
	assert_string_equal(read_out, "");
}

static void test_several_are_merged_by_time_in_whole_lines(void **state)
{
	autofree char *a = write_log(
		"a", T("01") "stdout F a1\n" T("03") "stdout P a3\n" T("05") "stdout F a5\n");
	autofree char *b = write_log("b", T("02") "stdout F b2\n" T("04") "stdout P b4\n");
	struct logs_source sources[] = { { a, NULL, "A" }, { b, NULL, "B" } };

	read_logs(sources, 2, (struct logs_options){ .tail = -1 });
	assert_string_equal(read_out, "A a1\nB b2\nA a3a5\nB b4\n");
}

static void test_missing_log(void **state)
{
	struct logs_source source = { "/nonexistent/log", NULL, NULL };
	struct logs_options options = { .tail = -1, .stdout_fd = 1, .stderr_fd = 2 };
	struct err err = { 0 };

	assert_int_equal(logs_read(&source, 1, &options, &err), -ENOENT);
	assert_string_equal(err.text, "open log '/nonexistent/log': No such file or directory");
}

/* A child writes with the monitor's writer, and rotates by hand once. */
static void test_follow_until_the_exit_file_across_rotation(void **state)
{
	autofree char *path = write_log("a", ""), *older = path_join(dir, "a.1"),
		      *run = path_join(dir, "run");
	autofree char *pid_path = path_join(run, "pid"), *exit_path = path_join(run, "exit");
	autostrbuf struct strbuf text = STRBUF_EMPTY, expect = STRBUF_EMPTY;
	struct err err = { 0 };

	check(file_make_dirs(AT_FDCWD, run, 0700, &err), &err);
	pid_t pid = fork();
	if (pid == 0) {
		struct container_log log = { .fd = open(path, O_WRONLY | O_APPEND) };
		for (int i = 0; i < 300; i++) {
			char line[64];
			int size = snprintf(line, sizeof(line), "line %d\n", i);
			if (i == 150) {
				rename(path, older);
				close(log.fd);
				log.fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
			}
			container_log_add(&log, CONTAINER_STDOUT, line, (size_t)size);
			if (i % 10 == 0)
				usleep(1000);
		}
		check(file_write(AT_FDCWD, exit_path, "0 0 1\n", 6, 0600, 0, &err), &err);
		pause();
	}
	char path_stat[64];
	snprintf(path_stat, sizeof(path_stat), "/proc/%d/stat", pid);
	check(file_read(AT_FDCWD, path_stat, &text, 4096, &err), &err);
	const char *at = strrchr(strbuf_text(&text), ')');
	for (int field = 2; field < 22; field++)
		at = strchr(at + 1, ' ');
	autofree char *pid_text = xasprintf("1 1 %d %llu 1\n", pid, strtoull(at, NULL, 10));
	check(file_write(AT_FDCWD, pid_path, pid_text, strlen(pid_text), 0600, 0, &err), &err);

	struct logs_source source = { path, run, NULL };
	for (int i = 0; i < 300; i++)
		strbuf_addf(&expect, "line %d\n", i);
	read_logs(&source, 1, (struct logs_options){ .tail = -1, .flags = LOGS_FOLLOW });
	assert_string_equal(read_out, strbuf_text(&expect));

	/* Without an exit file the end of the monitor counts. */
	unlink(exit_path);
	pid_t killer = fork();
	if (killer == 0) {
		usleep(50000);
		_exit(kill(pid, SIGKILL));
	}
	read_logs(&source, 1, (struct logs_options){ .tail = 1, .flags = LOGS_FOLLOW });
	assert_string_equal(read_out, "line 299\n");
	waitpid(killer, NULL, 0);
	waitpid(pid, NULL, 0);
}

/* A limit on file sizes refuses in the middle of a write, as a full disk does. */
static void test_full_disk_tears_one_entry_and_no_more(void **state)
{
	autofree char *path = write_log("full", "");
	struct logs_source source = { path, NULL, NULL };

	pid_t pid = fork();
	if (pid == 0) {
		struct container_log log = { .fd = open(path, O_WRONLY | O_APPEND) };
		struct rlimit limit = { 100, RLIM_INFINITY };
		signal(SIGXFSZ, SIG_IGN);
		container_log_add(&log, CONTAINER_STDOUT, "one\n", 4);
		setrlimit(RLIMIT_FSIZE, &limit);
		container_log_add(&log, CONTAINER_STDOUT, "a line that is torn in its middle\n",
				  34);
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &limit);
		container_log_add(&log, CONTAINER_STDOUT, "two\n", 4);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	read_logs(&source, 1, (struct logs_options){ .tail = -1 });
	assert_string_equal(read_out, "one\na line that is t\ntwo\n");
}

static void test_calendar(void **state)
{
	for (int64_t second = -100; second < INT64_C(5000000000); second += 86400 * 13 + 7919) {
		time_t when = (time_t)second;
		char expect[64], got[20] = "";
		struct tm calendar;

		gmtime_r(&when, &calendar);
		strftime(expect, sizeof(expect), "%Y-%m-%dT%H:%M:%S", &calendar);
		container_log_calendar(when, got);
		assert_string_equal(got, expect);
	}
}

static void add_lines(struct container_log *log, int from, int to)
{
	for (int i = from; i < to; i++) {
		char line[64];
		int size = snprintf(line, sizeof(line), "line %d\n", i);
		container_log_add(log, CONTAINER_STDOUT, line, (size_t)size);
	}
}

static void expect_lines(const struct logs_source *source, int64_t tail, int from, int to)
{
	autostrbuf struct strbuf expect = STRBUF_EMPTY;

	for (int i = from; i < to; i++)
		strbuf_addf(&expect, "line %d\n", i);
	read_logs(source, 1, (struct logs_options){ .tail = tail });
	assert_string_equal(read_out, strbuf_text(&expect));
}

static void test_rotation_keeps_so_many_files(void **state)
{
	autofree char *path = write_log("many", ""), *second = xasprintf("%s.2", path),
		      *third = xasprintf("%s.3", path);
	struct logs_source source = { path, NULL, NULL };
	struct container_log log = { .fd = open(path, O_WRONLY | O_APPEND),
				     .path = path,
				     .max_bytes = 10 * 48,
				     .max_files = 3 };

	/* An entry has 47 to 49 bytes. */
	add_lines(&log, 0, 95);
	assert_int_equal(access(second, F_OK), 0);
	assert_int_equal(access(third, F_OK), -1);
	read_logs(&source, 1, (struct logs_options){ .tail = -1 });
	int first = atoi(read_out + strlen("line "));
	assert_in_range(first, 65, 75);
	expect_lines(&source, -1, first, 95);
	for (int tail = 0; tail <= 95 - first; tail++)
		expect_lines(&source, tail, 95 - tail, 95);
	close(log.fd);
}

static void test_rotation_waits_for_readers_but_not_for_ever(void **state)
{
	autofree char *path = write_log("held", ""), *older = xasprintf("%s.1", path);
	struct logs_source source = { path, NULL, NULL };
	struct container_log log = { .fd = open(path, O_WRONLY | O_APPEND),
				     .path = path,
				     .max_bytes = 10 * 48 };
	struct stat status;

	add_lines(&log, 0, 15);
	autoclose int reader = open(older, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(reader, LOCK_SH), 0);
	/* Somebody reads the oldest file: nothing may be dropped. */
	add_lines(&log, 15, 40);
	expect_lines(&source, -1, 0, 40);
	/* As if it were 8 MiB long already. */
	assert_int_equal(truncate(path, CONTAINER_LOG_PATIENCE_BYTES), 0);
	add_lines(&log, 40, 42);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size < 200);
	read_logs(&source, 1, (struct logs_options){ .tail = 1 });
	assert_string_equal(read_out, "line 41\n");
	close(log.fd);
}

/* A writer at full speed, a reader that stops now and then, files that fall away. */
static void test_following_through_many_rotations_loses_nothing(void **state)
{
	autofree char *path = write_log("fast", "");
	struct log_cursor cursor;
	struct err err = { 0 };
	int at = 0;

	check(log_cursor_open(&cursor, path, -1, LOG_CURSOR_FOLLOW, &err), &err);
	pid_t pid = fork();
	if (pid == 0) {
		struct container_log log = { .fd = open(path, O_WRONLY | O_APPEND),
					     .path = path,
					     .max_bytes = 4096,
					     .max_files = 4 };
		add_lines(&log, 0, 20000);
		_exit(0);
	}
	while (at < 20000) {
		char expect[32];
		check(log_cursor_advance(&cursor, &err), &err);
		if (!cursor.has_entry)
			continue;
		if (at % 997 == 0)
			usleep(500);
		int size = snprintf(expect, sizeof(expect), "line %d", at++);
		assert_int_equal(cursor.entry.size, size);
		assert_memory_equal(cursor.entry.data, expect, size);
	}
	assert_false(cursor.has_lost);
	waitpid(pid, NULL, 0);
	log_cursor_clear(&cursor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_are_separate_and_pieces_joined),
		cmocka_unit_test(test_entry_without_end_is_not_there_yet),
		cmocka_unit_test(test_torn_entry_is_passed_over),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_tail_of_long_log_and_across_rotation),
		cmocka_unit_test(test_since_and_until),
		cmocka_unit_test(test_several_are_merged_by_time_in_whole_lines),
		cmocka_unit_test(test_missing_log),
		cmocka_unit_test(test_follow_until_the_exit_file_across_rotation),
		cmocka_unit_test(test_full_disk_tears_one_entry_and_no_more),
		cmocka_unit_test(test_rotation_keeps_so_many_files),
		cmocka_unit_test(test_rotation_waits_for_readers_but_not_for_ever),
		cmocka_unit_test(test_following_through_many_rotations_loses_nothing),
		cmocka_unit_test(test_calendar),
	};

	alarm(200);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
