#include "engine/log-driver.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/template.h"
#include "engine/container-inspect.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/settings.h"
#include "monitor/journal.h"

enum {
	MAX_FILES = 1000,
	OWN_FIELDS = 5,
};

bool log_driver_is(const struct container_spec *spec, const char *driver)
{
	return strcmp(spec->log_driver ?: "k8s-file", driver) == 0;
}

bool log_driver_is_file(const struct container_spec *spec)
{
	return log_driver_is(spec, "k8s-file") || log_driver_is(spec, "json-file");
}

char *log_driver_path(const struct container_spec *spec, const char *container_dir)
{
	return spec->log_path ? xstrdup(spec->log_path) : path_join(container_dir, "ctr.log");
}

static bool is_known(const char *driver)
{
	autostrlist struct strlist drivers = STRLIST_EMPTY;

	strlist_split(&drivers, LOG_DRIVERS, '|');
	return strlist_contains(&drivers, driver);
}

/* Field names are capitals, digits and underscores, and do not begin with one of the latter two: those that begin with
 * an underscore are journald's own. */
static bool is_field(const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || equals - text > 64 || !isupper((unsigned char)*text) ||
	    strpbrk(equals, "\n"))
		return false;
	for (const char *at = text; at < equals; at++)
		if (!isupper((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '_')
			return false;
	return true;
}

static int apply_option(const char *text, struct container_spec *spec, struct err *err)
{
	const char *equals = strchr(text, '='), *value = equals ? equals + 1 : "";
	autofree char *key = xstrndup(text, equals ? (size_t)(equals - text) : strlen(text));

	if (strcmp(key, "path") == 0) {
		if (*value != '/')
			return err_set(err, EINVAL,
				       "log option '%s': the path has to begin with '/'", text);
		free(spec->log_path);
		spec->log_path = xstrdup(value);
		return 0;
	}
	if (strcmp(key, "max-size") == 0) {
		int r = human_parse_bytes(value, &spec->log_size_max, err);
		return r < 0 ? err_wrap(err, "log option '%s'", text) : 0;
	}
	if (strcmp(key, "max-file") == 0) {
		if (number_parse(value, 1, MAX_FILES, &spec->log_files) < 0)
			return err_set(err, EINVAL,
				       "log option '%s': give a number of files from 1 to %d", text,
				       MAX_FILES);
		return 0;
	}
	if (strcmp(key, "tag") == 0) {
		autotemplate struct template *template = NULL;
		int r = template_parse(value, &template, err);
		if (r < 0)
			return err_wrap(err, "log option '%s'", text);
		free(spec->log_tag);
		spec->log_tag = xstrdup(value);
		return 0;
	}
	if (strcmp(key, "label") == 0) {
		if (!is_field(value))
			return err_set(err, EINVAL,
				       "log option '%s': write it as label=NAME=VALUE, the name in "
				       "capitals, digits and underscores",
				       text);
		if (spec->log_labels.count >= JOURNAL_FIELDS - OWN_FIELDS)
			return err_set(err, E2BIG, "log option '%s': there are too many labels",
				       text);
		strlist_add(&spec->log_labels, value);
		return 0;
	}
	return err_set(
		err, EINVAL,
		"unknown log option '%s'; there are path=/FILE, max-size=SIZE, max-file=COUNT, "
		"tag=TEMPLATE and label=NAME=VALUE",
		text);
}

/* An option that would change nothing is a mistake. */
static int check_options(const struct strlist *options, const struct container_spec *spec,
			 struct err *err)
{
	static const char *const of_files[] = { "path=", "max-size=", "max-file=" };
	static const char *const of_journal[] = { "tag=", "label=" };

	for (size_t i = 0; i < options->count; i++) {
		const char *option = options->items[i];
		for (size_t j = 0; j < ARRAY_SIZE(of_files) && !log_driver_is_file(spec); j++)
			if (strncmp(option, of_files[j], strlen(of_files[j])) == 0)
				return err_set(err, EINVAL,
					       "log option '%s': the driver %s writes no file",
					       option, spec->log_driver);
		for (size_t j = 0; j < ARRAY_SIZE(of_journal) && !log_driver_is(spec, "journald");
		     j++)
			if (strncmp(option, of_journal[j], strlen(of_journal[j])) == 0)
				return err_set(
					err, EINVAL,
					"log option '%s': only the driver journald has tags and "
					"labels",
					option);
	}
	return 0;
}

int log_driver_choose(const char *driver, const struct strlist *options,
		      const struct settings *settings, struct container_spec *spec, struct err *err)
{
	const char *chosen = driver ?: settings->log_driver ?: "k8s-file";

	if (driver && !is_known(driver))
		return err_set(err, EINVAL, "unknown log driver '%s'; there are %s", driver,
			       LOG_DRIVERS);
	/* containers.conf belongs to several programs, and may be written for another host. */
	if (!driver && (!is_known(chosen) || strcmp(chosen, "passthrough") == 0 ||
			(strcmp(chosen, "journald") == 0 && access(JOURNAL_SOCKET, W_OK) < 0)))
		chosen = "k8s-file";
	spec->log_driver = xstrdup(chosen);
	spec->log_size_max = settings->log_size_max;
	if (log_driver_is(spec, "journald") && settings->log_tag && *settings->log_tag)
		spec->log_tag = xstrdup(settings->log_tag);
	for (size_t i = 0; i < options->count; i++) {
		int r = apply_option(options->items[i], spec, err);
		if (r < 0)
			return r;
	}
	return check_options(options, spec, err);
}

static int render_tag(struct engine *engine, const struct container *container, const char *text,
		      struct strbuf *tag, struct err *err)
{
	autotemplate struct template *template = NULL;
	autojson struct json_object *json = NULL;

	int r = template_parse(text, &template, err);
	if (r == 0)
		r = container_inspect(engine, container, &json, err);
	if (r == 0)
		r = template_render(template, json, tag, err);
	return r < 0 ? err_wrap(err, "log tag '%s'", text) : 0;
}

int log_driver_journal_fields(struct engine *engine, const struct container *container,
			      const struct container_spec *spec, struct strlist *fields,
			      struct err *err)
{
	autostrbuf struct strbuf tag = STRBUF_EMPTY;

	if (spec->log_tag && strstr(spec->log_tag, "{{")) {
		int r = render_tag(engine, container, spec->log_tag, &tag, err);
		if (r < 0)
			return r;
	} else if (spec->log_tag) {
		strbuf_adds(&tag, spec->log_tag);
	}
	for (size_t i = 0; i < tag.size; i++)
		if (tag.data[i] == '\n')
			tag.data[i] = ' ';
	strlist_addf(fields, "CONTAINER_ID_FULL=%s", container->id);
	strlist_addf(fields, "CONTAINER_ID=%.12s", container->id);
	strlist_addf(fields, "CONTAINER_NAME=%s", container->name);
	if (tag.size)
		strlist_addf(fields, "CONTAINER_TAG=%s", strbuf_text(&tag));
	strlist_addf(fields, "SYSLOG_IDENTIFIER=%s",
		     tag.size ? strbuf_text(&tag) : container->name);
	strlist_extend(fields, &spec->log_labels);
	return 0;
}
