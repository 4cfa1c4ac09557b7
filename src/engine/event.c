#include "engine/event.h"

#include <inttypes.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json-text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "store/event-log.h"

static const char *const status_names[] = {
	[EVENT_ATTACH] = "attach",   [EVENT_CLEANUP] = "cleanup",
	[EVENT_COMMIT] = "commit",   [EVENT_COPY] = "copy",
	[EVENT_CREATE] = "create",   [EVENT_DIED] = "died",
	[EVENT_EXEC] = "exec",	     [EVENT_EXEC_DIED] = "exec_died",
	[EVENT_EXPORT] = "export",   [EVENT_HEALTH_STATUS] = "health_status",
	[EVENT_IMPORT] = "import",   [EVENT_INIT] = "init",
	[EVENT_KILL] = "kill",	     [EVENT_LOAD] = "loadfromarchive",
	[EVENT_MOUNT] = "mount",     [EVENT_PAUSE] = "pause",
	[EVENT_PRUNE] = "prune",     [EVENT_PULL] = "pull",
	[EVENT_REMOVE] = "remove",   [EVENT_RENAME] = "rename",
	[EVENT_RESTART] = "restart", [EVENT_REVERT] = "revert",
	[EVENT_SAVE] = "save",	     [EVENT_SNAPSHOT] = "snapshot",
	[EVENT_START] = "start",     [EVENT_STOP] = "stop",
	[EVENT_TAG] = "tag",	     [EVENT_UNMOUNT] = "unmount",
	[EVENT_UNPAUSE] = "unpause", [EVENT_UNTAG] = "untag",
	[EVENT_UPDATE] = "update",
};
_Static_assert(ARRAY_SIZE(status_names) == EVENT_STATUS_COUNT, "every status has a name");

const char *event_status_name(enum event_status status)
{
	return status_names[status];
}

/* One event as it is in the log: names as podman's, but the time is a number, which is cheaper to write. */
struct event {
	const char *type, *id, *name, *image, *health, *exec_id;
	const char *attributes; /* a JSON object, or NULL */
	enum event_status status;
	int64_t time_nsec;
	const int *exit_code; /* or NULL */
};

#define ATTRIBUTES_MAX (EVENT_LOG_LINE_MAX / 4)

static void add_member(struct strbuf *line, const char *key, const char *text)
{
	if (!text)
		return;
	strbuf_addf(line, ",\"%s\":", key);
	json_quote(text, line);
}

static void add_line(struct strbuf *lines, const struct event *event)
{
	strbuf_addf(lines, "{\"time_nsec\":%" PRId64, event->time_nsec);
	add_member(lines, "Type", event->type);
	add_member(lines, "Status", status_names[event->status]);
	add_member(lines, "ID", event->id);
	add_member(lines, "Name", event->name);
	add_member(lines, "Image", event->image);
	add_member(lines, "HealthStatus", event->health);
	add_member(lines, "ExecID", event->exec_id);
	if (event->exit_code)
		strbuf_addf(lines, ",\"ContainerExitCode\":%d", *event->exit_code);
	if (event->attributes && strlen(event->attributes) <= ATTRIBUTES_MAX)
		strbuf_addf(lines, ",\"Attributes\":%s", event->attributes);
	strbuf_adds(lines, "}\n");
}

static void append(struct engine *engine, const struct strbuf *lines)
{
	static bool has_warned; /* once is enough where the disk is full */
	struct err err;

	autofree char *directory = path_join(engine->root, "events");
	if (event_log_append(directory, lines->data, lines->size, engine->settings.events_max_bytes,
			     &err) == 0 ||
	    has_warned)
		return;
	has_warned = true;
	log_warn("%s; 'davit events' will not show what happens now", err.text);
}

bool event_is_wanted(const struct engine *engine)
{
	return !engine->settings.events_logger ||
	       strcmp(engine->settings.events_logger, "none") != 0;
}

static void tell(struct engine *engine, const struct event *event)
{
	autostrbuf struct strbuf line = STRBUF_EMPTY;

	if (!event_is_wanted(engine))
		return;
	add_line(&line, event);
	append(engine, &line);
}

static struct event of_container(const struct container *container, enum event_status status)
{
	return (struct event){ .type = "container",
			       .id = container->id,
			       .name = container->name,
			       .image = container->image_name,
			       .attributes = container->labels,
			       .status = status,
			       .time_nsec = timestamp_now_nsec() };
}

void event_container(struct engine *engine, const struct container *container,
		     enum event_status status)
{
	const struct event event = of_container(container, status);

	tell(engine, &event);
}

void event_container_exit(struct engine *engine, const struct container *container,
			  enum event_status status, int exit_code, int64_t time_nsec)
{
	struct event event = of_container(container, status);

	event.exit_code = &exit_code;
	if (time_nsec)
		event.time_nsec = time_nsec;
	tell(engine, &event);
}

void event_container_exec(struct engine *engine, const struct container *container,
			  enum event_status status, const char *exec_id, int exit_code)
{
	struct event event = of_container(container, status);

	event.exec_id = exec_id;
	if (status == EVENT_EXEC_DIED)
		event.exit_code = &exit_code;
	tell(engine, &event);
}

void event_container_health(struct engine *engine, const struct container *container,
			    const char *health)
{
	struct event event = of_container(container, EVENT_HEALTH_STATUS);

	event.health = health;
	tell(engine, &event);
}

void event_container_several(struct engine *engine, const struct container *container,
			     const enum event_status *statuses, size_t count)
{
	autostrbuf struct strbuf lines = STRBUF_EMPTY;

	if (!event_is_wanted(engine))
		return;
	for (size_t i = 0; i < count; i++) {
		const struct event event = of_container(container, statuses[i]);
		add_line(&lines, &event);
	}
	append(engine, &lines);
}

void event_image(struct engine *engine, enum event_status status, const char *id, const char *name)
{
	const struct event event = { .type = "image",
				     .id = id,
				     .name = name,
				     .status = status,
				     .time_nsec = timestamp_now_nsec() };

	tell(engine, &event);
}

void event_object(struct engine *engine, const char *type, enum event_status status,
		  const char *name)
{
	const struct event event = {
		.type = type, .name = name, .status = status, .time_nsec = timestamp_now_nsec()
	};

	tell(engine, &event);
}
