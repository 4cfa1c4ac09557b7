#include "cli/security-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "oci/image-config.h"

static int apply_no_new_privileges(const char *text, const char *value, struct container_spec *spec,
				   struct err *err)
{
	spec->no_new_privileges = !value || strcmp(value, "true") == 0;
	if (value && !spec->no_new_privileges && strcmp(value, "false") != 0)
		return err_set(err, EINVAL,
			       "invalid --security-opt '%s'; the value is true or false", text);
	return 0;
}

static int apply_seccomp(const char *text, const char *value, struct container_spec *spec,
			 struct err *err)
{
	free(spec->seccomp_profile);
	spec->seccomp_profile =
		strcmp(value, "unconfined") == 0 ? xstrdup(value) : realpath(value, NULL);
	return spec->seccomp_profile ? 0 : err_errno(err, "seccomp profile '%s'", value);
}

static int apply_mask(const char *text, const char *value, struct container_spec *spec,
		      struct err *err)
{
	strlist_split(&spec->mask, value, ':');
	return 0;
}

static int apply_unmask(const char *text, const char *value, struct container_spec *spec,
			struct err *err)
{
	strlist_split(&spec->unmask, strcasecmp(value, "all") == 0 ? "ALL" : value, ':');
	return 0;
}

/* Docker's word for unmask=ALL. */
static int apply_system_paths(const char *text, const char *value, struct container_spec *spec,
			      struct err *err)
{
	if (strcmp(value, "unconfined") != 0)
		return err_set(err, EINVAL, "invalid --security-opt '%s'; the value is unconfined",
			       text);
	strlist_add(&spec->unmask, "ALL");
	return 0;
}

static int apply_proc_options(const char *text, const char *value, struct container_spec *spec,
			      struct err *err)
{
	static const char *const known[] = { "hidepid=", "subset=", "gid=" };
	autostrlist struct strlist options = STRLIST_EMPTY;

	strlist_split(&options, value, ',');
	for (size_t i = 0; i < options.count; i++) {
		bool is_known = false;
		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			is_known |= strncmp(options.items[i], known[k], strlen(known[k])) == 0;
		if (!is_known)
			return err_set(
				err, EINVAL,
				"invalid --security-opt '%s'; options of /proc are hidepid=, "
				"subset= and gid=, see proc(5)",
				text);
	}
	free(spec->proc_options);
	spec->proc_options = xstrdup(value);
	return 0;
}

static bool apparmor_is_on(void)
{
	FILE *file = fopen("/sys/module/apparmor/parameters/enabled", "re");
	int first = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return first == 'Y';
}

static int apply_apparmor(const char *text, const char *value, struct container_spec *spec,
			  struct err *err)
{
	if (strcmp(value, "unconfined") == 0)
		return 0;
	if (!apparmor_is_on())
		return err_set(
			err, ENOTSUP,
			"--security-opt '%s': AppArmor is not enabled on this host; leave the "
			"option out",
			text);
	free(spec->apparmor_profile);
	spec->apparmor_profile = xstrdup(value);
	return 0;
}

/* Where SELinux is off there are no labels, and nothing to do. */
static int apply_label(const char *text, const char *value, struct container_spec *spec,
		       struct err *err)
{
	static const char *const known[] = { "disable", "nested",    "user:", "role:",
					     "type:",	"filetype:", "level:" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		bool has_value = strchr(known[i], ':');
		if (has_value ? strncmp(value, known[i], strlen(known[i])) != 0
			      : strcmp(value, known[i]) != 0)
			continue;
		if (i > 0 && access("/sys/fs/selinux/enforce", F_OK) == 0)
			return err_set(
				err, ENOTSUP,
				"--security-opt '%s': labels of SELinux are not there yet; use "
				"label=disable",
				text);
		return 0;
	}
	return err_set(err, EINVAL,
		       "invalid --security-opt '%s'; labels are disable, nested, user:, role:, "
		       "type:, level: and filetype:",
		       text);
}

int security_option_apply(const char *text, struct container_spec *spec, struct err *err)
{
	static const struct {
		const char *name;
		int (*apply)(const char *text, const char *value, struct container_spec *spec,
			     struct err *err);
		bool may_be_bare;
	} options[] = {
		{ "no-new-privileges", apply_no_new_privileges, true },
		{ "seccomp", apply_seccomp, false },
		{ "apparmor", apply_apparmor, false },
		{ "label", apply_label, false },
		{ "mask", apply_mask, false },
		{ "unmask", apply_unmask, false },
		{ "proc-opts", apply_proc_options, false },
		{ "systempaths", apply_system_paths, false },
	};
	const char *value = strpbrk(text, "=:");
	size_t size = value ? (size_t)(value - text) : strlen(text);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (strlen(options[i].name) != size || memcmp(options[i].name, text, size) != 0)
			continue;
		if (options[i].may_be_bare ? value && !value[1] : !value || !value[1])
			return err_set(err, EINVAL,
				       "invalid --security-opt '%s'; write it as NAME=VALUE", text);
		return options[i].apply(text, value ? value + 1 : NULL, spec, err);
	}
	return err_set(
		err, EINVAL,
		"unknown --security-opt '%s'; known are no-new-privileges, seccomp, apparmor, "
		"label, mask, unmask, proc-opts and systempaths",
		text);
}

void security_apply_policy(const char *policy, const struct oci_image_config *image,
			   struct container_spec *spec)
{
	const char *text = strlist_env_get(&image->labels, "io.containers.seccomp.profile");

	if (strcmp(policy, "image") == 0 && text && *text)
		spec->seccomp_text = xstrdup(text);
}

int security_refuse_gpus(const char *gpus, struct err *err)
{
	static const char *const directories[] = { "/etc/cdi", "/var/run/cdi" };
	bool has_any = false;

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		has_any |= access(directories[i], F_OK) == 0;
	return err_set(
		err, ENOTSUP,
		has_any ? "--gpus '%s': device specifications in /etc/cdi are not read yet; give "
			  "the devices and files that they name with --device and --volume"
			: "--gpus '%s': no GPU is described in /etc/cdi or /var/run/cdi; give its "
			  "devices with --device and its libraries with --volume",
		gpus);
}
