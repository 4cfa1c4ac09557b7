#include "store/event-log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

static char *directory;

static int set_up(void **state)
{
	char template[] = "/tmp/davit-events-XXXXXX";
	char *top = mkdtemp(template);

	directory = top ? path_join(top, "events") : NULL;
	return directory ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err err;

	*strrchr(directory, '/') = '\0';
	int r = file_remove_tree(AT_FDCWD, directory, &err);
	free(directory);
	return r;
}

static void append(const char *lines, int64_t max_bytes)
{
	struct err err;

	assert_int_equal(event_log_append(directory, lines, strlen(lines), max_bytes, &err), 0);
}

static void damage(const char *text)
{
	autofree char *path = path_join(directory, "log");
	autoclose int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void expect(struct event_reader *reader, const char *expected)
{
	const char *line;
	struct err err;
	size_t size;

	int r = event_reader_next(reader, &line, &size, &err);
	if (!expected) {
		assert_int_equal(r, 0);
		return;
	}
	assert_int_equal(r, 1);
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(line, expected, size);
}

static struct event_reader *reader_of(enum event_reader_flags flags)
{
	struct event_reader *reader;
	struct err err;

	assert_int_equal(event_reader_open(directory, flags, &reader, &err), 0);
	return reader;
}

static void test_lines_come_back_in_order(void **state)
{
	append("{\"a\":1}\n", 1 << 20);
	append("{\"a\":2}\n{\"a\":3}\n", 1 << 20);
	autoevent_reader struct event_reader *reader = reader_of(0);
	expect(reader, "{\"a\":1}");
	expect(reader, "{\"a\":2}");
	expect(reader, "{\"a\":3}");
	expect(reader, NULL);
	append("{\"a\":4}\n", 1 << 20);
	expect(reader, "{\"a\":4}");
	expect(reader, NULL);
}

static void test_torn_line_costs_only_itself(void **state)
{
	append("{\"a\":1}\n", 1 << 20);
	damage("{\"a\":2");
	autoevent_reader struct event_reader *reader = reader_of(0);
	expect(reader, "{\"a\":1}");
	expect(reader, NULL);
	append("{\"a\":3}\n", 1 << 20);
	expect(reader, "{\"a\":3}");
	damage("\n}\nnonsense\n{}\n");
	expect(reader, "{}");
	expect(reader, NULL);
}

static void test_news_are_what_is_written_after_opening(void **state)
{
	append("{\"a\":1}\n", 1 << 20);
	autoevent_reader struct event_reader *reader = reader_of(EVENT_READER_NEWS);
	expect(reader, NULL);
	append("{\"a\":2}\n", 1 << 20);
	expect(reader, "{\"a\":2}");
}

static void test_news_of_a_large_log(void **state)
{
	for (int i = 0; i < 20000; i++)
		append("{\"a\":\"0123456789\"}\n", 1 << 30);
	autoevent_reader struct event_reader *reader = reader_of(EVENT_READER_NEWS);
	expect(reader, NULL);
	append("{\"a\":2}\n", 1 << 30);
	expect(reader, "{\"a\":2}");
	expect(reader, NULL);
}

static void test_renaming_loses_nothing_for_who_keeps_up(void **state)
{
	autoevent_reader struct event_reader *reader = reader_of(EVENT_READER_FOLLOW);
	for (int i = 0; i < 500; i++) {
		autofree char *line = xasprintf("{\"number\":%d}", i);
		autofree char *text = xasprintf("%s\n", line);
		append(text, 200);
		expect(reader, line);
	}
	expect(reader, NULL);
	assert_int_equal(event_reader_missed(reader), 0);
}

static void test_reader_left_behind_knows_what_it_missed(void **state)
{
	append("{\"number\":0}\n", 100);
	autoevent_reader struct event_reader *reader = reader_of(0);
	expect(reader, "{\"number\":0}");
	for (int i = 1; i < 100; i++) {
		autofree char *text = xasprintf("{\"number\":%d}\n", i);
		append(text, 100);
	}
	const char *line;
	struct err err;
	size_t size;
	int last = 0;
	while (event_reader_next(reader, &line, &size, &err) > 0) {
		int number;
		assert_int_equal(sscanf(line, "{\"number\":%d}", &number), 1);
		assert_true(number > last);
		last = number;
	}
	assert_int_equal(last, 99);
	assert_true(event_reader_missed(reader) > 0);
}

static void test_log_whose_first_line_was_lost_goes_on(void **state)
{
	append("{\"a\":1}\n", 1 << 20);
	autofree char *path = path_join(directory, "log");
	assert_int_equal(truncate(path, 0), 0);
	append("{\"a\":2}\n", 1); /* is renamed at once */
	append("{\"a\":3}\n", 1 << 20);
	autoevent_reader struct event_reader *reader = reader_of(0);
	expect(reader, "{\"a\":2}");
	expect(reader, "{\"a\":3}");
	expect(reader, NULL);
}

#define WRITERS 4
#define EACH	400

/* Each line is as long as a page, so that writes which are torn or mixed would show. */
static void test_news_of_a_log_whose_first_line_was_lost(void **state)
{
	autofree char *path = path_join(directory, "log");

	append("{\"old\":1}\n", 1 << 20);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "???", 3, 0), 3);
	autoevent_reader struct event_reader *reader = reader_of(EVENT_READER_NEWS);
	append("{\"new\":1}\n", 1 << 20);
	expect(reader, "{\"new\":1}");
	expect(reader, NULL);
}

static void test_many_writers_while_one_follows(void **state)
{
	static struct event_reader *reader; /* so that a writer that ends has not lost it */
	int next[WRITERS] = { 0 }, alive = WRITERS, seen = 0;

	reader = reader_of(EVENT_READER_FOLLOW);
	for (int writer = 0; writer < WRITERS; writer++) {
		if (fork() > 0)
			continue;
		char filler[1001] = "";
		struct err err;
		memset(filler, 'x', 1000);
		for (int i = 0; i < EACH; i++) {
			autofree char *text =
				xasprintf("{\"writer\":%d,\"number\":%d,\"filler\":\"%s\"}\n",
					  writer, i, filler);
			/* So large that the reader, however slow, is within one file of the end. */
			if (event_log_append(directory, text, strlen(text), 900 * 1024, &err) < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (;;) {
		const char *line;
		struct err err;
		size_t size;
		int r, writer, number, status;

		while ((r = event_reader_next(reader, &line, &size, &err)) > 0) {
			assert_int_equal(
				sscanf(line, "{\"writer\":%d,\"number\":%d,", &writer, &number), 2);
			assert_int_equal(number, next[writer]);
			next[writer]++;
			seen++;
		}
		assert_int_equal(r, 0);
		if (!alive)
			break;
		while (alive && waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			alive--;
		}
	}
	assert_int_equal(seen, WRITERS * EACH);
	event_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines_come_back_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_torn_line_costs_only_itself, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_news_are_what_is_written_after_opening, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_news_of_a_large_log, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_renaming_loses_nothing_for_who_keeps_up,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_left_behind_knows_what_it_missed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_whose_first_line_was_lost_goes_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_news_of_a_log_whose_first_line_was_lost,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_writers_while_one_follows, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
