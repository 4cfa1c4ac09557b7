#include "registry/registries.h"

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
#include "oci/reference.h"
#include "registry/paths.h"
#include "registry/short-name.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A home of its own, so that nothing of the machine's configuration shows. */
static char home[64];
static struct registry_paths paths;

static char *environment(const char *name)
{
	static char conf[128], dir[128];

	if (strcmp(name, "HOME") == 0)
		return home;
	snprintf(conf, sizeof(conf), "%s/registries.conf", home);
	snprintf(dir, sizeof(dir), "%s/registries.conf.d", home);
	if (strcmp(name, "CONTAINERS_REGISTRIES_CONF") == 0)
		return conf;
	return strcmp(name, "CONTAINERS_REGISTRIES_CONF_DIR") == 0 ? dir : NULL;
}

static void write_file(const char *name, const char *text)
{
	autofree char *path = path_join(home, name);
	struct err err = { 0 };

	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, &err), 0);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/davit-test-XXXXXX");
	if (!mkdtemp(home))
		return -1;
	autofree char *dir = path_join(home, "registries.conf.d");
	if (mkdir(dir, 0755) < 0)
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

static struct registries *load(const char *text)
{
	struct registries *registries = NULL;
	struct err err = { 0 };

	write_file("registries.conf", text);
	if (registries_load(&paths, &registries, &err) < 0)
		fail_msg("%s", err.text);
	return registries;
}

static void expect_load_error(const char *text, const char *part)
{
	struct registries *registries = NULL;
	struct err err = { 0 };

	write_file("registries.conf", text);
	if (registries_load(&paths, &registries, &err) >= 0)
		fail_msg("accepted: %s", text);
	if (!strstr(err.text, part) || !strstr(err.text, "registries.conf"))
		fail_msg("'%s' lacks '%s'", err.text, part);
}

/* "domain/path" of each endpoint, "!" behind insecure ones, joined by blanks */
static void expect_endpoints(const struct registries *registries, const char *name,
			     const char *expected)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	autoendpoints struct registry_endpoints endpoints = { 0 };
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(reference_parse(name, &reference, &err), 0);
	if (registries_endpoints(registries, &reference, &endpoints, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < endpoints.count; i++)
		strbuf_addf(&text, "%s%s/%s%s", i ? " " : "", endpoints.items[i].domain,
			    endpoints.items[i].path, endpoints.items[i].insecure ? "!" : "");
	assert_string_equal(strbuf_text(&text), expected);
}

/* Full names of the candidates joined by blanks. */
static void expect_candidates(const struct registries *registries, const char *name,
			      const char *expected)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	autocandidates struct short_name_candidates candidates = { 0 };
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(reference_parse(name, &reference, &err), 0);
	if (short_name_resolve(registries, &paths, &reference, &candidates, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < candidates.count; i++) {
		autofree char *full = reference_print(&candidates.items[i]);
		strbuf_addf(&text, "%s%s", i ? " " : "", full);
	}
	assert_string_equal(strbuf_text(&text), expected);
}

static void test_longest_prefix_decides(void **state)
{
	(void)state;
	autoregistries struct registries *registries =
		load("[[registry]]\nlocation = 'a.io'\ninsecure = true\n"
		     "[[registry]]\nprefix = 'a.io/team'\nlocation = 'b.io:5000/x/'\n"
		     "[[registry]]\nlocation = 'localhost'\ninsecure = true\n");

	expect_endpoints(registries, "a.io/one", "a.io/one!");
	expect_endpoints(registries, "a.io/team/app:1", "b.io:5000/x/app");
	expect_endpoints(registries, "a.io/teams/app", "a.io/teams/app!");
	expect_endpoints(registries, "a.io.evil/one", "a.io.evil/one");
	expect_endpoints(registries, "localhost:5000/one", "localhost:5000/one!");
	expect_endpoints(registries, "docker.io/nginx", "docker.io/library/nginx");
}

static void test_wildcards_match_subdomains_only(void **state)
{
	(void)state;
	autoregistries struct registries *registries =
		load("[[registry]]\nprefix = '*.example.com'\ninsecure = true\n"
		     "[[registry]]\nprefix = '*.moved.com'\nlocation = 'new.org/old'\n");

	expect_endpoints(registries, "a.example.com/x", "a.example.com/x!");
	expect_endpoints(registries, "a.b.example.com:5000/x", "a.b.example.com:5000/x!");
	expect_endpoints(registries, "example.com/x", "example.com/x");
	expect_endpoints(registries, "evil.org/a.example.com/x", "evil.org/a.example.com/x");
	expect_endpoints(registries, "a.moved.com/x", "new.org/old/x");
}

static void test_mirrors_come_first_and_keep_their_rules(void **state)
{
	(void)state;
	autoregistries struct registries *registries =
		load("[[registry]]\nlocation = 'a.io'\n"
		     "[[registry.mirror]]\nlocation = 'm1.io/a'\ninsecure = true\n"
		     "[[registry.mirror]]\nlocation = 'm2.io'\npull-from-mirror = 'digest-only'\n"
		     "[[registry.mirror]]\nlocation = 'm3.io'\npull-from-mirror = 'tag-only'\n"
		     "[[registry]]\nlocation = 'b.io'\nmirror-by-digest-only = true\n"
		     "[[registry.mirror]]\nlocation = 'm4.io'\n");

	expect_endpoints(registries, "a.io/x:1", "m1.io/a/x! m3.io/x a.io/x");
	expect_endpoints(registries, "a.io/x@sha256:" HEX, "m1.io/a/x! m2.io/x a.io/x");
	expect_endpoints(registries, "b.io/x:1", "b.io/x");
	expect_endpoints(registries, "b.io/x@sha256:" HEX, "m4.io/x b.io/x");
}

static void test_blocked_registries_are_refused(void **state)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	struct registry_endpoints endpoints = { 0 };
	struct err err = { 0 };

	(void)state;
	autoregistries struct registries *registries =
		load("[[registry]]\nlocation = 'bad.io'\nblocked = true\n");
	assert_int_equal(reference_parse("bad.io/x", &reference, &err), 0);
	assert_int_equal(registries_endpoints(registries, &reference, &endpoints, &err), -EPERM);
	assert_non_null(strstr(err.text, "bad.io"));
}

static void test_dropins_replace_field_by_field(void **state)
{
	(void)state;
	write_file(
		"registries.conf.d/20-b.conf",
		"[[registry]]\nlocation = 'a.io'\n[aliases]\nfedora = 'f.io/fedora'\nold = ''\n");
	write_file("registries.conf.d/10-a.conf", "short-name-mode = 'disabled'\n"
						  "unqualified-search-registries = ['two.io']\n");
	write_file("registries.conf.d/30.txt", "not = toml = at all");
	autoregistries struct registries *registries =
		load("unqualified-search-registries = ['one.io']\n"
		     "[[registry]]\nlocation = 'a.io'\ninsecure = true\n"
		     "[aliases]\nold = 'o.io/old'\nfedora = 'x.io/fedora'\n");

	assert_int_equal(registries_search(registries)->count, 1);
	assert_string_equal(registries_search(registries)->items[0], "two.io");
	assert_int_equal(registries_short_name_mode(registries), SHORT_NAME_DISABLED);
	assert_string_equal(registries_alias(registries, "fedora"), "f.io/fedora");
	assert_null(registries_alias(registries, "old"));
	expect_endpoints(registries, "a.io/x", "a.io/x");
	assert_int_equal(registries_files(registries)->count, 3);
}

static void test_the_old_format_is_understood(void **state)
{
	(void)state;
	autoregistries struct registries *registries =
		load("[registries.search]\nregistries = ['one.io', 'two.io']\n"
		     "[registries.insecure]\nregistries = ['localhost:5000']\n");

	assert_int_equal(registries_search(registries)->count, 2);
	expect_endpoints(registries, "localhost:5000/x", "localhost:5000/x!");
}

static void test_mistakes_are_named_with_their_file(void **state)
{
	(void)state;
	expect_load_error("x = \n", "line 1");
	expect_load_error("[[registry]]\nprefix = 'a.io'\n", "has no location");
	expect_load_error("[[registry]]\nlocation = 'https://a.io'\n", "https://a.io");
	expect_load_error("[[registry]]\nprefix = 'a.*.io'\nlocation = 'b.io'\n", "wildcard");
	expect_load_error("[[registry]]\n", "neither prefix nor location");
	expect_load_error("short-name-mode = 'x'\n", "short-name-mode");
	expect_load_error("[aliases]\na = 'b'\n", "no full name");
	expect_load_error("[aliases]\n'q.io/a' = 'q.io/b'\n", "no short name");
	expect_load_error("[[registry]]\nlocation = 'a.io'\nmirror = [{insecure = true}]\n",
			  "no location");
	expect_load_error("unqualified-search-registries = ['a.io']\n[registries.search]\n"
			  "registries = []\n",
			  "old format");
}

static void test_a_missing_file_is_an_error_only_when_named(void **state)
{
	struct registries *registries = NULL;
	struct err err = { 0 };

	(void)state;
	autofree char *path = path_join(home, "registries.conf");
	(void)unlink(path);
	assert_int_equal(registries_load(&paths, &registries, &err), -ENOENT);
	paths.registries_conf_required = false;
	assert_int_equal(registries_load(&paths, &registries, &err), 0);
	registries_free(registries);
}

static void test_short_names_find_alias_then_search_registries(void **state)
{
	(void)state;
	autoregistries struct registries *registries =
		load("unqualified-search-registries = ['localhost:5000', 'docker.io']\n"
		     "[aliases]\nfedora = 'registry.fedoraproject.org/fedora'\n");

	expect_candidates(registries, "fedora:39", "registry.fedoraproject.org/fedora:39");
	expect_candidates(registries, "nginx",
			  "localhost:5000/nginx:latest docker.io/library/nginx:latest");
	expect_candidates(registries, "ann/x@sha256:" HEX,
			  "localhost:5000/ann/x@sha256:" HEX " docker.io/ann/x@sha256:" HEX);
	expect_candidates(registries, "quay.io/x", "quay.io/x:latest");
}

static void test_no_configuration_for_a_short_name_is_told(void **state)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	struct short_name_candidates candidates = { 0 };
	struct err err = { 0 };

	(void)state;
	autoregistries struct registries *registries = load("");
	assert_int_equal(reference_parse("nope", &reference, &err), 0);
	assert_int_equal(short_name_resolve(registries, &paths, &reference, &candidates, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "short-name \"nope\" did not resolve to an alias and no "
					 "unqualified-search registries are defined in \""));
	assert_non_null(strstr(err.text, paths.registries_conf));
}

static void test_a_remembered_choice_wins(void **state)
{
	autoreference struct reference name = REFERENCE_EMPTY, chosen = REFERENCE_EMPTY;
	struct err err = { 0 };

	(void)state;
	autoregistries struct registries *registries =
		load("unqualified-search-registries = ['a.io', 'b.io']\n[aliases]\nx = 'c.io/x'\n");
	assert_int_equal(reference_parse("nginx:2", &name, &err), 0);
	assert_int_equal(reference_parse("b.io/nginx:2", &chosen, &err), 0);
	assert_int_equal(short_name_remember(&paths, &name, &chosen, &err), 0);
	expect_candidates(registries, "nginx:3", "b.io/nginx:3");

	reference_clear(&name);
	reference_clear(&chosen);
	assert_int_equal(reference_parse("x", &name, &err), 0);
	assert_int_equal(reference_parse("d.io/y", &chosen, &err), 0);
	assert_int_equal(short_name_remember(&paths, &name, &chosen, &err), 0);
	expect_candidates(registries, "x", "d.io/y:latest");
	expect_candidates(registries, "nginx:3", "b.io/nginx:3");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_longest_prefix_decides),
		TEST(test_wildcards_match_subdomains_only),
		TEST(test_mirrors_come_first_and_keep_their_rules),
		TEST(test_blocked_registries_are_refused),
		TEST(test_dropins_replace_field_by_field),
		TEST(test_the_old_format_is_understood),
		TEST(test_mistakes_are_named_with_their_file),
		TEST(test_a_missing_file_is_an_error_only_when_named),
		TEST(test_short_names_find_alias_then_search_registries),
		TEST(test_no_configuration_for_a_short_name_is_told),
		TEST(test_a_remembered_choice_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
