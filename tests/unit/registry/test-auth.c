#include "registry/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "registry/paths.h"

static char home[64];
static struct registry_paths paths;

static char *environment(const char *name)
{
	return strcmp(name, "HOME") == 0 || strcmp(name, "XDG_RUNTIME_DIR") == 0 ? home : NULL;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/davit-test-XXXXXX");
	if (!mkdtemp(home))
		return -1;
	registry_paths_init(&paths, environment, 1000);
	return 0;
}

static int tear_down(void **state)
{
	struct err err = { 0 };

	(void)state;
	registry_paths_clear(&paths);
	return file_remove_tree(AT_FDCWD, home, &err);
}

static void write_file(const char *name, const char *text)
{
	autofree char *path = path_join(home, name);
	autofree char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	struct err err = { 0 };

	assert_int_equal(file_make_dirs(AT_FDCWD, directory, 0700, &err), 0);
	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &err), 0);
}

static void expect(const char *key, const char *user, const char *password)
{
	autocredentials struct credentials credentials = CREDENTIALS_EMPTY;
	struct err err = { 0 };

	if (auth_find(&paths, NULL, NULL, key, &credentials, &err) < 0)
		fail_msg("%s", err.text);
	if (!user) {
		assert_null(credentials.user);
		return;
	}
	assert_non_null(credentials.user);
	assert_string_equal(credentials.user, user);
	assert_string_equal(credentials.password, password);
}

#define AUTH(text) "{\"auth\": \"" text "\"}"
#define ANN	   AUTH("YW5uOnNlY3JldA==")	/* ann:secret */
#define BOB	   AUTH("Ym9iOnBhc3M6d29yZA==") /* bob:pass:word */

static void test_the_most_specific_entry_wins(void **state)
{
	(void)state;
	write_file("containers/auth.json",
		   "{\"auths\": {\"r.io\": " ANN ", \"r.io/team\": " BOB "}}");
	expect("r.io/team/app", "bob", "pass:word");
	expect("r.io/teams", "ann", "secret");
	expect("r.io", "ann", "secret");
	expect("r.io:5000/team", NULL, NULL);
	expect("other.io", NULL, NULL);
}

static void test_docker_spellings_are_understood(void **state)
{
	(void)state;
	write_file(".docker/config.json",
		   "{\"auths\": {\"https://index.docker.io/v1/\": " ANN
		   ", \"https://r.io/v2/\": " BOB "}, \"credsStore\": \"desktop\"}");
	expect("docker.io/library/nginx", "ann", "secret");
	expect("r.io/x", "bob", "pass:word");
	write_file(".dockercfg", "{\"old.io\": " ANN "}");
	expect("old.io/x", "ann", "secret");
}

static void test_earlier_files_win(void **state)
{
	(void)state;
	write_file("containers/auth.json", "{\"auths\": {\"r.io\": " ANN "}}");
	write_file(".config/containers/auth.json",
		   "{\"auths\": {\"r.io\": " BOB ", \"s.io\": " BOB "}}");
	expect("r.io/x", "ann", "secret");
	expect("s.io/x", "bob", "pass:word");
}

static void test_damage_is_told_with_file_and_remedy(void **state)
{
	static const char *const texts[] = {
		"{", "[]", "{\"auths\": {\"r.io\": " AUTH("!") "}}",
		"{\"auths\": {\"r.io\": " AUTH("YW5u") "}}", /* no colon */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct credentials credentials;
		struct err err = { 0 };
		write_file("containers/auth.json", texts[i]);
		assert_true(auth_find(&paths, NULL, NULL, "r.io", &credentials, &err) < 0);
		assert_non_null(strstr(err.text, "containers/auth.json"));
	}
	write_file("containers/auth.json", "");
	expect("r.io", NULL, NULL);
}

static void test_a_login_is_found_again_and_a_logout_forgets_it(void **state)
{
	struct err err = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(auth_store(&paths, NULL, "r.io", "ann", "se:cret", &err), 0);
	assert_int_equal(auth_store(&paths, NULL, "r.io/team", "bob", "b", &err), 0);
	assert_int_equal(auth_store(&paths, NULL, "docker.io", "hub", "h", &err), 0);
	assert_int_equal(stat(paths.auth_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	expect("r.io/x", "ann", "se:cret");
	expect("r.io/team/x", "bob", "b");
	expect("docker.io/library/x", "hub", "h");
	assert_int_equal(auth_store(&paths, NULL, "r.io", "ann", "new", &err), 0);
	expect("r.io/x", "ann", "new");
	assert_int_equal(auth_remove(&paths, NULL, "r.io", &err), 0);
	expect("r.io/x", NULL, NULL);
	expect("r.io/team/x", "bob", "b");
	assert_int_equal(auth_remove(&paths, NULL, "r.io", &err), -ENOENT);
	assert_non_null(strstr(err.text, "not logged into r.io"));
	assert_int_equal(auth_remove_all(&paths, NULL, &err), 0);
	expect("docker.io/library/x", NULL, NULL);
}

static void test_other_settings_survive_a_login(void **state)
{
	autofree char *path = path_join(home, "mine.json");
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	(void)state;
	write_file("mine.json",
		   "{\"auths\": {\"https://r.io/v2/\": " BOB "}, \"psFormat\": \"x\"}");
	assert_int_equal(auth_store(&paths, path, "r.io", "ann", "secret", &err), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &text, 4096, &err), 0);
	assert_non_null(strstr(text.data, "psFormat"));
	assert_null(strstr(text.data, "https://"));
	assert_non_null(strstr(text.data, "YW5uOnNlY3JldA=="));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_most_specific_entry_wins),
		TEST(test_docker_spellings_are_understood),
		TEST(test_earlier_files_win),
		TEST(test_damage_is_told_with_file_and_remedy),
		TEST(test_a_login_is_found_again_and_a_logout_forgets_it),
		TEST(test_other_settings_survive_a_login),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
