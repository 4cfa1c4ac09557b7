#include "engine/import.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image-draft.h"
#include "engine/new-layer.h"
#include "store/store.h"

static int add_layer(struct engine *engine, int fd, const struct import_options *options,
		     struct image_draft *draft, struct err *err)
{
	autonewlayer struct image_layer layer = { 0 };
	struct new_layer_job *job;

	int r = new_layer_start(engine, fd, &job, err);
	if (r == 0)
		r = new_layer_finish(job, options->progress, &layer, err);
	if (r < 0)
		return r;
	/* As other engines word it. */
	autofree char *created_by =
		xasprintf("/bin/sh -c #(nop) ADD file:%s in /", layer.diff_id + 7);
	struct draft_history history = { .created_by = created_by, .comment = options->message };
	image_draft_add_layer(draft, &layer, &history);
	return 0;
}

int image_import(struct engine *engine, int fd, const struct import_options *options, char **ret_id,
		 struct err *err)
{
	autoimagedraft struct image_draft *draft = image_draft_new(options->platform);
	autoclose int pull_lock = -1;
	struct store *store;
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->changes->count; i++)
		r = image_draft_change(image_draft_run_config(draft), options->changes->items[i],
				       err);
	if (r == 0)
		r = engine_store(engine, &store, err);
	/* Until the image is recorded nobody sweeps its parts away. */
	if (r >= 0)
		r = store_begin_pull(store, &pull_lock, err);
	if (r >= 0)
		r = add_layer(engine, fd, options, draft, err);
	if (r >= 0)
		r = image_draft_record(engine, draft, options->name, ret_id, err);
	if (r >= 0)
		event_image(engine, EVENT_IMPORT, *ret_id, options->name);
	return r;
}
