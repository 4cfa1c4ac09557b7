/* The containers project's profile format, the one of Docker and Podman:
 *
 *	{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
 *	  "archMap": [ { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [ … ] } ],
 *	  "flags": [ "SECCOMP_FILTER_FLAG_LOG" ],
 *	  "syscalls": [ { "names": [ … ], "action": "SCMP_ACT_ALLOW", "errnoRet": 1, "errno": "EPERM",
 *	      "args": [ { "index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ" } ],
 *	      "includes": { "caps": [ … ], "arches": [ … ], "minKernel": "4.8" }, "excludes": { … } } ] }
 *
 * The OCI runtime specification's form (with "architectures" and without includes) is a subset.
 * Members not named here are passed over; everything that is named is checked, also in rules that
 * do not apply here. */
#include "kernel/seccomp-profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json-reader.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "kernel/caps.h"
#include "kernel/seccomp-words.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* since Linux 5.19 */
#endif

#define MAX_ERRNO 4095

struct parser {
	struct seccomp_profile *profile;
	uint64_t capabilities;
	unsigned kernel_major, kernel_minor;
	const char *machine; /* this architecture as Go calls it */
};

struct seccomp_profile *seccomp_profile_new(void)
{
	return xcalloc(1, sizeof(struct seccomp_profile));
}

void seccomp_profile_free(struct seccomp_profile *profile)
{
	if (!profile)
		return;
	for (size_t i = 0; i < profile->rule_count; i++) {
		strlist_clear(&profile->rules[i].names);
		free(profile->rules[i].conditions);
	}
	free(profile->rules);
	free(profile);
}

struct seccomp_rule *seccomp_profile_add_rule(struct seccomp_profile *profile, uint32_t action)
{
	if (profile->rule_count == profile->rule_capacity) {
		profile->rule_capacity = profile->rule_capacity ? profile->rule_capacity * 2 : 64;
		profile->rules = xreallocarray(profile->rules, profile->rule_capacity,
					       sizeof(struct seccomp_rule));
	}
	struct seccomp_rule *rule = &profile->rules[profile->rule_count++];
	*rule = (struct seccomp_rule){ .action = action };
	return rule;
}

void seccomp_rule_add_condition(struct seccomp_rule *rule, unsigned argument,
				enum seccomp_comparison comparison, uint64_t value, uint64_t mask)
{
	rule->conditions = xreallocarray(rule->conditions, rule->condition_count + 1,
					 sizeof(struct seccomp_condition));
	rule->conditions[rule->condition_count++] =
		(struct seccomp_condition){ argument, comparison, value, mask };
}

void seccomp_profile_add_architecture(struct seccomp_profile *profile, uint32_t token)
{
	for (size_t i = 0; i < profile->architecture_count; i++)
		if (profile->architectures[i] == token)
			return;
	if (profile->architecture_count < ARRAY_SIZE(profile->architectures))
		profile->architectures[profile->architecture_count++] = token;
}

void seccomp_profile_add_native_architectures(struct seccomp_profile *profile)
{
	uint32_t machine = seccomp_native_machine();
	const struct seccomp_architecture *one;

	seccomp_profile_add_architecture(profile, machine);
	for (size_t i = 0; (one = seccomp_architecture_of_machine(machine, i)); i++)
		seccomp_profile_add_architecture(profile, one->token);
}

/* ---- actions ---- */

static uint32_t parse_errno(const struct json_at *object, const char *number_name,
			    const char *text_name)
{
	uint64_t number = EPERM;

	json_at_uint(object, number_name, MAX_ERRNO, &number);
	const char *text = json_at_string(object, text_name);
	if (!text || !*text)
		return (uint32_t)number;
	/* The word is the newer member, and means the same on all architectures. */
	for (int code = 1; code <= MAX_ERRNO; code++) {
		const char *name = strerrorname_np(code);
		if (name && strcmp(name, text) == 0)
			return (uint32_t)code;
	}
	json_at_fail(object, text_name, "unknown error '%.40s'", text);
	return 0;
}

static uint32_t parse_action(const struct json_at *object, const char *name, const char *errno_name,
			     const char *errno_text_name)
{
	const char *text = json_at_need_string(object, name);
	uint32_t code = parse_errno(object, errno_name, errno_text_name), action = 0;

	if (seccomp_action_from_name(text, code, &action) < 0)
		json_at_fail(object, name, "unknown action '%.40s'", text);
	return action;
}

/* ---- includes and excludes ---- */

struct selection {
	size_t caps, caps_held;
	size_t arches, arches_matching;
	bool kernel_given, kernel_new_enough;
};

/* "6.1", and what follows does not matter: "6.1.0-18-amd64". */
static bool read_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	int64_t major, minor;

	if (number_take(&text, 0, 99999, &major) < 0 || *text++ != '.' ||
	    number_take(&text, 0, 99999, &minor) < 0)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

static void select_kernel(const struct parser *parser, const struct json_at *at,
			  struct selection *selection)
{
	const char *text = json_at_string(at, "minKernel");
	unsigned major, minor;

	if (!text || !*text)
		return;
	if (!read_version(text, &major, &minor)) {
		json_at_fail(at, "minKernel", "'%.20s' is not MAJOR.MINOR", text);
		return;
	}
	selection->kernel_given = true;
	selection->kernel_new_enough =
		parser->kernel_major > major ||
		(parser->kernel_major == major && parser->kernel_minor >= minor);
}

static struct selection parse_selection(const struct parser *parser, const struct json_at *object,
					const char *name)
{
	struct selection selection = { 0 };
	struct json_at members, list, at;

	if (!json_at_member(object, name, json_type_object, &members))
		return selection;
	if (json_at_member(&members, "caps", json_type_array, &list))
		for (; json_at_element(&list, selection.caps, json_type_string, &at);
		     selection.caps++) {
			/* One that is not known here nobody holds. */
			int number = capability_from_name(json_at_text(&at));
			if (number >= 0 && parser->capabilities & UINT64_C(1) << number)
				selection.caps_held++;
		}
	if (json_at_member(&members, "arches", json_type_array, &list))
		for (; json_at_element(&list, selection.arches, json_type_string, &at);
		     selection.arches++)
			if (strcmp(json_at_text(&at), parser->machine) == 0)
				selection.arches_matching++;
	select_kernel(parser, &members, &selection);
	return selection;
}

/* ---- rules ---- */

static void parse_condition(const struct json_at *at, struct seccomp_rule *rule)
{
	uint64_t index = 0, value = 0, value_two = 0;

	json_at_uint(at, "index", 5, &index);
	json_at_uint(at, "value", UINT64_MAX, &value);
	json_at_uint(at, "valueTwo", UINT64_MAX, &value_two);
	const char *op = json_at_need_string(at, "op");
	int comparison = seccomp_comparison_from_name(op);
	if (comparison < 0)
		json_at_fail(at, "op", "unknown comparison '%.40s'", op);
	/* The first value is the mask, the second the result. */
	else if (comparison == SECCOMP_MASKED_EQUAL)
		seccomp_rule_add_condition(rule, (unsigned)index, SECCOMP_MASKED_EQUAL, value_two,
					   value);
	else
		seccomp_rule_add_condition(rule, (unsigned)index,
					   (enum seccomp_comparison)comparison, value, 0);
}

/* Several conditions on one argument are alternatives: a rule for each. */
static bool has_alternatives(const struct seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->condition_count; i++) {
		unsigned bit = 1U << rule->conditions[i].argument;
		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

static void add_rule(struct seccomp_profile *profile, struct seccomp_rule *rule)
{
	struct seccomp_rule *added;

	if (!has_alternatives(rule)) {
		added = seccomp_profile_add_rule(profile, 0);
		*added = *rule;
		*rule = (struct seccomp_rule){ 0 };
		return;
	}
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct seccomp_condition *condition = &rule->conditions[i];
		added = seccomp_profile_add_rule(profile, rule->action);
		strlist_extend(&added->names, &rule->names);
		seccomp_rule_add_condition(added, condition->argument, condition->comparison,
					   condition->value, condition->mask);
	}
}

static void parse_rule_members(const struct json_at *at, struct seccomp_rule *rule)
{
	struct json_at list, element;

	rule->action = parse_action(at, "action", "errnoRet", "errno");
	json_at_strlist(at, "names", &rule->names);
	const char *name = json_at_string(at, "name");
	if (name && *name && rule->names.count)
		json_at_fail(at, NULL, "'name' and 'names' cannot be together");
	if (name && *name)
		strlist_add(&rule->names, name);
	if (json_at_member(at, "args", json_type_array, &list))
		for (size_t i = 0; json_at_element(&list, i, json_type_object, &element); i++)
			parse_condition(&element, rule);
}

static void parse_rule(const struct parser *parser, const struct json_at *at)
{
	struct seccomp_rule rule = { 0 };

	parse_rule_members(at, &rule);
	struct selection with = parse_selection(parser, at, "includes");
	struct selection without = parse_selection(parser, at, "excludes");
	if (with.caps_held == with.caps && (!with.arches || with.arches_matching) &&
	    (!with.kernel_given || with.kernel_new_enough) && !without.caps_held &&
	    !without.arches_matching && !(without.kernel_given && without.kernel_new_enough))
		add_rule(parser->profile, &rule);
	strlist_clear(&rule.names);
	free(rule.conditions);
}

/* ---- the whole ---- */

static void parse_architectures(const struct parser *parser, const struct json_at *object,
				const char *name, bool is_wanted)
{
	struct json_at list, at;

	if (!json_at_member(object, name, json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_string, &at); i++) {
		const char *text = json_at_text(&at);
		const struct seccomp_architecture *one = seccomp_architecture_from_name(text);
		if (!one)
			json_at_fail(&at, NULL, "unknown architecture '%.40s'", text);
		/* Programs of others the kernel does not run. */
		else if (is_wanted && one->machine == seccomp_native_machine())
			seccomp_profile_add_architecture(parser->profile, one->token);
	}
}

static void parse_architecture_map(const struct parser *parser, const struct json_at *root)
{
	struct json_at list, at;

	if (!json_at_member(root, "archMap", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		const char *name = json_at_need_string(&at, "architecture");
		const struct seccomp_architecture *one = seccomp_architecture_from_name(name);
		if (!one)
			json_at_fail(&at, "architecture", "unknown architecture '%.40s'", name);
		else
			parse_architectures(parser, &at, "subArchitectures",
					    one->token && one->token == seccomp_native_machine());
	}
}

static void parse_flags(const struct parser *parser, const struct json_at *root)
{
	struct json_at list, at;

	if (!json_at_member(root, "flags", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_string, &at); i++) {
		const char *name = json_at_text(&at);
		int flag = seccomp_flag_from_name(name);
		if (flag < 0)
			json_at_fail(&at, NULL, "unknown flag '%.60s'", name);
		else
			parser->profile->flags |= (unsigned)flag;
	}
}

/* Flags that are about notifications the kernel takes only with a listener, and a listener without TSYNC only, which the
 * one thread that sets the filter has no use for. */
static void plan_listener(struct seccomp_profile *profile, const struct json_at *root)
{
	const char *path = json_at_string(root, "listenerPath");
	bool notifies = profile->default_action == SECCOMP_RET_USER_NOTIF;

	for (size_t i = 0; i < profile->rule_count; i++)
		notifies |= profile->rules[i].action == SECCOMP_RET_USER_NOTIF;
	if (notifies && (!path || !*path))
		json_at_fail(root, "listenerPath",
			     "SCMP_ACT_NOTIFY needs it: the socket of an agent that answers");
	if (notifies)
		profile->flags = (profile->flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC) |
				 SECCOMP_FILTER_FLAG_NEW_LISTENER;
	else
		profile->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
}

static void parse_document(const struct parser *parser, const struct json_at *root)
{
	struct json_at list, at;

	if (!json_object_is_type(root->value, json_type_object)) {
		json_at_fail(root, NULL, "not an object");
		return;
	}
	parser->profile->default_action =
		parse_action(root, "defaultAction", "defaultErrnoRet", "defaultErrno");
	seccomp_profile_add_architecture(parser->profile, seccomp_native_machine());
	parse_architectures(parser, root, "architectures", true);
	parse_architecture_map(parser, root);
	parse_flags(parser, root);
	if (json_at_member(root, "syscalls", json_type_array, &list))
		for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++)
			parse_rule(parser, &at);
	plan_listener(parser->profile, root);
}

struct seccomp_profile *seccomp_profile_read(const struct json_at *at, uint64_t capabilities)
{
	struct parser parser = {
		.profile = seccomp_profile_new(),
		.capabilities = capabilities,
		.machine = seccomp_machine_name(seccomp_native_machine()),
	};
	struct utsname host;

	if (uname(&host) == 0)
		(void)read_version(host.release, &parser.kernel_major,
				   &parser.kernel_minor); /* 0.0 where it says nothing */
	parse_document(&parser, at);
	if (json_reader_failed(at->reader) == 0)
		return parser.profile;
	seccomp_profile_free(parser.profile);
	return NULL;
}

int seccomp_profile_parse(const char *text, size_t size, uint64_t capabilities,
			  struct seccomp_profile **ret_profile, struct err *err)
{
	autojson struct json_object *root = NULL;
	struct json_reader reader = { .err = err };

	int r = json_parse(text, size, &root, err);
	if (r < 0)
		return r;
	struct json_at at = json_at_root(&reader, root);
	struct seccomp_profile *profile = seccomp_profile_read(&at, capabilities);
	if (!profile)
		return json_reader_failed(&reader);
	*ret_profile = profile;
	return 0;
}
