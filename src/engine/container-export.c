#include "engine/container-export.h"

#include "base/err.h"
#include "engine/container-inside.h"
#include "engine/container.h"
#include "engine/event.h"
#include "store/tar-tree.h"

static int write_tree(const struct inside_view *view, void *arg, struct err *err)
{
	struct tar_tree_options options = { .flags = TAR_TREE_ONE_FILE_SYSTEM,
					    .proc_fd = view->proc_fd };

	return tar_tree_write(view->root_fd, &options, *(const int *)arg, NULL, err);
}

int container_export(struct engine *engine, struct container *container, int out_fd,
		     struct err *err)
{
	autoinside struct container_inside *inside = NULL;

	int r = container_inside_open(engine, container, INSIDE_ROOT_ONLY, &inside, err);
	if (r == 0)
		r = container_inside_run(inside, write_tree, &out_fd, err);
	if (r == 0)
		event_container(engine, container, EVENT_EXPORT);
	return r < 0 ? err_wrap(err, "export container '%s'", container->name) : 0;
}
