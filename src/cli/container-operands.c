#include "cli/container-operands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "engine/container-filter.h"
#include "engine/container.h"
#include "engine/engine.h"

#define ID_FILE_LIMIT 4096

static int report(int status, int r, const struct container_choice *choice, const struct err *err)
{
	int mine = r == -ENOENT && choice->missing_status ? choice->missing_status
		   : r > 0				  ? r
							  : EXIT_ENGINE;

	if (r < 0)
		cli_report(err, (enum exit_status)mine);
	/* In use outweighs missing, and any failure outweighs none. */
	return mine > status ? mine : status;
}

static bool is_meant(const struct container *container, const struct container_choice *choice)
{
	/* One that is being started is as good as running: who acts on it waits for that. */
	bool runs = container->state == CONTAINER_RUNNING ||
		    container->state == CONTAINER_STARTING ||
		    container->state == CONTAINER_RESTARTING;

	switch (choice->all_means) {
	case CHOICE_RUNNING:
		return runs;
	case CHOICE_STOPPED:
		return !runs;
	default:
		return true;
	}
}

static int read_id(const char *path, struct strbuf *text, struct err *err)
{
	int r = file_read(AT_FDCWD, path, text, ID_FILE_LIMIT, err);

	if (r == 0 && text->size)
		text->data[strcspn(text->data, " \t\r\n")] = '\0';
	return r;
}

/* Exactly one way to name them. */
static int check_choice(const struct container_choice *choice, int argc, struct err *err)
{
	const char *way = choice->all		  ? "--all"
			  : choice->latest	  ? "--latest"
			  : choice->filters.count ? "--filter"
						  : NULL;
	bool has_names = argc || choice->cid_files.count;

	if (way && has_names)
		return err_set(err, EINVAL,
			       "%s says which containers are meant, so no names can be given with "
			       "it",
			       way);
	if (choice->latest && (choice->all || choice->filters.count))
		return err_set(err, EINVAL, "--latest means one container, %s several",
			       choice->all ? "--all" : "--filter");
	if (!way && !has_names)
		return err_set(err, EINVAL, "no container named; give a name or an ID, or --all");
	return 0;
}

typedef int container_act(struct engine *engine, struct container *container, const char *word,
			  void *arg, struct err *err);

/* The action may put other values into the container: its ID is kept beside it. */
static int act_by_id(struct engine *engine, struct container *container, container_act *act,
		     void *arg, struct err *err)
{
	autofree char *id = xstrdup(container->id);

	return act(engine, container, id, arg, err);
}

static int act_on_list(struct engine *engine, const struct container_choice *choice,
		       container_act *act, void *arg, struct err *err)
{
	autocontainer_filter struct container_filter *filter = NULL;
	struct container **list;
	int status = EXIT_OK;
	size_t count;

	int r = container_filter_parse(engine, &choice->filters, &filter, err);
	if (r == 0)
		r = container_list(engine, CONTAINER_WITH_SPEC, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct container *container = list[choice->newest_first ? count - 1 - i : i];
		if (!is_meant(container, choice) || !container_filter_matches(filter, container))
			continue;
		r = act_by_id(engine, container, act, arg, err);
		if (r != 0)
			status = report(status, r, choice, err);
	}
	container_list_free(list, count);
	return status;
}

static int act_on_latest(struct engine *engine, const struct container_choice *choice,
			 container_act *act, void *arg, struct err *err)
{
	autocontainer struct container *container = NULL;

	int r = container_find_latest(engine, CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = act_by_id(engine, container, act, arg, err);
	return r == 0 ? EXIT_OK : report(EXIT_OK, r, choice, err);
}

int for_each_container(struct cli *cli, const struct container_choice *choice, int argc,
		       char **argv,
		       int (*act)(struct engine *engine, struct container *container,
				  const char *word, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	struct engine *engine;
	int status = EXIT_OK;

	int r = check_choice(choice, argc, err);
	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (choice->all || choice->filters.count)
		return act_on_list(engine, choice, act, arg, err);
	if (choice->latest)
		return act_on_latest(engine, choice, act, arg, err);
	for (size_t i = 0; i < (size_t)argc + choice->cid_files.count; i++) {
		autocontainer struct container *container = NULL;
		autostrbuf struct strbuf id = STRBUF_EMPTY;
		const char *word = i < (size_t)argc ? argv[i] : NULL;
		r = 0;
		if (!word) {
			r = read_id(choice->cid_files.items[i - (size_t)argc], &id, err);
			word = strbuf_text(&id);
			if (r < 0 && !choice->ignore_missing) {
				status = report(status, -EIO, choice, err);
				continue;
			}
		}
		if (r == 0)
			r = container_find(engine, word, CONTAINER_WITH_SPEC, &container, err);
		if (r == -ENOENT && choice->ignore_missing) {
			if (choice->on_missing)
				choice->on_missing(arg);
			continue;
		}
		if (r == 0)
			r = act(engine, container, word, arg, err);
		if (r != 0)
			status = report(status, r, choice, err);
	}
	return status;
}
