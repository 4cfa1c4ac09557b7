#include "engine/container-pause.h"

#include <errno.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/container-cgroup.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/run-directory.h"
#include "kernel/cgroup.h"

/* The note comes before the freezing and goes after the thawing: who is killed in between leaves a
 * container that is said to be paused and runs, which unpause puts right. The other way round it would
 * stand still and nobody would know. */
static int freeze(struct engine *engine, const struct container *container, bool frozen,
		  struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autocontainer_spec struct container_spec *spec = NULL;
	autocgroup struct cgroup *cgroup = NULL;

	int r = container_spec_of(container, &spec, err);
	if (r == 0)
		r = container_cgroup_open(engine, container, spec, &cgroup, err);
	if (r == -ENOENT)
		return err_set(
			err, EOPNOTSUPP,
			"container '%s' has no control group, by which it could be paused; see "
			"davit-rootless(7)",
			container->name);
	if (r == 0 && frozen)
		r = run_directory_set_paused(run_dir, true, err);
	if (r == 0)
		r = cgroup_freeze(cgroup, frozen, err);
	if (r < 0 && frozen) {
		struct err ignored; /* the first failure is the one to tell */
		(void)run_directory_set_paused(run_dir, false, &ignored);
	}
	return r < 0 || frozen ? r : run_directory_set_paused(run_dir, false, err);
}

/* The lock keeps starts and ends away. */
static int set_paused(struct engine *engine, struct container *container, bool paused,
		      struct err *err)
{
	autoclose int lock_fd = -1;

	int r = container_lock_found(engine, container, &lock_fd, err);
	if (r < 0)
		return r;
	if (container->state != CONTAINER_RUNNING)
		return err_set(err, ESRCH,
			       "container '%s' is not running; start it with 'davit start %s'",
			       container->name, container->name);
	if (container->run.is_paused == paused)
		return err_set(err, EALREADY, "container '%s' is %s", container->name,
			       paused ? "paused already" : "not paused");
	r = freeze(engine, container, paused, err);
	if (r == 0)
		event_container(engine, container, paused ? EVENT_PAUSE : EVENT_UNPAUSE);
	return r < 0 ? err_wrap(err, "%s container '%s'", paused ? "pause" : "unpause",
				container->name)
		     : 0;
}

int container_pause(struct engine *engine, struct container *container, struct err *err)
{
	return set_paused(engine, container, true, err);
}

int container_unpause(struct engine *engine, struct container *container, struct err *err)
{
	return set_paused(engine, container, false, err);
}

void container_thaw(struct engine *engine, struct container *container)
{
	struct err ignored; /* it may have ended just now */

	if (container->run.is_paused && container->spec_text)
		(void)freeze(engine, container, false, &ignored);
}
