#include "cli/container-operands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
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
	switch (choice->all_means) {
	case CHOICE_RUNNING:
		return container->state == CONTAINER_RUNNING ||
		       container->state == CONTAINER_RESTARTING;
	case CHOICE_STOPPED:
		return container->state != CONTAINER_RUNNING &&
		       container->state != CONTAINER_RESTARTING;
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

int for_each_container(struct cli *cli, const struct container_choice *choice, int argc,
		       char **argv,
		       int (*act)(struct engine *engine, struct container *container,
				  const char *word, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	struct engine *engine;
	int status = EXIT_OK;

	if (choice->all && (argc || choice->cid_files.count))
		return err_set(err, EINVAL,
			       "--all means every container, so no names can be given with it");
	if (!choice->all && !argc && !choice->cid_files.count)
		return err_set(err, EINVAL, "no container named; give a name or an ID, or --all");
	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (choice->all) {
		struct container **list;
		size_t count;
		r = container_list(engine, CONTAINER_WITH_SPEC, &list, &count, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < count; i++) {
			if (!is_meant(list[i], choice))
				continue;
			r = act(engine, list[i], list[i]->id, arg, err);
			if (r != 0)
				status = report(status, r, choice, err);
		}
		container_list_free(list, count);
		return status;
	}
	for (size_t i = 0; i < (size_t)argc + choice->cid_files.count; i++) {
		autocontainer struct container *container = NULL;
		autostrbuf struct strbuf id = STRBUF_EMPTY;
		const char *word = i < (size_t)argc ? argv[i] : NULL;
		r = 0;
		if (!word) {
			r = read_id(choice->cid_files.items[i - (size_t)argc], &id, err);
			word = strbuf_text(&id);
		}
		if (r == 0)
			r = container_find(engine, word, CONTAINER_WITH_SPEC, &container, err);
		if (r == -ENOENT && choice->ignore_missing)
			continue;
		if (r == 0)
			r = act(engine, container, word, arg, err);
		if (r != 0)
			status = report(status, r, choice, err);
	}
	return status;
}
