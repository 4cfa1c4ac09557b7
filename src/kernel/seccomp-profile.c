/* The containers project's profile format, the one of Docker and Podman:
 *
 *	{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
 *	  "archMap": [ { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [ … ] } ],
 *	  "flags": [ "SECCOMP_FILTER_FLAG_LOG" ],
 *	  "syscalls": [ { "names": [ … ], "action": "SCMP_ACT_ALLOW", "errnoRet": 1, "errno":
 *"EPERM", "args": [ { "index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ" } ], "includes": {
 *"caps": [ … ], "arches": [ … ], "minKernel": "4.8" }, "excludes": { … } } ] }
 *
 * The OCI runtime specification's form (with "architectures" and without includes) is a subset.
 * Members not named here are passed over; everything that is named is checked, also in rules that
 * do not apply here. */
#include "kernel/seccomp-profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "kernel/caps.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* since Linux 5.19 */
#endif

#define MAX_ERRNO 4095

/* Where in the document we are, for errors. */
struct place {
	const struct place *parent;
	const char *member;
	size_t index; /* SIZE_MAX: not an array's element */
};

struct parser {
	struct seccomp_profile *profile;
	uint64_t capabilities;
	unsigned kernel_major, kernel_minor;
	const char *machine; /* this architecture as Go calls it */
	struct err *err;
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

/* ---- words ---- */

static const struct {
	const char *name;
	uint32_t action;
	bool takes_errno;
} actions[] = {
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true },
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
};

static const struct {
	const char *name;
	enum seccomp_comparison comparison;
} comparisons[] = {
	{ "SCMP_CMP_EQ", SECCOMP_EQUAL },     { "SCMP_CMP_GE", SECCOMP_GREATER_OR_EQUAL },
	{ "SCMP_CMP_GT", SECCOMP_GREATER },   { "SCMP_CMP_LE", SECCOMP_LESS_OR_EQUAL },
	{ "SCMP_CMP_LT", SECCOMP_LESS },      { "SCMP_CMP_MASKED_EQ", SECCOMP_MASKED_EQUAL },
	{ "SCMP_CMP_NE", SECCOMP_NOT_EQUAL },
};

static const struct {
	const char *name;
	unsigned long flag;
} flags[] = {
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

/* Architectures of one machine share a line. */
static const struct architecture {
	const char *name;
	uint32_t token;
	uint32_t machine; /* the native one among those that run on one machine */
	const char *go_name;
} architectures[] = {
	{ "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, SCMP_ARCH_X86_64, "amd64" },
	{ "SCMP_ARCH_X86", SCMP_ARCH_X86, SCMP_ARCH_X86_64, "x86" },
	{ "SCMP_ARCH_X32", SCMP_ARCH_X32, SCMP_ARCH_X86_64, "x32" },
	{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64, "arm64" },
	{ "SCMP_ARCH_ARM", SCMP_ARCH_ARM, SCMP_ARCH_AARCH64, "arm" },
	{ "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE, SCMP_ARCH_PPC64LE, "ppc64le" },
	{ "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, SCMP_ARCH_RISCV64, "riscv64" },
	{ "SCMP_ARCH_S390X", SCMP_ARCH_S390X, SCMP_ARCH_S390X, "s390x" },
	{ "SCMP_ARCH_S390", SCMP_ARCH_S390, SCMP_ARCH_S390X, "s390" },
	/* Known, so that profiles may name them. */
	{ "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS, 0, "mips" },
	{ "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64, 0, "mips64" },
	{ "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32, 0, "mips64n32" },
	{ "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL, 0, "mipsel" },
	{ "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64, 0, "mipsel64" },
	{ "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, 0, "mipsel64n32" },
	{ "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC, 0, "parisc" },
	{ "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64, 0, "parisc64" },
	{ "SCMP_ARCH_PPC", SCMP_ARCH_PPC, 0, "ppc" },
	{ "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64, 0, "ppc64" },
	{ "SCMP_ARCH_LOONGARCH64", 0, 0, "loong64" },
	{ "SCMP_ARCH_M68K", 0, 0, "m68k" },
	{ "SCMP_ARCH_SH", 0, 0, "sh" },
	{ "SCMP_ARCH_SHEB", 0, 0, "sheb" },
};

static const struct architecture *find_architecture(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i].name, name) == 0)
			return &architectures[i];
	return NULL;
}

/* A 32-bit davit on a 64-bit kernel makes containers of 32-bit programs only if these run no
 * others; they may, so the whole machine is meant. */
static uint32_t native_machine(void)
{
	uint32_t token = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == token && architectures[i].machine)
			return architectures[i].machine;
	return token;
}

static const char *machine_name(uint32_t machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == machine)
			return architectures[i].go_name;
	return "";
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
	uint32_t machine = native_machine();

	seccomp_profile_add_architecture(profile, machine);
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].machine == machine)
			seccomp_profile_add_architecture(profile, architectures[i].token);
}

void seccomp_profile_words(struct seccomp_words *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		strlist_add(&words->actions, actions[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		strlist_add(&words->comparisons, comparisons[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		strlist_add(&words->architectures, architectures[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		strlist_add(&words->flags, flags[i].name);
}

const char *seccomp_action_name(uint32_t action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (actions[i].action == (action & SECCOMP_RET_ACTION_FULL))
			return actions[i].name;
	return NULL;
}

const char *seccomp_comparison_name(enum seccomp_comparison comparison)
{
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++)
		if (comparisons[i].comparison == comparison)
			return comparisons[i].name;
	return NULL;
}

const char *seccomp_architecture_name(uint32_t token)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == token)
			return architectures[i].name;
	return NULL;
}

/* ---- JSON with places ---- */

static void write_place(struct strbuf *text, const struct place *place)
{
	if (!place)
		return;
	write_place(text, place->parent);
	if (place->member)
		strbuf_addf(text, "%s%s", text->size ? "." : "", place->member);
	if (place->index != SIZE_MAX)
		strbuf_addf(text, "[%zu]", place->index);
}

__attribute__((format(printf, 3, 4))) static int
invalid(struct parser *parser, const struct place *place, const char *fmt, ...)
{
	autostrbuf struct strbuf at = STRBUF_EMPTY;
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_place(&at, place);
	return err_set(parser->err, EINVAL, "%s%s%s", strbuf_text(&at), at.size ? ": " : "", text);
}

static const char *kind_words(enum json_type type)
{
	switch (type) {
	case json_type_array:
		return "a list";
	case json_type_object:
		return "an object";
	case json_type_string:
		return "a string";
	default:
		return "a whole number";
	}
}

/* 1: *ret_value is there, borrowed; 0: absent or null; else an error. */
static int get_member(struct parser *parser, const struct place *parent, struct json_object *object,
		      const char *name, enum json_type type, struct json_object **ret_value)
{
	struct place place = { parent, name, SIZE_MAX };
	struct json_object *value = json_get(object, name);

	if (!value)
		return 0;
	if (!json_object_is_type(value, type))
		return invalid(parser, &place, "not %s", kind_words(type));
	*ret_value = value;
	return 1;
}

static int get_string(struct parser *parser, const struct place *parent, struct json_object *object,
		      const char *name, const char **ret_text)
{
	struct json_object *value = NULL;

	int r = get_member(parser, parent, object, name, json_type_string, &value);
	if (r > 0)
		*ret_text = json_object_get_string(value);
	return r;
}

static int get_number(struct parser *parser, const struct place *parent, struct json_object *object,
		      const char *name, uint64_t *ret_number)
{
	struct place place = { parent, name, SIZE_MAX };
	struct json_object *value = NULL;

	int r = get_member(parser, parent, object, name, json_type_int, &value);
	if (r <= 0)
		return r;
	if (json_object_get_int64(value) < 0)
		return invalid(parser, &place, "below 0");
	*ret_number = json_object_get_uint64(value);
	return 1;
}

/* Calls `each` for the elements of a list, which have to be of one type. */
static int for_each(struct parser *parser, const struct place *parent, struct json_object *object,
		    const char *name, enum json_type type,
		    int (*each)(struct parser *parser, const struct place *place,
				struct json_object *element, void *data),
		    void *data)
{
	struct place place = { parent, name, 0 };
	struct json_object *list = NULL;

	int r = get_member(parser, parent, object, name, json_type_array, &list);
	for (; r > 0 && place.index < json_object_array_length(list); place.index++) {
		struct json_object *element = json_object_array_get_idx(list, place.index);
		if (!json_object_is_type(element, type))
			return invalid(parser, &place, "not %s", kind_words(type));
		r = each(parser, &place, element, data);
		r = r < 0 ? r : 1;
	}
	return r;
}

/* ---- actions ---- */

static int parse_errno(struct parser *parser, const struct place *parent,
		       struct json_object *object, const char *number_name, const char *text_name,
		       uint32_t *ret_code)
{
	struct place number_place = { parent, number_name, SIZE_MAX };
	struct place text_place = { parent, text_name, SIZE_MAX };
	const char *text = NULL;
	uint64_t number = EPERM;

	int r = get_number(parser, parent, object, number_name, &number);
	if (r >= 0 && number > MAX_ERRNO)
		return invalid(parser, &number_place, "above %d", MAX_ERRNO);
	*ret_code = (uint32_t)number;
	if (r >= 0)
		r = get_string(parser, parent, object, text_name, &text);
	if (r <= 0 || !*text)
		return r;
	/* The word is the newer member, and means the same on all architectures. */
	for (int code = 1; code <= MAX_ERRNO; code++) {
		const char *name = strerrorname_np(code);
		if (name && strcmp(name, text) == 0) {
			*ret_code = (uint32_t)code;
			return 0;
		}
	}
	return invalid(parser, &text_place, "unknown error '%.40s'", text);
}

static int parse_action(struct parser *parser, const struct place *parent,
			struct json_object *object, const char *name, const char *errno_name,
			const char *errno_text_name, uint32_t *ret_action)
{
	struct place place = { parent, name, SIZE_MAX };
	const char *text = "";
	uint32_t code = EPERM;

	int r = get_string(parser, parent, object, name, &text);
	if (r < 0)
		return r;
	if (r == 0)
		return invalid(parser, &place, "missing");
	r = parse_errno(parser, parent, object, errno_name, errno_text_name, &code);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, text) == 0) {
			*ret_action = actions[i].action | (actions[i].takes_errno ? code : 0);
			return 0;
		}
	return invalid(parser, &place, "unknown action '%.40s'", text);
}

/* ---- includes and excludes ---- */

struct selection {
	size_t caps, caps_held;
	size_t arches, arches_matching;
	bool kernel_given, kernel_new_enough;
};

static int select_capability(struct parser *parser, const struct place *place,
			     struct json_object *element, void *data)
{
	struct selection *selection = data;
	const char *name = json_object_get_string(element);

	/* One that is not known here nobody holds. */
	int number = capability_from_name(name);
	selection->caps++;
	if (number >= 0 && (parser->capabilities & (UINT64_C(1) << number)))
		selection->caps_held++;
	return 0;
}

static int select_architecture(struct parser *parser, const struct place *place,
			       struct json_object *element, void *data)
{
	struct selection *selection = data;

	selection->arches++;
	if (strcmp(json_object_get_string(element), parser->machine) == 0)
		selection->arches_matching++;
	return 0;
}

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

static int parse_selection(struct parser *parser, const struct place *parent,
			   struct json_object *object, const char *name,
			   struct selection *ret_selection)
{
	struct place place = { parent, name, SIZE_MAX };
	struct place kernel_place = { &place, "minKernel", SIZE_MAX };
	struct json_object *members = NULL;
	const char *kernel = "";
	unsigned major, minor;

	*ret_selection = (struct selection){ 0 };
	int r = get_member(parser, parent, object, name, json_type_object, &members);
	if (r <= 0)
		return r;
	r = for_each(parser, &place, members, "caps", json_type_string, select_capability,
		     ret_selection);
	if (r >= 0)
		r = for_each(parser, &place, members, "arches", json_type_string,
			     select_architecture, ret_selection);
	if (r >= 0)
		r = get_string(parser, &place, members, "minKernel", &kernel);
	if (r < 0 || !*kernel)
		return r;
	if (!read_version(kernel, &major, &minor))
		return invalid(parser, &kernel_place, "'%.20s' is not MAJOR.MINOR", kernel);
	ret_selection->kernel_given = true;
	ret_selection->kernel_new_enough =
		parser->kernel_major > major ||
		(parser->kernel_major == major && parser->kernel_minor >= minor);
	return 0;
}

/* ---- rules ---- */

static int parse_condition(struct parser *parser, const struct place *place,
			   struct json_object *element, void *data)
{
	struct place index_place = { place, "index", SIZE_MAX };
	struct place op_place = { place, "op", SIZE_MAX };
	uint64_t index = 0, value = 0, value_two = 0;
	struct seccomp_rule *rule = data;
	const char *op = "";

	int r = get_number(parser, place, element, "index", &index);
	if (r >= 0 && index > 5)
		return invalid(parser, &index_place, "system calls have arguments 0 to 5");
	if (r >= 0)
		r = get_number(parser, place, element, "value", &value);
	if (r >= 0)
		r = get_number(parser, place, element, "valueTwo", &value_two);
	if (r >= 0)
		r = get_string(parser, place, element, "op", &op);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++) {
		if (strcmp(comparisons[i].name, op) != 0)
			continue;
		enum seccomp_comparison comparison = comparisons[i].comparison;
		/* The first value is the mask, the second the result. */
		if (comparison == SECCOMP_MASKED_EQUAL)
			seccomp_rule_add_condition(rule, (unsigned)index, comparison, value_two,
						   value);
		else
			seccomp_rule_add_condition(rule, (unsigned)index, comparison, value, 0);
		return 0;
	}
	return invalid(parser, &op_place, "unknown comparison '%.40s'", op);
}

static int parse_name(struct parser *parser, const struct place *place, struct json_object *element,
		      void *data)
{
	struct seccomp_rule *rule = data;

	strlist_add(&rule->names, json_object_get_string(element));
	return 0;
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

static int parse_rule_members(struct parser *parser, const struct place *place,
			      struct json_object *element, struct seccomp_rule *rule)
{
	const char *name = "";

	int r = parse_action(parser, place, element, "action", "errnoRet", "errno", &rule->action);
	if (r >= 0)
		r = for_each(parser, place, element, "names", json_type_string, parse_name, rule);
	if (r >= 0)
		r = get_string(parser, place, element, "name", &name);
	if (r >= 0 && *name && rule->names.count)
		return invalid(parser, place, "'name' and 'names' cannot be together");
	if (r >= 0 && *name)
		strlist_add(&rule->names, name);
	if (r >= 0)
		r = for_each(parser, place, element, "args", json_type_object, parse_condition,
			     rule);
	return r;
}

static int parse_rule(struct parser *parser, const struct place *place, struct json_object *element,
		      void *data)
{
	struct seccomp_rule rule = { 0 };
	struct selection with = { 0 }, without = { 0 };

	int r = parse_rule_members(parser, place, element, &rule);
	if (r >= 0)
		r = parse_selection(parser, place, element, "includes", &with);
	if (r >= 0)
		r = parse_selection(parser, place, element, "excludes", &without);
	if (r >= 0 && with.caps_held == with.caps && (!with.arches || with.arches_matching) &&
	    (!with.kernel_given || with.kernel_new_enough) && !without.caps_held &&
	    !without.arches_matching && !(without.kernel_given && without.kernel_new_enough))
		add_rule(parser->profile, &rule);
	strlist_clear(&rule.names);
	free(rule.conditions);
	return r;
}

/* ---- the whole ---- */

static int parse_architecture(struct parser *parser, const struct place *place,
			      struct json_object *element, void *data)
{
	const char *name = json_object_get_string(element);
	const bool *is_wanted = data; /* NULL: yes */

	const struct architecture *architecture = find_architecture(name);
	if (!architecture)
		return invalid(parser, place, "unknown architecture '%.40s'", name);
	/* Programs of others the kernel does not run. */
	if (architecture->machine == native_machine() && (!is_wanted || *is_wanted))
		seccomp_profile_add_architecture(parser->profile, architecture->token);
	return 0;
}

static int parse_architecture_map(struct parser *parser, const struct place *place,
				  struct json_object *element, void *data)
{
	struct place name_place = { place, "architecture", SIZE_MAX };
	const char *name = "";

	int r = get_string(parser, place, element, "architecture", &name);
	if (r < 0)
		return r;
	const struct architecture *architecture = find_architecture(name);
	if (!architecture)
		return invalid(parser, &name_place, "unknown architecture '%.40s'", name);
	bool is_native = architecture->token && architecture->token == native_machine();
	return for_each(parser, place, element, "subArchitectures", json_type_string,
			parse_architecture, &is_native);
}

static int parse_flag(struct parser *parser, const struct place *place, struct json_object *element,
		      void *data)
{
	const char *name = json_object_get_string(element);

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(flags[i].name, name) == 0) {
			parser->profile->flags |= (unsigned)flags[i].flag;
			return 0;
		}
	return invalid(parser, place, "unknown flag '%.60s'", name);
}

/* Flags that are about notifications the kernel takes only with a listener, and a listener without TSYNC only, which the
 * one thread that sets the filter has no use for. */
static int plan_listener(struct parser *parser, struct json_object *root)
{
	struct seccomp_profile *profile = parser->profile;
	struct place place = { NULL, "listenerPath", SIZE_MAX };
	bool notifies = profile->default_action == SECCOMP_RET_USER_NOTIF;
	const char *path = "";

	for (size_t i = 0; i < profile->rule_count; i++)
		notifies |= profile->rules[i].action == SECCOMP_RET_USER_NOTIF;
	int r = get_string(parser, NULL, root, "listenerPath", &path);
	if (r < 0)
		return r;
	if (notifies && !*path)
		return invalid(parser, &place,
			       "SCMP_ACT_NOTIFY needs it: the socket of an agent that answers");
	if (notifies)
		profile->flags = (profile->flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC) |
				 SECCOMP_FILTER_FLAG_NEW_LISTENER;
	else
		profile->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return 0;
}

static int parse_document(struct parser *parser, struct json_object *root)
{
	if (!json_object_is_type(root, json_type_object))
		return invalid(parser, NULL, "not an object");
	int r = parse_action(parser, NULL, root, "defaultAction", "defaultErrnoRet", "defaultErrno",
			     &parser->profile->default_action);
	if (r < 0)
		return r;
	seccomp_profile_add_architecture(parser->profile, native_machine());
	r = for_each(parser, NULL, root, "architectures", json_type_string, parse_architecture,
		     NULL);
	if (r >= 0)
		r = for_each(parser, NULL, root, "archMap", json_type_object,
			     parse_architecture_map, NULL);
	if (r >= 0)
		r = for_each(parser, NULL, root, "flags", json_type_string, parse_flag, NULL);
	if (r >= 0)
		r = for_each(parser, NULL, root, "syscalls", json_type_object, parse_rule, NULL);
	return r < 0 ? r : plan_listener(parser, root);
}

int seccomp_profile_parse(const char *text, size_t size, uint64_t capabilities,
			  struct seccomp_profile **ret_profile, struct err *err)
{
	autojson struct json_object *root = NULL;
	struct parser parser = { .capabilities = capabilities, .err = err };
	struct utsname host;

	int r = json_parse(text, size, &root, err);
	if (r < 0)
		return r;
	if (uname(&host) == 0)
		(void)read_version(host.release, &parser.kernel_major,
				   &parser.kernel_minor); /* 0.0 where it says nothing */
	parser.machine = machine_name(native_machine());
	parser.profile = seccomp_profile_new();
	r = parse_document(&parser, root);
	if (r < 0) {
		seccomp_profile_free(parser.profile);
		return r;
	}
	*ret_profile = parser.profile;
	return 0;
}
