#include "engine/health.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "engine/container.h"
#include "engine/engine.h"

#define HEALTH_FILE "health"

enum {
	FILE_LIMIT = 1 << 16,
	LOG_ENTRIES = 5,
};

/* ---- the check ---- */

static int parse_array(const char *text, struct strlist *test, struct err *err)
{
	autojson struct json_object *json = NULL, *holder = json_object_new_object();

	int r = json_parse(text, strlen(text), &json, err);
	if (r < 0)
		return err_wrap(err, "--health-cmd '%s'", text);
	json_object_object_add(holder, "test", json_object_get(json));
	json_get_strlist(holder, "test", test);
	return 0;
}

int health_test_parse(const char *text, struct strlist *test, struct err *err)
{
	autostrlist struct strlist words = STRLIST_EMPTY;

	if (text[0] == '[') {
		int r = parse_array(text, &words, err);
		if (r < 0)
			return r;
	} else if (strcasecmp(text, "none") == 0) {
		strlist_add(&words, "NONE");
	} else if (strncmp(text, "CMD-SHELL ", 10) == 0) {
		strlist_add(&words, "CMD-SHELL");
		strlist_add(&words, text + 10 + strspn(text + 10, " "));
	} else if (strncmp(text, "CMD ", 4) == 0) {
		strlist_split(&words, text, ' ');
	} else if (text[strspn(text, " ")]) {
		strlist_add(&words, text);
	}
	if (!words.count || (words.count == 1 && strncmp(words.items[0], "CMD", 3) == 0 &&
			     (!words.items[0][3] || words.items[0][3] == '-')))
		return err_set(err, EINVAL,
			       "--health-cmd '%s' has no command; give one, or --no-healthcheck",
			       text);
	const char *first = words.items[0];
	if (strcmp(first, "CMD") != 0 && strcmp(first, "CMD-SHELL") != 0 &&
	    strcmp(first, "NONE") != 0)
		strlist_add(test, words.count > 1 ? "CMD" : "CMD-SHELL");
	for (size_t i = 0; i < words.count; i++)
		if (*words.items[i])
			strlist_add(test, words.items[i]);
	return 0;
}

bool health_has_check(const struct container_spec *spec)
{
	return spec->health_test.count > 1 && strcmp(spec->health_test.items[0], "NONE") != 0;
}

/* ---- its results ---- */

static char *time_text(int64_t nsec)
{
	char text[32];
	time_t seconds = (time_t)(nsec / 1000000000);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	return xasprintf("%s.%09dZ", text, (int)(nsec % 1000000000));
}

static const char *next_status(const char *status, const struct container_spec *spec,
			       const struct health_result *result, bool is_starting,
			       int64_t *streak)
{
	if (result->exit_code == 0) {
		*streak = 0;
		return "healthy";
	}
	/* What fails before it has ever worked may just not be ready yet. */
	if (is_starting && strcmp(status, "starting") == 0)
		return status;
	++*streak;
	return *streak >= (spec->health_retries > 0 ? spec->health_retries : 1) ? "unhealthy"
										: status;
}

bool health_add_result(struct json_object *health, const struct container_spec *spec,
		       const struct health_result *result, bool is_starting)
{
	struct json_object *entry = json_object_new_object(), *log = json_object_new_array(),
			   *old = json_get(health, "Log");
	autofree char *start = time_text(result->start_nsec), *end = time_text(result->end_nsec);
	int64_t streak = json_get_int(health, "FailingStreak", 0);
	const char *status = next_status(json_get_string(health, "Status", "starting"), spec,
					 result, is_starting, &streak);
	bool is_unhealthy = strcmp(status, "unhealthy") == 0;

	json_add_string(entry, "Start", start);
	json_add_string(entry, "End", end);
	json_add_int(entry, "ExitCode", result->exit_code);
	json_add_string(entry, "Output", result->output);
	size_t count = old && json_object_is_type(old, json_type_array)
			       ? json_object_array_length(old)
			       : 0;
	for (size_t i = count >= LOG_ENTRIES ? count - LOG_ENTRIES + 1 : 0; i < count; i++)
		json_object_array_add(log, json_object_get(json_object_array_get_idx(old, i)));
	json_object_array_add(log, entry);
	json_add_string(health, "Status", status);
	json_add_int(health, "FailingStreak", streak);
	json_object_object_add(health, "Log", log);
	return is_unhealthy;
}

int health_begin(const char *run_dir, const struct container_spec *spec, struct err *err)
{
	static const char text[] = "{\"Status\":\"starting\",\"FailingStreak\":0,\"Log\":[]}\n";

	if (!health_has_check(spec))
		return 0;
	autofree char *path = path_join(run_dir, HEALTH_FILE);
	return file_write(AT_FDCWD, path, text, sizeof(text) - 1, 0600, 0, err);
}

void health_keep(const char *run_dir, const char *container_dir)
{
	autofree char *from = path_join(run_dir, HEALTH_FILE),
		      *to = path_join(container_dir, HEALTH_FILE);
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored;

	if (file_read(AT_FDCWD, from, &text, FILE_LIMIT, &ignored) == 0)
		(void)file_write(AT_FDCWD, to, strbuf_text(&text), text.size, 0600, 0, &ignored);
}

static struct json_object *read_state(const char *directory)
{
	autofree char *path = path_join(directory, HEALTH_FILE);
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct json_object *json;
	struct err ignored; /* without checks there is none */

	if (file_read(AT_FDCWD, path, &text, FILE_LIMIT, &ignored) < 0 ||
	    json_parse(strbuf_text(&text), text.size, &json, &ignored) < 0)
		return NULL;
	return json;
}

struct json_object *health_to_json(const struct engine *engine, const struct container *container)
{
	autofree char *run_dir = container_run_directory(engine, container->id),
		      *directory = container_directory(engine, container->id);

	return read_state(run_dir) ?: read_state(directory);
}

char *health_status(const struct engine *engine, const struct container *container)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autojson struct json_object *json = read_state(run_dir);

	return xstrdup(json_get_string(json, "Status", ""));
}
