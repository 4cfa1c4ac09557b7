#include "engine/reset.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container-stop.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/skeleton.h"
#include "kernel/cgroup.h"
#include "network/bridge.h"
#include "store/store.h"

/* What davit makes in its roots. The database comes last: while it is there, a reset that was
 * interrupted can be told from a directory that is none of ours. */
static const char *const lasting[] = {
	"containers",	"layers",	"blobs",	  "volumes", "cache",	  "tmp",
	SKELETON_NAME,	"locks",	"secrets",	  "events",  "snapshots", "runroot",
	"davit.db-wal", "davit.db-shm", "davit.db-spare", "davit.db"
};
static const char *const passing[] = { "containers", "mounts", "warned-limits", "network.lock" };

/* Each that ends and has not been waited for holds a descriptor. */
#define ENDING_AT_ONCE 100

/* They end side by side. One that others need is no exception: these are all to go. */
static void ask_to_end(struct engine *engine, struct container_stops *stops,
		       struct container **list, size_t count)
{
	const struct stop_request at_once = { 0, RESTART_END_STOPPED };
	struct err ignored; /* told when it is removed */

	for (size_t i = 0; i < count; i++)
		(void)container_stops_ask(engine, stops, list[i], &at_once, &ignored);
}

static int remove_one(struct engine *engine, struct container_stops *stops,
		      struct container *container, struct err *err)
{
	const struct stop_request at_once = { 0, RESTART_END_STOPPED };
	int r = 0;

	if (container_stops_has(stops, container))
		r = container_stops_finish(engine, stops, container, &at_once, err);
	if (r >= 0)
		r = container_remove(engine, container,
				     REMOVE_FORCE | REMOVE_VOLUMES | REMOVE_DEPENDENTS, 0, err);
	return r == -ENOENT ? 0 : r; /* it was made with --rm, or somebody else was faster */
}

static int remove_containers(struct engine *engine, struct err *err)
{
	autostops struct container_stops *stops = container_stops_new();
	struct container **list;
	size_t count;
	int r = container_list(engine, CONTAINER_WITH_SPEC, &list, &count, err);

	if (r == -EUCLEAN) {
		log_warn("%s; its containers are not stopped", err->text);
		return 0;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		size_t left = count - i;
		if (i % ENDING_AT_ONCE == 0)
			ask_to_end(engine, stops, list + i,
				   left < ENDING_AT_ONCE ? left : ENDING_AT_ONCE);
		r = remove_one(engine, stops, list[i], err);
	}
	container_list_free(list, count);
	return r;
}

static int remove_entries(const char *root, const char *const *names, size_t count, struct err *err)
{
	autoclose int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "open '%s'", root);
	for (size_t i = 0; i < count; i++) {
		int r = file_remove_tree(fd, names[i], err);

		if (r < 0)
			return err_wrap(err, "reset '%s'", root);
	}
	(void)rmdir(root); /* stays when it is a mount point or holds what is not ours */
	return 0;
}

/* As root of the user's mapping, to whom the files of all layers and containers belong. */
static int remove_roots(void *arg, struct err *err)
{
	const struct engine *engine = arg;
	int r = remove_entries(engine->runroot, passing, ARRAY_SIZE(passing), err);

	return r < 0 ? r : remove_entries(engine->root, lasting, ARRAY_SIZE(lasting), err);
}

/* What all roots of this host share, and makes itself when it is needed: it goes when nobody uses it. */
static void remove_shared(void)
{
	struct err err;

	if (bridge_remove_default(&err) < 0)
		log_debug("the default network stays: %s", err.text);
}

int engine_reset(struct engine *engine, struct err *err)
{
	autofree char *database = path_join(engine->root, "davit.db");

	if (access(database, F_OK) < 0)
		return errno == ENOENT ? 0 : err_errno(err, "look at '%s'", database);
	int r = remove_containers(engine, err);
	if (r < 0)
		return r;
	if (!engine->is_rootless)
		remove_shared();
	cgroup_tidy();
	store_close(engine->store);
	engine->store = NULL;
	return engine_run_mapped(engine, remove_roots, engine, err);
}
