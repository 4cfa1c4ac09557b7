/* The process of a config.json. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/runtime-config-internal.h"

static void parse_user(const struct json_at *process_at, struct oci_process *process)
{
	struct json_at at, list, group;
	int64_t umask;

	if (!json_at_member(process_at, "user", json_type_object, &at))
		return; /* uid and gid 0 */
	process->uid = (uint32_t)json_at_need_int(&at, "uid", 0, UINT32_MAX - 1);
	process->gid = (uint32_t)json_at_need_int(&at, "gid", 0, UINT32_MAX - 1);
	if (json_at_int(&at, "umask", 0, 0777, &umask))
		process->umask = (int)umask;
	if (!json_at_member(&at, "additionalGids", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_int, &group); i++) {
		int64_t gid = json_object_get_int64(group.value);
		if (gid < 0 || gid >= UINT32_MAX)
			json_at_fail(&group, NULL, "not a group ID");
		*OCI_APPEND(process->additional_gids, process->additional_gid_count) =
			(uint32_t)gid;
	}
}

static void parse_console(const struct json_at *process_at, struct oci_process *process)
{
	struct json_at at;

	process->terminal = json_at_bool(process_at, "terminal");
	if (!json_at_member(process_at, "consoleSize", json_type_object, &at) || !process->terminal)
		return;
	process->console_rows = (uint16_t)json_at_need_int(&at, "height", 0, UINT16_MAX);
	process->console_columns = (uint16_t)json_at_need_int(&at, "width", 0, UINT16_MAX);
}

/* A capability that this kernel does not have, or this runtime does not know, cannot be granted. The specification has
 * that warned about, not refused. */
static uint64_t parse_capability_set(const struct json_at *object, const char *name)
{
	struct json_at list, at;
	uint64_t set = 0, known = capability_all();

	if (!json_at_member(object, name, json_type_array, &list))
		return 0;
	for (size_t i = 0; json_at_element(&list, i, json_type_string, &at); i++) {
		const char *text = json_at_text(&at);
		int number = strncmp(text, "CAP_", 4) == 0 ? capability_from_name(text) : -EINVAL;
		if (number >= 0 && (known >> number & 1))
			set |= UINT64_C(1) << number;
		else
			log_warn("process.capabilities.%s[%zu]: '%s' is no capability of this "
				 "kernel; going on without",
				 name, i, text);
	}
	return set;
}

static void parse_capabilities(const struct json_at *process_at, struct capability_sets *sets)
{
	struct json_at at;

	if (!json_at_member(process_at, "capabilities", json_type_object, &at))
		return;
	sets->bounding = parse_capability_set(&at, "bounding");
	sets->effective = parse_capability_set(&at, "effective");
	sets->inheritable = parse_capability_set(&at, "inheritable");
	sets->permitted = parse_capability_set(&at, "permitted");
	sets->ambient = parse_capability_set(&at, "ambient");
	if (sets->effective & ~sets->permitted)
		json_at_fail(&at, "effective", "has a capability that is not in 'permitted'");
}

static void parse_rlimits(const struct json_at *process_at, struct oci_process *process)
{
	struct json_at list, at;

	if (!json_at_member(process_at, "rlimits", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		const char *type = json_at_need_string(&at, "type");
		if (strncmp(type, "RLIMIT_", 7) != 0 || oci_rlimit_from_name(type) < 0)
			json_at_fail(&at, "type", "unknown limit '%s'", type);
		for (size_t j = 0; j < process->rlimit_count; j++)
			if (strcmp(process->rlimits[j].type, type) == 0)
				json_at_fail(&at, "type", "'%s' is given twice", type);
		struct oci_rlimit *limit = OCI_APPEND(process->rlimits, process->rlimit_count);
		limit->type = xstrdup(type);
		if (!json_at_uint(&at, "soft", UINT64_MAX, &limit->soft))
			json_at_fail(&at, "soft", "missing");
		if (!json_at_uint(&at, "hard", UINT64_MAX, &limit->hard))
			json_at_fail(&at, "hard", "missing");
		if (limit->soft > limit->hard)
			json_at_fail(&at, "soft", "is above 'hard'");
	}
}

/* ---- scheduling ---- */

struct word {
	const char *name;
	int value;
};

static int find_word(const struct word *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].value;
	return -1;
}

static void parse_scheduler(const struct json_at *process_at, struct oci_scheduler *scheduler)
{
	static const struct word policies[] = {
		{ "SCHED_OTHER", SCHED_OTHER }, { "SCHED_FIFO", SCHED_FIFO },
		{ "SCHED_RR", SCHED_RR },	{ "SCHED_BATCH", SCHED_BATCH },
		{ "SCHED_IDLE", SCHED_IDLE },	{ "SCHED_DEADLINE", 6 },
	};
	static const struct word flags[] = {
		{ "SCHED_FLAG_RESET_ON_FORK", 0x01 },  { "SCHED_FLAG_RECLAIM", 0x02 },
		{ "SCHED_FLAG_DL_OVERRUN", 0x04 },     { "SCHED_FLAG_KEEP_POLICY", 0x08 },
		{ "SCHED_FLAG_KEEP_PARAMS", 0x10 },    { "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
		{ "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
	};
	struct json_at object, list, at;
	int64_t number = 0;

	if (!json_at_member(process_at, "scheduler", json_type_object, &object))
		return;
	const char *name = json_at_need_string(&object, "policy");
	scheduler->policy = find_word(policies, ARRAY_SIZE(policies), name);
	if (scheduler->policy < 0)
		json_at_fail(&object, "policy", "unknown policy '%s'", name);
	if (json_at_int(&object, "nice", -20, 19, &number))
		scheduler->nice = (int)number;
	bool has_priority = json_at_int(&object, "priority", 0, 99, &number) && number;
	if (has_priority)
		scheduler->priority = (int)number;
	if (has_priority && scheduler->policy != SCHED_FIFO && scheduler->policy != SCHED_RR)
		json_at_fail(&object, "priority", "is for SCHED_FIFO and SCHED_RR only");
	json_at_uint(&object, "runtime", INT64_MAX, &scheduler->runtime_nsec);
	json_at_uint(&object, "deadline", INT64_MAX, &scheduler->deadline_nsec);
	json_at_uint(&object, "period", INT64_MAX, &scheduler->period_nsec);
	if (!json_at_member(&object, "flags", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_string, &at); i++) {
		int flag = find_word(flags, ARRAY_SIZE(flags), json_at_text(&at));
		if (flag < 0)
			json_at_fail(&at, NULL, "unknown flag '%s'", json_at_text(&at));
		else
			scheduler->flags |= (uint64_t)flag;
	}
}

static void parse_io_priority(const struct json_at *process_at, struct oci_process *process)
{
	static const struct word classes[] = {
		{ "IOPRIO_CLASS_RT", 1 },
		{ "IOPRIO_CLASS_BE", 2 },
		{ "IOPRIO_CLASS_IDLE", 3 },
	};
	struct json_at at;

	if (!json_at_member(process_at, "ioPriority", json_type_object, &at))
		return;
	const char *name = json_at_need_string(&at, "class");
	int class = find_word(classes, ARRAY_SIZE(classes), name);
	int64_t priority = 0;
	if (class < 0) {
		json_at_fail(&at, "class", "unknown class '%s'", name);
		return;
	}
	json_at_int(&at, "priority", 0, 7, &priority);
	process->io_priority = (class < 0 ? 0 : class << 13) | (int)priority;
}

static void parse_affinity(const struct json_at *process_at, struct oci_process *process)
{
	struct json_at at;

	if (!json_at_member(process_at, "execCPUAffinity", json_type_object, &at))
		return;
	json_at_copy(&at, "initial", &process->initial_cpu_affinity);
	json_at_copy(&at, "final", &process->final_cpu_affinity);
	const char *const names[] = { "initial", "final" };
	const char *const lists[] = { process->initial_cpu_affinity, process->final_cpu_affinity };
	for (int i = 0; i < 2; i++)
		if (lists[i] && lists[i][strspn(lists[i], "0123456789,-")])
			json_at_fail(&at, names[i],
				     "'%s' is not a list of processors such as '0-3,7'", lists[i]);
}

/* ---- the whole ---- */

static void parse_env(const struct json_at *at, struct strlist *env)
{
	struct json_at list, entry;

	if (!json_at_member(at, "env", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_string, &entry); i++) {
		const char *text = json_at_text(&entry);
		if (*text == '=' || !strchr(text, '='))
			json_at_fail(&entry, NULL, "'%.80s' is not NAME=VALUE", text);
		strlist_add(env, text);
	}
}

void oci_parse_process(const struct json_at *at, struct oci_process *process)
{
	int64_t number;

	parse_console(at, process);
	parse_user(at, process);
	json_at_strlist(at, "args", &process->args);
	if (!process->args.count)
		json_at_fail(at, "args", "missing or empty");
	parse_env(at, &process->env);
	json_at_copy(at, "cwd", &process->cwd);
	if (!process->cwd)
		json_at_fail(at, "cwd", "missing");
	else if (*process->cwd != '/')
		json_at_fail(at, "cwd", "'%s' is not an absolute path", process->cwd);
	parse_capabilities(at, &process->capabilities);
	parse_rlimits(at, process);
	process->no_new_privileges = json_at_bool(at, "noNewPrivileges");
	if (json_at_int(at, "oomScoreAdj", -1000, 1000, &number)) {
		process->has_oom_score_adj = true;
		process->oom_score_adj = (int)number;
	}
	json_at_copy(at, "apparmorProfile", &process->apparmor_profile);
	json_at_copy(at, "selinuxLabel", &process->selinux_label);
	/* Callers write "" for none. */
	if (process->apparmor_profile && !*process->apparmor_profile)
		free(take_ptr(&process->apparmor_profile));
	if (process->selinux_label && !*process->selinux_label)
		free(take_ptr(&process->selinux_label));
	if (process->apparmor_profile && process->selinux_label)
		json_at_fail(at, "apparmorProfile", "cannot be together with 'selinuxLabel'");
	parse_scheduler(at, &process->scheduler);
	parse_io_priority(at, process);
	parse_affinity(at, process);
}
