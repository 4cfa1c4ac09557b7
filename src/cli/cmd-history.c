/* davit history: the steps that made an image, the latest first. */
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
#include "engine/image.h"
#include "oci/image-config.h"
#include "oci/timestamp.h"
#include "store/layer-record.h"

#define CREATED_BY_COLUMNS 45

struct history_args {
	bool human, no_trunc, quiet;
	const char *format;
};

#define FIELD(f) offsetof(struct history_args, f)
static const struct option_spec options[] = {
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "human", 'H', OPTION_FLAG, FIELD(human), NULL, "Sizes and times for people",
	  .initial = "true" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "Show whole IDs and commands" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show IDs only" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "ID", "ID" },	    { "CREATED", "CreatedSince" }, { "CREATED BY", "CreatedBy" },
	{ "SIZE", "Size" }, { "COMMENT", "Comment" },	   { NULL, NULL },
};

static struct json_object *new_row(const struct history_args *args, const struct oci_history *step,
				   const char *id, int64_t bytes, const struct strlist *tags)
{
	struct json_object *row = json_object_new_object();
	const char *by = step->created_by ? step->created_by : "";
	autofree char *created = oci_time_print(step->has_created ? step->created_nsec : INT64_MIN);
	autofree char *since = step->has_created
				       ? human_ago(step->created_nsec / 1000, timestamp_now_usec())
				       : xstrdup("");
	autofree char *size = args->human ? human_size((double)bytes, 3, " ")
					  : xasprintf("%lld", (long long)bytes);
	bool is_json = output_wants_json(args->format);
	bool is_cut = !args->no_trunc && !is_json && strlen(by) > CREATED_BY_COLUMNS;
	autofree char *shown_by =
		is_cut ? xasprintf("%.*s...", CREATED_BY_COLUMNS - 3, by) : xstrdup(by);
	autofree char *shown_id = strcmp(id, "<missing>") == 0 || args->no_trunc || is_json
					  ? xstrdup(id)
					  : xstrndup(id, 12);

	json_add_string(row, is_json ? "id" : "ID", shown_id);
	if (is_json) {
		json_add_string(row, "created", created);
		json_add_string(row, "CreatedBy", by);
		json_object_object_add(row, "tags", list_or_null(tags));
		json_add_int(row, "size", bytes);
		json_add_string(row, "comment", step->comment ? step->comment : "");
		return row;
	}
	json_add_string(row, "Created", args->human ? since : created);
	json_add_string(row, "CreatedSince", args->human ? since : created);
	json_add_string(row, "CreatedAt", created);
	json_add_string(row, "CreatedBy", shown_by);
	json_add_string(row, "Size", size);
	json_add_string(row, "Comment", step->comment ? step->comment : "");
	json_add_strlist(row, "Tags", tags);
	return row;
}

static int history(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct history_args *args = arguments;
	static const struct strlist no_tags = { 0 };
	autoimage struct image *image = NULL;
	autojson struct json_object *rows = json_object_new_array();
	struct engine *engine;
	struct store *store;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = engine_store(engine, &store, err);
	if (r >= 0)
		r = image_resolve(engine, argv[0], &image, err);
	if (r >= 0)
		r = image_load_config(store, image, err);
	if (r >= 0)
		r = image_load_names(store, image, err);
	if (r < 0)
		return r;
	/* Layers belong to the steps that are not empty, both from the top. Only the image as it is
	 * has an ID. */
	const struct oci_image_config *config = image->config;
	size_t layer = config->diff_ids.count;
	struct oci_history none = { 0 };
	size_t steps = config->history_count;
	while (steps > 0 || layer > 0) {
		const struct oci_history *step = steps > 0 ? &config->history[--steps] : &none;
		bool is_top = json_object_array_length(rows) == 0;
		int64_t bytes = 0;
		if (!step->empty_layer && layer > 0)
			bytes = layer_recorded_bytes(store, config->diff_ids.items[--layer]);
		else if (steps == 0 && step == &none)
			break;
		json_object_array_add(rows, new_row(args, step, is_top ? image->id : "<missing>",
						    bytes, is_top ? &image->names : &no_tags));
	}

	struct output_list how = { .columns = columns,
				   .quiet_field = "ID",
				   .format = args->format,
				   .quiet = args->quiet };
	return output_list(&how, rows, err);
}

const struct command command_history = {
	.names = "history|image history",
	.summary = "Show the steps that made an image",
	.operands = "IMAGE",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct history_args),
	.run = history,
};
