/* One function for each instruction, in a table. Words may be quoted as in a shell; a list in JSON is taken
 * as it is, and where a command is not one it is the shell's. */
#include "oci/image-instruction.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct change {
	struct json_object *config;
	const char *value; /* without blanks at its ends, not empty */
};

/* ---- words ---- */

/* Split at blanks outside of quotes; quotes and backslashes are taken away. */
static int split_words(const char *text, struct strlist *words, struct err *err)
{
	while (*text) {
		autostrbuf struct strbuf word = STRBUF_EMPTY;
		char quote = '\0';
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			break;
		for (; *text && (quote || !isspace((unsigned char)*text)); text++) {
			if (quote && *text == quote)
				quote = '\0';
			else if (!quote && (*text == '"' || *text == '\''))
				quote = *text;
			else if (*text == '\\' && quote != '\'' && text[1])
				strbuf_addc(&word, *++text);
			else
				strbuf_addc(&word, *text);
		}
		if (quote)
			return err_set(err, EINVAL, "a quote is not closed");
		strlist_add(words, strbuf_text(&word));
	}
	return 0;
}

/* A JSON list of texts, or NULL if the value is none; owned by the caller. */
static struct json_object *json_list(const char *value)
{
	struct json_object *list = NULL;
	struct err ignored; /* then it is no list */

	if (value[0] != '[' || json_parse(value, strlen(value), &list, &ignored) < 0)
		return NULL;
	bool is_list = json_object_is_type(list, json_type_array);
	for (size_t i = 0; is_list && i < json_object_array_length(list); i++)
		is_list = json_object_is_type(json_object_array_get_idx(list, i), json_type_string);
	if (is_list)
		return list;
	json_object_put(list);
	return NULL;
}

static struct json_object *shell_command(const char *value)
{
	struct json_object *list = json_object_new_array();
	const char *const words[] = { "/bin/sh", "-c", value };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		json_append_string(list, words[i]);
	return list;
}

/* "KEY=VALUE ...", or "KEY VALUE" when the first word has no "=". */
static int split_pairs(const char *value, struct strlist *pairs, struct err *err)
{
	int r = split_words(value, pairs, err);

	if (r < 0)
		return r;
	if (pairs->count && !strchr(pairs->items[0], '=')) {
		size_t size = strcspn(value, " \t");
		const char *rest = value + size + strspn(value + size, " \t");
		autofree char *pair = xasprintf("%.*s=%s", (int)size, value, rest);
		if (!*rest)
			return err_set(err, EINVAL, "'%s' is not of the form KEY=VALUE", value);
		strlist_clear(pairs);
		strlist_add(pairs, pair);
	}
	for (size_t i = 0; i < pairs->count; i++)
		if (!strchr(pairs->items[i], '=') || pairs->items[i][0] == '=')
			return err_set(err, EINVAL, "'%s' is not of the form KEY=VALUE",
				       pairs->items[i]);
	return 0;
}

/* ---- instructions ---- */

static int apply_cmd(const struct change *change, struct err *err)
{
	json_object_object_add(change->config, "Cmd",
			       json_list(change->value) ?: shell_command(change->value));
	return 0;
}

static int apply_entrypoint(const struct change *change, struct err *err)
{
	json_object_object_add(change->config, "Entrypoint",
			       json_list(change->value) ?: shell_command(change->value));
	return 0;
}

static int apply_env(const struct change *change, struct err *err)
{
	autostrlist struct strlist pairs = STRLIST_EMPTY, env = STRLIST_EMPTY;
	struct json_object *list = json_object_new_array();

	json_get_strlist(change->config, "Env", &env);
	int r = split_pairs(change->value, &pairs, err);
	for (size_t i = 0; r == 0 && i < pairs.count; i++) {
		size_t size = strcspn(pairs.items[i], "=");
		autofree char *key = xstrndup(pairs.items[i], size);
		strlist_env_set(&env, key, pairs.items[i] + size + 1);
	}
	for (size_t i = 0; i < env.count; i++)
		json_append_string(list, env.items[i]);
	json_object_object_add(change->config, "Env", list);
	return r;
}

/* "80", "80/tcp", "8000-8010/udp" */
static int add_port(struct json_object *ports, const char *word, struct err *err)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	char *end;
	const char *slash = strchr(word, '/'), *wanted = slash ? slash + 1 : "tcp";
	const char *protocol = NULL; /* as everybody looks for it: in small letters */

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(wanted, protocols[i]) == 0)
			protocol = protocols[i];
	unsigned long first = isdigit((unsigned char)*word) ? strtoul(word, &end, 10) : 0;
	unsigned long last = first;
	if (first && *end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	if (!protocol || !first || last < first || last > UINT16_MAX || (*end && *end != '/'))
		return err_set(err, EINVAL, "'%s' is not of the form PORT[-PORT][/tcp|udp|sctp]",
			       word);
	for (unsigned long port = first; port <= last; port++) {
		autofree char *key = xasprintf("%lu/%s", port, protocol);
		json_object_object_add(ports, key, json_object_new_object());
	}
	return 0;
}

static int apply_expose(const struct change *change, struct err *err)
{
	autostrlist struct strlist words = STRLIST_EMPTY;

	int r = split_words(change->value, &words, err);
	for (size_t i = 0; r == 0 && i < words.count; i++)
		r = add_port(json_need_object(change->config, "ExposedPorts"), words.items[i], err);
	return r;
}

/* The options in front, as "--interval=30s"; durations are kept in nanoseconds. */
static int apply_health_option(struct json_object *health, const char *word, struct err *err)
{
	static const struct {
		const char *option, *key;
	} durations[] = { { "--interval=", "Interval" },
			  { "--timeout=", "Timeout" },
			  { "--start-period=", "StartPeriod" } };
	int64_t usec;

	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		size_t size = strlen(durations[i].option);
		if (strncmp(word, durations[i].option, size) != 0)
			continue;
		int r = duration_parse(word + size, &usec, err);
		if (r < 0)
			return r;
		if (usec < 0 || usec > INT64_MAX / 1000)
			return err_set(err, EINVAL, "'%s' is no duration", word + size);
		json_add_int(health, durations[i].key, usec * 1000);
		return 0;
	}
	if (strncmp(word, "--retries=", 10) == 0) {
		int64_t retries;
		if (number_parse(word + 10, 0, INT32_MAX, &retries) < 0)
			return err_set(err, EINVAL,
				       "'%s' is no number of retries; write it as --retries=3",
				       word + 10);
		json_add_int(health, "Retries", retries);
		return 0;
	}
	return err_set(err, EINVAL,
		       "'%s' is none of --interval, --timeout, --start-period and --retries", word);
}

static int apply_health_check(const struct change *change, struct err *err)
{
	autojson struct json_object *health = json_object_new_object();
	struct json_object *test = json_object_new_array();
	const char *at = change->value;

	json_object_object_add(health, "Test", test);
	while (strncmp(at, "--", 2) == 0) {
		size_t size = strcspn(at, " \t");
		autofree char *word = xstrndup(at, size);
		int r = apply_health_option(health, word, err);
		if (r < 0)
			return r;
		at += size + strspn(at + size, " \t");
	}
	size_t size = strcspn(at, " \t");
	const char *rest = at + size + strspn(at + size, " \t");
	if (strcasecmp(at, "NONE") == 0) {
		json_append_string(test, "NONE");
	} else if (size == 3 && strncasecmp(at, "CMD", 3) == 0 && *rest) {
		autojson struct json_object *words = json_list(rest);
		json_append_string(test, words ? "CMD" : "CMD-SHELL");
		for (size_t i = 0; words && i < json_object_array_length(words); i++)
			json_object_array_add(test,
					      json_object_get(json_object_array_get_idx(words, i)));
		if (!words)
			json_append_string(test, rest);
	} else {
		return err_set(err, EINVAL, "it is neither NONE nor CMD and a command");
	}
	json_object_object_add(change->config, "Healthcheck", json_object_get(health));
	return 0;
}

static int apply_label(const struct change *change, struct err *err)
{
	autostrlist struct strlist pairs = STRLIST_EMPTY;

	int r = split_pairs(change->value, &pairs, err);
	for (size_t i = 0; r == 0 && i < pairs.count; i++) {
		size_t size = strcspn(pairs.items[i], "=");
		autofree char *key = xstrndup(pairs.items[i], size);
		json_object_object_add(json_need_object(change->config, "Labels"), key,
				       json_object_new_string(pairs.items[i] + size + 1));
	}
	return r;
}

static int apply_on_build(const struct change *change, struct err *err)
{
	json_object_array_add(json_need_array(change->config, "OnBuild"),
			      json_object_new_string(change->value));
	return 0;
}

static int apply_stop_signal(const struct change *change, struct err *err)
{
	const char *at = change->value;

	for (; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '+' && *at != '-')
			return err_set(err, EINVAL, "'%s' is no signal", change->value);
	json_object_object_add(change->config, "StopSignal", json_object_new_string(change->value));
	return 0;
}

static int apply_user(const struct change *change, struct err *err)
{
	json_object_object_add(change->config, "User", json_object_new_string(change->value));
	return 0;
}

static int apply_volume(const struct change *change, struct err *err)
{
	autostrlist struct strlist words = STRLIST_EMPTY;
	autojson struct json_object *list = json_list(change->value);
	int r = 0;

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		strlist_add(&words, json_object_get_string(json_object_array_get_idx(list, i)));
	if (!list)
		r = split_words(change->value, &words, err);
	for (size_t i = 0; r == 0 && i < words.count; i++)
		json_object_object_add(json_need_object(change->config, "Volumes"), words.items[i],
				       json_object_new_object());
	return r;
}

static int apply_workdir(const struct change *change, struct err *err)
{
	const char *before = json_get_string(change->config, "WorkingDir", "/");
	size_t size = strlen(before);
	autofree char *path =
		change->value[0] == '/'
			? xstrdup(change->value)
			: xasprintf("%s%s%s", before, size && before[size - 1] == '/' ? "" : "/",
				    change->value);

	json_object_object_add(change->config, "WorkingDir", json_object_new_string(path));
	return 0;
}

static const struct {
	const char *name;
	int (*apply)(const struct change *change, struct err *err);
} instructions[] = {
	{ "CMD", apply_cmd },
	{ "ENTRYPOINT", apply_entrypoint },
	{ "ENV", apply_env },
	{ "EXPOSE", apply_expose },
	{ "HEALTHCHECK", apply_health_check },
	{ "LABEL", apply_label },
	{ "ONBUILD", apply_on_build },
	{ "STOPSIGNAL", apply_stop_signal },
	{ "USER", apply_user },
	{ "VOLUME", apply_volume },
	{ "WORKDIR", apply_workdir },
};

/* ---- the whole ---- */

int image_instruction_apply(struct json_object *config, const char *text, struct err *err)
{
	const char *start = text + strspn(text, " \t");
	size_t size = strcspn(start, " \t=");
	const char *rest = start + size + strspn(start + size, " \t");

	if (*rest == '=')
		rest += 1 + strspn(rest + 1, " \t");
	size_t rest_size = strlen(rest);
	while (rest_size && isspace((unsigned char)rest[rest_size - 1]))
		rest_size--;
	if (size == 0 || rest_size == 0)
		return err_set(err, EINVAL,
			       "invalid change \"%s\" - must be formatted as KEY VALUE", text);
	autofree char *name = xstrndup(start, size), *value = xstrndup(rest, rest_size);
	struct change change = { .config = config, .value = value };
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++)
		if (strcasecmp(instructions[i].name, name) == 0) {
			int r = instructions[i].apply(&change, err);
			return r < 0 ? err_wrap(err, "invalid change \"%s\"", text) : 0;
		}
	for (char *at = name; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return err_set(err, EINVAL, "invalid change \"%s\" - invalid instruction %s", text, name);
}
