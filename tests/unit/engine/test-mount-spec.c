#include "engine/mount-spec.h"

#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

static void test_relative_source_is_a_host_path(void **state)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(mount_spec_parse_volume("./src:/src:ro", "/home/ann", &mount, &err), 0);
	assert_int_equal(mount.kind, MOUNT_BIND);
	assert_string_equal(mount.source, "/home/ann/./src");
	assert_string_equal(mount.destination, "/src");
	assert_true(mount.read_only);
	mount_spec_clear(&mount);
}

static void test_plain_word_is_a_volume_name(void **state)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(mount_spec_parse_volume("data:/var/lib/data/:nocopy", "/", &mount, &err),
			 0);
	assert_int_equal(mount.kind, MOUNT_VOLUME);
	assert_string_equal(mount.source, "data");
	assert_string_equal(mount.destination, "/var/lib/data");
	assert_true(mount.no_copy);
	mount_spec_clear(&mount);
}

static void test_target_alone_is_an_anonymous_volume(void **state)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(mount_spec_parse_volume("/cache", "/", &mount, &err), 0);
	assert_int_equal(mount.kind, MOUNT_VOLUME);
	assert_null(mount.source);
	mount_spec_clear(&mount);
}

static void test_bad_volumes_are_refused_by_name(void **state)
{
	static const char *const bad[] = { "",
					   ":",
					   "x:y",
					   "/a:/b:frob",
					   "/a:/",
					   "/a:",
					   "a b:/c",
					   "/a:/b:ro:rw",
					   "/a:\n/b",
					   "/x:O",
					   "/a:/b:O,upperdir=/u",
					   "/a:/b:upperdir=/u,workdir=/w",
					   "/a:/b:O,upperdir=u,workdir=/w" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct mount_spec mount;
		struct err err;
		assert_int_equal(mount_spec_parse_volume(bad[i], "/", &mount, &err), -EINVAL);
	}
}

static void test_images_globs_and_overlays_are_read(void **state)
{
	struct mount_spec mount, again;
	struct err err;

	assert_int_equal(
		mount_spec_parse_mount("type=image,src=debian:12,dst=/i", "/", &mount, &err), 0);
	assert_int_equal(mount.kind, MOUNT_IMAGE);
	assert_true(mount.read_only);
	strlist_add(&mount.layers, "sha256:aa");
	strlist_add(&mount.layers, "sha256:bb");
	autofree char *stored = mount_spec_store(&mount);
	assert_int_equal(mount_spec_load(stored, &again, &err), 0);
	assert_string_equal(again.source, "debian:12");
	assert_int_equal(again.layers.count, 2);
	assert_string_equal(again.layers.items[1], "sha256:bb");
	mount_spec_clear(&again);
	mount_spec_clear(&mount);

	assert_int_equal(
		mount_spec_parse_mount("type=image,src=x,dst=/i,rw=true", "/", &mount, &err), 0);
	assert_false(mount.read_only);
	mount_spec_clear(&mount);
	assert_int_equal(mount_spec_parse_mount("type=image,dst=/i", "/", &mount, &err), -EINVAL);

	assert_int_equal(mount_spec_parse_mount("type=glob,src=/a/*,ro", "/", &mount, &err), 0);
	assert_true(mount.is_glob && mount.read_only);
	assert_int_equal(mount.kind, MOUNT_BIND);
	assert_null(mount.destination);
	mount_spec_clear(&mount);

	assert_int_equal(
		mount_spec_parse_volume("/a:/b:O,upperdir=/u,workdir=/w", "/", &mount, &err), 0);
	assert_true(mount.is_overlay);
	assert_true(strlist_contains(&mount.options, "upperdir=/u"));
	mount_spec_clear(&mount);
}

static void test_mount_reads_quoted_fields(void **state)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(
		mount_spec_parse_mount(
			"type=bind,\"src=/a,b\",dst=/c,readonly=true,bind-propagation=rslave", "/",
			&mount, &err),
		0);
	assert_string_equal(mount.source, "/a,b");
	assert_true(mount.read_only);
	assert_true(strlist_contains(&mount.options, "rslave"));
	mount_spec_clear(&mount);
}

static void test_mount_without_target_is_refused(void **state)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(mount_spec_parse_mount("type=tmpfs,tmpfs-size=1m", "/", &mount, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "dst="));
	assert_int_equal(mount_spec_parse_mount("type=nfs,dst=/x", "/", &mount, &err), -EINVAL);
}

static void test_tmpfs_is_confined_and_shows_the_image(void **state)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(mount_spec_parse_tmpfs("/run:size=1m,exec", &mount, &err), 0);
	assert_true(strlist_contains(&mount.options, "nosuid"));
	assert_true(strlist_contains(&mount.options, "exec"));
	assert_false(strlist_contains(&mount.options, "noexec"));
	assert_true(strlist_contains(&mount.options, "tmpcopyup"));
	mount_spec_clear(&mount);
	assert_int_equal(mount_spec_parse_tmpfs("/run:notmpcopyup", &mount, &err), 0);
	assert_false(strlist_contains(&mount.options, "tmpcopyup"));
	mount_spec_clear(&mount);
}

static void test_stored_form_gives_the_mount_back(void **state)
{
	struct mount_spec mount, again;
	struct err err;

	assert_int_equal(mount_spec_parse_volume("/a b:/c,d:ro,U,rslave", "/", &mount, &err), 0);
	autofree char *stored = mount_spec_store(&mount);
	assert_int_equal(mount_spec_load(stored, &again, &err), 0);
	assert_string_equal(again.source, "/a b");
	assert_string_equal(again.destination, "/c,d");
	assert_true(again.read_only && again.chown_to_user && !again.no_copy);
	assert_true(strlist_contains(&again.options, "rslave"));
	mount_spec_clear(&mount);
	mount_spec_clear(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relative_source_is_a_host_path),
		cmocka_unit_test(test_plain_word_is_a_volume_name),
		cmocka_unit_test(test_target_alone_is_an_anonymous_volume),
		cmocka_unit_test(test_bad_volumes_are_refused_by_name),
		cmocka_unit_test(test_images_globs_and_overlays_are_read),
		cmocka_unit_test(test_mount_reads_quoted_fields),
		cmocka_unit_test(test_mount_without_target_is_refused),
		cmocka_unit_test(test_tmpfs_is_confined_and_shows_the_image),
		cmocka_unit_test(test_stored_form_gives_the_mount_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
