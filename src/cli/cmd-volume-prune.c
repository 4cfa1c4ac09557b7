/* davit volume prune: removes volumes that no container has. */
#include <errno.h>

#include "cli/command.h"
#include "cli/volume-filter.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/volume.h"

struct prune_args {
	bool all, force;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct prune_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL,
	  "Also those with a name, as is always so; for scripts that say it" },
	{ "filter", 0, OPTION_STRINGS, FIELD(filters), "KEY=VALUE", "Only those that match",
	  VOLUME_FILTER_CHOICES },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Do not ask" },
	OPTION_END,
};

/* Names of those that no container has now. */
static int find_unused(struct engine *engine, const struct strlist *filters, struct strlist *names,
		       struct err *err)
{
	struct volume **list;
	size_t count;

	int r = volume_list(engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = list[i]->use_count ? 0 : volume_matches_filters(engine, list[i], filters, err);
		if (r > 0)
			strlist_add(names, list[i]->name);
	}
	volume_list_free(list, count);
	return r < 0 ? r : 0;
}

static int confirm(const struct strlist *names, struct err *err)
{
	fputs("WARNING! This will remove all volumes not used by at least one container. The "
	      "following volumes will be removed:\n",
	      stderr);
	for (size_t i = 0; i < names->count; i++)
		fprintf(stderr, "%s\n", names->items[i]);
	return cli_confirm("Are you sure you want to continue?", err);
}

static int prune(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct prune_args *args = arguments;
	autostrlist struct strlist names = STRLIST_EMPTY;
	int status = EXIT_OK;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = volume_filters_check(engine, &args->filters, err);
	if (r == 0)
		r = find_unused(engine, &args->filters, &names, err);
	if (r < 0)
		return r;
	if (!names.count)
		return EXIT_OK;
	r = args->force ? 1 : confirm(&names, err);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < names.count; i++) {
		r = volume_remove(engine, names.items[i], err);
		if (r == -EBUSY || r == -ENOENT) /* taken or gone since it was listed */
			continue;
		if (r < 0) {
			status = cli_report(err, EXIT_ENGINE);
			continue;
		}
		event_object(engine, "volume", EVENT_PRUNE, names.items[i]);
		puts(names.items[i]);
	}
	return status;
}

const struct command command_volume_prune = {
	.names = "volume prune",
	.summary = "Remove volumes that no container has",
	.examples = "davit volume prune --filter label=project=shop\n"
		    "davit volume prune -f --filter until=24h",
	.options = options,
	.args_size = sizeof(struct prune_args),
	.run = prune,
};
