#include "store/image.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/database.h"
#include "store/store.h"

static char directory[] = "/tmp/davit-test-image-XXXXXX";
static struct store *store;
static const char *packing = "blob"; /* how layers are compressed, so to speak */

static int setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	strcpy(strrchr(directory, '-'), "-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	autofree char *root = path_join(directory, "deep/root");
	return store_open(root, false, &store, &err);
}

static int teardown(void **state)
{
	struct err err = { 0 };

	(void)state;
	store_close(store);
	store = NULL;
	return file_remove_tree(AT_FDCWD, directory, &err);
}

static void run(const char *sql)
{
	struct err err = { 0 };

	if (database_execute(store_database(store), sql, &err) < 0)
		fail_msg("%s", err.text);
}

static int64_t number(const char *sql)
{
	autostatement struct statement *stmt = NULL;
	struct err err = { 0 };

	assert_int_equal(database_prepare(store_database(store), sql, &stmt, &err), 0);
	assert_int_equal(statement_step(stmt, &err), 1);
	return statement_int(stmt, 0);
}

static char *digest_of(const char *text)
{
	char digest[DIGEST_TEXT_SIZE];
	struct err err = { 0 };

	assert_int_equal(sha256_digest(text, strlen(text), digest, &err), 0);
	return xstrdup(digest);
}

/* An image of layers that are named by letters, as a finished pull would leave it. */
static char *add_image(const char *letters, const char *name)
{
	struct err err = { 0 };
	struct image_layer layers[8];
	autostrlist struct strlist names = STRLIST_EMPTY;
	autostrbuf struct strbuf config = STRBUF_EMPTY;
	char manifest_digest[DIGEST_TEXT_SIZE], config_digest[DIGEST_TEXT_SIZE];
	size_t count = strlen(letters);

	strbuf_addf(&config,
		    "{\"os\":\"linux\",\"created\":\"2020-01-0%zuT00:00:00Z\",\"rootfs\":"
		    "{\"diff_ids\":[",
		    count + 1);
	for (size_t i = 0; i < count; i++) {
		char text[2] = { letters[i], '\0' };
		char blob_digest[DIGEST_TEXT_SIZE];
		autofree char *blob = xasprintf("%s-%s", packing, text);

		layers[i] = (struct image_layer){ .diff_id = digest_of(text),
						  .media_type = xstrdup(OCI_MEDIA_TYPE_LAYER),
						  .blob_size = (int64_t)strlen(blob) };
		strbuf_addf(&config, "%s\"%s\"", i ? "," : "", layers[i].diff_id);
		assert_int_equal(blob_write(store, blob, strlen(blob), blob_digest, &err), 0);
		layers[i].blob_digest = xstrdup(blob_digest);
		autofree char *sql =
			xasprintf("INSERT OR IGNORE INTO layers VALUES('%s', 1000, 1, 0, '%s')",
				  layers[i].diff_id, store_boot_id(store));
		run(sql);
		autofree char *path = store_layer_path(store, layers[i].diff_id);
		assert_int_equal(file_make_dirs(AT_FDCWD, path, 0755, &err), 0);
	}
	strbuf_adds(&config, "]}}");
	autofree char *manifest = xasprintf("manifest of %s in %s", config.data, packing);
	assert_int_equal(blob_write(store, manifest, strlen(manifest), manifest_digest, &err), 0);
	assert_int_equal(blob_write(store, config.data, config.size, config_digest, &err), 0);
	if (name)
		strlist_add(&names, name);

	struct image_record record = {
		.manifest_digest = manifest_digest,
		.manifest_type = OCI_MEDIA_TYPE_MANIFEST,
		.config = config.data,
		.config_size = config.size,
		.layers = layers,
		.layer_count = count,
		.names = &names,
	};
	char *id;
	if (image_record(store, &record, &id, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < count; i++) {
		free(layers[i].diff_id);
		free(layers[i].blob_digest);
		free(layers[i].media_type);
	}
	return id;
}

static struct image *find(const char *word, const char *candidate)
{
	autostrlist struct strlist candidates = STRLIST_EMPTY;
	struct err err = { 0 };
	struct image *image = NULL;

	if (candidate)
		strlist_add(&candidates, candidate);
	int r = image_find(store, word, &candidates, &image, &err);
	if (r < 0 && r != -ENOENT)
		fail_msg("%s", err.text);
	return image;
}

static void check_found(const char *word, const char *candidate, const char *id)
{
	autoimage struct image *image = find(word, candidate);

	if (!id)
		assert_null(image);
	else if (!image)
		fail_msg("'%s' is not found", word);
	else
		assert_string_equal(image->id, id);
}

static bool layer_exists(const char *text)
{
	autofree char *diff_id = digest_of(text);
	autofree char *path = store_layer_path(store, diff_id);

	return access(path, F_OK) == 0;
}

static bool blob_exists(const char *text)
{
	autofree char *digest = digest_of(text);
	autofree char *path = blob_path(store, digest);

	return access(path, F_OK) == 0;
}

static void test_names_and_ids_find_the_image(void **state)
{
	(void)state;
	autofree char *id = add_image("ab", "docker.io/library/nginx:latest");
	autofree char *other = add_image("c", "localhost:5000/team/tool:v1");
	autofree char *digest_word = xasprintf("sha256:%s", id);
	autofree char *prefix = xstrndup(id, 6);

	check_found("docker.io/library/nginx:latest", NULL, id);
	check_found("docker.io/library/nginx", NULL, id);
	check_found("docker.io/nginx", NULL, id);
	check_found("docker.io/library/nginx:1", NULL, NULL);
	check_found("quay.io/library/nginx", NULL, NULL);
	check_found(id, NULL, id);
	check_found(digest_word, NULL, id);
	check_found(prefix, NULL, id);
	check_found("nginx", "docker.io/library/nginx", id);
	check_found("nginx", "quay.io/nginx", id); /* by the end of the name */
	check_found("library/nginx", NULL, id);
	check_found("ginx", NULL, NULL);
	check_found("localhost:5000/team/tool:v1", NULL, other);
	check_found("tool:v1", NULL, other);
	check_found("tool", NULL, NULL);
	check_found("", NULL, NULL);
	check_found("Not A Name", NULL, NULL);
	check_found("%", NULL, NULL);
}

static void test_a_candidate_wins_over_a_short_id(void **state)
{
	(void)state;
	autofree char *id = add_image("ab", NULL);
	autofree char *word = xstrndup(id, 5);
	autofree char *name = xasprintf("localhost/%s:latest", word);
	autofree char *other = add_image("c", name);

	check_found(word, NULL, id);
	check_found(word, name, other);
}

static void test_digests_find_the_image_in_its_repositories(void **state)
{
	(void)state;
	autofree char *id = add_image("ab", "docker.io/library/nginx:latest");
	struct err err = { 0 };
	autoimage struct image *image = find(id, NULL);

	assert_int_equal(image_load_names(store, image, &err), 0);
	assert_int_equal(image->digests.count, 1);
	check_found(image->digests.items[0], NULL, id);
	autofree char *elsewhere = xasprintf("quay.io/nginx@%s", image->manifest_digest);
	check_found(elsewhere, NULL, NULL);
}

static void test_ambiguous_words_are_refused(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct image *image = NULL;
	autofree char *one = add_image("a", "quay.io/x/tool:latest");
	autofree char *two = add_image("b", "quay.io/y/tool:latest");

	assert_int_equal(image_find(store, "tool", NULL, &image, &err), -EEXIST);
	check_found("x/tool", NULL, one);
	check_found("y/tool", NULL, two);
}

static void test_a_name_moves_to_the_image_recorded_last(void **state)
{
	(void)state;
	autofree char *old = add_image("a", "localhost/tool:latest");
	autofree char *new = add_image("b", "localhost/tool:latest");

	check_found("localhost/tool", NULL, new);
	check_found(old, NULL, old);
	assert_int_equal(number("SELECT count(*) FROM image_names"), 1);
}

static void test_recording_twice_changes_nothing(void **state)
{
	(void)state;
	autofree char *id = add_image("ab", "localhost/tool:latest");
	autofree char *again = add_image("ab", "localhost/tool:v2");

	assert_string_equal(id, again);
	assert_int_equal(number("SELECT count(*) FROM images"), 1);
	assert_int_equal(number("SELECT count(*) FROM image_layers"), 2);
	assert_int_equal(number("SELECT count(*) FROM image_names"), 2);
	assert_int_equal(number("SELECT size_bytes FROM images"), 2000);
	assert_int_equal(number("SELECT count(*) FROM layers WHERE NOT synced"), 0);
	assert_int_equal(number("SELECT count(*) FROM blobs WHERE NOT synced"), 0);
}

static void test_a_layer_that_has_gone_is_reported(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *diff_id = digest_of("q");
	autofree char *config = xasprintf("{\"rootfs\":{\"diff_ids\":[\"%s\"]}}", diff_id);
	struct image_layer layer = { .diff_id = diff_id,
				     .blob_digest = diff_id,
				     .media_type = (char *)"" };
	struct image_record record = { .manifest_digest = diff_id,
				       .manifest_type = OCI_MEDIA_TYPE_MANIFEST,
				       .config = config,
				       .config_size = strlen(config),
				       .layers = &layer,
				       .layer_count = 1 };
	char *id = NULL;

	assert_int_equal(image_record(store, &record, &id, &err), -EAGAIN);
	record.layer_count = 0;
	assert_int_equal(image_record(store, &record, &id, &err), -EBADMSG);
	assert_int_equal(number("SELECT count(*) FROM images"), 0);
}

static void test_another_packing_replaces_the_blobs(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *id = add_image("ab", "localhost/tool:gzip");
	autofree char *other = add_image("b", "localhost/other:gzip");

	packing = "zstd";
	autofree char *again = add_image("ab", "localhost/tool:zstd");
	packing = "blob";
	assert_string_equal(id, again);
	assert_false(blob_exists("blob-a"));
	assert_true(blob_exists("blob-b")); /* the other image's */
	assert_true(blob_exists("zstd-a"));
	assert_true(layer_exists("a"));

	autoimage struct image *image = find(id, NULL);
	assert_int_equal(image_load_layers(store, image, &err), 0);
	assert_true(blob_is_present(store, image->layers[0].blob_digest));
	assert_true(blob_is_present(store, image->manifest_digest));
	assert_int_equal(image_delete(store, image, &err), 0);
	assert_false(blob_exists("zstd-a"));
	assert_true(blob_exists("blob-b"));
}

static void test_a_configuration_that_has_gone_is_reported(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *id = add_image("", NULL);
	autoimage struct image *image = find(id, NULL);
	char *same = NULL;
	struct image_record record = { .manifest_digest = image->manifest_digest,
				       .manifest_type = OCI_MEDIA_TYPE_MANIFEST,
				       .config = image->config_text,
				       .config_size = image->config_size };

	run("DELETE FROM blobs WHERE digest = (SELECT 'sha256:' || id FROM images)");
	assert_int_equal(image_record(store, &record, &same, &err), -EAGAIN);
}

static void test_untag_and_tag(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *id = add_image("a", "localhost/tool:latest");
	autoimage struct image *image = find(id, NULL);

	assert_int_equal(image_tag(store, image, "localhost/other:v1", &err), 0);
	check_found("localhost/other:v1", NULL, id);
	assert_int_equal(image_untag(store, image, "localhost/tool:latest", &err), 0);
	check_found("localhost/tool", NULL, NULL);
	assert_int_equal(image_untag(store, image, "localhost/tool:latest", &err), -ENOENT);
}

static void test_delete_keeps_what_others_share(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *one = add_image("ab", "localhost/one:latest");
	autofree char *two = add_image("ac", "localhost/two:latest");
	autoimage struct image *image = find(one, NULL);

	assert_int_equal(image_delete(store, image, &err), 0);
	assert_true(layer_exists("a"));
	assert_false(layer_exists("b"));
	assert_true(layer_exists("c"));
	assert_true(blob_exists("blob-a"));
	assert_false(blob_exists("blob-b"));
	check_found("localhost/one", NULL, NULL);
	check_found("localhost/two", NULL, two);
	assert_int_equal(number("SELECT count(*) FROM layers"), 2);
	assert_int_equal(number("SELECT count(*) FROM image_names"), 1);
	assert_true(store_has_trash(store));
	assert_int_equal(store_empty_trash(store, &err), 0);
	assert_false(store_has_trash(store));
}

static void test_an_image_in_use_is_not_deleted(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *id = add_image("a", "localhost/one:latest");
	autoimage struct image *image = find(id, NULL);
	autofree char *sql =
		xasprintf("INSERT INTO containers(id, name, image_id, spec, created_nsec, state) "
			  "VALUES('c0ffee', 'web', '%s', '{}', 1, 'created')",
			  id);

	run(sql);
	assert_int_equal(image_delete(store, image, &err), -EBUSY);
	assert_non_null(strstr(err.text, "c0ffee"));
	check_found(id, NULL, id);
	assert_true(layer_exists("a"));
}

static void test_the_list_is_newest_first_with_names(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *old = add_image("a", "localhost/old:latest");
	autofree char *new = add_image("bcd", NULL);
	autoimage_list struct image_list list = { 0 };

	assert_int_equal(image_list(store, &list, &err), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0]->id, new);
	assert_int_equal(list.items[0]->names.count, 0);
	assert_string_equal(list.items[1]->names.items[0], "localhost/old:latest");
}

static void test_a_layer_of_a_lost_boot_is_no_layer(void **state)
{
	(void)state;
	struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	assert_int_equal(blob_write(store, "x", 1, digest, &err), 0);
	assert_true(blob_is_present(store, digest));
	run("UPDATE blobs SET boot_id = 'another'");
	assert_false(blob_is_present(store, digest));
	run("UPDATE blobs SET synced = 1");
	assert_true(blob_is_present(store, digest));
	autofree char *path = blob_path(store, digest);
	assert_int_equal(truncate(path, 0), 0);
	assert_false(blob_is_present(store, digest));
}

static void test_an_altered_blob_is_refused(void **state)
{
	(void)state;
	struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	autostrbuf struct strbuf data = STRBUF_EMPTY;

	assert_int_equal(blob_write(store, "right", 5, digest, &err), 0);
	autofree char *path = blob_path(store, digest);
	assert_int_equal(file_write(AT_FDCWD, path, "wrong", 5, 0600, 0, &err), 0);
	assert_int_equal(blob_read(store, digest, 100, &data, &err), -EBADMSG);
	assert_non_null(strstr(err.text, digest));
}

static void test_the_sweep_takes_leftovers_and_nothing_else(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *id = add_image("ab", "localhost/one:latest");
	autofree char *orphan = digest_of("orphan");
	autofree char *orphan_path = store_layer_path(store, orphan);
	char blob[DIGEST_TEXT_SIZE];
	autoclose int pull_lock = -1;

	assert_int_equal(file_make_dirs(AT_FDCWD, orphan_path, 0755, &err), 0);
	assert_int_equal(blob_write(store, "lost", 4, blob, &err), 0);
	int pull_fd = store_directory(store, STORE_PULL, &err);
	assert_int_equal(file_write(pull_fd, "sha256-1.partial", "x", 1, 0600, 0, &err), 0);

	assert_int_equal(store_begin_pull(store, &pull_lock, &err), 0);
	store_sweep(store, 0);
	assert_true(layer_exists("orphan"));
	fd_close(&pull_lock);

	store_sweep(store, 3600 * 1000000000LL);
	assert_true(layer_exists("orphan"));
	store_sweep(store, 0);
	assert_false(layer_exists("orphan"));
	assert_false(blob_is_present(store, blob));
	assert_int_equal(faccessat(pull_fd, "sha256-1.partial", F_OK, 0), -1);
	assert_true(layer_exists("a"));
	assert_true(blob_exists("blob-a"));
	check_found(id, NULL, id);
	autoimage struct image *image = find(id, NULL);
	autostrbuf struct strbuf manifest = STRBUF_EMPTY;
	assert_int_equal(blob_read(store, image->manifest_digest, 10000, &manifest, &err), 0);
}

static void test_podmans_directory_is_refused(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct store *other = NULL;
	autofree char *root = path_join(directory, "podman");
	autofree char *inside = path_join(root, "overlay-images");

	assert_int_equal(file_make_dirs(AT_FDCWD, inside, 0755, &err), 0);
	assert_int_equal(store_open(root, false, &other, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "--root"));
}

static void test_locks_exclude_and_survive_sweeping(void **state)
{
	(void)state;
	struct err err = { 0 };
	autoclose int one = -1, two = -1;

	assert_int_equal(store_lock(store, "image", "x", 0, &one, &err), 0);
	assert_int_equal(store_lock(store, "image", "x", STORE_LOCK_NO_WAIT, &two, &err),
			 -EWOULDBLOCK);
	store_sweep(store, 0);
	assert_int_equal(store_lock(store, "image", "x", STORE_LOCK_NO_WAIT, &two, &err),
			 -EWOULDBLOCK);
	fd_close(&one);
	store_sweep(store, 0);
	assert_int_equal(store_lock(store, "image", "x", STORE_LOCK_NO_WAIT, &two, &err), 0);
}

static void test_names_are_split(void **state)
{
	(void)state;
	static const struct {
		const char *name, *repository, *tag, *digest;
	} cases[] = {
		{ "localhost:5000/a/b:v1", "localhost:5000/a/b", "v1", NULL },
		{ "docker.io/library/nginx@sha256:12", "docker.io/library/nginx", NULL,
		  "sha256:12" },
		{ "localhost:5000/a", "localhost:5000/a", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *repository = NULL, *tag = NULL, *digest = NULL;
		image_name_split(cases[i].name, &repository, &tag, &digest);
		assert_string_equal(repository, cases[i].repository);
		assert_int_equal(!tag, !cases[i].tag);
		assert_int_equal(!digest, !cases[i].digest);
		if (tag)
			assert_string_equal(tag, cases[i].tag);
		if (digest)
			assert_string_equal(digest, cases[i].digest);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_names_and_ids_find_the_image),
		TEST(test_a_candidate_wins_over_a_short_id),
		TEST(test_digests_find_the_image_in_its_repositories),
		TEST(test_ambiguous_words_are_refused),
		TEST(test_a_name_moves_to_the_image_recorded_last),
		TEST(test_recording_twice_changes_nothing),
		TEST(test_a_layer_that_has_gone_is_reported),
		TEST(test_another_packing_replaces_the_blobs),
		TEST(test_a_configuration_that_has_gone_is_reported),
		TEST(test_untag_and_tag),
		TEST(test_delete_keeps_what_others_share),
		TEST(test_an_image_in_use_is_not_deleted),
		TEST(test_the_list_is_newest_first_with_names),
		TEST(test_a_layer_of_a_lost_boot_is_no_layer),
		TEST(test_an_altered_blob_is_refused),
		TEST(test_the_sweep_takes_leftovers_and_nothing_else),
		TEST(test_podmans_directory_is_refused),
		TEST(test_locks_exclude_and_survive_sweeping),
		cmocka_unit_test(test_names_are_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
