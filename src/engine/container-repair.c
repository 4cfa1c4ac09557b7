/* Whoever makes or removes a container has the lock of its directory, from before its record is written and until after it
 * is deleted, and the directory comes first and goes last. So a directory without a record whose lock is free belongs to
 * nobody. A run directory alone may be of another root that shares the place: it goes when it is old and nothing in it
 * lives. */
#include "engine/container-repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/volume.h"
#include "store/frozen-layer.h"

#define SWEEP_AGE_SEC 60

static int remove_tree(void *path, struct err *err)
{
	return file_remove_tree(AT_FDCWD, path, err);
}

/* Files of a container belong to IDs of its mapping; only root of the mapping may remove all of
 * them. An ordinary user's mapping costs time to enter, so first see whether it is needed. */
int container_remove_files(struct engine *engine, char *directory, struct err *err)
{
	struct err direct;

	if (file_remove_tree(AT_FDCWD, directory, &direct) == 0)
		return 0;
	if (!engine->is_rootless) {
		*err = direct;
		return -err->code;
	}
	return engine_run_mapped(engine, remove_tree, directory, err);
}

int container_repair(struct engine *engine, struct container *container)
{
	autofree char *directory = container_directory(engine, container->id);
	struct err err;

	if (!container->needs_cleanup)
		return 0;
	autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0; /* it is being started, or cleaned up */
	fd_close(&fd);
	if (container_cleanup(engine, container->id, &err) < 0) {
		log_warn("%s", err.text);
		return 0;
	}
	/* What was seen before is as true as what is there now, unless it is gone. */
	autocontainer struct container *now = NULL;
	return container_find(engine, container->id, 0, &now, &err) == -ENOENT ? -ENOENT : 0;
}

size_t container_repair_all(struct engine *engine, struct container **list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (container_repair(engine, list[i]) == -ENOENT)
			container_free(list[i]);
		else
			list[kept++] = list[i];
	}
	return kept;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void remove_left(struct engine *engine, char *path)
{
	struct err err;

	log_debug("removing '%s', which belongs to no container", path);
	if (container_remove_files(engine, path, &err) < 0)
		log_warn("%s", err.text);
}

static void sweep_container(struct engine *engine, const char *id)
{
	autofree char *directory = container_directory(engine, id),
		      *run_dir = container_run_directory(engine, id);
	autocontainer struct container *made = NULL;
	struct run_status status;
	struct err err;
	struct stat st;

	autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
		return;
	/* It may have been made since the list was. */
	if (container_find(engine, id, CONTAINER_IS_LOCKED, &made, &err) != -ENOENT)
		return;
	(void)run_directory_status(run_dir, &status);
	if (status.is_running || status.monitor_lives)
		return; /* somebody has lost the database, and not only that */
	remove_left(engine, run_dir);
	remove_left(engine, directory);
}

static void sweep_run_directory(struct engine *engine, const char *id)
{
	autofree char *directory = container_directory(engine, id),
		      *run_dir = container_run_directory(engine, id);
	struct run_status status;
	struct stat st;

	if (access(directory, F_OK) == 0 || stat(run_dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    time(NULL) - st.st_mtime < SWEEP_AGE_SEC)
		return;
	(void)run_directory_status(run_dir, &status);
	if (!status.is_running && !status.monitor_lives)
		remove_left(engine, run_dir);
}

/* Layers that no record leads to, and what was to be removed when a command was killed. */
static void sweep_layers(struct engine *engine)
{
	autofree char *snapshots = path_join(engine->root, "snapshots");
	struct store *store;
	struct err ignored; /* there is a next time */

	if (access(snapshots, F_OK) < 0 || engine_store(engine, &store, &ignored) < 0)
		return;
	frozen_layer_sweep(store);
	image_empty_trash_aside(engine);
}

void container_sweep(struct engine *engine, struct container *const *list, size_t count)
{
	struct err ignored; /* there is a next time */
	const struct {
		const char *root;
		void (*sweep)(struct engine *engine, const char *id);
	} places[] = {
		{ engine->root, sweep_container },
		{ engine->runroot, sweep_run_directory },
	};

	autofree const char **known = xcalloc(count + 1, sizeof(*known));

	sweep_layers(engine);
	(void)volume_sweep(engine, &ignored);
	volume_sweep_directories(engine);
	for (size_t i = 0; i < count; i++)
		known[i] = list[i]->id;
	qsort(known, count, sizeof(*known), compare_ids);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		autofree char *place = path_join(places[i].root, "containers");
		DIR *dir = opendir(place);
		if (!dir)
			continue;
		for (struct dirent *entry; (entry = readdir(dir));) {
			const char *id = entry->d_name;
			if (strlen(id) == CONTAINER_ID_DIGITS &&
			    !bsearch(&id, known, count, sizeof(*known), compare_ids))
				places[i].sweep(engine, id);
		}
		closedir(dir);
	}
}
