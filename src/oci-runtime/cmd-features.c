/* features: what this runtime can do, as the specification's features.md has it. */
#include <stdio.h>

#include "base/json.h"
#include "kernel/caps.h"
#include "kernel/seccomp-profile.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"
#include "oci/runtime-state.h"
#include "runtime/mount-options.h"

static struct json_object *is_enabled(bool enabled)
{
	struct json_object *object = json_object_new_object();

	json_add_bool(object, "enabled", enabled);
	return object;
}

static void add_words(struct json_object *object, const char *key, struct strlist *words)
{
	json_add_strlist(object, key, words);
	strlist_clear(words);
}

static struct json_object *seccomp(void)
{
	struct json_object *object = is_enabled(true);
	struct seccomp_words words = { 0 };

	seccomp_profile_words(&words);
	add_words(object, "actions", &words.actions);
	add_words(object, "operators", &words.comparisons);
	add_words(object, "archs", &words.architectures);
	json_add_strlist(object, "knownFlags", &words.flags);
	add_words(object, "supportedFlags", &words.flags);
	return object;
}

static struct json_object *cgroup(void)
{
	struct json_object *object = json_object_new_object();

	json_add_bool(object, "v1", true);
	json_add_bool(object, "v2", true);
	json_add_bool(object, "systemd", true);
	json_add_bool(object, "systemdUser", true);
	json_add_bool(object, "rdma", true);
	return object;
}

static struct json_object *linux_features(void)
{
	struct json_object *object = json_object_new_object(),
			   *extensions = json_object_new_object();
	struct strlist words = STRLIST_EMPTY;

	for (int i = 0; i < OCI_NS_COUNT; i++)
		strlist_add(&words, oci_namespace_names[i]);
	add_words(object, "namespaces", &words);
	for (int i = 0; capability_name(i); i++)
		strlist_add(&words, capability_name(i));
	add_words(object, "capabilities", &words);
	json_object_object_add(object, "cgroup", cgroup());
	json_object_object_add(object, "seccomp", seccomp());
	json_object_object_add(object, "apparmor", is_enabled(true));
	json_object_object_add(object, "selinux", is_enabled(true));
	json_object_object_add(object, "intelRdt", is_enabled(false));
	json_object_object_add(extensions, "idmap", is_enabled(true));
	json_object_object_add(object, "mountExtensions", extensions);
	return object;
}

static int features(struct program *program, void *arguments, int argc, char **argv,
		    struct err *err)
{
	autojson struct json_object *object = json_object_new_object();
	struct strlist words = STRLIST_EMPTY;

	json_add_string(object, "ociVersionMin", "1.0.0");
	json_add_string(object, "ociVersionMax", OCI_RUNTIME_VERSION);
	for (int i = 0; i < OCI_HOOK_POINT_COUNT; i++)
		strlist_add(&words, oci_hook_point_names[i]);
	add_words(object, "hooks", &words);
	mount_options_list(&words);
	add_words(object, "mountOptions", &words);
	json_object_object_add(object, "linux", linux_features());
	puts(json_object_to_json_string_ext(object,
					    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
	return 0;
}

const struct verb verb_features = {
	.name = "features",
	.summary = "Print what this runtime can do, as JSON",
	.operands = "",
	.max_operands = 0,
	.run = features,
};
