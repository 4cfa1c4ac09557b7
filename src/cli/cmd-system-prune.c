/* davit system prune: removes what nothing uses. */
#include <errno.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/image-prune-filter.h"
#include "cli/volume-filter.h"
#include "engine/container-end.h"
#include "engine/container-filter.h"
#include "engine/container-size.h"
#include "engine/container.h"
#include "engine/disk-usage.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image.h"
#include "engine/volume.h"

struct prune_args {
	bool all, external, force, volumes;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct prune_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL,
	  "Also images that have names, when no container uses them" },
	{ "external", 0, OPTION_FLAG, FIELD(external), NULL,
	  "Also blobs and layers that belong to no image, such as those of broken pulls" },
	{ "filter", 0, OPTION_STRINGS, FIELD(filters), "KEY=VALUE", "Only what matches",
	  IMAGE_PRUNE_FILTER_CHOICES },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Do not ask" },
	{ "volumes", 0, OPTION_FLAG, FIELD(volumes), NULL, "Also volumes that no container has" },
	OPTION_END,
};

/* What is going on, and how much has come of it. */
struct pruning {
	struct engine *engine;
	const struct prune_args *args;
	struct container_filter *container_filter;
	struct image_prune images;
	int64_t reclaimed;
	int status;
};

static int parse_filters(struct pruning *pruning, struct err *err)
{
	const struct strlist *words = &pruning->args->filters;
	struct image_prune *images = &pruning->images;

	images->all = pruning->args->all;
	images->leftovers = pruning->args->external;
	int r = image_prune_add_filters(images, words, err);
	return r < 0 ? r
		     : container_filter_parse(pruning->engine, words, &pruning->container_filter,
					      err);
}

static int confirm(const struct prune_args *args, struct err *err)
{
	fputs("WARNING! This command removes:\n\t- all stopped containers\n", stderr);
	if (args->volumes)
		fputs("\t- all volumes not used by at least one container\n", stderr);
	fprintf(stderr, "\t- all %simages%s\n", args->all ? "" : "dangling ",
		args->all ? " without at least one container associated with them" : "");
	if (args->external)
		fputs("\t- all blobs and layers that belong to no image\n", stderr);
	fputc('\n', stderr);
	return cli_confirm("Are you sure you want to continue?", err);
}

static void print_title(const char *title, bool *is_printed)
{
	if (!*is_printed)
		puts(title);
	*is_printed = true;
}

static int prune_containers(struct pruning *pruning, struct err *err)
{
	struct container **list;
	bool is_printed = false;
	size_t count;

	int r = container_list(pruning->engine, CONTAINER_WITH_SPEC, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = count; i-- > 0;) { /* newest first: they may need older ones */
		struct err own;
		if (!container_is_over(list[i]) ||
		    !container_filter_matches(pruning->container_filter, list[i]))
			continue;
		r = container_remove(pruning->engine, list[i], 0, -1, &own);
		if (r == -EBUSY || r == -EEXIST || r == -ENOENT)
			continue; /* started since, needed by another, or gone */
		if (r < 0) {
			pruning->status = cli_report(&own, EXIT_ENGINE);
			continue;
		}
		print_title("Deleted Containers", &is_printed);
		puts(list[i]->id);
	}
	container_list_free(list, count);
	return 0;
}

/* What none has that runs, before and after: clones that stay keep what they share. */
static int64_t measure_containers(struct pruning *pruning)
{
	struct container_totals totals = { 0 };
	struct container **list;
	struct err ignored; /* then the number is less than what it could be */
	size_t count;

	if (container_list(pruning->engine, CONTAINER_WITH_SPEC, &list, &count, &ignored) < 0)
		return 0;
	(void)container_sizes_together(pruning->engine, list, count, &totals, &ignored);
	container_list_free(list, count);
	return totals.reclaimable_bytes;
}

/* Volumes have a creation time, too, but a volume that was made long ago may hold what is new: as with podman, only labels
 * count for them. */
static int matches_volume(const struct pruning *pruning, const struct volume *volume,
			  struct err *err)
{
	autostrlist struct strlist labels = STRLIST_EMPTY;

	for (size_t i = 0; i < pruning->args->filters.count; i++)
		if (strncmp(pruning->args->filters.items[i], "label", 5) == 0)
			strlist_add(&labels, pruning->args->filters.items[i]);
	return volume->use_count ? 0
				 : volume_matches_filters(pruning->engine, volume, &labels, err);
}

static int prune_volumes(struct pruning *pruning, struct err *err)
{
	struct volume **list;
	bool is_printed = false;
	size_t count;

	int r = volume_list(pruning->engine, &list, &count, err);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		int64_t bytes = 0;
		struct err own;
		if (matches_volume(pruning, list[i], &own) <= 0)
			continue;
		(void)disk_usage_of_volumes(pruning->engine, &list[i], 1, &bytes, &own);
		int removed = volume_remove(pruning->engine, list[i]->name, &own);
		if (removed == -EBUSY || removed == -ENOENT)
			continue;
		if (removed < 0) {
			pruning->status = cli_report(&own, EXIT_ENGINE);
			continue;
		}
		event_object(pruning->engine, "volume", EVENT_PRUNE, list[i]->name);
		print_title("Deleted Volumes", &is_printed);
		puts(list[i]->name);
		pruning->reclaimed += bytes;
	}
	if (r >= 0)
		volume_list_free(list, count);
	return r < 0 ? r : 0;
}

static int prune_images(struct pruning *pruning, struct err *err)
{
	autostrlist struct strlist deleted = STRLIST_EMPTY;
	int64_t before = 0, after = 0, unused;
	bool is_printed = false;

	int r = disk_usage_of_images(pruning->engine, &before, &unused, err);
	if (r >= 0)
		r = image_prune(pruning->engine, &pruning->images, &deleted, err);
	for (size_t i = 0; i < deleted.count; i++) {
		print_title("Deleted Images", &is_printed);
		puts(deleted.items[i]);
	}
	if (r >= 0)
		r = disk_usage_of_images(pruning->engine, &after, &unused, err);
	if (r >= 0)
		pruning->reclaimed += before - after;
	return r;
}

static int run_pruning(struct pruning *pruning, struct err *err)
{
	int r = parse_filters(pruning, err);

	if (r < 0)
		return r;
	r = pruning->args->force ? 1 : confirm(pruning->args, err);
	if (r <= 0)
		return r;
	int64_t before = measure_containers(pruning);
	r = prune_containers(pruning, err);
	int64_t after = measure_containers(pruning);
	pruning->reclaimed += before > after ? before - after : 0;
	if (r >= 0 && pruning->args->volumes)
		r = prune_volumes(pruning, err);
	if (r >= 0) /* last: containers hold them */
		r = prune_images(pruning, err);
	if (r < 0)
		return r;
	autofree char *size = human_size((double)pruning->reclaimed, 4, "");
	printf("Total reclaimed space: %s\n", size);
	return pruning->status;
}

static int prune(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct pruning pruning = { .args = arguments, .status = EXIT_OK };

	int r = cli_engine(cli, &pruning.engine, err);
	if (r >= 0)
		r = run_pruning(&pruning, err);
	strlist_clear(&pruning.images.labels);
	strlist_clear(&pruning.images.not_labels);
	container_filter_free(pruning.container_filter);
	return r;
}

const struct command command_system_prune = {
	.names = "system prune",
	.summary = "Remove stopped containers and images that nothing needs",
	.examples = "davit system prune\ndavit system prune -af --volumes --filter until=24h",
	.options = options,
	.args_size = sizeof(struct prune_args),
	.run = prune,
};
