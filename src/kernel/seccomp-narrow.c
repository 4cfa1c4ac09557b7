/* From a profile to a narrower one, and back to JSON: what remains of a recording.
 *
 * A recorded profile takes the place of the one that was in force, so it must allow nothing that this one refused. A name
 * alone would: the default allows clone(2) without the flags that make namespaces only, for instance. So calls that the
 * wider profile allows under conditions keep these. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "kernel/seccomp-profile.h"

static bool allows(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* Whether the profile has something to say about the name besides yes. */
static bool has_conditions(const struct seccomp_profile *wide, const char *name)
{
	bool found = false;

	for (size_t i = 0; wide && i < wide->rule_count; i++) {
		const struct seccomp_rule *rule = &wide->rules[i];
		if (!strlist_contains(&rule->names, name))
			continue;
		if (!rule->condition_count && allows(rule->action))
			return false;
		found |= rule->condition_count > 0;
	}
	return found;
}

static void copy_rule(struct seccomp_profile *narrow, const struct seccomp_rule *rule,
		      const struct strlist *names)
{
	struct seccomp_rule *copy = NULL;

	for (size_t i = 0; i < rule->names.count; i++) {
		if (!strlist_contains(names, rule->names.items[i]))
			continue;
		if (!copy)
			copy = seccomp_profile_add_rule(narrow, rule->action);
		strlist_add(&copy->names, rule->names.items[i]);
	}
	for (size_t i = 0; copy && i < rule->condition_count; i++) {
		const struct seccomp_condition *condition = &rule->conditions[i];
		seccomp_rule_add_condition(copy, condition->argument, condition->comparison,
					   condition->value, condition->mask);
	}
}

struct seccomp_profile *seccomp_profile_narrow(const struct seccomp_profile *wide,
					       const struct strlist *names)
{
	struct seccomp_profile *narrow = seccomp_profile_new();
	struct seccomp_rule *plain = seccomp_profile_add_rule(narrow, SECCOMP_RET_ALLOW);
	autostrlist struct strlist conditional = STRLIST_EMPTY;

	narrow->default_action = SECCOMP_RET_ERRNO | ENOSYS;
	for (size_t i = 0; i < names->count; i++)
		strlist_add(has_conditions(wide, names->items[i]) ? &conditional : &plain->names,
			    names->items[i]);
	for (size_t i = 0; conditional.count && i < wide->rule_count; i++)
		if (wide->rules[i].condition_count)
			copy_rule(narrow, &wide->rules[i], &conditional);
	return narrow;
}

/* ---- JSON ---- */

static struct json_object *conditions_to_json(const struct seccomp_rule *rule)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct seccomp_condition *condition = &rule->conditions[i];
		bool is_masked = condition->comparison == SECCOMP_MASKED_EQUAL;
		struct json_object *object = json_object_new_object();
		json_add_int(object, "index", condition->argument);
		json_object_object_add(
			object, "value",
			json_object_new_uint64(is_masked ? condition->mask : condition->value));
		json_object_object_add(object, "valueTwo",
				       json_object_new_uint64(is_masked ? condition->value : 0));
		json_add_string(object, "op", seccomp_comparison_name(condition->comparison));
		json_object_array_add(list, object);
	}
	return list;
}

static void add_action(struct json_object *object, const char *key, const char *errno_key,
		       uint32_t action)
{
	json_add_string(object, key, seccomp_action_name(action));
	if ((action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
		json_add_int(object, errno_key, action & SECCOMP_RET_DATA);
}

struct json_object *seccomp_profile_to_json(const struct seccomp_profile *profile)
{
	struct json_object *document = json_object_new_object(),
			   *architectures = json_object_new_array(),
			   *calls = json_object_new_array();

	add_action(document, "defaultAction", "defaultErrnoRet", profile->default_action);
	for (size_t i = 0; i < profile->architecture_count; i++)
		json_object_array_add(architectures,
				      json_object_new_string(seccomp_architecture_name(
					      profile->architectures[i])));
	json_object_object_add(document, "architectures", architectures);
	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct seccomp_rule *rule = &profile->rules[i];
		struct json_object *object = json_object_new_object();
		json_add_strlist(object, "names", &rule->names);
		add_action(object, "action", "errnoRet", rule->action);
		json_object_object_add(object, "args", conditions_to_json(rule));
		json_object_array_add(calls, object);
	}
	json_object_object_add(document, "syscalls", calls);
	return document;
}
