/* davit images: lists images, a line for each of their names. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/image-row.h"
#include "cli/output.h"
#include "engine/engine.h"
#include "engine/image-filter.h"
#include "engine/image.h"
#include "oci/image-config.h"
#include "store/store.h"

struct images_args {
	bool all, digests, history, quiet, noheading, no_trunc;
	struct strlist filters;
	const char *format, *sort;
};

#define FIELD(f) offsetof(struct images_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL,
	  "Accepted for scripts; there are no images in between to show" },
	{ "digests", 0, OPTION_FLAG, FIELD(digests), NULL, "Show the digests of the manifests" },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE", "Only those that match",
	  .choices = "after=|before=|containers=|dangling=|digest=|id=|label=|reference=|since=|"
		     "until=" },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "history", 0, OPTION_FLAG, FIELD(history), NULL, "Show all names that an image has" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "Show whole IDs" },
	{ "noheading", 'n', OPTION_FLAG, FIELD(noheading), NULL, "Leave the headings out" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show IDs only" },
	{ "sort", 0, OPTION_CHOICE, FIELD(sort), "KEY", "What to sort by",
	  .choices = "created|id|repository|size|tag" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "REPOSITORY", "Repository" }, { "TAG", "Tag" },   { "IMAGE ID", "ID" },
	{ "CREATED", "CreatedSince" },	{ "SIZE", "Size" }, { NULL, NULL },
};

static const struct output_column columns_with_digests[] = {
	{ "REPOSITORY", "Repository" },
	{ "TAG", "Tag" },
	{ "DIGEST", "Digest" },
	{ "IMAGE ID", "ID" },
	{ "CREATED", "CreatedSince" },
	{ "SIZE", "Size" },
	{ NULL, NULL },
};

static const struct output_column columns_with_history[] = {
	{ "REPOSITORY", "Repository" },
	{ "TAG", "Tag" },
	{ "IMAGE ID", "ID" },
	{ "CREATED", "CreatedSince" },
	{ "SIZE", "Size" },
	{ "HISTORY", "History" },
	{ NULL, NULL },
};

static const struct output_column headings[] = {
	{ "IMAGE ID", "Id" },
	{ "CREATED", "Created" },
	{ NULL, NULL },
};

static const struct output_sort sorts[] = {
	{ "created", "created_nsec", OUTPUT_DESCENDING },
	{ "id", "full_id", OUTPUT_ASCENDING },
	{ "repository", "Repository", OUTPUT_ASCENDING },
	{ "size", "size_bytes", OUTPUT_ASCENDING },
	{ "tag", "Tag", OUTPUT_ASCENDING },
	{ NULL, NULL, 0 },
};

/* One line: an image under one of its names. */
static struct json_object *new_row(const struct image *image, const struct strlist *labels,
				   const char *repository, const char *tag, bool no_trunc)
{
	struct json_object *row = json_object_new_object();
	int64_t created_usec = image->created_nsec / 1000;
	autofree char *since = human_ago(created_usec, timestamp_now_usec());
	autofree char *created = image_time_text(image->created_nsec);
	autofree char *size = human_size((double)image->size_bytes, 3, " ");
	autofree char *history = strlist_join(&image->names, ", ");
	autofree char *id = no_trunc ? xasprintf("sha256:%s", image->id) : xstrndup(image->id, 12);

	json_add_string(row, "Repository", repository);
	json_add_string(row, "Tag", tag);
	json_add_string(row, "ID", id);
	json_add_string(row, "Id", id);
	json_add_string(row, "Digest", image->manifest_digest);
	json_add_string(row, "Created", since);
	json_add_string(row, "CreatedSince", since);
	json_add_string(row, "CreatedAt", created);
	json_add_string(row, "Size", size);
	json_add_string(row, "VirtualSize", size);
	json_add_int(row, "SharedSize", 0);
	json_add_string(row, "ParentId", "");
	json_add_int(row, "Containers", image->container_count);
	json_add_bool(row, "IsDangling", image->names.count == 0);
	json_add_bool(row, "IsReadOnly", false);
	json_add_bool(row, "ReadOnly", false);
	json_add_strlist(row, "Names", &image->names);
	json_add_strlist(row, "RepoTags", &image->names);
	json_add_strlist(row, "RepoDigests", &image->digests);
	json_add_string(row, "History", history);
	json_object_object_add(row, "Labels", labels_to_json(labels));
	json_add_int(row, "created_nsec", image->created_nsec);
	json_add_int(row, "size_bytes", image->size_bytes);
	json_add_string(row, "full_id", image->id);
	return row;
}

/* The operand was the image's ID, so all of its names are meant. */
static bool is_by_id(const struct image *named, const struct image *image)
{
	return named && !named->found_name && strcmp(named->id, image->id) == 0;
}

/* @found: the full name that the operand stands for, or NULL */
static int add_rows(struct engine *engine, const struct images_args *args, const char *pattern,
		    const char *found, struct image *image, struct json_object *rows,
		    struct err *err)
{
	static const struct strlist no_labels = { 0 };
	const struct strlist *labels = &no_labels;
	struct store *store;

	if (output_wants_json(args->format)) {
		struct json_object *json;
		int r = image_to_json(engine, image, &json, err);
		if (r < 0)
			return r;
		json_object_array_add(rows, json);
		return 0;
	}
	if (args->format && strstr(args->format, "Labels")) {
		int r = engine_store(engine, &store, err);
		if (r >= 0)
			r = image_load_config(store, image, err);
		if (r < 0)
			return r;
		labels = &image->config->labels;
	}
	bool was_shown = false;
	for (size_t i = 0; i < image->names.count; i++) {
		autofree char *repository = NULL, *tag = NULL, *digest = NULL;
		if (pattern && !image_name_matches(image->names.items[i], pattern) &&
		    (!found || strcmp(image->names.items[i], found) != 0))
			continue;
		image_name_split(image->names.items[i], &repository, &tag, &digest);
		if (args->quiet && was_shown)
			continue;
		json_object_array_add(rows, new_row(image, labels, repository, tag ? tag : "<none>",
						    args->no_trunc));
		was_shown = true;
	}
	if (!was_shown)
		json_object_array_add(rows,
				      new_row(image, labels, "<none>", "<none>", args->no_trunc));
	return 0;
}

/* The operand: a pattern for names, or what image_resolve() finds. */
static int is_operand(struct engine *engine, struct image *image, const char *pattern,
		      const struct image *named)
{
	if (named && strcmp(named->id, image->id) == 0)
		return true;
	for (size_t i = 0; i < image->names.count; i++)
		if (image_name_matches(image->names.items[i], pattern))
			return true;
	return false;
}

static int images(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct images_args *args = arguments;
	const char *pattern = argc > 0 ? argv[0] : NULL;
	autoimage_list struct image_list list = { 0 };
	autoimage_filter struct image_filter *filter = NULL;
	autoimage struct image *named = NULL;
	autojson struct json_object *rows = json_object_new_array();
	struct engine *engine;
	struct store *store;
	struct err own = { 0 };
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = engine_store(engine, &store, err);
	if (r >= 0)
		r = image_filter_parse(engine, &args->filters, &filter, err);
	if (r >= 0)
		r = image_list(store, &list, err);
	if (r < 0)
		return r;
	if (pattern && image_resolve(engine, pattern, &named, &own) < 0 && own.code != ENOENT &&
	    own.code != EEXIST)
		return err_set(err, own.code, "%s", own.text);
	for (size_t i = 0; i < list.count; i++) {
		struct image *image = list.items[i];
		if (pattern && !is_operand(engine, image, pattern, named))
			continue;
		r = image_filter_matches(engine, filter, image, &own);
		if (r > 0)
			r = add_rows(engine, args, is_by_id(named, image) ? NULL : pattern,
				     named ? named->found_name : NULL, image, rows, &own);
		if (r < 0) /* a damaged one must not hide the others */
			(void)cli_report(&own, EXIT_ENGINE);
	}

	struct output_list how = {
		.columns = args->digests   ? columns_with_digests
			   : args->history ? columns_with_history
					   : columns,
		.headings = headings,
		.sorts = output_wants_json(args->format) ? NULL : sorts,
		.quiet_field = "ID",
		.format = args->format,
		.sort = args->sort,
		.quiet = args->quiet,
		.noheading = args->noheading,
	};
	return output_list(&how, rows, err);
}

const struct command command_images = {
	.names = "images|image ls|image list",
	.summary = "List images",
	.operands = "[IMAGE]",
	.max_operands = 1,
	.complete = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct images_args),
	.run = images,
};
