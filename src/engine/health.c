#include "engine/health.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "monitor/attach.h"
#include "oci/timestamp.h"

#define HEALTH_FILE "health"

/* Beside what inspect shows the document has "Startup": how often that check has succeeded and failed in a row, and
 * whether it is over. */
#define STARTUP "Startup"

enum {
	FILE_LIMIT = 8 * HEALTH_LOG_BYTES, /* each byte may be written as \u0000 */
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

bool health_has_startup(const struct container_spec *spec)
{
	return health_has_check(spec) && spec->health_startup_test.count > 1;
}

unsigned health_interval_msec(int64_t nsec)
{
	return nsec / 1000000 > UINT32_MAX ? UINT32_MAX : (unsigned)(nsec / 1000000);
}

unsigned health_first_interval_msec(const struct container_spec *spec)
{
	return health_interval_msec(health_has_startup(spec) ? spec->health_startup_interval_nsec
				    : health_has_check(spec) ? spec->health_interval_nsec
							     : 0);
}

size_t health_output_limit(const struct container_spec *spec)
{
	int64_t size = spec->health_log_size ?: HEALTH_LOG_SIZE;

	return size < 0 || size > HEALTH_LOG_BYTES ? HEALTH_LOG_BYTES : (size_t)size;
}

/* ---- its results ---- */

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

bool health_is_startup(struct json_object *health, const struct container_spec *spec)
{
	return health_has_startup(spec) && !json_get_bool(json_get(health, STARTUP), "Over", false);
}

static enum health_verdict add_startup(struct json_object *health,
				       const struct container_spec *spec,
				       const struct health_result *result)
{
	struct json_object *before = json_get(health, STARTUP), *startup = json_object_new_object();
	bool is_good = result->exit_code == 0;
	int64_t passed = is_good ? json_get_int(before, "Passed", 0) + 1 : 0,
		failed = is_good ? 0 : json_get_int(before, "Failed", 0) + 1;
	bool is_over = passed && passed >= spec->health_startup_success;

	json_add_int(startup, "Passed", passed);
	json_add_int(startup, "Failed", failed);
	json_add_bool(startup, "Over", is_over);
	json_object_object_add(health, STARTUP, startup);
	if (is_over)
		return HEALTH_STARTED;
	return spec->health_startup_retries && failed >= spec->health_startup_retries
		       ? HEALTH_START_FAILED
		       : HEALTH_GOES_ON;
}

static size_t output_size(struct json_object *entry)
{
	return strlen(json_get_string(entry, "Output", ""));
}

/* The newest ones, as many as are to be kept. */
static void add_to_log(struct json_object *health, const struct container_spec *spec,
		       struct json_object *entry)
{
	struct json_object *log = json_object_new_array(), *old = json_get(health, "Log");
	bool has_old = old && json_object_is_type(old, json_type_array);
	size_t count = has_old ? json_object_array_length(old) : 0, first = count,
	       bytes = output_size(entry);
	int64_t limit = spec->health_log_count ?: HEALTH_LOG_COUNT;

	/* What says nothing takes room too. */
	while (first > 0 && (limit < 0 || (int64_t)(count - first) < limit - 1)) {
		bytes += 128 + output_size(json_object_array_get_idx(old, first - 1));
		if (bytes > HEALTH_LOG_BYTES)
			break;
		first--;
	}
	for (size_t i = first; i < count; i++)
		json_object_array_add(log, json_object_get(json_object_array_get_idx(old, i)));
	json_object_array_add(log, entry);
	json_object_object_add(health, "Log", log);
}

enum health_verdict health_add_result(struct json_object *health, const struct container_spec *spec,
				      const struct health_result *result, bool is_starting)
{
	struct json_object *entry = json_object_new_object();
	autofree char *start = oci_time_print(result->start_nsec),
		      *end = oci_time_print(result->end_nsec);
	int64_t streak = json_get_int(health, "FailingStreak", 0);
	autofree char *status = xstrdup(json_get_string(health, "Status", "starting"));
	enum health_verdict verdict = HEALTH_GOES_ON;

	json_add_string(entry, "Start", start);
	json_add_string(entry, "End", end);
	json_add_int(entry, "ExitCode", result->exit_code);
	json_add_string(entry, "Output", result->output);
	add_to_log(health, spec, entry);
	if (result->is_startup) {
		/* Of two at once the other one may have ended the start. */
		if (health_is_startup(health, spec))
			verdict = add_startup(health, spec, result);
	} else {
		const char *now = next_status(status, spec, result, is_starting, &streak);
		if (strcmp(now, "unhealthy") == 0)
			verdict = HEALTH_UNHEALTHY;
		if (now != status) {
			free(status);
			status = xstrdup(now);
		}
	}
	json_add_string(health, "Status", status);
	json_add_int(health, "FailingStreak", streak);
	return verdict;
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

struct json_object *health_read(const char *directory)
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

int health_write(const char *run_dir, const struct container_spec *spec, const char *id,
		 struct json_object *health, struct err *err)
{
	autofree char *path = path_join(run_dir, HEALTH_FILE);
	const char *text = json_text(health);

	int r = file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
	if (r < 0 || !spec->health_log_destination ||
	    strcmp(spec->health_log_destination, "local") == 0)
		return r;
	autofree char *copy = xasprintf("%s/%s-healthcheck.log", spec->health_log_destination, id);
	struct err ignored; /* whatever becomes of the copy, the result counts */
	(void)file_write(AT_FDCWD, copy, text, strlen(text), 0600, 0, &ignored);
	return 0;
}

struct json_object *health_to_json(const struct engine *engine, const struct container *container)
{
	autofree char *run_dir = container_run_directory(engine, container->id),
		      *directory = container_directory(engine, container->id);
	struct json_object *json = health_read(run_dir) ?: health_read(directory);

	if (json)
		json_object_object_del(json, STARTUP);
	return json;
}

char *health_status(const struct engine *engine, const struct container *container)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autojson struct json_object *json = health_read(run_dir);

	return xstrdup(json_get_string(json, "Status", ""));
}

static int tell_monitor(const char *run_dir, unsigned every_msec, struct err *err)
{
	autoclose int run_dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (run_dir_fd < 0)
		return err_errno(err, "open '%s'", run_dir);
	autoclose int fd = attach_connect(run_dir_fd, err);
	return fd < 0 ? fd : attach_set_health(fd, every_msec, false, err);
}

void health_changed(struct engine *engine, const struct container *container,
		    const struct container_spec *spec)
{
	autofree char *run_dir = container_run_directory(engine, container->id),
		      *path = path_join(run_dir, HEALTH_FILE);
	autojson struct json_object *health = health_read(run_dir);
	unsigned every_msec = health_first_interval_msec(spec);
	struct err err;
	int r = 0;

	if (!health_has_check(spec))
		(void)unlink(path); /* there may have been none before */
	else if (!health)
		r = health_begin(run_dir, spec, &err);
	else if (!health_is_startup(health, spec))
		every_msec = health_interval_msec(spec->health_interval_nsec);
	if (r == 0)
		r = tell_monitor(run_dir, every_msec, &err);
	if (r < 0)
		log_warn("container %s: %s; its health is checked at other times only from the "
			 "next start on",
			 container->name, err.text);
}
