#include "engine/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/toml.h"

#define SETTINGS_FILE_LIMIT (1 << 20)

enum setting_kind { SETTING_STRING, SETTING_STRINGS, SETTING_BOOL, SETTING_INT };

#define SETTING(section, key, kind, field)                                                         \
	{                                                                                          \
		section, key, kind, offsetof(struct settings, field)                               \
	}

static const struct setting {
	const char *section, *key;
	enum setting_kind kind;
	size_t offset;
} known_settings[] = {
	SETTING("containers", "annotations", SETTING_STRINGS, annotations),
	SETTING("containers", "apparmor_profile", SETTING_STRING, apparmor_profile),
	SETTING("containers", "base_hosts_file", SETTING_STRING, base_hosts_file),
	SETTING("containers", "cgroupns", SETTING_STRING, cgroupns),
	SETTING("containers", "cgroups", SETTING_STRING, cgroups),
	SETTING("containers", "default_capabilities", SETTING_STRINGS, default_capabilities),
	SETTING("containers", "default_sysctls", SETTING_STRINGS, default_sysctls),
	SETTING("containers", "default_ulimits", SETTING_STRINGS, default_ulimits),
	SETTING("containers", "devices", SETTING_STRINGS, devices),
	SETTING("containers", "dns_options", SETTING_STRINGS, dns_options),
	SETTING("containers", "dns_searches", SETTING_STRINGS, dns_searches),
	SETTING("containers", "dns_servers", SETTING_STRINGS, dns_servers),
	SETTING("containers", "env", SETTING_STRINGS, env),
	SETTING("containers", "env_host", SETTING_BOOL, env_host),
	SETTING("containers", "host_containers_internal_ip", SETTING_STRING,
		host_containers_internal_ip),
	SETTING("containers", "http_proxy", SETTING_BOOL, http_proxy),
	SETTING("containers", "init", SETTING_BOOL, init),
	SETTING("containers", "ipcns", SETTING_STRING, ipcns),
	SETTING("containers", "log_driver", SETTING_STRING, log_driver),
	SETTING("containers", "log_size_max", SETTING_INT, log_size_max),
	SETTING("containers", "log_tag", SETTING_STRING, log_tag),
	SETTING("containers", "memory_limit", SETTING_INT, memory_limit),
	SETTING("containers", "netns", SETTING_STRING, netns),
	SETTING("containers", "no_hosts", SETTING_BOOL, no_hosts),
	SETTING("containers", "pidns", SETTING_STRING, pidns),
	SETTING("containers", "pids_limit", SETTING_INT, pids_limit),
	SETTING("containers", "read_only", SETTING_BOOL, read_only),
	SETTING("containers", "seccomp_profile", SETTING_STRING, seccomp_profile),
	SETTING("containers", "shm_size", SETTING_STRING, shm_size),
	SETTING("containers", "tz", SETTING_STRING, tz),
	SETTING("containers", "umask", SETTING_STRING, umask),
	SETTING("containers", "userns", SETTING_STRING, userns),
	SETTING("containers", "utsns", SETTING_STRING, utsns),
	SETTING("containers", "volumes", SETTING_STRINGS, volumes),
	SETTING("engine", "cgroup_manager", SETTING_STRING, cgroup_manager),
	SETTING("engine", "detach_keys", SETTING_STRING, detach_keys),
	SETTING("engine", "events_logfile_max_size", SETTING_STRING, events_logfile_max_size),
	SETTING("engine", "events_logger", SETTING_STRING, events_logger),
	SETTING("engine", "pull_policy", SETTING_STRING, pull_policy),
	SETTING("engine", "retry", SETTING_INT, retry),
	SETTING("engine", "stop_timeout", SETTING_INT, stop_timeout),
	SETTING("network", "default_rootless_network_cmd", SETTING_STRING,
		default_rootless_network_cmd),
	SETTING("network", "default_subnet", SETTING_STRING, default_subnet),
	SETTING("network", "pasta_options", SETTING_STRINGS, pasta_options),
};

static void set_defaults(struct settings *settings)
{
	static const char *const capabilities[] = { "CHOWN",   "DAC_OVERRIDE", "FOWNER",
						    "FSETID",  "KILL",	       "NET_BIND_SERVICE",
						    "SETFCAP", "SETGID",       "SETPCAP",
						    "SETUID",  "SYS_CHROOT" };

	*settings = (struct settings){
		.http_proxy = true,
		.pids_limit = 2048,
		.log_size_max = -1,
		.memory_limit = -1,
		.stop_timeout = 10,
		.events_max_bytes = 1 << 20,
		.retry = 3,
		.log_driver = xstrdup("k8s-file"),
		.shm_size = xstrdup("65536k"),
		.umask = xstrdup("0022"),
		.pull_policy = xstrdup("missing"),
		.detach_keys = xstrdup("ctrl-p,ctrl-q"),
		.default_subnet = xstrdup("10.88.0.0/16"),
	};
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		strlist_add(&settings->default_capabilities, capabilities[i]);
	/* Lets root of the container ping without CAP_NET_RAW. */
	strlist_add(&settings->default_sysctls, "net.ipv4.ping_group_range=0 0");
}

/* A later file replaces a list of an earlier one as a whole. */
static int apply_setting(struct settings *settings, const struct setting *row,
			 struct json_object *value, const char *file, struct err *err)
{
	void *field = (char *)settings + row->offset;

	switch (row->kind) {
	case SETTING_STRING:
		if (json_object_is_type(value, json_type_string)) {
			free(*(char **)field);
			*(char **)field = xstrdup(json_object_get_string(value));
			return 0;
		}
		break;
	case SETTING_STRINGS:
		if (json_object_is_type(value, json_type_array)) {
			struct strlist *list = field;
			strlist_clear(list);
			for (size_t i = 0; i < json_object_array_length(value); i++)
				strlist_add(list, json_object_get_string(
							  json_object_array_get_idx(value, i)));
			return 0;
		}
		break;
	case SETTING_BOOL:
		if (json_object_is_type(value, json_type_boolean)) {
			*(bool *)field = json_object_get_boolean(value);
			return 0;
		}
		break;
	case SETTING_INT:
		if (json_object_is_type(value, json_type_int)) {
			*(int64_t *)field = json_object_get_int64(value);
			return 0;
		}
		break;
	}
	return err_set(err, EINVAL,
		       "'%s': [%s] %s has a value of the wrong type; see containers.conf(5)", file,
		       row->section, row->key);
}

static int load_file(struct settings *settings, const char *path, bool must_exist, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autojson struct json_object *root = NULL;
	struct err local;

	int r = file_read(AT_FDCWD, path, &text, SETTINGS_FILE_LIMIT, &local);
	if (r == -ENOENT && !must_exist)
		return 0;
	if (r < 0) {
		*err = local;
		return r;
	}
	r = toml_parse(strbuf_text(&text), text.size, &root, err);
	if (r < 0)
		return err_wrap(err, "'%s'", path);
	for (size_t i = 0; i < ARRAY_SIZE(known_settings); i++) {
		const struct setting *row = &known_settings[i];
		struct json_object *value = json_get(json_get(root, row->section), row->key);
		if (!value)
			continue;
		r = apply_setting(settings, row, value, path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int is_conf(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

/* DIR/containers.conf, then DIR/containers.conf.d/ in alphabetical order. */
static int load_directory(struct settings *settings, const char *directory, struct err *err)
{
	struct dirent **entries = NULL;
	autofree char *main_file = path_join(directory, "containers.conf");
	autofree char *drop_ins = path_join(directory, "containers.conf.d");

	int r = load_file(settings, main_file, false, err);
	if (r < 0)
		return r;
	int count = scandir(drop_ins, &entries, is_conf, alphasort);
	for (int i = 0; i < count; i++) {
		autofree char *path = path_join(drop_ins, entries[i]->d_name);
		if (r == 0)
			r = load_file(settings, path, false, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int settings_load(struct settings *settings, const struct strlist *environment, const char *home,
		  bool is_rootless, struct err *err)
{
	const char *only = strlist_env_get(environment, "CONTAINERS_CONF");
	const char *last = strlist_env_get(environment, "CONTAINERS_CONF_OVERRIDE");
	int r;

	set_defaults(settings);
	if (only && *only) {
		r = load_file(settings, only, true, err);
	} else {
		r = load_directory(settings, "/usr/share/containers", err);
		if (r == 0)
			r = load_directory(settings, "/etc/containers", err);
		if (r == 0 && is_rootless) {
			const char *config_home = strlist_env_get(environment, "XDG_CONFIG_HOME");
			autofree char *base = config_home && *config_home
						      ? xstrdup(config_home)
						      : path_join(home, ".config");
			autofree char *directory = path_join(base, "containers");
			r = load_directory(settings, directory, err);
		}
	}
	if (r == 0 && last && *last)
		r = load_file(settings, last, true, err);
	if (r == 0 && settings->events_logfile_max_size) {
		r = human_parse_bytes(settings->events_logfile_max_size,
				      &settings->events_max_bytes, err);
		if (r < 0)
			r = err_wrap(err, "containers.conf: events_logfile_max_size");
	}
	if (r < 0)
		settings_clear(settings);
	return r;
}

void settings_clear(struct settings *settings)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_settings); i++) {
		void *field = (char *)settings + known_settings[i].offset;
		if (known_settings[i].kind == SETTING_STRING)
			free(*(char **)field);
		else if (known_settings[i].kind == SETTING_STRINGS)
			strlist_clear(field);
	}
	*settings = (struct settings){ 0 };
}
