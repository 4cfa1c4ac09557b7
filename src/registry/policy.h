/* policy.json: from where images may come at all. See containers-policy.json(5). */
#pragma once

struct err;
struct policy;
struct reference;
struct registry_paths;

/* Read the user's file, else the system's. Reading is strict: a field that is not known makes the
 * whole file invalid, as what it forbids would go unseen. Where neither file exists nobody has
 * asked for a policy and everything is allowed. */
int policy_load(const struct registry_paths *paths, struct policy **ret_policy, struct err *err);
void policy_free(struct policy *policy);

static inline void policy_free_auto(struct policy **at)
{
	policy_free(*at);
}
#define autopolicy __attribute__((cleanup(policy_free_auto)))

/* May this image be fetched from its registry? -EPERM names the rule that forbids it. A rule that
 * asks for signatures forbids too: they cannot be checked yet. */
int policy_check_registry(const struct policy *policy, const struct reference *reference,
			  struct err *err);

/* The same for images in files.
 *
 * @transport:  "docker-archive", "oci-archive", "oci", "dir"
 * @path:       absolute */
int policy_check_file(const struct policy *policy, const char *transport, const char *path,
		      struct err *err);
