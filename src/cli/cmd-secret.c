/* davit secret ls, inspect, exists, rm. None but inspect --showsecret ever looks at a value. */
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/engine.h"
#include "engine/secret.h"

/* ---- ls ---- */

struct secret_ls_args {
	const char *format;
	bool noheading, quiet;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct secret_ls_args, f)
static const struct option_spec ls_options[] = {
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match: name, id", .choices = "name=|id=" },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "noheading", 'n', OPTION_FLAG, FIELD(noheading), NULL, "No headings" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Only IDs" },
	OPTION_END,
};
#undef FIELD

static const struct output_column columns[] = {
	{ "ID", "ID" },
	{ "NAME", "Name" },
	{ "DRIVER", "Driver" },
	{ "CREATED", "CreatedAt" },
	{ "UPDATED", "UpdatedAt" },
	{ NULL, NULL },
};

/* Of several values of one key one has to match. */
static int matches(const struct secret *secret, const struct strlist *filters, struct err *err)
{
	bool has_name = false, name = false, has_id = false, id = false;

	for (size_t i = 0; i < filters->count; i++) {
		const char *text = filters->items[i];
		if (strncmp(text, "name=", 5) == 0) {
			has_name = true;
			name |= strstr(secret->name, text + 5) != NULL;
		} else if (strncmp(text, "id=", 3) == 0) {
			has_id = true;
			id |= strncmp(secret->id, text + 3, strlen(text + 3)) == 0;
		} else {
			return err_set(
				err, EINVAL,
				"filter '%s' is not known; secrets have name= and id=", text);
		}
	}
	return (!has_name || name) && (!has_id || id);
}

static void add_time(struct json_object *row, const char *key, int64_t nsec, bool is_for_people)
{
	autofree char *text = is_for_people ? human_ago(nsec / 1000, timestamp_now_usec())
					    : timestamp_format(nsec / 1000);

	json_add_string(row, key, text);
}

static struct json_object *spec_of(const struct secret *secret)
{
	struct json_object *spec = json_object_new_object(), *driver = json_object_new_object();

	json_add_string(spec, "Name", secret->name);
	json_add_string(driver, "Name", secret->driver);
	json_object_object_add(driver, "Options", json_from_pairs(&secret->options));
	json_object_object_add(spec, "Driver", driver);
	json_object_object_add(spec, "Labels", json_from_pairs(&secret->labels));
	return spec;
}

static struct json_object *ls_row(const struct secret *secret, bool is_for_people)
{
	struct json_object *row = json_object_new_object();

	json_add_string(row, "ID", secret->id);
	json_add_string(row, "Name", secret->name);
	json_add_string(row, "Driver", secret->driver);
	add_time(row, "CreatedAt", secret->created_nsec, is_for_people);
	add_time(row, "UpdatedAt", secret->updated_nsec, is_for_people);
	json_object_object_add(row, "Labels", json_from_pairs(&secret->labels));
	if (is_for_people)
		json_object_object_add(row, "Spec", spec_of(secret));
	return row;
}

static int secret_ls(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct secret_ls_args *args = arguments;
	autojson struct json_object *rows = json_object_new_array();
	bool is_for_people = !output_wants_json(args->format);
	struct secret **list;
	struct engine *engine;
	size_t count;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = secret_list(engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = matches(list[i], &args->filters, err);
		if (r > 0)
			json_object_array_add(rows, ls_row(list[i], is_for_people));
	}
	secret_list_free(list, count);
	if (r < 0)
		return r;
	return output_list(&(struct output_list){ .columns = columns,
						  .quiet_field = "ID",
						  .format = args->format,
						  .quiet = args->quiet,
						  .noheading = args->noheading },
			   rows, err);
}

const struct command command_secret_ls = {
	.names = "secret ls|secret list",
	.summary = "List secrets",
	.examples = "davit secret ls --filter name=db",
	.options = ls_options,
	.args_size = sizeof(struct secret_ls_args),
	.run = secret_ls,
};

/* ---- inspect ---- */

struct secret_inspect_args {
	const char *format;
	bool pretty, show;
};

#define FIELD(f) offsetof(struct secret_inspect_args, f)
static const struct option_spec inspect_options[] = {
	{ "format", 'f', OPTION_STRING, FIELD(format), "FORMAT",
	  "Print as json, or by a Go template such as '{{.ID}}'", .choices = "json" },
	{ "pretty", 0, OPTION_FLAG, FIELD(pretty), NULL, "Print for people" },
	{ "showsecret", 0, OPTION_FLAG, FIELD(show), NULL, "Print the value too" },
	OPTION_END,
};
#undef FIELD

static int inspect_row(struct engine *engine, const struct secret *secret, bool show,
		       struct json_object **ret_row, struct err *err)
{
	autojson struct json_object *row = json_object_new_object();

	json_add_string(row, "ID", secret->id);
	add_time(row, "CreatedAt", secret->created_nsec, false);
	add_time(row, "UpdatedAt", secret->updated_nsec, false);
	json_object_object_add(row, "Spec", spec_of(secret));
	if (show) {
		struct strbuf value = STRBUF_EMPTY;
		int r = secret_read(engine, secret, &value, err);
		if (r == 0)
			json_object_object_add(
				row, "SecretData",
				json_object_new_string_len(strbuf_text(&value), (int)value.size));
		strbuf_clear(&value);
		if (r < 0)
			return r;
	}
	*ret_row = take_ptr(&row);
	return 0;
}

static void print_pretty(struct json_object *rows)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i),
				   *spec = json_get(row, "Spec");
		const char *value = json_get_string(row, "SecretData", NULL);

		printf("ID:          %s\nName:        %s\nDriver:      %s\nCreated at:  %s\n"
		       "Updated at:  %s\n",
		       json_get_string(row, "ID", ""), json_get_string(spec, "Name", ""),
		       json_get_string(json_get(spec, "Driver"), "Name", ""),
		       json_get_string(row, "CreatedAt", ""),
		       json_get_string(row, "UpdatedAt", ""));
		if (value)
			printf("Secret:      %s\n", value);
	}
}

static int secret_inspect(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct secret_inspect_args *args = arguments;
	autojson struct json_object *rows = json_object_new_array();
	int status = EXIT_OK;
	struct engine *engine;

	if (args->format && args->pretty)
		return err_set(err, EINVAL,
			       "--format and --pretty contradict each other; give one of them");
	int r = output_check_format(args->format, err);
	if (r >= 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++) {
		autosecret struct secret *secret = NULL;
		struct json_object *row = NULL;

		r = secret_find(engine, argv[i], &secret, err);
		if (r == 0)
			r = inspect_row(engine, secret, args->show, &row, err);
		if (r < 0)
			status = cli_report(err, EXIT_ENGINE);
		else
			json_object_array_add(rows, row);
	}
	if (args->pretty)
		print_pretty(rows);
	r = args->pretty ? 0 : output_objects(args->format, rows, err);
	return r < 0 ? r : status;
}

const struct command command_secret_inspect = {
	.names = "secret inspect",
	.summary = "Show all about secrets but their values",
	.examples = "davit secret inspect --format '{{.Spec.Labels}}' password",
	.operands = "SECRET...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_SECRETS,
	.options = inspect_options,
	.args_size = sizeof(struct secret_inspect_args),
	.run = secret_inspect,
};

/* ---- exists ---- */

static int secret_exists(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	autosecret struct secret *secret = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = secret_find(engine, argv[0], &secret, err);
	if (r == -ENOENT)
		return EXIT_MISSING;
	return r < 0 ? r : EXIT_OK;
}

const struct command command_secret_exists = {
	.names = "secret exists",
	.summary = "Tell by the exit status whether there is a secret",
	.operands = "SECRET",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_SECRETS,
	.run = secret_exists,
};

/* ---- rm ---- */

struct secret_rm_args {
	bool all, ignore;
};

#define FIELD(f) offsetof(struct secret_rm_args, f)
static const struct option_spec rm_options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every secret" },
	{ "ignore", 'i', OPTION_FLAG, FIELD(ignore), NULL, "One that is missing is no error" },
	OPTION_END,
};
#undef FIELD

static int remove_one(struct engine *engine, const struct secret *secret, struct err *err)
{
	if (secret_remove(engine, secret->id, err) < 0)
		return cli_report(err, EXIT_ENGINE);
	puts(secret->id);
	return EXIT_OK;
}

static int remove_all(struct engine *engine, struct err *err)
{
	struct secret **list;
	int status = EXIT_OK;
	size_t count;

	int r = secret_list(engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		int one = remove_one(engine, list[i], err);
		status = status ? status : one;
	}
	secret_list_free(list, count);
	return status;
}

static int secret_rm(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct secret_rm_args *args = arguments;
	int status = EXIT_OK;
	struct engine *engine;

	if (args->all ? argc > 0 : argc == 0)
		return err_set(err, EINVAL, "name secrets, or give --all, one of both");
	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (args->all)
		return remove_all(engine, err);
	for (int i = 0; i < argc; i++) {
		autosecret struct secret *secret = NULL;
		int one = EXIT_OK;

		r = secret_find(engine, argv[i], &secret, err);
		if (r == 0)
			one = remove_one(engine, secret, err);
		else if (r != -ENOENT || !args->ignore)
			one = cli_report(err, EXIT_ENGINE);
		status = status ? status : one;
	}
	return status;
}

const struct command command_secret_rm = {
	.names = "secret rm|secret remove",
	.summary = "Remove secrets",
	.examples = "davit secret rm password\ndavit secret rm --all",
	.operands = "[SECRET...]",
	.max_operands = -1,
	.complete = COMPLETE_SECRETS,
	.options = rm_options,
	.args_size = sizeof(struct secret_rm_args),
	.run = secret_rm,
};
