#include "cli/while-stopped.h"

#include <errno.h>

#include "base/err.h"
#include "base/fd.h"
#include "engine/container-start.h"
#include "engine/container-stop.h"
#include "engine/container.h"

static int start_again(struct engine *engine, struct container *container, struct err *err)
{
	struct start_result started = { .client_fd = -1 };

	int r = container_start(engine, container, 0, &started, &(int){ 0 }, err);
	return r == -EALREADY || r == -ENOENT ? 0
					      : r; /* somebody else was faster, or it was removed */
}

int while_stopped(struct engine *engine, struct container *container, bool stop,
		  int (*act)(struct engine *engine, struct container *container, void *arg,
			     struct err *err),
		  void *arg, struct err *err)
{
	struct err later;
	int r = container_settle(engine, container, err);

	if (r < 0)
		return r;
	if (!stop || container->state != CONTAINER_RUNNING)
		return act(engine, container, arg, err);
	if (container->auto_remove)
		return err_set(err, EINVAL,
			       "container %s is removed when it stops, as it was made with --rm",
			       container->name);
	r = container_stop(engine, container, &(struct stop_request){ -1, RESTART_END_STOPPED },
			   err);
	if (r < 0)
		return r;
	r = act(engine, container, arg, err);
	int restarted = start_again(engine, container, &later);
	if (r < 0 || restarted == 0)
		return r;
	*err = later;
	return restarted;
}
