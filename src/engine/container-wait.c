/* The monitor tells how its container ended, on a connection that is made under the container's lock: nobody can put the
 * container away before we are connected, and whoever is connected before the exit file is written is told, even if
 * everything else is gone by then. Where there is no monitor that would tell (it was killed, has too many clients, or
 * is just becoming the next one after a restart), a process is watched instead, and when it ends one looks again. */
#include "engine/container-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "kernel/pidfd.h"
#include "monitor/attach.h"

struct wait {
	char *id;
	int fd;		 /* -1: it is over */
	bool is_monitor; /* fd is a connection; else a process */
	int exit_code;
};

struct container_waits {
	struct engine *engine;
	struct wait *items;
	size_t count;
};

struct container_waits *container_waits_new(struct engine *engine)
{
	struct container_waits *waits = xcalloc(1, sizeof(*waits));

	waits->engine = engine;
	return waits;
}

void container_waits_free(struct container_waits *waits)
{
	if (!waits)
		return;
	for (size_t i = 0; i < waits->count; i++) {
		free(waits->items[i].id);
		fd_close(&waits->items[i].fd);
	}
	free(waits->items);
	free(waits);
}

static void end(struct wait *wait, int exit_code)
{
	fd_close(&wait->fd);
	wait->exit_code = exit_code;
}

/* Under the lock. A connection that is there before the exit file will be told of the end. */
static bool connect_monitor(struct wait *wait, const char *run_dir)
{
	struct run_status status;
	struct err ignored; /* then a process is watched */

	autoclose int run_dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run_dir_fd < 0)
		return false;
	wait->fd = attach_connect(run_dir_fd, &ignored);
	if (wait->fd < 0)
		return false;
	attach_mute(wait->fd);
	wait->is_monitor = true;
	(void)run_directory_status(run_dir, &status);
	if (status.has_exit && !status.will_restart)
		end(wait, exit_code_of(status.wait_status));
	return true;
}

/* Begin to watch it, or see that it is over. */
static int watch(struct engine *engine, struct wait *wait, bool ask_monitor, struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, wait->id);
	autoclose int lock_fd = -1;

	int r = container_lock(engine, wait->id, &lock_fd, err);
	if (r < 0)
		return r;
	for (;;) {
		autocontainer struct container *now = NULL;
		r = container_find(engine, wait->id, CONTAINER_IS_LOCKED, &now, err);
		if (r < 0)
			return r;
		bool runs = container_is_alive(now);
		if (!runs && now->state != CONTAINER_RESTARTING) {
			end(wait, now->exit_code);
			return 0;
		}
		if (ask_monitor && now->run.monitor_lives && connect_monitor(wait, run_dir))
			return 0;
		wait->is_monitor = false;
		wait->fd = pidfd_open_process(runs ? now->run.pid : now->run.monitor_pid);
		if (wait->fd >= 0)
			return 0;
		if (errno != ESRCH)
			return err_errno(err, "wait for container '%s'", now->name);
		/* It has ended this moment. */
	}
}

/* Its descriptor has something to say. */
static int hear(struct engine *engine, struct wait *wait, struct err *err)
{
	bool is_monitor = wait->is_monitor;
	int wait_status;

	if (is_monitor) {
		int r = attach_hear_exit(wait->fd, &wait_status);
		if (r > 0)
			end(wait, exit_code_of(wait_status));
		if (r >= 0)
			return 0;
	}
	fd_close(&wait->fd);
	int r = watch(engine, wait, !is_monitor, err);
	if (r == -ENOENT) {
		end(wait, -1);
		return 0;
	}
	return r;
}

int container_waits_add(struct container_waits *waits, const struct container *container,
			struct err *err)
{
	struct wait wait = { .id = xstrdup(container->id), .fd = -1 };

	int r = watch(waits->engine, &wait, true, err);
	if (r < 0) {
		free(wait.id);
		return r;
	}
	waits->items = xreallocarray(waits->items, waits->count + 1, sizeof(*waits->items));
	waits->items[waits->count] = wait;
	return (int)waits->count++;
}

int container_waits_finish(struct container_waits *waits, size_t index, int *ret_exit_code,
			   struct err *err)
{
	autofree struct pollfd *polls = xcalloc(waits->count, sizeof(*polls));

	while (waits->items[index].fd >= 0) {
		for (size_t i = 0; i < waits->count; i++)
			polls[i] = (struct pollfd){ .fd = waits->items[i].fd, .events = POLLIN };
		if (poll(polls, waits->count, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, "wait for containers");
		}
		for (size_t i = 0; i < waits->count; i++) {
			int r = polls[i].revents ? hear(waits->engine, &waits->items[i], err) : 0;
			if (r < 0)
				return r;
		}
	}
	*ret_exit_code = waits->items[index].exit_code;
	/* Who has waited wants to go on: to take its name or ports, or to look at what became of it. */
	return container_cleanup(waits->engine, waits->items[index].id, err);
}
