/* Events: what davit did with containers, images and volumes, in podman's words, for `davit events` and for programs that
 * follow it.
 *
 * Whoever changes something tells so here, right after it is done and once: where several may do the same (the end of a
 * container), the one who holds its lock. Telling costs a few microseconds, cannot fail, and waits for nobody; an event
 * that cannot be written is warned about. store/event-log.h says how the log works. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container;
struct engine;
struct err;
struct json_object;

/* In podman's order; `attach`, `exec` and so on by their names in event_status_name(). */
enum event_status {
	EVENT_ATTACH,
	EVENT_CLEANUP,
	EVENT_COMMIT,
	EVENT_COPY,
	EVENT_CREATE,
	EVENT_DIED,
	EVENT_EXEC,
	EVENT_EXEC_DIED,
	EVENT_EXPORT,
	EVENT_HEALTH_STATUS,
	EVENT_IMPORT,
	EVENT_INIT,
	EVENT_KILL,
	EVENT_LOAD,
	EVENT_MOUNT,
	EVENT_PAUSE,
	EVENT_PRUNE,
	EVENT_PULL,
	EVENT_REMOVE,
	EVENT_RENAME,
	EVENT_RESTART,
	EVENT_REVERT,
	EVENT_SAVE,
	EVENT_SNAPSHOT,
	EVENT_START,
	EVENT_STOP,
	EVENT_TAG,
	EVENT_UNMOUNT,
	EVENT_UNPAUSE,
	EVENT_UNTAG,
	EVENT_UPDATE,
	EVENT_STATUS_COUNT,
};
const char *event_status_name(enum event_status status);

/* Are events recorded at all? */
bool event_is_wanted(const struct engine *engine);

/* What happened to a container. */
void event_container(struct engine *engine, const struct container *container,
		     enum event_status status);
/* EVENT_EXEC and EVENT_EXEC_DIED: of which process of exec, and with the latter how it ended. `exec_id` may be NULL. */
void event_container_exec(struct engine *engine, const struct container *container,
			  enum event_status status, const char *exec_id, int exit_code);
/* The same with the container's exit code, for EVENT_DIED. `time_nsec` 0: now. */
void event_container_exit(struct engine *engine, const struct container *container,
			  enum event_status status, int exit_code, int64_t time_nsec);
/* EVENT_HEALTH_STATUS: "healthy", "unhealthy", "starting". */
void event_container_health(struct engine *engine, const struct container *container,
			    const char *health);
/* Several at once, in this order: one write instead of many. */
void event_container_several(struct engine *engine, const struct container *container,
			     const enum event_status *statuses, size_t count);

/* What happened to an image: its ID or NULL, and the name, file or word it was done by, or NULL. */
void event_image(struct engine *engine, enum event_status status, const char *id, const char *name);
/* The same for all others, which have a name only: "volume", "secret", "network", "system". */
void event_object(struct engine *engine, const char *type, enum event_status status,
		  const char *name);

/* --- reading */

/* Which events are wanted. Words are podman's KEY=VALUE: container, event (or status), image, label, pod, type, volume.
 * Values of one key are alternatives, of `label` they must all hold; different keys must all hold. */
struct strlist;
struct event_filter;
int event_filter_parse(const struct strlist *words, struct event_filter **ret_filter,
		       struct err *err);
void event_filter_free(struct event_filter *filter);

struct event_query {
	int64_t since_nsec, until_nsec; /* 0: no such bound */
	bool wants_past;		/* what is in the log already */
	bool follows;			/* wait for more, until `until_nsec` if there is that */
	const struct event_filter *filter;
	int output_fd; /* where it goes: when nobody reads it any more, following ends; -1: nowhere */
};

/* Call `tell` for each event: an object with podman's field names (ID, Image, Name, Status, Time, Type, Attributes, …) and
 * "time_nsec". A negative result of `tell` ends it, and is the result. Before waiting `tell` is called with NULL. */
int event_query_run(struct engine *engine, const struct event_query *query,
		    int (*tell)(struct json_object *event, void *arg, struct err *err), void *arg,
		    struct err *err);

static inline void event_filter_free_auto(struct event_filter **at)
{
	event_filter_free(*at);
}
#define autoevent_filter __attribute__((cleanup(event_filter_free_auto)))
