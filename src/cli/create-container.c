#include "cli/create-container.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/container-options.h"
#include "engine/container-end.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/volume.h"

static int replace(struct engine *engine, const char *name, struct err *err)
{
	autocontainer struct container *old = NULL;

	int r = container_find(engine, name, CONTAINER_WITH_SPEC, &old, err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : container_remove(engine, old, REMOVE_FORCE, -1, err);
}

/* The file must not be there yet: it is how scripts see whether a container of theirs exists. */
static int open_cid_file(const char *path, int *ret_fd, struct err *err)
{
	if (!path)
		return 0;
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (*ret_fd < 0 && errno == EEXIST)
		return err_set(
			err, EEXIST,
			"container ID file '%s' exists already; remove it, or name another one",
			path);
	return *ret_fd < 0 ? err_errno(err, "container ID file '%s'", path) : 0;
}

static void undo(struct engine *engine, struct container **container)
{
	struct err ignored; /* what has gone wrong before is told */

	fd_close(&(*container)->lock_fd); /* removing it takes the lock */
	(void)container_remove(engine, *container, REMOVE_FORCE | REMOVE_VOLUMES, 0, &ignored);
	container_free(take_ptr(container));
}

int create_container(struct cli *cli, const struct container_args *args, enum create_flags flags,
		     bool detached, int argc, char **argv, struct container **ret_container,
		     struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autoclose int cid_fd = -1;
	struct engine *engine;

	/* Scripts give an empty name where they mean none. */
	const char *name = args->name && *args->name ? args->name : NULL;
	if (args->replace && !name)
		return err_set(err, EINVAL, "--replace needs --name");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = open_cid_file(args->cid_file, &cid_fd, err);
	if (r == 0)
		r = container_args_to_spec(cli, args, argc, argv, &spec, err);
	if (r == 0 && args->replace)
		r = replace(engine, name, err);
	if (r == 0) {
		spec->detached = detached;
		r = container_create(engine, spec, name, flags, ret_container, err);
	}
	if (r == 0 && cid_fd >= 0 && fd_write_all(cid_fd, (*ret_container)->id, 64) < 0)
		r = err_errno(err, "write '%s'", args->cid_file);
	if (r < 0 && *ret_container)
		undo(engine, ret_container);
	else if (r < 0 && spec)
		volume_drop_anonymous(engine, &spec->mounts);
	if (r < 0 && cid_fd >= 0)
		(void)unlink(args->cid_file); /* ours, and there is no container */
	return r;
}
