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

enum {
	ID_FILE_LIMIT = 4096,
	BEGUN_AT_ONCE = 256, /* what is begun holds descriptors */
};

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

int find_container_or_latest(struct engine *engine, const char *name,
			     enum container_details details, struct container **ret_container,
			     struct err *err)
{
	return name ? container_find(engine, name, details, ret_container, err)
		    : container_find_latest(engine, details, ret_container, err);
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

/* Before the one at `index` is acted on: up to which one are they to be begun? */
static size_t begin_until(const struct container_choice *choice, size_t index, size_t count)
{
	if (!choice->begin || count == 1 || index % BEGUN_AT_ONCE)
		return index;
	return count - index < BEGUN_AT_ONCE ? count : index + BEGUN_AT_ONCE;
}

static int act_on_list(struct engine *engine, const struct container_choice *choice,
		       container_act *act, void *arg, struct err *err)
{
	autocontainer_filter struct container_filter *filter = NULL;
	struct container **list;
	int status = EXIT_OK;
	size_t count, meant = 0;

	int r = container_filter_parse(engine, &choice->filters, &filter, err);
	if (r == 0)
		r = container_list(engine, CONTAINER_WITH_SPEC, &list, &count, err);
	if (r < 0)
		return r;
	autofree struct container **chosen = xcalloc(count + 1, sizeof(struct container *));
	for (size_t i = 0; i < count; i++) {
		struct container *container = list[choice->newest_first ? count - 1 - i : i];
		if (is_meant(container, choice) && container_filter_matches(filter, container))
			chosen[meant++] = container;
	}
	for (size_t i = 0; i < meant; i++) {
		for (size_t j = i; j < begin_until(choice, i, meant); j++)
			choice->begin(engine, chosen[j], arg);
		r = act_by_id(engine, chosen[i], act, arg, err);
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

/* The names of the command line, then the files. */
struct operands {
	const struct container_choice *choice;
	char **names;
	size_t name_count, count;
	struct container **begun; /* by index, NULL for those that are to be found again */
};

/* *ret_word is borrowed, from `id` where it was in a file. */
static int find_operand(struct engine *engine, const struct operands *operands, size_t index,
			struct strbuf *id, const char **ret_word, struct container **ret_container,
			struct err *err)
{
	const struct container_choice *choice = operands->choice;

	if (index < operands->name_count) {
		*ret_word = operands->names[index];
	} else {
		int r = read_id(choice->cid_files.items[index - operands->name_count], id, err);
		if (r < 0)
			return choice->ignore_missing ? r : -EIO;
		*ret_word = strbuf_text(id);
	}
	return container_find(engine, *ret_word, CONTAINER_WITH_SPEC, ret_container, err);
}

static void begin_operands(struct engine *engine, const struct operands *operands, size_t first,
			   void *arg)
{
	size_t end = begin_until(operands->choice, first, operands->count);

	for (size_t i = first; i < end; i++) {
		autocontainer struct container *container = NULL;
		autostrbuf struct strbuf id = STRBUF_EMPTY;
		const char *word;
		struct err ignored; /* it is told when it is this one's turn */
		if (find_operand(engine, operands, i, &id, &word, &container, &ignored) == 0 &&
		    operands->choice->begin(engine, container, arg))
			operands->begun[i] = take_ptr(&container);
	}
}

static int act_on_operand(struct engine *engine, const struct operands *operands, size_t index,
			  container_act *act, void *arg, struct err *err)
{
	const struct container_choice *choice = operands->choice;
	autocontainer struct container *container = take_ptr(&operands->begun[index]),
				       *found = NULL;
	autostrbuf struct strbuf id = STRBUF_EMPTY;
	const char *word = NULL;

	int r = find_operand(engine, operands, index, &id, &word, &found, err);
	if (container && word) /* it may be gone by now, if it was made with --rm */
		return act(engine, container, word, arg, err);
	if (r == -ENOENT && choice->ignore_missing) {
		if (choice->on_missing)
			choice->on_missing(arg);
		return 0;
	}
	return r < 0 ? r : act(engine, found, word, arg, err);
}

static int act_on_operands(struct engine *engine, struct operands *operands, container_act *act,
			   void *arg, struct err *err)
{
	int status = EXIT_OK;

	operands->begun = xcalloc(operands->count, sizeof(*operands->begun));
	for (size_t i = 0; i < operands->count; i++) {
		begin_operands(engine, operands, i, arg);
		int r = act_on_operand(engine, operands, i, act, arg, err);
		if (r != 0)
			status = report(status, r, operands->choice, err);
	}
	free(operands->begun);
	return status;
}

int container_choice_check(struct cli *cli, const struct container_choice *choice, struct err *err)
{
	autocontainer_filter struct container_filter *filter = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	return r < 0 ? r : container_filter_parse(engine, &choice->filters, &filter, err);
}

int for_each_container(struct cli *cli, const struct container_choice *choice, int argc,
		       char **argv,
		       int (*act)(struct engine *engine, struct container *container,
				  const char *word, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	struct operands operands = { .choice = choice,
				     .names = argv,
				     .name_count = (size_t)argc,
				     .count = (size_t)argc + choice->cid_files.count };
	struct engine *engine;

	int r = check_choice(choice, argc, err);
	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (choice->all || choice->filters.count)
		return act_on_list(engine, choice, act, arg, err);
	if (choice->latest)
		return act_on_latest(engine, choice, act, arg, err);
	return act_on_operands(engine, &operands, act, arg, err);
}
