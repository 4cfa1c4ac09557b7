#include "engine/container-stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/timing.h"
#include "engine/container-end.h"
#include "engine/container-pause.h"
#include "engine/container-spec.h"
#include "engine/container-wait.h"
#include "engine/container.h"
#include "engine/event.h"
#include "engine/signals.h"
#include "kernel/pidfd.h"

enum { KILLED_MSEC = 60000 }; /* after SIGKILL only the kernel can hold it */

struct stop {
	char *id;
	int fd;		   /* its init; -1: that has ended */
	bool is_killed;	   /* SIGKILL has been sent */
	bool was_asked;	   /* before it, the stop signal */
	int64_t next_msec; /* when the time of what was sent last is over */
};

struct container_stops {
	struct stop *items;
	size_t count;
};

struct container_stops *container_stops_new(void)
{
	return xcalloc(1, sizeof(struct container_stops));
}

static void stop_clear(struct stop *stop)
{
	free(stop->id);
	fd_close(&stop->fd);
}

void container_stops_free(struct container_stops *stops)
{
	if (!stops)
		return;
	for (size_t i = 0; i < stops->count; i++)
		stop_clear(&stops->items[i]);
	free(stops->items);
	free(stops);
}

static int64_t now_msec(void)
{
	return clock_now_usec() / 1000;
}

static void send_kill(struct stop *stop)
{
	(void)pidfd_signal(stop->fd, SIGKILL); /* gone meanwhile is what we want */
	stop->is_killed = true;
	stop->next_msec = now_msec() + KILLED_MSEC;
}

/* Begin to end an init. `timeout_sec` is as in struct stop_request. */
static void send_first(struct stop *stop, const struct container_spec *spec, int64_t timeout_sec)
{
	int signal = spec->stop_signal ? signal_from_name(spec->stop_signal) : SIGTERM;

	if (timeout_sec < 0)
		timeout_sec = spec->stop_timeout;
	stop->was_asked = timeout_sec > 0;
	if (!stop->was_asked) {
		send_kill(stop);
		return;
	}
	(void)pidfd_signal(stop->fd, signal > 0 ? signal : SIGTERM);
	stop->next_msec = now_msec() + timeout_sec * 1000;
}

/* Wait until this one's init has ended, and give all others what they need meanwhile. */
static int await_init(struct container_stops *stops, size_t index,
		      const struct container *container, struct err *err)
{
	autofree struct pollfd *polls = xcalloc(stops->count, sizeof(*polls));

	while (stops->items[index].fd >= 0) {
		int64_t now = now_msec(), left = INT32_MAX;
		for (size_t i = 0; i < stops->count; i++) {
			struct stop *stop = &stops->items[i];
			if (stop->fd >= 0 && now >= stop->next_msec) {
				if (stop->is_killed && i == index)
					return err_set(err, ETIMEDOUT,
						       "container '%s' does not end even after "
						       "SIGKILL; a process of it is stuck in the "
						       "kernel",
						       container->name);
				if (!stop->is_killed)
					send_kill(stop);
			}
			if (stop->fd >= 0 && stop->next_msec > now && stop->next_msec - now < left)
				left = stop->next_msec - now;
			polls[i] = (struct pollfd){ .fd = stop->fd, .events = POLLIN };
		}
		if (poll(polls, stops->count, (int)left) < 0 && errno != EINTR)
			return err_errno(err, "wait for container '%s'", container->name);
		for (size_t i = 0; i < stops->count; i++)
			if (polls[i].revents)
				fd_close(&stops->items[i].fd);
	}
	return 0;
}

static struct stop *find(const struct container_stops *stops, const char *id)
{
	for (size_t i = 0; i < stops->count; i++)
		if (strcmp(stops->items[i].id, id) == 0)
			return &stops->items[i];
	return NULL;
}

bool container_stops_has(const struct container_stops *stops, const struct container *container)
{
	return find(stops, container->id);
}

int container_stops_ask(struct engine *engine, struct container_stops *stops,
			struct container *container, const struct stop_request *request,
			struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct stop stop = { .fd = -1 };

	if (find(stops, container->id))
		return 0;
	int r = container_end_restarts(engine, container->id, request->why, err);
	bool can_hear = r == CONTAINER_RUNNING; /* before its command there is nobody who could */
	if (r >= 0 && !can_hear && r != CONTAINER_INITIALIZED)
		return 0;
	if (r >= 0)
		r = container_spec_of(container, &spec, err);
	if (r == 0)
		r = container_open_init(engine, container, &stop.fd, err);
	if (r == -ESRCH)
		return 0; /* just ended */
	if (r < 0)
		return r;
	container_thaw(engine, container); /* it shall hear us */
	send_first(&stop, spec, can_hear ? request->timeout_sec : 0);
	stop.id = xstrdup(container->id);
	stops->items = xreallocarray(stops->items, stops->count + 1, sizeof(*stops->items));
	stops->items[stops->count++] = stop;
	return 1;
}

int container_stops_finish(struct engine *engine, struct container_stops *stops,
			   struct container *container, const struct stop_request *request,
			   struct err *err)
{
	int r = container_stops_ask(engine, stops, container, request, err);
	if (r < 0)
		return r;
	struct stop *stop = find(stops, container->id);
	if (!stop) {
		r = container_cleanup(engine, container->id, err);
		return r < 0 ? r : STOP_WAS_STOPPED;
	}
	r = await_init(stops, (size_t)(stop - stops->items), container, err);
	int result = stop->was_asked && stop->is_killed ? STOP_KILLED : STOP_DONE;
	stop_clear(stop);
	*stop = stops->items[--stops->count];
	if (r == 0)
		r = container_wait(engine, container, &(int){ 0 }, err);
	if (r < 0)
		return r;
	event_container(engine, container, EVENT_STOP);
	return result;
}

int container_stop(struct engine *engine, struct container *container,
		   const struct stop_request *request, struct err *err)
{
	autostops struct container_stops *stops = container_stops_new();

	return container_stops_finish(engine, stops, container, request, err);
}

int container_end_to_restart(struct engine *engine, struct container *container, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct stop stop = { .fd = -1 };

	int r = container_spec_of(container, &spec, err);
	if (r == 0)
		r = container_open_init(engine, container, &stop.fd, err);
	if (r == 0)
		r = container_want_restart(engine, container, err);
	if (r == 0) {
		struct container_stops alone = { .items = &stop, .count = 1 };
		container_thaw(engine, container);
		send_first(&stop, spec, -1);
		r = await_init(&alone, 0, container, err);
	}
	fd_close(&stop.fd);
	return r;
}
