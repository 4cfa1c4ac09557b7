/* Each check is a row of one table: how much it counts, and a function that looks at the container and answers how bad
 * it is (0 to 10), in words, and what would be better. The words are about this container, not about containers. */
#include "engine/security.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "engine/container-layers.h"
#include "engine/container-map.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/launch.h"
#include "engine/mount-spec.h"
#include "engine/namespace-mode.h"
#include "engine/plan.h"
#include "kernel/caps.h"
#include "kernel/seccomp.h"
#include "kernel/userns.h"

struct facts {
	const struct container_spec *spec;
	const struct settings *settings;
	const struct container_map *map;
	const struct identity *identity;
	uint64_t capabilities; /* the bounding set */
	unsigned calls_allowed, calls_known;
	bool has_filter;
	bool has_label;		 /* the capabilities are those that the image asked for */
	struct strlist writable; /* host paths that are mounted so that they can be written */
};

struct verdict {
	double badness; /* 0 to 10 */
	struct strbuf text;
	const char *remedy; /* static; NULL where nothing is to be done */
};

/* ---- checks ---- */

static bool has_user_namespace(const struct facts *facts)
{
	return !facts->map->map.is_identity;
}

static void check_user_namespace(const struct facts *facts, struct verdict *verdict)
{
	const struct userns_map *map = &facts->map->map;

	if (!has_user_namespace(facts)) {
		verdict->badness = 10;
		strbuf_adds(&verdict->text,
			    "IDs inside are the host's: root inside is root outside");
		verdict->remedy = "--userns auto";
		return;
	}
	strbuf_addf(&verdict->text, "root inside is the ordinary user %u outside",
		    userns_id_to_host(map->uid, map->uid_count, 0));
}

static void check_user(const struct facts *facts, struct verdict *verdict)
{
	uint32_t uid = facts->identity->uid;

	if (uid != 0) {
		strbuf_addf(&verdict->text, "the process is not root: user %u", uid);
		return;
	}
	verdict->badness = has_user_namespace(facts) ? 4 : 10;
	strbuf_adds(&verdict->text, "the process is root inside");
	verdict->remedy = "--user";
}

static void check_new_privileges(const struct facts *facts, struct verdict *verdict)
{
	if (facts->spec->no_new_privileges) {
		strbuf_adds(&verdict->text, "setuid programs give no privileges");
		return;
	}
	verdict->badness = has_user_namespace(facts) ? 3 : 6;
	strbuf_adds(&verdict->text, "setuid programs of the image may become root inside");
	verdict->remedy = "--security-opt no-new-privileges";
}

/* Those with which a container of the host's IDs owns the host, or nearly so. */
static const char *const dangerous[] = {
	"SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO",	      "SYS_PTRACE", "SYS_BOOT",	    "BPF",
	"PERFMON",   "NET_ADMIN",  "DAC_READ_SEARCH", "MAC_ADMIN",  "MAC_OVERRIDE", "SYS_TIME",
};

static void check_dangerous_capabilities(const struct facts *facts, struct verdict *verdict)
{
	autostrlist struct strlist held = STRLIST_EMPTY;

	for (size_t i = 0; i < ARRAY_SIZE(dangerous); i++)
		if (facts->capabilities >> capability_from_name(dangerous[i]) & 1)
			strlist_add(&held, dangerous[i]);
	if (!held.count) {
		strbuf_adds(&verdict->text, "no capability that reaches beyond the container");
		return;
	}
	autofree char *names = strlist_join(&held, " ");
	verdict->badness = has_user_namespace(facts) ? 5 : 10;
	strbuf_addf(&verdict->text, "may use %s", names);
	verdict->remedy = "--cap-drop";
}

static void check_capabilities(const struct facts *facts, struct verdict *verdict)
{
	int count = __builtin_popcountll(facts->capabilities);
	int all = __builtin_popcountll(capability_all());

	verdict->badness = 10.0 * count / all;
	strbuf_addf(&verdict->text, "%d of %d capabilities", count, all);
	if (facts->has_label)
		strbuf_adds(&verdict->text, ", as the label " CAPABILITIES_LABEL " wants it");
	if (count)
		verdict->remedy = "--cap-drop all, and --cap-add what it needs";
}

static void check_filter(const struct facts *facts, struct verdict *verdict)
{
	if (!facts->has_filter) {
		verdict->badness = 10;
		strbuf_adds(&verdict->text, "all system calls are allowed");
		verdict->remedy = "leave --privileged and --security-opt seccomp=unconfined out";
		return;
	}
	/* A filter that lets nearly everything through is hardly one; a recorded one has some 100 calls. */
	verdict->badness = 5.0 * facts->calls_allowed / facts->calls_known;
	strbuf_addf(&verdict->text, "%u of %u system calls are allowed", facts->calls_allowed,
		    facts->calls_known);
}

static const struct {
	enum oci_namespace ns;
	double badness; /* of the host's */
	const char *text;
} host_namespaces[] = {
	{ OCI_NS_PID, 10, "sees the host's processes" },
	{ OCI_NS_NETWORK, 10, "uses the host's network, its loopback too" },
	{ OCI_NS_IPC, 6, "shares memory with the host's programs" },
	{ OCI_NS_UTS, 3, "has the host's name" },
	{ OCI_NS_CGROUP, 2, "sees the host's control groups" },
};

static void check_namespaces(const struct facts *facts, struct verdict *verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_namespaces); i++) {
		if (namespace_mode_of(facts->spec, host_namespaces[i].ns).kind != NAMESPACE_HOST)
			continue;
		if (host_namespaces[i].badness > verdict->badness)
			verdict->badness = host_namespaces[i].badness;
		strbuf_addf(&verdict->text, "%s%s", verdict->text.size ? "; " : "",
			    host_namespaces[i].text);
		verdict->remedy = "leave --pid, --network, --ipc, --uts and --cgroupns host out";
	}
	if (!verdict->text.size)
		strbuf_adds(&verdict->text,
			    "processes, network, IPC, names and groups are its own");
}

static void check_network(const struct facts *facts, struct verdict *verdict)
{
	const char *mode = facts->spec->network_mode;

	if (mode && strcmp(mode, "none") == 0) {
		strbuf_adds(&verdict->text, "no network");
		return;
	}
	verdict->badness = mode && strcmp(mode, "host") == 0 ? 10 : 4;
	strbuf_adds(&verdict->text, "reaches the network");
	verdict->remedy = "--network none, where it needs none";
}

static void check_published(const struct facts *facts, struct verdict *verdict)
{
	for (size_t i = 0; i < facts->spec->ports.count; i++) {
		const char *port = facts->spec->ports.items[i];
		bool is_local = strncmp(port, "127.", 4) == 0 || strncmp(port, "[::1]", 5) == 0;
		if (verdict->badness < (is_local ? 2 : 6))
			verdict->badness = is_local ? 2 : 6;
		strbuf_addf(&verdict->text, "%s%s", i ? ", " : "publishes ", port);
	}
	if (verdict->badness > 2)
		verdict->remedy = "an address in front of the port: -p 127.0.0.1:8080:80";
	if (!facts->spec->ports.count)
		strbuf_adds(&verdict->text, "publishes no port");
}

static void check_kernel_files(const struct facts *facts, struct verdict *verdict)
{
	const struct strlist *unmask = &facts->spec->unmask;

	if (facts->spec->privileged || strlist_contains(unmask, "ALL")) {
		verdict->badness = 10;
		strbuf_adds(&verdict->text, "no file of /proc and /sys is hidden or read-only");
	} else if (unmask->count) {
		autofree char *paths = strlist_join(unmask, " ");
		verdict->badness = 5;
		strbuf_addf(&verdict->text, "not hidden or not read-only: %s", paths);
	} else {
		strbuf_adds(&verdict->text, "files of the kernel are hidden or read-only");
		return;
	}
	verdict->remedy = "leave --privileged and --security-opt unmask out";
}

static bool is_sensitive(const char *path)
{
	static const char *const places[] = { "/etc", "/dev", "/proc", "/sys", "/boot",	   "/root",
					      "/usr", "/bin", "/sbin", "/lib", "/var/run", "/run" };

	if (strcmp(path, "/") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		size_t size = strlen(places[i]);
		if (strncmp(path, places[i], size) == 0 && (!path[size] || path[size] == '/'))
			return true;
	}
	return false;
}

static void check_writable_paths(const struct facts *facts, struct verdict *verdict)
{
	for (size_t i = 0; i < facts->writable.count; i++) {
		const char *path = facts->writable.items[i];
		double badness = is_sensitive(path) ? 10 : 3;
		if (badness > verdict->badness)
			verdict->badness = badness;
		strbuf_addf(&verdict->text, "%s%s", i ? ", " : "may write the host's ", path);
	}
	if (facts->writable.count)
		verdict->remedy = ":ro or :O behind the volume";
	else
		strbuf_adds(&verdict->text, "can write no file of the host");
}

static void check_root(const struct facts *facts, struct verdict *verdict)
{
	if (facts->spec->read_only) {
		strbuf_adds(&verdict->text, "its own programs are read-only");
		return;
	}
	verdict->badness = 5;
	strbuf_adds(&verdict->text, "may change its own programs");
	verdict->remedy = "--read-only";
}

static void check_devices(const struct facts *facts, struct verdict *verdict)
{
	const struct container_spec *spec = facts->spec;

	if (spec->privileged) {
		verdict->badness = has_user_namespace(facts) ? 5 : 10;
		strbuf_adds(&verdict->text, "may use all devices");
		verdict->remedy = "--device for those it needs, instead of --privileged";
	} else if (spec->devices.count || spec->device_rules.count) {
		autofree char *devices = strlist_join(&spec->devices, " ");
		verdict->badness = 6;
		strbuf_addf(&verdict->text, "may use devices of the host: %s%s", devices,
			    spec->device_rules.count ? " and those of --device-cgroup-rule" : "");
	} else {
		strbuf_adds(&verdict->text, "no device of the host");
	}
}

static void check_limits(const struct facts *facts, struct verdict *verdict)
{
	const struct container_spec *spec = facts->spec;
	bool has_pids =
		spec->pids_limit > 0 || (spec->pids_limit == 0 && facts->settings->pids_limit > 0);
	bool has_memory =
		spec->memory > 0 || (spec->memory == 0 && facts->settings->memory_limit != 0);
	bool has_groups = !spec->cgroups || strcmp(spec->cgroups, "disabled") != 0;

	if (has_groups && has_pids && has_memory) {
		verdict->badness = spec->memory > 0 ? 0 : 2;
		strbuf_addf(&verdict->text, "processes and memory are limited%s",
			    spec->memory > 0 ? "" : ", memory to most of the host's");
		if (spec->memory <= 0)
			verdict->remedy = "--memory";
		return;
	}
	verdict->badness = 8;
	strbuf_addf(&verdict->text, "no limit on %s",
		    !has_groups || (!has_pids && !has_memory) ? "processes and memory"
		    : has_pids				      ? "memory"
							      : "processes");
	verdict->remedy = "--pids-limit, --memory";
}

static const struct {
	const char *name;
	unsigned weight;
	void (*look)(const struct facts *facts, struct verdict *verdict);
} checks[] = {
	{ "user namespace", 2000, check_user_namespace },
	{ "user", 1000, check_user },
	{ "new privileges", 500, check_new_privileges },
	{ "powerful capabilities", 2000, check_dangerous_capabilities },
	{ "capabilities", 1000, check_capabilities },
	{ "system calls", 1500, check_filter },
	{ "namespaces", 1500, check_namespaces },
	{ "network", 500, check_network },
	{ "ports", 300, check_published },
	{ "kernel files", 1000, check_kernel_files },
	{ "host files", 1500, check_writable_paths },
	{ "own files", 300, check_root },
	{ "devices", 1000, check_devices },
	{ "limits", 500, check_limits },
};

static const char *level_of(double exposure)
{
	static const struct {
		double most;
		const char *name;
	} levels[] = {
		{ 0.1, "PERFECT" }, { 1, "SAFE" },   { 4, "OK" },	  { 5, "MEDIUM" },
		{ 7, "EXPOSED" },   { 9, "UNSAFE" }, { 10, "DANGEROUS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (exposure <= levels[i].most)
			return levels[i].name;
	return "DANGEROUS";
}

/* One figure behind the point is all it means. */
static struct json_object *tenths(double value)
{
	char text[16];

	snprintf(text, sizeof(text), "%.1f", value);
	return json_object_new_double_s((int)(value * 10 + 0.5) / 10.0, text);
}

static void add_checks(const struct facts *facts, struct json_object *document)
{
	struct json_object *list = json_object_new_array();
	unsigned all = 0;
	double sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		all += checks[i].weight;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct verdict verdict = { .text = STRBUF_EMPTY };
		struct json_object *row = json_object_new_object();
		checks[i].look(facts, &verdict);
		double part = verdict.badness * checks[i].weight / all;
		sum += part;
		json_add_string(row, "Name", checks[i].name);
		json_add_bool(row, "Good", verdict.badness < 2.5);
		json_add_string(row, "Text", strbuf_text(&verdict.text));
		json_object_object_add(row, "Exposure", tenths(part));
		json_add_string(row, "Remedy", verdict.remedy ?: "");
		json_object_array_add(list, row);
		strbuf_clear(&verdict.text);
	}
	json_object_object_add(document, "Exposure", tenths(sum));
	json_add_string(document, "Level", level_of(sum));
	json_object_object_add(document, "Checks", list);
}

/* ---- what was loosened ---- */

static void loosened(struct json_object *list, const char *option, const char *value,
		     const char *effect)
{
	struct json_object *row = json_object_new_object();
	autofree char *text = value ? xasprintf("%s %s", option, value) : xstrdup(option);

	json_add_string(row, "Option", text);
	json_add_string(row, "Effect", effect);
	json_object_array_add(list, row);
}

static void each_loosened(struct json_object *list, const char *option,
			  const struct strlist *values, const char *effect)
{
	for (size_t i = 0; i < values->count; i++)
		loosened(list, option, values->items[i], effect);
}

static void add_loosened(const struct facts *facts, struct json_object *document)
{
	const struct container_spec *spec = facts->spec;
	struct json_object *list = json_object_new_array();

	if (spec->privileged)
		loosened(list, "--privileged", NULL,
			 "all capabilities and devices, no filter, nothing hidden");
	each_loosened(list, "--cap-add", &spec->cap_add, "one more capability");
	if (spec->seccomp_profile)
		loosened(list, "--security-opt seccomp", spec->seccomp_profile,
			 strcmp(spec->seccomp_profile, "unconfined") == 0
				 ? "all system calls"
				 : "another system call filter");
	each_loosened(list, "--security-opt unmask", &spec->unmask,
		      "kernel files are shown or writable");
	for (size_t i = 0; i < ARRAY_SIZE(host_namespaces); i++) {
		autofree char *option =
			xasprintf("--%s host", namespace_option_name(host_namespaces[i].ns));
		if (namespace_mode_of(spec, host_namespaces[i].ns).kind == NAMESPACE_HOST)
			loosened(list, option, NULL, host_namespaces[i].text);
	}
	each_loosened(list, "--device", &spec->devices, "a device of the host");
	each_loosened(list, "--device-cgroup-rule", &spec->device_rules, "devices of the host");
	each_loosened(list, "--volume", &facts->writable, "a path of the host that may be written");
	each_loosened(list, "--publish", &spec->ports, "reached from outside");
	if (spec->pids_limit < 0)
		loosened(list, "--pids-limit", "-1", "any number of processes");
	if (spec->memory < 0)
		loosened(list, "--memory", "-1", "all of the host's memory");
	if (spec->cgroups && strcmp(spec->cgroups, "disabled") == 0)
		loosened(list, "--cgroups", "disabled", "no limits");
	json_object_object_add(document, "Loosened", list);
}

/* ---- facts ---- */

static int find_writable(const struct container_spec *spec, struct strlist *paths, struct err *err)
{
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		int r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
		if (mount.kind == MOUNT_BIND && !mount.read_only && !mount.is_overlay)
			strlist_add(paths, mount.source);
		mount_spec_clear(&mount);
	}
	return 0;
}

static void add_extents(struct json_object *object, const char *key,
			const struct id_extent *extents, size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		autofree char *text = xasprintf("%u:%u:%u", extents[i].inside, extents[i].outside,
						extents[i].size);
		json_append_string(list, text);
	}
	json_object_object_add(object, key, list);
}

static void add_facts(const struct facts *facts, struct json_object *document)
{
	const struct container_spec *spec = facts->spec;
	struct json_object *user = json_object_new_object(), *calls = json_object_new_object();
	struct json_object *namespaces = json_object_new_object(),
			   *limits = json_object_new_object();
	autostrlist struct strlist capabilities = STRLIST_EMPTY;

	json_add_int(user, "UID", facts->identity->uid);
	json_add_int(user, "GID", facts->identity->gid);
	add_extents(user, "UIDMap", facts->map->map.uid,
		    has_user_namespace(facts) ? facts->map->map.uid_count : 0);
	add_extents(user, "GIDMap", facts->map->map.gid,
		    has_user_namespace(facts) ? facts->map->map.gid_count : 0);
	json_object_object_add(document, "User", user);
	json_add_string(namespaces, "user", has_user_namespace(facts) ? "private" : "host");
	for (size_t i = 0; i < ARRAY_SIZE(host_namespaces); i++) {
		enum namespace_mode_kind kind = namespace_mode_of(spec, host_namespaces[i].ns).kind;
		json_add_string(namespaces, namespace_option_name(host_namespaces[i].ns),
				kind == NAMESPACE_HOST	      ? "host"
				: kind == NAMESPACE_CONTAINER ? "container"
				: kind == NAMESPACE_PATH      ? "path"
							      : "private");
	}
	json_object_object_add(document, "Namespaces", namespaces);
	for (int number = 0; capability_name(number); number++)
		if (facts->capabilities >> number & 1)
			strlist_add(&capabilities, capability_name(number));
	json_add_strlist(document, "Capabilities", &capabilities);
	json_add_bool(document, "CapabilitiesByLabel", facts->has_label);
	json_add_bool(document, "NoNewPrivileges", spec->no_new_privileges);
	json_add_int(calls, "Allowed", facts->calls_allowed);
	json_add_int(calls, "Known", facts->calls_known);
	json_object_object_add(document, "SystemCalls", calls);
	json_add_int(limits, "Memory", spec->memory);
	json_add_int(limits, "Pids", spec->pids_limit ?: facts->settings->pids_limit);
	json_object_object_add(document, "Limits", limits);
	json_add_strlist(document, "WritableHostPaths", &facts->writable);
	json_add_strlist(document, "Devices", &spec->devices);
	json_add_strlist(document, "Ports", &spec->ports);
	json_add_bool(document, "ReadOnlyRoot", spec->read_only);
}

static int find_facts(struct engine *engine, const struct container_spec *spec, struct facts *facts,
		      struct identity *identity, struct container_map *map, struct err *err)
{
	autostrlist struct strlist directories = STRLIST_EMPTY;
	struct seccomp_filter filter = { 0 };

	int r = container_map_of(engine, spec, map, err);
	if (r == 0)
		r = container_layer_dirs(engine, spec, &directories, err);
	if (r == 0)
		r = identity_resolve(&directories, spec->user, &spec->groups, identity, err);
	if (r == 0)
		r = plan_capabilities(spec, &engine->settings, &facts->capabilities, err);
	if (r == 0) {
		uint64_t required = 0;
		facts->has_label = plan_required_capabilities(spec, &required, err) > 0 &&
				   required == facts->capabilities;
	}
	if (r == 0)
		r = find_writable(spec, &facts->writable, err);
	if (r == 0)
		r = launch_load_filter(engine, spec, facts->capabilities, &filter, err);
	if (r < 0)
		return r;
	facts->has_filter = filter.count > 0;
	seccomp_filter_count(&filter, &facts->calls_allowed, &facts->calls_known);
	seccomp_filter_clear(&filter);
	return 0;
}

int container_security(struct engine *engine, const struct container *container,
		       struct json_object **ret_json, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct identity identity = { 0 };
	struct container_map map = { 0 };
	struct facts facts = { .settings = &engine->settings, .map = &map, .identity = &identity };

	int r = container_spec_of(container, &spec, err);
	facts.spec = spec;
	if (r == 0)
		r = find_facts(engine, spec, &facts, &identity, &map, err);
	if (r == 0) {
		struct json_object *document = json_object_new_object();
		json_add_string(document, "Id", container->id);
		json_add_string(document, "Name", container->name);
		add_checks(&facts, document);
		add_loosened(&facts, document);
		add_facts(&facts, document);
		*ret_json = document;
	}
	strlist_clear(&facts.writable);
	identity_clear(&identity);
	container_map_clear(&map);
	return r;
}
