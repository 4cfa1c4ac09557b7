/* Several commands may see a container end at the same time: the one that ran it, one that stops
 * it, one that waits, and the monitor's own cleaning. The lock of the container's directory makes
 * them take turns, and every step is one that may have been done before. The order matters for
 * those who are killed half-way: the record is changed before the run directory goes, since a run
 * directory without a record is swept, but a record that says "running" without a run directory has
 * lost how the container ended. */
#include "engine/container-end.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "engine/container-cgroup.h"
#include "engine/container-dependencies.h"
#include "engine/container-network.h"
#include "engine/container-own-layers.h"
#include "engine/container-pause.h"
#include "engine/container-repair.h"
#include "engine/container-restart.h"
#include "engine/container-mount.h"
#include "engine/container-stop.h"
#include "engine/container-wait.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/health.h"
#include "engine/image.h"
#include "engine/leftover-processes.h"
#include "engine/namespace-mode.h"
#include "engine/shared-hosts.h"
#include "engine/shared-namespaces.h"
#include "engine/signals.h"
#include "engine/volume.h"
#include "engine/recording.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "monitor/attach.h"
#include "monitor/protocol.h"

int container_open_init(struct engine *engine, const struct container *container, int *ret_fd,
			struct err *err)
{
	autofree char *directory = container_run_directory(engine, container->id);
	struct run_status status;

	/* It may have been started again since the caller has found it. */
	(void)run_directory_status(directory, &status);
	pid_t pid = status.pid;
	autoclose int fd = pid > 0 ? pidfd_open_process(pid) : -1;
	/* Asked again after opening: had the number been given to another process before, this
	 * would tell. */
	(void)run_directory_status(directory, &status);
	if (fd < 0 || !status.is_running || status.pid != pid)
		return err_set(err, ESRCH,
			       "container %s is not running; start it with 'davit start %s'",
			       container->name, container->name);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Whoever sends these wants it gone, and not back. Others, such as SIGHUP, mostly mean something else to it. */
static bool asks_to_end(const struct container *container, int signal)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct err ignored; /* of a damaged record the usual signals do */

	return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGQUIT ||
	       (container->spec_text && container_spec_of(container, &spec, &ignored) == 0 &&
		spec->stop_signal && signal_from_name(spec->stop_signal) == signal);
}

int container_kill(struct engine *engine, struct container *container, int signal,
		   enum restart_end why, struct err *err)
{
	autoclose int fd = -1;

	int r = container_settle(engine, container, err);
	if (r == 0 && container->state == CONTAINER_INITIALIZED)
		return err_set(
			err, ESRCH,
			"container %s is initialized and does not run yet, so there is nobody "
			"to hear a signal; end it with 'davit stop %s'",
			container->name, container->name);
	if (r == 0 && asks_to_end(container, signal))
		r = container_end_restarts(engine, container->id, why, err);
	if (r == CONTAINER_RESTARTING)
		return 0; /* it does not run, and will not any more */
	if (r >= 0)
		r = container_open_init(engine, container, &fd, err);
	if (r < 0)
		return r;
	/* Before it, or that it has died could be told first. */
	event_container(engine, container, EVENT_KILL);
	if (pidfd_signal(fd, signal) < 0)
		return err_errno(err, "send %s to container '%s'", signal_name(signal),
				 container->name);
	if (signal == SIGKILL)
		container_thaw(engine, container);
	return 0;
}

int container_wait(struct engine *engine, const struct container *container, int *ret_exit_code,
		   struct err *err)
{
	autowaits struct container_waits *waits = container_waits_new(engine);

	int r = container_waits_add(waits, container, err);
	if (r == -ENOENT) {
		*ret_exit_code = -1;
		return 0;
	}
	return r < 0 ? r : container_waits_finish(waits, (size_t)r, ret_exit_code, err);
}

/* Whether its own layer was empty, which mostly is so, and all else is ours and little. */
static bool is_simple(const char *directory)
{
	autofree char *upper = path_join(directory, "upper"), *work = path_join(directory, "work");
	struct stat st;

	return rmdir(upper) == 0 && stat(directory, &st) == 0 && st.st_nlink <= 3 &&
	       stat(work, &st) == 0 && st.st_uid == geteuid();
}

/* The lock is held, nothing runs. `left`: see container_cleanup_but(), NULL to leave nothing. */
static int remove_locked(struct engine *engine, const struct container *container,
			 bool with_volumes, struct strlist *left, struct err *err)
{
	const char *id = container->id;
	autostrlist struct strlist volumes = STRLIST_EMPTY;
	autofree char *directory = container_directory(engine, id);
	autofree char *run_dir = container_run_directory(engine, id);
	int r = 0;

	if (with_volumes)
		r = container_anonymous_volumes(engine, id, &volumes, err);
	if (r == 0)
		r = container_delete_record(engine, container, &volumes, err);
	if (r == 0) {
		event_container(engine, container, EVENT_REMOVE);
		container_forget_mount(engine, id);
	}
	/* Its own directory goes last: as long as that is there, a sweep finds what is left. */
	if (r == 0 && left && is_simple(directory)) {
		strlist_take(left, take_ptr(&run_dir));
		strlist_take(left, take_ptr(&directory));
	} else if (r == 0) {
		r = file_remove_tree(AT_FDCWD, run_dir, err);
		if (r == 0)
			r = container_remove_files(engine, directory, err);
	}
	if (r == 0 && container->head_layer)
		r = image_empty_trash(engine, err);
	if (r == 0 && volumes.count)
		r = volume_sweep(engine, err);
	return r;
}

static int leave_hosts(struct engine *engine, const struct container_spec *spec,
		       const char *run_dir, struct err *err)
{
	autofree char *donor_dir = shared_namespaces_network_dir(engine, spec);

	return donor_dir ? shared_hosts_leave(engine, donor_dir, run_dir, err) : 0;
}

int container_release(struct engine *engine, const struct container *container,
		      const struct container_spec *spec, struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autocgroup struct cgroup *cgroup = NULL;
	bool had_cgroup = false;
	int r = 0;

	if (container_cgroup_open(engine, container, spec, &cgroup, err) == 0) {
		r = cgroup_remove(cgroup, err);
		had_cgroup = true;
	}
	if (r == 0 && !had_cgroup && namespace_mode_is_shared(spec, OCI_NS_PID))
		r = leftover_processes_kill(container->id, err);
	if (r == 0)
		r = container_network_stop(spec, run_dir, container->id, err);
	if (r == 0)
		r = leave_hosts(engine, spec, run_dir, err);
	return r;
}

/* The image went with its container; one that others use stays. */
static void remove_image(struct engine *engine, const struct container_spec *spec)
{
	autostrlist struct strlist untagged = STRLIST_EMPTY, deleted = STRLIST_EMPTY;
	const struct image_removal removal = { 0 };
	struct err err;

	int r = image_remove(engine, spec->image_name, &removal, &untagged, &deleted, &err);
	if (r == 0)
		r = image_empty_trash(engine, &err);
	if (r == -EBUSY || r == -ENOENT)
		log_debug("--rmi: %s", err.text);
	else if (r < 0)
		log_warn("the container is gone, its image is not: %s", err.text);
}

/* The monitor has written it down, unless it was killed; then the group knows it as long as it is there. */
static bool was_oom_killed(struct engine *engine, const struct container *container,
			   const struct container_spec *spec)
{
	autocgroup struct cgroup *cgroup = NULL;
	struct err ignored; /* without a group nobody knows */

	if (container->run.has_exit || !container->run.was_started)
		return container->oom_killed;
	return container_cgroup_open(engine, container, spec, &cgroup, &ignored) == 0 &&
	       cgroup_was_oom_killed(cgroup);
}

static int record_end(struct engine *engine, const struct container *container, bool oom_killed,
		      bool starts_again, struct err *err)
{
	int64_t finished = container->finished_nsec;
	struct timespec now;

	if (container->state == CONTAINER_CREATED) /* its first start was killed */
		return container_set_created(engine, container->id, err);
	if (!finished) {
		clock_gettime(CLOCK_REALTIME, &now);
		finished = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	}
	return (starts_again ? container_set_starting_again : container_set_exited)(
		engine, container->id, container->exit_code, oom_killed, finished, err);
}

/* It is told before the record says so: whoever comes after one who was killed in between tells it again, with the same
 * time, by which readers know. A start that was killed has never been told. */
static void tell_death(struct engine *engine, const struct container *container)
{
	bool was_rebooted = container->state == CONTAINER_EXITED && !container->finished_nsec;

	if (container->run.was_started || was_rebooted)
		event_container_exit(engine, container, EVENT_DIED, container->exit_code,
				     container->finished_nsec);
}

enum then { THEN_STAYS, THEN_REMOVED, THEN_STARTED };

static int put_away(struct engine *engine, const struct container *container, enum then then,
		    struct strlist *left, struct err *err)
{
	bool oom_killed = false;
	autocontainer_spec struct container_spec *spec = NULL;
	autofree char *run_dir = container_run_directory(engine, container->id);

	int r = container_spec_of(container, &spec, err);
	if (r < 0)
		return r;
	oom_killed = was_oom_killed(engine, container, spec);
	r = container_release(engine, container, spec, err);
	if (r < 0)
		return r;
	recording_await(spec, run_dir);
	tell_death(engine, container);
	if (then == THEN_REMOVED) {
		r = remove_locked(engine, container, spec->mounts.count > 0, left, err);
		if (r == 0 && spec->remove_image && spec->image_name)
			remove_image(engine, spec);
	}
	if (then != THEN_REMOVED || r == -EBUSY) { /* it stays while others need it */
		autofree char *directory = container_directory(engine, container->id),
			      *pid_file = path_join(run_dir, MONITOR_FILE_PID);
		if (health_has_check(spec))
			health_keep(run_dir, directory);
		r = record_end(engine, container, oom_killed, then == THEN_STARTED, err);
		/* First what says that there was a run: what is left of it else looks like its end. */
		if (r == 0)
			(void)unlink(pid_file);
		if (r == 0)
			r = file_remove_tree(AT_FDCWD, run_dir, err);
		if (r == 0)
			event_container(engine, container, EVENT_CLEANUP);
	}
	return r;
}

static int clean_up(struct engine *engine, const struct container *container, struct strlist *left,
		    struct err *err)
{
	int r = 0;

	if (container->needs_cleanup)
		r = put_away(engine, container, container->auto_remove ? THEN_REMOVED : THEN_STAYS,
			     left, err);
	return r < 0 ? err_wrap(err, "clean up container '%s'", container->name) : 0;
}

int container_cleanup_locked(struct engine *engine, const struct container *container,
			     struct err *err)
{
	return clean_up(engine, container, NULL, err);
}

int container_put_away_locked(struct engine *engine, const struct container *container,
			      struct err *err)
{
	return put_away(engine, container, THEN_STARTED, NULL, err);
}

int container_cleanup(struct engine *engine, const char *id, struct err *err)
{
	return container_cleanup_but(engine, id, NULL, err);
}

int container_cleanup_but(struct engine *engine, const char *id, struct strlist *left,
			  struct err *err)
{
	autocontainer struct container *container = NULL;
	autoclose int lock_fd = -1;

	int r = container_find_locked(engine, id, &container, &lock_fd, err);
	if (r == -ENOENT)
		return 0; /* somebody else has done it all */
	if (r < 0)
		return err_wrap(err, "clean up container '%s'", id);
	return clean_up(engine, container, left, err);
}

/* It may be started by somebody else in between, so whether it runs is asked under the lock; and as
 * stopping it waits for others who want the lock, it is let go for that. */
#define REMOVE_ATTEMPTS 10

/* The lock is held. Returns 0 when it is gone, -EINPROGRESS with its state now when it runs. */
static int remove_if_stopped(struct engine *engine, const char *id, enum remove_flags flags,
			     struct container **ret_running, struct err *err)
{
	autocontainer struct container *now = NULL;
	autofree char *run_dir = container_run_directory(engine, id);

	int r = container_find(engine, id, CONTAINER_WITH_SPEC | CONTAINER_IS_LOCKED, &now, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0 && (container_is_alive(now) || now->state == CONTAINER_RESTARTING)) {
		*ret_running = take_ptr(&now);
		return -EINPROGRESS;
	}
	if (r == 0)
		r = container_refuse_dependents(engine, now, err);
	if (r == 0 && now->needs_cleanup) {
		autocontainer_spec struct container_spec *spec = NULL;
		r = container_spec_of(now, &spec, err);
		if (r == 0)
			r = container_release(engine, now, spec, err);
		if (r == 0)
			tell_death(engine, now);
	}
	if (r == 0)
		r = remove_locked(engine, now, (flags & REMOVE_VOLUMES) || now->auto_remove, NULL,
				  err);
	return r;
}

static int remove_dependents(struct engine *engine, const char *id, enum remove_flags flags,
			     int64_t timeout_sec, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY;

	int r = container_dependents(engine, id, &ids, err);
	for (size_t i = 0; r >= 0 && i < ids.count; i++) {
		autocontainer struct container *dependent = NULL;
		r = container_find(engine, ids.items[i], CONTAINER_WITH_SPEC, &dependent, err);
		if (r == 0)
			r = container_remove(engine, dependent, flags, timeout_sec, err);
		if (r == -ENOENT)
			r = 0; /* somebody else was faster */
	}
	return r;
}

int container_remove(struct engine *engine, const struct container *container,
		     enum remove_flags flags, int64_t timeout_sec, struct err *err)
{
	const struct stop_request request = { timeout_sec, RESTART_END_STOPPED };

	if (flags & REMOVE_DEPENDENTS) {
		int r = remove_dependents(engine, container->id, flags, timeout_sec, err);
		if (r < 0)
			return r;
	}
	for (int attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
		autocontainer struct container *running = NULL;
		autoclose int lock_fd = -1;

		int r = container_lock(engine, container->id, &lock_fd, err);
		if (r < 0 && r != -ENOENT) /* its files are gone, its record may not be */
			return r;
		r = remove_if_stopped(engine, container->id, flags, &running, err);
		if (r != -EINPROGRESS)
			return r;
		if (!(flags & REMOVE_FORCE) && running->state != CONTAINER_INITIALIZED)
			return err_set(err, EBUSY,
				       "cannot remove container %s as it is %s; stop it with "
				       "'davit stop %s', or use --force",
				       container->name, container_state_name(running->state),
				       container->name);
		r = container_refuse_dependents(engine, container, err);
		if (r < 0)
			return r;
		fd_close(&lock_fd);
		r = container_stop(engine, running, &request, err);
		if (r < 0)
			return r;
	}
	return err_set(err, EBUSY,
		       "container %s is started again and again; end what does it, then remove it",
		       container->name);
}
