#include "cli/complete.h"

#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/secret.h"
#include "engine/volume.h"
#include "store/image.h"

static void add_containers(struct engine *engine, bool only_running, struct strlist *names)
{
	struct container **list;
	struct err ignored;
	size_t count;

	if (container_list(engine, 0, &list, &count, &ignored) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (!only_running || list[i]->state == CONTAINER_RUNNING)
			strlist_add(names, list[i]->name);
	container_list_free(list, count);
}

/* A name in full, and as people write it: "docker.io/library/nginx:latest" is "nginx:latest" too. */
static void add_image_name(const char *name, struct strlist *names)
{
	static const char *const unspoken[] = { "docker.io/library/", "docker.io/", "localhost/" };

	for (size_t i = 0; i < ARRAY_SIZE(unspoken); i++)
		if (strncmp(name, unspoken[i], strlen(unspoken[i])) == 0) {
			strlist_add(names, name + strlen(unspoken[i]));
			break;
		}
	strlist_add(names, name);
}

static void add_images(struct engine *engine, struct strlist *names)
{
	autoimage_list struct image_list list = { 0 };
	struct store *store;
	struct err ignored;

	if (engine_store(engine, &store, &ignored) < 0 || image_list(store, &list, &ignored) < 0)
		return;
	for (size_t i = 0; i < list.count; i++) {
		for (size_t j = 0; j < list.items[i]->names.count; j++)
			add_image_name(list.items[i]->names.items[j], names);
		if (!list.items[i]->names.count)
			strlist_addf(names, "%.12s", list.items[i]->id);
	}
}

static void add_volumes(struct engine *engine, struct strlist *names)
{
	struct volume **list;
	struct err ignored;
	size_t count;

	if (volume_list(engine, &list, &count, &ignored) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		strlist_add(names, list[i]->name);
	volume_list_free(list, count);
}

static void add_containers_with_colon(struct engine *engine, struct strlist *names)
{
	autostrlist struct strlist containers = STRLIST_EMPTY;

	add_containers(engine, false, &containers);
	for (size_t i = 0; i < containers.count; i++)
		strlist_addf(names, "%s:", containers.items[i]);
}

static void add_secrets(struct engine *engine, struct strlist *names)
{
	struct secret **list;
	struct err ignored;
	size_t count;

	if (secret_list(engine, &list, &count, &ignored) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		strlist_add(names, list[i]->name);
	secret_list_free(list, count);
}

void complete_names(struct cli *cli, enum completion_source source, struct strlist *names)
{
	struct engine *engine;
	struct err ignored;

	if (cli_engine(cli, &engine, &ignored) < 0)
		return;
	if (source == COMPLETE_CONTAINERS || source == COMPLETE_RUNNING ||
	    source == COMPLETE_OBJECTS)
		add_containers(engine, source == COMPLETE_RUNNING, names);
	if (source == COMPLETE_CONTAINER_PATHS)
		add_containers_with_colon(engine, names);
	if (source == COMPLETE_IMAGES || source == COMPLETE_OBJECTS)
		add_images(engine, names);
	if (source == COMPLETE_VOLUMES || source == COMPLETE_OBJECTS)
		add_volumes(engine, names);
	if (source == COMPLETE_SECRETS)
		add_secrets(engine, names);
}
