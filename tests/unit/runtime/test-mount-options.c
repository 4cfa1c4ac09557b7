#include "runtime/mount-options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/strlist.h"

static struct mount_options parse(const char *text)
{
	autostrlist struct strlist words = STRLIST_EMPTY;
	struct mount_options options;
	struct err err = { 0 };

	strlist_split(&words, text, ',');
	assert_int_equal(mount_options_parse(&words, &options, &err), 0);
	return options;
}

static void test_words_of_mount_become_attributes(void **state)
{
	(void)state;
	struct mount_options options = parse("ro,nosuid,nodev,noexec,noatime");

	assert_int_equal(options.set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
	assert_int_equal(options.clear, MOUNT_ATTR__ATIME);
	assert_int_equal(options.option_count, 0);
	mount_options_clear(&options);
}

static void test_later_word_takes_earlier_back(void **state)
{
	(void)state;
	struct mount_options options = parse("ro,nosuid,rw,noatime,relatime,private,rslave");

	assert_int_equal(options.set, MOUNT_ATTR_NOSUID);
	assert_int_equal(options.propagation, MS_SLAVE);
	assert_true(options.propagation_recursive);
	mount_options_clear(&options);
}

static void test_rw_alone_does_not_loosen_a_bound_mount(void **state)
{
	(void)state;
	struct mount_options options = parse("rbind,rw,dev,exec,suid");

	assert_true(options.bind && options.bind_recursive);
	assert_int_equal(options.set | options.clear | options.tree_set | options.tree_clear, 0);
	mount_options_clear(&options);
}

static void test_tree_words_are_kept_apart(void **state)
{
	(void)state;
	struct mount_options options = parse("bind,rro,nodev");

	assert_false(options.bind_recursive);
	assert_int_equal(options.tree_set, MOUNT_ATTR_RDONLY);
	assert_int_equal(options.set, MOUNT_ATTR_NODEV);
	mount_options_clear(&options);
}

static void test_other_words_go_to_the_file_system(void **state)
{
	(void)state;
	struct mount_options options = parse("size=64m,,newinstance,mode=1777,tmpcopyup");

	assert_int_equal(options.option_count, 3);
	assert_string_equal(options.options[0].key, "size");
	assert_string_equal(options.options[0].value, "64m");
	assert_string_equal(options.options[1].key, "newinstance");
	assert_null(options.options[1].value);
	assert_true(options.copy_up);
	mount_options_clear(&options);
}

static void test_remount_is_refused_by_name(void **state)
{
	(void)state;
	autostrlist struct strlist words = STRLIST_EMPTY;
	struct mount_options options;
	struct err err = { 0 };

	strlist_split(&words, "size=1,remount", ',');
	assert_int_equal(mount_options_parse(&words, &options, &err), -EINVAL);
	assert_non_null(strstr(err.text, "remount"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_of_mount_become_attributes),
		cmocka_unit_test(test_later_word_takes_earlier_back),
		cmocka_unit_test(test_rw_alone_does_not_loosen_a_bound_mount),
		cmocka_unit_test(test_tree_words_are_kept_apart),
		cmocka_unit_test(test_other_words_go_to_the_file_system),
		cmocka_unit_test(test_remount_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
