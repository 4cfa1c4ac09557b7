#include "cli/container-row.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/container-size.h"
#include "engine/container.h"
#include "engine/mount-spec.h"
#include "engine/published-ports.h"
#include "network/ports.h"

/* Seconds of the time that means "never" to Go programs: the first of January of the year 1. */
#define NEVER_SECONDS (-INT64_C(62135596800))

static char *status_text(const struct container *container, const struct container_row *how)
{
	bool has_health = how->health && *how->health;

	if (container->state == CONTAINER_CREATED ||
	    (container->state == CONTAINER_STARTING && !container_is_restarting(container)))
		return xstrdup("Created");
	if (container->state == CONTAINER_INITIALIZED)
		return xstrdup("Initialized");
	if (container->state == CONTAINER_RUNNING) {
		autofree char *since =
			human_duration(how->now_usec - container->started_nsec / 1000);
		const char *also = !container->run.monitor_lives ? " (no monitor)"
				   : container->run.is_paused	 ? " (Paused)"
								 : "";
		return has_health ? xasprintf("Up %s (%s)%s", since, how->health, also)
				  : xasprintf("Up %s%s", since, also);
	}
	autofree char *ago = human_ago(container->finished_nsec / 1000, how->now_usec);
	return xasprintf("%s (%d)%s%s",
			 container_is_restarting(container) ? "Restarting" : "Exited",
			 container->exit_code, *ago ? " " : "", ago);
}

static int64_t seconds_of(int64_t nsec)
{
	return nsec ? nsec / 1000000000 : NEVER_SECONDS;
}

static void add_ports(struct json_object *row, const struct container *container, bool as_json)
{
	autoports struct port_list ports = PORT_LIST_EMPTY;
	autostrlist struct strlist lines = STRLIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* of a record that is damaged the rest is still shown */

	strlist_split(&lines, container->ports, '\n');
	(void)published_ports_load(&lines, &ports, &ignored);
	if (as_json) {
		json_object_object_add(row, "Ports", ports.count ? ports_to_json(&ports) : NULL);
		return;
	}
	ports_format(&ports, &text);
	json_add_string(row, "Ports", strbuf_text(&text));
}

static struct json_object *labels_of(const struct container *container)
{
	struct json_object *labels = NULL;
	struct err ignored;

	if (!container->labels ||
	    json_parse(container->labels, strlen(container->labels), &labels, &ignored) < 0)
		return NULL;
	return labels;
}

/* What only the spec knows, when it was looked up. */
static void add_spec_fields(struct json_object *row, const struct container *container,
			    bool as_json)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autostrlist struct strlist mounts = STRLIST_EMPTY, networks = STRLIST_EMPTY;
	struct err ignored;

	if (!container->spec_text || container_spec_of(container, &spec, &ignored) < 0)
		return;
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		if (mount_spec_load(spec->mounts.items[i], &mount, &ignored) < 0)
			continue;
		strlist_add(&mounts, mount.destination);
		mount_spec_clear(&mount);
	}
	/* The other modes are no networks. */
	if (spec->network_mode && strcmp(spec->network_mode, "bridge") == 0)
		strlist_add(&networks, spec->network_mode);
	autofree char *networks_text = strlist_join(&networks, ",");
	autofree char *exposed = strlist_join(&spec->expose, ", ");
	json_add_strlist(row, "Mounts", &mounts);
	if (as_json) {
		json_add_strlist(row, "Networks", &networks);
		return;
	}
	json_add_string(row, "Networks", networks_text);
	json_add_string(row, "CIDFile", spec->cid_file ?: "");
	json_add_string(row, "ExposedPorts", exposed);
}

/* The number of the namespace that the container's process is in, "" when that is not known. */
static char *namespace_number(const struct container *container, const char *file)
{
	autofree char *path = xasprintf("/proc/%d/ns/%s", (int)container->run.pid, file);
	char target[64];

	ssize_t size = container->state == CONTAINER_RUNNING
			       ? readlink(path, target, sizeof(target) - 1)
			       : -1;
	if (size < 0)
		return xstrdup("");
	target[size] = '\0'; /* "ipc:[4026531839]" */
	const char *open = strchr(target, '[');
	return open ? xstrndup(open + 1, strcspn(open + 1, "]")) : xstrdup("");
}

enum namespace_column { NAMESPACE_FILE, NAMESPACE_FIELD, NAMESPACE_MEMBER };

static void add_namespaces(struct json_object *row, const struct container *container, bool wanted,
			   enum namespace_column names)
{
	static const char *const columns[][3] = {
		{ "cgroup", "CGROUPNS", "Cgroup" },
		{ "ipc", "IPC", "Ipc" },
		{ "mnt", "MNT", "Mnt" },
		{ "net", "NET", "Net" },
		{ "pid", "PIDNS", "Pidns" },
		{ "user", "USERNS", "User" },
		{ "uts", "UTS", "Uts" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		autofree char *number =
			wanted ? namespace_number(container, columns[i][NAMESPACE_FILE])
			       : xstrdup("");
		json_add_string(row, columns[i][names], number);
	}
}

/* "2023-11-23 14:05:41.12 +0100 CET", as Go prints a time. */
static char *local_time(int64_t nsec)
{
	char day[32], zone[32], fraction[16] = "";
	time_t seconds = nsec / 1000000000;
	struct tm local;

	localtime_r(&seconds, &local);
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &local);
	strftime(zone, sizeof(zone), "%z %Z", &local);
	if (nsec % 1000000000) {
		int size = snprintf(fraction, sizeof(fraction), ".%09d", (int)(nsec % 1000000000));
		while (fraction[size - 1] == '0')
			fraction[--size] = '\0';
	}
	return xasprintf("%s%s %s", day, fraction, zone);
}

static char *size_text(const struct container_size *size)
{
	if (!size)
		return xstrdup("");
	autofree char *own = human_size((double)size->writable_bytes, 3, ""),
		      *image = human_size((double)size->image_bytes, 3, "");
	return xasprintf("%s (virtual %s)", own, image);
}

/* What the default tables show, and what rows are sorted by. */
static void add_usual_fields(struct json_object *row, const struct container *container,
			     const struct container_row *how)
{
	autofree char *status = status_text(container, how),
		      *since = human_ago(container->created_nsec / 1000, how->now_usec),
		      *size = size_text(how->size);
	int width = how->no_trunc ? 64 : 12;
	bool shorten = !how->no_trunc && strlen(container->command) > 20;
	autofree char *id = xasprintf("%.*s", width, container->id),
		      *command = xasprintf("%.*s%s", shorten ? 17 : INT32_MAX, container->command,
					   shorten ? "..." : "");

	json_add_string(row, "ID", id);
	json_add_string(row, "Image", container->image_name ?: "");
	json_add_string(row, "Command", command);
	json_add_string(row, "CreatedHuman", since);
	json_add_string(row, "Status", status);
	json_add_string(row, "Names", container->name);
	json_add_string(row, "Pod", "");
	json_add_string(row, "PodName", "");
	json_add_string(row, "Size", size);
	json_add_int(row, "created_nsec", container->created_nsec);
	json_add_int(row, "size_bytes", how->size ? how->size->writable_bytes : 0);
	add_ports(row, container, false);
}

static void add_other_fields(struct json_object *row, const struct container *container,
			     const struct container_row *how)
{
	struct json_object *labels = labels_of(container) ?: json_object_new_object();
	autofree char *created_at = local_time(container->created_nsec),
		      *image_id =
			      xasprintf("%.*s", how->no_trunc ? 64 : 12, container->image_id ?: "");

	json_add_string(row, "ImageID", image_id);
	json_add_string(row, "RunningFor", json_get_string(row, "CreatedHuman", ""));
	json_add_string(row, "CreatedAt", created_at);
	json_add_string(row, "Created", created_at);
	json_add_string(row, "State", container_status_name(container));
	json_object_object_add(row, "Label", json_object_get(labels));
	json_object_object_add(row, "Labels", labels);
	json_add_bool(row, "AutoRemove", container->auto_remove);
	json_add_bool(row, "Exited", container->state == CONTAINER_EXITED);
	json_add_int(row, "ExitCode", container->exit_code);
	json_add_int(row, "ExitedAt", seconds_of(container->finished_nsec));
	json_add_int(row, "StartedAt", seconds_of(container->started_nsec));
	json_add_int(row, "Pid", container_is_alive(container) ? container->run.pid : 0);
	json_add_int(row, "Restarts", container->restart_count);
	json_add_bool(row, "IsInfra", false);
	add_namespaces(row, container, how->namespaces, NAMESPACE_FIELD);
	add_spec_fields(row, container, false);
}

struct json_object *container_row_for_people(const struct container *container,
					     const struct container_row *how)
{
	struct json_object *row = json_object_new_object();

	add_usual_fields(row, container, how);
	if (!how->only_usual)
		add_other_fields(row, container, how);
	return row;
}

static struct json_object *command_of(const struct container *container)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct json_object *command = json_object_new_array();
	struct err ignored; /* of a damaged record the rest is still shown */

	if (!container->spec_text || container_spec_of(container, &spec, &ignored) < 0)
		return command;
	const struct strlist *parts[] = { &spec->entrypoint, &spec->command };
	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (size_t i = 0; i < parts[p]->count; i++)
			json_object_array_add(command, json_object_new_string(parts[p]->items[i]));
	return command;
}

static struct json_object *size_of(const struct container_size *size)
{
	if (!size)
		return NULL;
	struct json_object *json = json_object_new_object();
	json_add_int(json, "rootFsSize", size->image_bytes);
	json_add_int(json, "rwSize", size->writable_bytes);
	return json;
}

struct json_object *container_row_for_programs(const struct container *container,
					       const struct container_row *how)
{
	struct json_object *row = json_object_new_object(), *names = json_object_new_array(),
			   *namespaces = json_object_new_object();
	autofree char *status = status_text(container, how),
		      *created_at = human_ago(container->created_nsec / 1000, how->now_usec);

	json_object_array_add(names, json_object_new_string(container->name));
	if (how->namespaces)
		add_namespaces(namespaces, container, true, NAMESPACE_MEMBER);
	json_add_bool(row, "AutoRemove", container->auto_remove);
	json_object_object_add(row, "Command", command_of(container));
	json_add_string(row, "CreatedAt", created_at);
	json_add_bool(row, "Exited", container->state == CONTAINER_EXITED);
	json_add_int(row, "ExitedAt", seconds_of(container->finished_nsec));
	json_add_int(row, "ExitCode", container->exit_code);
	json_add_string(row, "Id", container->id);
	json_add_string(row, "Image", container->image_name ?: "");
	json_add_string(row, "ImageID", container->image_id ?: "");
	json_add_bool(row, "IsInfra", false);
	json_object_object_add(row, "Labels", labels_of(container));
	add_spec_fields(row, container, true);
	json_object_object_add(row, "Names", names);
	json_object_object_add(row, "Namespaces", namespaces);
	json_add_int(row, "Pid", container_is_alive(container) ? container->run.pid : 0);
	json_add_string(row, "Pod", "");
	json_add_string(row, "PodName", "");
	add_ports(row, container, true);
	json_object_object_add(row, "Size", size_of(how->size));
	json_add_int(row, "StartedAt", seconds_of(container->started_nsec));
	json_add_string(row, "State", container_status_name(container));
	json_add_string(row, "Status", status);
	json_add_int(row, "Created", container->created_nsec / 1000000000);
	return row;
}
