#include "engine/shared-hosts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"

#define FIRST "127.0.0.1\tlocalhost\n192.0.2.1\tfirst\n"

static struct engine engine; /* nobody in particular */

struct ground {
	char *top, *donor, *guest, *hosts;
};

static int set_up(void **state)
{
	struct ground *ground = xcalloc(1, sizeof(*ground));
	char top[] = "/tmp/test-shared-hosts-XXXXXX";
	struct err err;

	ground->top = xstrdup(mkdtemp(top));
	ground->donor = path_join(top, "donor");
	ground->guest = path_join(top, "guest");
	ground->hosts = path_join(ground->donor, "hosts");
	assert_int_equal(mkdir(ground->donor, 0700) | mkdir(ground->guest, 0700), 0);
	assert_int_equal(file_write(AT_FDCWD, ground->hosts, FIRST, strlen(FIRST), 0644, 0, &err),
			 0);
	*state = ground;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *ground = *state;
	struct err err;

	assert_int_equal(file_remove_tree(AT_FDCWD, ground->top, &err), 0);
	free(ground->top);
	free(ground->donor);
	free(ground->guest);
	free(ground->hosts);
	free(ground);
	return 0;
}

static void expect_hosts(const char *directory, const char *expected)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autofree char *path = path_join(directory, "hosts");
	struct err err;

	assert_int_equal(file_read(AT_FDCWD, path, &text, 4096, &err), 0);
	assert_string_equal(strbuf_text(&text), expected);
}

static void test_guests_are_added_and_leave_in_any_order(void **state)
{
	const struct ground *ground = *state;
	autofree char *other = path_join(ground->top, "other");
	struct err err;

	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(shared_hosts_link(&engine, ground->donor, ground->guest, "one", "a", &err),
			 1);
	assert_int_equal(shared_hosts_link(&engine, ground->donor, other, "two", "two", &err), 1);
	expect_hosts(ground->guest, FIRST "127.0.0.1\tone a\n127.0.0.1\ttwo\n");
	assert_int_equal(shared_hosts_leave(&engine, ground->donor, ground->guest, &err), 0);
	expect_hosts(other, FIRST "127.0.0.1\ttwo\n");
	assert_int_equal(shared_hosts_leave(&engine, ground->donor, other, &err), 0);
	expect_hosts(ground->donor, FIRST);
}

static void test_a_line_is_there_once_however_often_it_starts(void **state)
{
	const struct ground *ground = *state;
	struct err err;

	for (int i = 0; i < 3; i++)
		assert_int_equal(
			shared_hosts_link(&engine, ground->donor, ground->guest, "one", "a", &err),
			1);
	expect_hosts(ground->donor, FIRST "127.0.0.1\tone a\n");
}

static void test_a_last_line_without_end_is_kept(void **state)
{
	const struct ground *ground = *state;
	struct err err;

	assert_int_equal(file_write(AT_FDCWD, ground->hosts, "192.0.2.1 x", 11, 0644, 0, &err), 0);
	assert_int_equal(shared_hosts_link(&engine, ground->donor, ground->guest, "one", "a", &err),
			 1);
	expect_hosts(ground->donor, "192.0.2.1 x\n127.0.0.1\tone a\n");
}

static void test_absence_is_no_error(void **state)
{
	const struct ground *ground = *state;
	struct err err;

	assert_int_equal(shared_resolv_link(ground->donor, ground->guest, &err), 0);
	assert_int_equal(shared_hosts_leave(&engine, ground->donor, ground->guest, &err), 0);
	assert_int_equal(shared_hosts_link(&engine, ground->donor, ground->guest, "one", "a", &err),
			 1);
	assert_int_equal(shared_hosts_leave(&engine, "/nonexistent", ground->guest, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_guests_are_added_and_leave_in_any_order,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_line_is_there_once_however_often_it_starts,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_last_line_without_end_is_kept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_absence_is_no_error, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
