#include "engine/image.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/image-filter.h"
#include "engine/pull.h"
#include "store/database.h"
#include "store/store.h"

#define HEX63 "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
#define ONE   "a" HEX63
#define TWO   "b" HEX63

static char directory[] = "/tmp/davit-test-engine-image-XXXXXX";
static struct engine *engine;
static struct store *store;
static struct strlist untagged, deleted;

static int setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	memcpy(strrchr(directory, '-'), "-XXXXXX", 8);
	if (!mkdtemp(directory))
		return -1;
	autofree char *root = path_join(directory, "root");
	autofree char *runroot = path_join(directory, "run");
	struct engine_options options = { .root = root, .runroot = runroot };
	if (engine_open(&options, &engine, &err) < 0 || engine_store(engine, &store, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	struct err err = { 0 };

	(void)state;
	strlist_clear(&untagged);
	strlist_clear(&deleted);
	engine_close(engine);
	engine = NULL;
	return file_remove_tree(AT_FDCWD, directory, &err);
}

static void run(const char *sql)
{
	struct err err = { 0 };

	if (database_execute(store_database(store), sql, &err) < 0)
		fail_msg("%s", err.text);
}

static void add_image(const char *id, const char *label)
{
	autofree char *sql = xasprintf(
		"INSERT INTO images(id, manifest_digest, manifest_type, config, created_nsec, "
		"size_bytes, added_nsec) VALUES('%s', 'sha256:m', 't', "
		"'{\"config\":{\"Labels\":{\"%s\":\"yes\"}},\"rootfs\":{\"diff_ids\":[]}}', 5, 0, "
		"0)",
		id, label);

	run(sql);
}

static void add_name(const char *id, const char *name)
{
	autofree char *sql =
		xasprintf("INSERT INTO image_names VALUES('%s', '%s', 'sha256:m')", name, id);

	run(sql);
}

static void add_container(const char *image_id)
{
	autofree char *sql =
		xasprintf("INSERT INTO containers(id, name, image_id, spec, created_nsec, state) "
			  "VALUES('c0ffee', 'web', '%s', '{}', 1, 'created')",
			  image_id);

	run(sql);
}

static int remove_by(const char *word, const struct image_removal *removal, struct err *err)
{
	static const struct image_removal plain = { 0 };

	return image_remove(engine, word, removal ? removal : &plain, &untagged, &deleted, err);
}

static void test_a_name_among_several_is_only_untagged(void **state)
{
	(void)state;
	struct err err = { 0 };

	add_image(ONE, "a");
	add_name(ONE, "localhost/x:latest");
	add_name(ONE, "localhost/y:v1");
	add_container(ONE); /* no obstacle: the image stays */
	assert_int_equal(remove_by("y:v1", NULL, &err), 0);
	assert_int_equal(untagged.count, 1);
	assert_string_equal(untagged.items[0], "localhost/y:v1");
	assert_int_equal(deleted.count, 0);
}

static void test_the_last_name_takes_the_image_along(void **state)
{
	(void)state;
	struct err err = { 0 };

	add_image(ONE, "a");
	add_name(ONE, "localhost/x:latest");
	assert_int_equal(remove_by("x", NULL, &err), 0);
	assert_string_equal(untagged.items[0], "localhost/x:latest");
	assert_string_equal(deleted.items[0], ONE);
	assert_int_equal(remove_by("x", NULL, &err), -ENOENT);
}

static void test_an_id_with_several_names_needs_force(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct image_removal force = { .force = true };

	add_image(ONE, "a");
	add_name(ONE, "localhost/x:latest");
	add_name(ONE, "localhost/y:latest");
	assert_int_equal(remove_by("a23", NULL, &err), -ENOTUNIQ);
	assert_non_null(strstr(err.text, "localhost/x:latest localhost/y:latest"));
	assert_int_equal(remove_by("a23", &force, &err), 0);
	assert_int_equal(untagged.count, 2);
	assert_int_equal(deleted.count, 1);
}

static void test_an_image_in_use_stays_and_names_the_container(void **state)
{
	(void)state;
	struct err err = { 0 };

	add_image(ONE, "a");
	add_name(ONE, "localhost/x:latest");
	add_container(ONE);
	assert_int_equal(remove_by("x", NULL, &err), -EBUSY);
	assert_non_null(strstr(err.text, "c0ffee"));
	assert_int_equal(untagged.count + deleted.count, 0);
}

static int drop_container(struct engine *of, const char *id, struct err *err)
{
	(void)of;
	(void)err;
	assert_string_equal(id, "c0ffee");
	run("DELETE FROM containers");
	return 0;
}

static void test_force_removes_the_containers_first(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct image_removal force = { .force = true, .remove_container = drop_container };

	add_image(ONE, "a");
	add_container(ONE);
	assert_int_equal(remove_by(ONE, &force, &err), 0);
	assert_string_equal(deleted.items[0], ONE);
}

static void test_prune_takes_what_has_no_name_or_with_all_no_container(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct image_prune dangling = { 0 }, all = { .all = true };

	add_image(ONE, "a");
	add_image(TWO, "a");
	add_name(TWO, "localhost/x:latest");
	assert_int_equal(image_prune(engine, &dangling, &deleted, &err), 0);
	assert_int_equal(deleted.count, 1);
	assert_string_equal(deleted.items[0], ONE);
	add_container(TWO);
	assert_int_equal(image_prune(engine, &all, &deleted, &err), 0);
	assert_int_equal(deleted.count, 1);
	run("DELETE FROM containers");
	assert_int_equal(image_prune(engine, &all, &deleted, &err), 0);
	assert_int_equal(deleted.count, 2);
}

static void check_filter(const char *word, const char *expected)
{
	autostrlist struct strlist words = STRLIST_EMPTY, found = STRLIST_EMPTY;
	autoimage_filter struct image_filter *filter = NULL;
	autoimage_list struct image_list list = { 0 };
	struct err err = { 0 };

	strlist_split(&words, word, ' ');
	int r = image_filter_parse(engine, &words, &filter, &err);
	if (!expected) {
		assert_int_equal(r, -EINVAL);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(image_list(store, &list, &err), 0);
	for (size_t i = 0; i < list.count; i++)
		if (image_filter_matches(engine, filter, list.items[i], &err) > 0)
			strlist_addf(&found, "%c", list.items[i]->id[0]);
	autofree char *text = strlist_join(&found, "");
	if (strcmp(text, expected) != 0)
		fail_msg("%s: found '%s', not '%s'", word, text, expected);
}

static void test_filters(void **state)
{
	(void)state;
	add_image(ONE, "stage");
	add_image(TWO, "other");
	run("UPDATE images SET created_nsec = 9 WHERE id LIKE 'b%'");
	add_name(TWO, "docker.io/library/nginx:1.2");

	check_filter("dangling=true", "a");
	check_filter("dangling=false", "b");
	check_filter("dangling=false dangling=true", "ba");
	check_filter("label=stage", "a");
	check_filter("label=stage=yes", "a");
	check_filter("label=stage=no", "");
	check_filter("label!=stage", "b");
	check_filter("label=stage label=other", "");
	check_filter("reference=nginx", "b");
	check_filter("reference=nginx:1.*", "b");
	check_filter("reference=nginx:2", "");
	check_filter("before=nginx:1.2", "a");
	check_filter("since=" ONE, "b");
	check_filter("id=a2", "a");
	check_filter("until=1m", "ba");
	check_filter("containers=true", "");
	check_filter("dangling=perhaps", NULL);
	check_filter("colour=red", NULL);
	check_filter("dangling", NULL);
}

static void test_names_match_patterns(void **state)
{
	(void)state;
	assert_true(image_name_matches("docker.io/library/nginx:1.2", "nginx"));
	assert_true(image_name_matches("docker.io/library/nginx:1.2", "library/nginx"));
	assert_true(
		image_name_matches("docker.io/library/nginx:1.2", "docker.io/library/nginx:1.2"));
	assert_true(image_name_matches("docker.io/library/nginx:1.2", "ngin?:*"));
	assert_false(image_name_matches("docker.io/library/nginx:1.2", "nginx:1.3"));
	assert_false(image_name_matches("docker.io/library/nginx:1.2", "ginx"));
	assert_true(image_name_matches("localhost:5000/a:v", "localhost:5000/a"));
}

static void test_local_names(void **state)
{
	(void)state;
	struct err err = { 0 };
	char *name;

	assert_int_equal(image_local_name("tool", &name, &err), 0);
	assert_string_equal(name, "localhost/tool:latest");
	free(name);
	assert_int_equal(image_local_name("quay.io/a/b:v1", &name, &err), 0);
	assert_string_equal(name, "quay.io/a/b:v1");
	free(name);
	assert_int_equal(image_local_name("Not Good", &name, &err), -EINVAL);
	assert_int_equal(image_local_name("tool@sha256:" ONE, &name, &err), -EINVAL);
}

static void test_pull_policies(void **state)
{
	(void)state;
	struct err err = { 0 };
	enum pull_policy policy;

	assert_int_equal(pull_policy_parse("newer", &policy, &err), 0);
	assert_int_equal(policy, PULL_NEWER);
	assert_int_equal(pull_policy_parse("sometimes", &policy, &err), -EINVAL);
	assert_non_null(strstr(err.text, "never"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_name_among_several_is_only_untagged),
		TEST(test_the_last_name_takes_the_image_along),
		TEST(test_an_id_with_several_names_needs_force),
		TEST(test_an_image_in_use_stays_and_names_the_container),
		TEST(test_force_removes_the_containers_first),
		TEST(test_prune_takes_what_has_no_name_or_with_all_no_container),
		TEST(test_filters),
		cmocka_unit_test(test_names_match_patterns),
		cmocka_unit_test(test_local_names),
		cmocka_unit_test(test_pull_policies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
