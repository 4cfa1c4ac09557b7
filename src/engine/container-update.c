#include "engine/container-update.h"

#include <errno.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/container-cgroup.h"
#include "engine/container-restart.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/health.h"
#include "engine/plan-limits.h"
#include "kernel/cgroup.h"
#include "oci/runtime-config.h"

/* Some limits are one setting for the kernel and several for the user, and some are checked against
 * each other: all of these go with what is new. */
static void keep_together(struct container_spec *news, const struct container_spec *whole)
{
	news->memory = whole->memory;
	news->memory_swap = whole->memory_swap;
	news->memory_reservation = whole->memory_reservation;
	news->cpu_quota = whole->cpu_quota;
	news->cpu_period = whole->cpu_period;
}

static int change_running(struct engine *engine, const struct container *container,
			  const struct container_spec *whole, const struct container_spec *news,
			  struct err *err)
{
	struct oci_runtime_config *config = oci_runtime_config_new();
	autocgroup struct cgroup *cgroup = NULL;

	int r = plan_limits(news, NULL, 0, &config->resources, err);
	if (r == 0)
		r = container_cgroup_open(engine, container, whole, &cgroup, err);
	if (r == -ENOENT)
		r = err_set(err, EOPNOTSUPP,
			    "it has no control group, so it has no limits; see davit-rootless(7)");
	if (r == 0)
		r = cgroup_update(cgroup, &config->resources, err);
	oci_runtime_config_free(config);
	return r;
}

static int update_locked(struct engine *engine, struct container *container,
			 const struct container_update *update, struct err *err)
{
	autocontainer_spec struct container_spec *whole = NULL, *news = container_spec_new();
	bool runs = container_is_alive(container);

	int r = container_spec_of(container, &whole, err);
	if (r == 0)
		r = update->change(whole, update->arg, err);
	if (r == 0 && update->change_limits)
		r = update->change_limits(whole, update->arg, err);
	if (r < 0)
		return r;
	keep_together(news, whole);
	if (update->change_limits)
		r = update->change_limits(news, update->arg, err);
	if (r == 0 && update->change_limits && runs)
		r = change_running(engine, container, whole, news, err);
	if (r == 0)
		r = container_set_spec(engine, container->id, whole, err);
	/* What of these two was not done when somebody kills us holds from the next start on. */
	if (r == 0 && update->is_restart)
		r = container_change_restart_locked(engine, container, whole, err);
	if (r == 0 && update->is_health && container->state == CONTAINER_RUNNING)
		health_changed(engine, container, whole);
	return r;
}

int container_update(struct engine *engine, struct container *container,
		     const struct container_update *update, struct err *err)
{
	autoclose int lock_fd = -1;

	int r = container_lock_found(engine, container, &lock_fd, err);
	if (r == 0)
		r = update_locked(engine, container, update, err);
	if (r == 0)
		event_container(engine, container, EVENT_UPDATE);
	return r < 0 ? err_wrap(err, "update container '%s'", container->name) : 0;
}
