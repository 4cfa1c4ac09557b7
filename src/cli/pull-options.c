#include "cli/pull-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "engine/engine.h"
#include "oci/manifest.h"

#define FIELD(f) offsetof(struct pull_args, f)
const struct option_spec pull_source_specs[] = {
	{ "arch", 0, OPTION_STRING, FIELD(architecture), "ARCH",
	  "Architecture of the image instead of this machine's" },
	{ "authfile", 0, OPTION_STRING, FIELD(authfile), "FILE",
	  "Credentials file instead of the usual ones", .complete = COMPLETE_FILES },
	{ "cert-dir", 0, OPTION_STRING, FIELD(cert_dir), "DIR",
	  "Certificates and keys for the registry", .complete = COMPLETE_FILES },
	{ "creds", 0, OPTION_STRING, FIELD(creds), "USER:PASSWORD",
	  "Credentials for the registry" },
	{ "disable-content-trust", 0, OPTION_TRISTATE, FIELD(no_content_trust), NULL,
	  "Docker's signatures are not looked at; they never are", OPTION_HIDDEN },
	{ "os", 0, OPTION_STRING, FIELD(os), "OS",
	  "Operating system of the image instead of this machine's" },
	{ "platform", 0, OPTION_STRING, FIELD(platform), "OS/ARCH[/VARIANT]",
	  "Platform of the image instead of this machine's" },
	{ "retry", 0, OPTION_INT, FIELD(retry), "N",
	  "How often to repeat what failed for a reason that may pass", .initial = "3" },
	{ "retry-delay", 0, OPTION_DURATION, FIELD(retry_delay_usec), "TIME",
	  "How long to wait before repeating", .initial = "2s" },
	{ "tls-verify", 0, OPTION_TRISTATE, FIELD(tls_verify), NULL,
	  "Insist on HTTPS and a valid certificate" },
	{ "variant", 0, OPTION_STRING, FIELD(variant), "VARIANT",
	  "Variant of the architecture, such as v7" },
	OPTION_END,
};

const struct option_spec pull_option_specs[] = {
	{ "pull", 0, OPTION_STRING, FIELD(policy), "POLICY", "When to fetch the image",
	  .choices = "always|missing|newer|never" },
	{ .kind = OPTION_INCLUDE, .offset = 0, .include = pull_source_specs },
	OPTION_END,
};

/* The terminal's answer to which of several registries is meant. */
static int ask_which(void *arg, const char *name, const struct strlist *full_names)
{
	char line[32];

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return -1;
	fprintf(stderr, "Which '%s' is meant?\n", name);
	for (size_t i = 0; i < full_names->count; i++)
		fprintf(stderr, "  %zu) %s\n", i + 1, full_names->items[i]);
	for (;;) {
		char *end;
		fprintf(stderr, "Number [1-%zu]: ", full_names->count);
		if (!fgets(line, sizeof(line), stdin))
			return -1;
		unsigned long number = strtoul(line, &end, 10);
		if (end != line && *end == '\n' && number >= 1 && number <= full_names->count)
			return (int)number - 1;
	}
}

int pull_args_check_file(const char *option, const char *path, struct err *err)
{
	return path && access(path, R_OK) < 0 ? err_errno(err, "--%s '%s'", option, path) : 0;
}

/* Also where the image is here already, and nobody asks for another one. */
static int check_platform(const struct pull_args *args, struct err *err)
{
	struct oci_platform platform;
	int r = 0;

	if (args->platform && *args->platform) {
		r = oci_platform_parse(args->platform, &platform, err);
		if (r < 0)
			return err_wrap(err, "--platform");
		oci_platform_clear(&platform);
	}
	r = oci_platform_check(args->os, NULL, err);
	if (r < 0)
		return err_wrap(err, "--os");
	r = oci_platform_check(NULL, args->architecture, err);
	return r < 0 ? err_wrap(err, "--arch") : 0;
}

int pull_args_to_options(struct engine *engine, const struct pull_args *args, bool quiet,
			 struct pull_options *ret_options, char **ret_creds, struct err *err)
{
	struct pull_options options = PULL_OPTIONS_DEFAULT;

	if (args->no_content_trust == TRISTATE_FALSE)
		return err_set(
			err, ENOTSUP,
			"--disable-content-trust=false: Docker's signatures cannot be checked; "
			"name the image by its digest");
	const char *policy =
		args->policy && *args->policy ? args->policy : engine->settings.pull_policy;
	autofree char *creds = xstrdup(args->creds);
	int r = policy ? pull_policy_parse(policy, &options.policy, err) : 0;

	if (r < 0)
		return r;
	r = check_platform(args, err);
	if (r < 0)
		return r;
	options.platform = args->platform;
	options.architecture = args->architecture;
	options.os = args->os;
	options.variant = args->variant;
	r = pull_args_check_file("authfile", args->authfile, err);
	if (r == 0)
		r = pull_args_check_file("cert-dir", args->cert_dir, err);
	if (r < 0)
		return r;
	options.authfile = args->authfile;
	options.cert_dir = args->cert_dir;
	if (args->tls_verify != TRISTATE_UNSET)
		options.tls = args->tls_verify == TRISTATE_TRUE ? REGISTRY_TLS_VERIFY
								: REGISTRY_TLS_NO_VERIFY;
	if (args->retry < 0)
		return err_set(err, EINVAL, "--retry %lld: a number from 0 on is needed",
			       (long long)args->retry);
	options.retry = args->retry > 1000 ? 1000 : (int)args->retry;
	options.retry_delay_usec = args->retry_delay_usec;
	if (creds) {
		char *colon = strchr(creds, ':');
		if (!colon || colon == creds)
			return err_set(err, EINVAL,
				       "--creds: a user and a password are needed, as "
				       "USER:PASSWORD; or use login");
		*colon = '\0';
		options.user = creds;
		options.password = colon + 1;
	}
	options.choose = ask_which;
	options.progress = quiet ? NULL : progress_new(STDERR_FILENO);
	*ret_options = options;
	*ret_creds = take_ptr(&creds);
	return 0;
}

int pull_args_find_image(struct engine *engine, const struct pull_args *args, const char *name,
			 bool quiet, struct image **ret_image, struct err *err)
{
	struct pull_options options;
	autofree char *creds = NULL;
	int r = pull_args_to_options(engine, args, quiet, &options, &creds, err);

	if (r < 0)
		return r;
	r = image_obtain(engine, name, &options, ret_image, err);
	progress_free(options.progress);
	return r;
}
