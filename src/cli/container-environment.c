#include "cli/container-environment.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/container-options.h"
#include "cli/env-file.h"
#include "cli/label-option.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "oci/image-config.h"

/* "$NAME" and "${NAME}" become values of the environment so far, "" when it has no such variable. */
static char *expand(const char *text, const struct strlist *env)
{
	struct strbuf out = STRBUF_EMPTY;

	for (const char *p = text; *p; p++) {
		bool in_braces = p[0] == '$' && p[1] == '{' && strchr(p, '}');
		const char *name = p + 1 + in_braces;
		size_t size = in_braces ? strcspn(name, "}") : 0;
		while (!in_braces && (isalnum((unsigned char)name[size]) || name[size] == '_'))
			size++;
		if (*p != '$' || size == 0) {
			strbuf_addc(&out, *p);
			continue;
		}
		autofree char *key = xstrndup(name, size);
		strbuf_adds(&out, strlist_env_get(env, key) ?: "");
		p = name + size - !in_braces;
	}
	return strbuf_take(&out);
}

/* What a variable of the image becomes is said by way of what it was: PATH=$PATH:/opt/bin. */
static int merge(const struct strlist *merges, struct strlist *env, struct err *err)
{
	autostrlist struct strlist before = STRLIST_EMPTY;

	strlist_extend(&before, env);
	for (size_t i = 0; i < merges->count; i++) {
		const char *text = merges->items[i], *equals = strchr(text, '=');
		if (!equals || equals == text)
			return err_set(err, EINVAL,
				       "invalid --env-merge '%s'; write it as KEY=VALUE, e.g. "
				       "'PATH=$PATH:/opt/bin'",
				       text);
		autofree char *key = xstrndup(text, (size_t)(equals - text)),
			      *value = expand(equals + 1, &before);
		strlist_env_set(env, key, value);
	}
	return 0;
}

/* In this order, later ones win: image, containers.conf, --env-merge, proxies, --env-host, --env-file, -e. */
int container_environment_build(struct cli *cli, struct engine *engine,
				const struct container_args *args,
				const struct oci_image_config *image, struct container_spec *spec,
				struct err *err)
{
	static const char *const proxies[] = { "http_proxy",  "https_proxy", "ftp_proxy",
					       "no_proxy",    "all_proxy",   "HTTP_PROXY",
					       "HTTPS_PROXY", "FTP_PROXY",   "NO_PROXY",
					       "ALL_PROXY" };
	struct strlist *env = &spec->env;

	strlist_env_set(env, "PATH",
			"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (spec->tty)
		strlist_env_set(env, "TERM", "xterm");
	strlist_env_set(env, "container", "davit");
	env_merge(env, &engine->settings.env);
	if (image)
		env_merge(env, &image->env);
	for (size_t i = 0; i < args->unset_env.count; i++)
		strlist_env_unset(env, args->unset_env.items[i]);
	if (args->unset_env_all)
		strlist_clear(env);
	int r = merge(&args->env_merge, env, err);
	if (r < 0)
		return r;
	bool passes_proxies = args->http_proxy == TRISTATE_UNSET
				      ? engine->settings.http_proxy
				      : args->http_proxy == TRISTATE_TRUE;
	for (size_t i = 0; passes_proxies && i < ARRAY_SIZE(proxies); i++)
		if (engine_getenv(engine, proxies[i]))
			strlist_env_set(env, proxies[i], engine_getenv(engine, proxies[i]));
	if (args->env_host || engine->settings.env_host)
		env_merge(env, &engine->environment);
	for (size_t i = 0; i < args->env_files.count; i++) {
		r = env_file_read(cli, args->env_files.items[i], env, err);
		if (r < 0)
			return r;
	}
	env_merge(env, &args->env);
	return 0;
}

int container_labels_build(struct cli *cli, struct engine *engine,
			   const struct container_args *args, const struct oci_image_config *image,
			   struct container_spec *spec, struct err *err)
{
	if (image)
		env_merge(&spec->labels, &image->labels);
	for (size_t i = 0; i < args->label_files.count; i++) {
		int r = env_file_read(cli, args->label_files.items[i], &spec->labels, err);
		if (r < 0)
			return r;
	}
	int r = labels_check(&args->labels, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < args->labels.count; i++) {
		const char *equals = strchrnul(args->labels.items[i], '=');
		autofree char *key =
			xstrndup(args->labels.items[i], (size_t)(equals - args->labels.items[i]));
		strlist_env_set(&spec->labels, key, *equals ? equals + 1 : "");
	}
	for (size_t i = 0; i < args->annotations.count; i++) {
		if (!strchr(args->annotations.items[i], '='))
			return err_set(err, EINVAL,
				       "invalid annotation '%s'; write it as KEY=VALUE",
				       args->annotations.items[i]);
		strlist_add(&spec->annotations, args->annotations.items[i]);
	}
	return 0;
}
