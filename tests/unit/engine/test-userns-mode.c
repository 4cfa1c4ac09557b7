#include "engine/userns-mode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

/* A user with 65536 subordinate IDs, as useradd(8) gives them. */
static struct id_extent user_extents[] = { { 0, 1500, 1 }, { 1, 500000, 65536 } };
static const struct userns_map user_base = {
	.uid = user_extents, .gid = user_extents, .uid_count = 2, .gid_count = 2
};
static const struct userns_caller user = { true, 1500, 1500, &user_base };

static struct id_extent own_extent[] = { { 0, 1500, 1 } };
static const struct userns_map single_base = {
	.uid = own_extent, .gid = own_extent, .uid_count = 1, .gid_count = 1, .is_single_id = true
};
static const struct userns_caller single = { true, 1500, 1500, &single_base };

static struct id_extent all_extent[] = { { 0, 0, UINT32_MAX } };
static const struct userns_map root_base = {
	.uid = all_extent, .gid = all_extent, .uid_count = 1, .gid_count = 1, .is_identity = true
};
static const struct userns_caller root = { false, 0, 0, &root_base };

static char *maps_of(const struct userns_mode *mode, const struct userns_caller *caller,
		     struct err *err)
{
	autoidmap struct id_map uid = { 0 }, gid = { 0 };
	autostrlist struct strlist lines = STRLIST_EMPTY;

	if (userns_mode_maps(mode, caller, &uid, &gid, err) < 0)
		return NULL;
	id_map_format(&uid, &lines);
	strlist_add(&lines, "/");
	id_map_format(&gid, &lines);
	return strlist_join(&lines, " ");
}

static void expect(const char *text, const struct userns_caller *caller, const char *wanted)
{
	autouserns struct userns_mode mode = { 0 };
	struct err err;

	assert_int_equal(userns_mode_parse(text, &mode, &err), 0);
	autofree char *maps = maps_of(&mode, caller, &err);
	assert_non_null(maps);
	assert_string_equal(maps, wanted);
}

static void expect_error(const char *text, const struct userns_caller *caller, int code,
			 const char *word)
{
	autouserns struct userns_mode mode = { 0 };
	struct err err = { 0 };

	if (userns_mode_parse(text, &mode, &err) == 0) {
		autofree char *maps = maps_of(&mode, caller, &err);
		assert_null(maps);
	}
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, word));
}

static void test_keep_id_is_podmans(void **state)
{
	(void)state;
	expect("keep-id", &user,
	       "0:1:1500 1500:0:1 1501:1501:64036 / 0:1:1500 1500:0:1 1501:1501:64036");
	expect("keep-id:uid=200,gid=210", &user,
	       "0:1:200 200:0:1 201:201:65336 / 0:1:210 210:0:1 211:211:65326");
	expect("keep-id:uid=0", &user, "0:0:65537 / 0:1:1500 1500:0:1 1501:1501:64036");
	/* More than there are: all of them, and a gap. */
	expect("keep-id:uid=70000,gid=70000", &user, "0:1:65536 70000:0:1 / 0:1:65536 70000:0:1");
	expect("keep-id:uid=5,gid=5,size=100", &user, "0:1:5 5:0:1 6:6:94 / 0:1:5 5:0:1 6:6:94");
	expect("keep-id", &single, "1500:0:1 / 1500:0:1");
}

static void test_nomap_leaves_the_user_out(void **state)
{
	(void)state;
	expect("nomap", &user, "0:1:65536 / 0:1:65536");
	expect_error("nomap", &single, EPERM, "usermod --add-subuids");
}

static void test_host_wants_nothing(void **state)
{
	(void)state;
	expect("host", &user, "/");
	expect("", &user, "/");
	expect(NULL, &root, "/");
}

static void test_what_is_refused(void **state)
{
	(void)state;
	expect_error("nosuch", &user, EINVAL, "nosuch");
	expect_error("host:1", &user, EINVAL, "host");
	expect_error("keep-id:foo=1", &user, EINVAL, "foo");
	expect_error("keep-id:uid", &user, EINVAL, "uid");
	expect_error("keep-id:uid=x", &user, EINVAL, "'x'");
	expect_error("keep-id:uid=-1", &user, EINVAL, "-1");
	expect_error("keep-id:size=0", &user, EINVAL, "size");
	expect_error("keep-id:size=100", &user, ERANGE, "1501");
	expect_error("keep-id:size=65538", &user, ERANGE, "65536");
	expect_error("auto:size=x", &user, EINVAL, "'x'");
	expect_error("auto:uid=1", &user, EINVAL, "uid");
	expect_error("auto:uidmapping=1", &user, EINVAL, "'1'");
	expect_error("container", &user, EINVAL, "container:NAME");
	expect_error("ns:", &user, EINVAL, "ns:PATH");
	expect_error("keep-id", &root, EPERM, "auto");
	expect_error("nomap", &root, EPERM, "root");
}

static void expect_maps(const char *uids, const char *gids, const struct userns_caller *caller,
			const char *wanted, int code)
{
	autouserns struct userns_mode mode = { .kind = USERNS_MAPS };
	struct err err = { 0 };

	strlist_split(&mode.uid_maps, uids, ',');
	strlist_split(&mode.gid_maps, gids, ',');
	autofree char *maps = maps_of(&mode, caller, &err);
	if (code) {
		assert_null(maps);
		assert_int_equal(err.code, code);
		assert_non_null(strstr(err.text, wanted));
	} else {
		if (!maps)
			fail_msg("%s", err.text);
		assert_string_equal(maps, wanted);
	}
}

static void test_explicit_maps(void **state)
{
	(void)state;
	expect_maps("0:1:1000", "", &user, "0:1:1000 / 0:1:1000", 0);
	expect_maps("", "0:1:1000", &user, "0:1:1000 / 0:1:1000", 0);
	expect_maps("0:0:1,1:1:10", "0:5:3", &user, "0:0:11 / 0:5:3", 0);
	expect_maps("0:100000:65536", "", &root, "0:100000:65536 / 0:100000:65536", 0);
	expect_maps("0:x:1", "", &user, "0:x:1", EINVAL);
	expect_maps("0:1:70000", "", &user, "65536", ERANGE);
	expect_maps("0:1:10,5:20:1", "", &user, "--uidmap", EINVAL);
	expect_maps("0:1:10,50:5:1", "", &user, "host", EINVAL);
}

static void test_flags_of_maps(void **state)
{
	(void)state;
	expect_maps("0:1:10,u50:20:1,g60:21:1", "", &user, "0:1:10 50:20:1 / 0:1:10 60:21:1", 0);
	expect_maps("0:0:10,+100:3:1", "", &user, "0:0:3 4:4:6 100:3:1 / 0:0:3 4:4:6 100:3:1", 0);
	/* As the first one it changes all that the user has. */
	expect_maps("+7000:0:1", "", &user,
		    "1:1:6999 7001:7001:58536 7000:0:1 / 1:1:6999 7001:7001:58536 7000:0:1", 0);
	expect_maps("0:@500000:10,100:@1500", "", &user, "0:1:10 100:0:1 / 0:1:10 100:0:1", 0);
	expect_maps("0:@77:1", "", &user, "77", ERANGE);
	expect_maps("u0:1:10", "", &user, "group", EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_id_is_podmans),
		cmocka_unit_test(test_nomap_leaves_the_user_out),
		cmocka_unit_test(test_host_wants_nothing),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_explicit_maps),
		cmocka_unit_test(test_flags_of_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
