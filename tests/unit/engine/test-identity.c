#include "engine/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* Two layers in a temporary directory: the upper one has only what a test puts there. */
static char base[64];
static struct strlist layers;

static void write_file(const char *layer, const char *name, const char *text)
{
	struct err err;
	autofree char *directory = xasprintf("%s/%s/etc", base, layer),
		      *path = path_join(directory, name);

	assert_int_equal(file_make_dirs(AT_FDCWD, directory, 0755, &err), 0);
	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, &err), 0);
}

static int set_up(void **state)
{
	snprintf(base, sizeof(base), "/tmp/test-identity-XXXXXX");
	assert_non_null(mkdtemp(base));
	write_file("lower", "passwd",
		   "root:x:0:0:root:/root:/bin/sh\n"
		   "broken line\n"
		   "huge:x:99999999999:1::/:/\n"
		   "ann:x:1000:1001:Ann:/home/ann:/bin/sh\n");
	write_file("lower", "group",
		   "root:x:0:\nusers:x:100:bob,ann\nstaff:x:50:anna\nvideo:x:44:ann\n");
	autofree char *upper = xasprintf("%s/upper", base);
	assert_int_equal(mkdir(upper, 0755), 0);
	strlist_addf(&layers, "%s/upper", base);
	strlist_addf(&layers, "%s/lower", base);
	return 0;
}

static int tear_down(void **state)
{
	struct err err;

	strlist_clear(&layers);
	return file_remove_tree(AT_FDCWD, base, &err);
}

static int resolve(const char *user, struct identity *identity, struct err *err)
{
	return identity_resolve(&layers, user, &STRLIST_EMPTY, identity, err);
}

static void test_name_brings_home_and_groups(void **state)
{
	struct identity ann;
	struct err err;

	assert_int_equal(resolve("ann", &ann, &err), 0);
	assert_int_equal(ann.uid, 1000);
	assert_int_equal(ann.gid, 1001);
	assert_string_equal(ann.home, "/home/ann");
	assert_int_equal(ann.group_count, 2);
	assert_int_equal(ann.groups[0], 100);
	assert_int_equal(ann.groups[1], 44);
	identity_clear(&ann);
}

static void test_number_without_entry_is_fine(void **state)
{
	struct identity someone;
	struct err err;

	assert_int_equal(resolve("4711:12", &someone, &err), 0);
	assert_int_equal(someone.uid, 4711);
	assert_int_equal(someone.gid, 12);
	assert_string_equal(someone.home, "/");
	identity_clear(&someone);
}

static void test_named_group_stands_alone(void **state)
{
	struct identity ann;
	struct err err;

	assert_int_equal(resolve("ann:staff", &ann, &err), 0);
	assert_int_equal(ann.gid, 50);
	assert_int_equal(ann.group_count, 0);
	identity_clear(&ann);
}

static void test_unknown_names_are_told(void **state)
{
	struct identity nobody;
	struct err err;

	assert_int_equal(resolve("zoe", &nobody, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'zoe'"));
	assert_int_equal(resolve("ann:nope", &nobody, &err), -ENOENT);
	assert_int_equal(resolve("huge", &nobody, &err), -ENOENT);
}

static void test_upper_layer_hides_the_lower_file(void **state)
{
	struct identity ann;
	struct err err;

	write_file("upper", "passwd", "ann:x:7:8::/ann:/bin/sh\n");
	assert_int_equal(resolve("ann", &ann, &err), 0);
	assert_int_equal(ann.uid, 7);
	identity_clear(&ann);
	autofree char *path = xasprintf("%s/upper/etc/passwd", base);
	assert_int_equal(unlink(path), 0);
}

static void test_link_in_the_image_leads_nowhere_outside(void **state)
{
	autofree char *etc = xasprintf("%s/upper/etc", base), *path = path_join(etc, "passwd");
	struct identity root;
	struct err err;

	assert_int_equal(file_make_dirs(AT_FDCWD, etc, 0755, &err), 0);
	assert_int_equal(symlink("../../../../../../etc/passwd", path), 0);
	/* The host's users are not found: the link ends inside of the layer. */
	assert_int_equal(resolve("daemon", &root, &err), -ENOENT);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_brings_home_and_groups),
		cmocka_unit_test(test_number_without_entry_is_fine),
		cmocka_unit_test(test_named_group_stands_alone),
		cmocka_unit_test(test_unknown_names_are_told),
		cmocka_unit_test(test_upper_layer_hides_the_lower_file),
		cmocka_unit_test(test_link_in_the_image_leads_nowhere_outside),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
