#include "registry/paths.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define SYSTEM_REGISTRIES_CONF "/etc/containers/registries.conf"

/* The directory of the XDG base directory specification: from the environment if absolute, else
 * below the home directory. NULL when there is neither. */
static char *xdg_directory(char *(*get_environment)(const char *), const char *name,
			   const char *below_home)
{
	const char *value = get_environment(name), *home = get_environment("HOME");

	if (value && value[0] == '/')
		return xstrdup(value);
	return home && home[0] == '/' ? xasprintf("%s/%s", home, below_home) : NULL;
}

static bool is_set(const char *value)
{
	return value && value[0];
}

static void init_registries_conf(struct registry_paths *paths,
				 char *(*get_environment)(const char *), const char *config_dir)
{
	const char *named = get_environment("CONTAINERS_REGISTRIES_CONF");
	autofree char *own =
		config_dir ? xasprintf("%s/containers/registries.conf", config_dir) : NULL;
	bool own_exists = own && access(own, F_OK) == 0;

	paths->registries_conf_required = is_set(named);
	paths->registries_conf = xstrdup(is_set(named) ? named
					 : own_exists  ? own
						       : SYSTEM_REGISTRIES_CONF);

	const char *named_dir = get_environment("CONTAINERS_REGISTRIES_CONF_DIR");
	if (is_set(named_dir)) {
		strlist_add(&paths->registries_conf_dirs, named_dir);
		return;
	}
	/* A file of the user's own stands alone: the system's drop-ins would surprise it. */
	if (is_set(named) || !own_exists)
		strlist_add(&paths->registries_conf_dirs, SYSTEM_REGISTRIES_CONF ".d");
	if (own)
		strlist_addf(&paths->registries_conf_dirs, "%s.d", own);
}

static void init_auth(struct registry_paths *paths, char *(*get_environment)(const char *),
		      const char *config_dir, unsigned uid)
{
	const char *named = get_environment("REGISTRY_AUTH_FILE");
	const char *runtime_dir = get_environment("XDG_RUNTIME_DIR");
	const char *home = get_environment("HOME"), *docker = get_environment("DOCKER_CONFIG");

	if (is_set(named)) {
		paths->auth_file = xstrdup(named);
		return;
	}
	if (runtime_dir && runtime_dir[0] == '/')
		paths->auth_file = xasprintf("%s/containers/auth.json", runtime_dir);
	else
		paths->auth_file = xasprintf("/run/containers/%u/auth.json", uid);
	if (config_dir)
		strlist_addf(&paths->auth_fallbacks, "%s/containers/auth.json", config_dir);
	if (is_set(docker))
		strlist_addf(&paths->auth_fallbacks, "%s/config.json", docker);
	else if (is_set(home))
		strlist_addf(&paths->auth_fallbacks, "%s/.docker/config.json", home);
	if (is_set(home))
		strlist_addf(&paths->auth_fallbacks, "%s/.dockercfg", home);
}

void registry_paths_init(struct registry_paths *paths, char *(*get_environment)(const char *name),
			 unsigned uid)
{
	autofree char *config_dir = xdg_directory(get_environment, "XDG_CONFIG_HOME", ".config");
	autofree char *cache_dir = xdg_directory(get_environment, "XDG_CACHE_HOME", ".cache");

	*paths = (struct registry_paths){ 0 };
	init_registries_conf(paths, get_environment, config_dir);
	init_auth(paths, get_environment, config_dir, uid);
	if (uid == 0 || !cache_dir)
		paths->alias_cache = xstrdup("/var/cache/containers/short-name-aliases.conf");
	else
		paths->alias_cache = xasprintf("%s/containers/short-name-aliases.conf", cache_dir);
	if (config_dir)
		strlist_addf(&paths->policies, "%s/containers/policy.json", config_dir);
	strlist_add(&paths->policies, "/etc/containers/policy.json");
	if (config_dir)
		strlist_addf(&paths->certs_dirs, "%s/containers/certs.d", config_dir);
	strlist_add(&paths->certs_dirs, "/etc/containers/certs.d");
	strlist_add(&paths->certs_dirs, "/etc/docker/certs.d");
}

void registry_paths_clear(struct registry_paths *paths)
{
	free(paths->registries_conf);
	strlist_clear(&paths->registries_conf_dirs);
	free(paths->alias_cache);
	free(paths->auth_file);
	strlist_clear(&paths->auth_fallbacks);
	strlist_clear(&paths->policies);
	strlist_clear(&paths->certs_dirs);
	*paths = (struct registry_paths){ 0 };
}
