/* davit volume ls: lists volumes. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/volume-row.h"
#include "engine/engine.h"
#include "engine/volume.h"

struct volume_ls_args {
	const char *format;
	bool noheading, quiet;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct volume_ls_args, f)
static const struct option_spec options[] = {
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match: name, label, driver, dangling, until",
	  .choices = "name=|label=|driver=|dangling=|until=" },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "noheading", 'n', OPTION_FLAG, FIELD(noheading), NULL, "No headings" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Only names" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "DRIVER", "Driver" },
	{ "VOLUME NAME", "Name" },
	{ NULL, NULL },
};

/* "KEY" or "KEY=VALUE" among the labels. */
static bool has_label(const struct volume *volume, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	autofree char *key = xstrndup(wanted, strcspn(wanted, "="));
	const char *value = strlist_env_get(&volume->labels, key);

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

/* 1 when the volume matches the filter, 0 when not. */
static int matches(const struct volume *volume, const char *key, const char *value, struct err *err)
{
	if (strcmp(key, "name") == 0)
		return strstr(volume->name, value) != NULL;
	if (strcmp(key, "label") == 0)
		return has_label(volume, value);
	if (strcmp(key, "driver") == 0)
		return strcmp(volume->driver, value) == 0;
	if (strcmp(key, "dangling") == 0) {
		bool dangling = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

		if (!dangling && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
			return err_set(err, EINVAL, "filter dangling=%s: neither true nor false",
				       value);
		return (volume->use_count == 0) == dangling;
	}
	if (strcmp(key, "until") == 0) {
		int64_t until_usec;
		int r = timestamp_parse(value, timestamp_now_usec(), &until_usec, err);

		return r < 0 ? r : volume->created_nsec / 1000 < until_usec;
	}
	return err_set(
		err, EINVAL,
		"filter '%s' is not known; volumes have name, label, driver, dangling, until", key);
}

/* Every label has to match; of other keys with several values one has to. */
static int matches_all(const struct volume *volume, const struct strlist *filters, struct err *err)
{
	for (size_t i = 0; i < filters->count; i++) {
		const char *value = strchr(filters->items[i], '=');
		autofree char *key = xstrndup(filters->items[i], strcspn(filters->items[i], "="));
		bool any = strcmp(key, "label") != 0, found;

		if (!value)
			return err_set(err, EINVAL, "filter '%s' has no value; write KEY=VALUE",
				       key);
		int r = matches(volume, key, value + 1, err);
		if (r < 0)
			return r;
		found = r;
		for (size_t j = 0; any && !found && j < filters->count; j++)
			if (strncmp(filters->items[j], key, strlen(key)) == 0 &&
			    filters->items[j][strlen(key)] == '=')
				found = matches(volume, key, filters->items[j] + strlen(key) + 1,
						err) > 0;
		if (!found)
			return 0;
	}
	return 1;
}

static int volume_ls(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct volume_ls_args *args = arguments;
	autojson struct json_object *rows = json_object_new_array();
	struct volume **list;
	struct engine *engine;
	size_t count;

	int r = cli_engine(cli, &engine, err);
	if (r >= 0)
		r = volume_list(engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = matches_all(list[i], &args->filters, err);
		if (r > 0)
			json_object_array_add(rows, volume_row(list[i]));
	}
	volume_list_free(list, count);
	if (r < 0)
		return r;
	return output_list(&(struct output_list){ .columns = columns,
						  .quiet_field = "Name",
						  .format = args->format,
						  .quiet = args->quiet,
						  .noheading = args->noheading },
			   rows, err);
}

const struct command command_volume_ls = {
	.names = "volume ls|volume list",
	.summary = "List volumes",
	.examples = "davit volume ls --filter dangling=true\n"
		    "davit volume ls --format '{{.Name}} {{.Mountpoint}}'",
	.options = options,
	.args_size = sizeof(struct volume_ls_args),
	.run = volume_ls,
};
