/* spec: a config.json to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "kernel/caps.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"

struct spec_args {
	const char *bundle;
	bool rootless;
};

static const struct option_spec options[] = {
	{ "bundle", 'b', OPTION_STRING, offsetof(struct spec_args, bundle), "DIR",
	  "Directory to write config.json to; default: the current one" },
	{ "rootless", 0, OPTION_FLAG, offsetof(struct spec_args, rootless), NULL,
	  "For a container of this ordinary user" },
	OPTION_END,
};

static void add_mounts(struct oci_runtime_config *config, bool rootless)
{
	oci_runtime_config_add_mount(config, "/proc", "proc", "proc", NULL);
	oci_runtime_config_add_mount(config, "/dev", "tmpfs", "tmpfs",
				     "nosuid,strictatime,mode=755,size=65536k");
	oci_runtime_config_add_mount(
		config, "/dev/pts", "devpts", "devpts",
		rootless ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
			 : "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	oci_runtime_config_add_mount(config, "/dev/shm", "tmpfs", "shm",
				     "nosuid,noexec,nodev,mode=1777,size=65536k");
	oci_runtime_config_add_mount(config, "/dev/mqueue", "mqueue", "mqueue",
				     "nosuid,noexec,nodev");
	oci_runtime_config_add_mount(config, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
	oci_runtime_config_add_mount(config, "/sys/fs/cgroup", "cgroup", "cgroup",
				     "nosuid,noexec,nodev,relatime,ro");
}

static void add_paths(struct oci_runtime_config *config)
{
	static const char *const masked[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/sys/firmware",
		"/sys/devices/virtual/powercap",
	};
	static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						 "/proc/sysrq-trigger" };

	for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
		strlist_add(&config->masked_paths, masked[i]);
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++)
		strlist_add(&config->readonly_paths, read_only[i]);
}

static struct id_extent *own_id(uint32_t id)
{
	const struct id_extent extent = { 0, id, 1 };

	return xmemdup(&extent, sizeof(extent));
}

static struct oci_runtime_config *example(bool rootless)
{
	static const char *const capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL",
						    "CAP_NET_BIND_SERVICE" };
	struct oci_runtime_config *config = oci_runtime_config_new();
	struct oci_process *process = &config->process;
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		set |= UINT64_C(1) << capability_from_name(capabilities[i]);
	process->terminal = true;
	strlist_add(&process->args, "sh");
	strlist_add(&process->env,
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strlist_add(&process->env, "TERM=xterm");
	process->cwd = xstrdup("/");
	process->capabilities =
		(struct capability_sets){ .bounding = set, .effective = set, .permitted = set };
	process->no_new_privileges = true;
	oci_runtime_config_add_rlimit(config, "RLIMIT_NOFILE", 1024, 1024);
	config->root_path = xstrdup("rootfs");
	config->root_readonly = true;
	config->hostname = xstrdup("davit");
	add_mounts(config, rootless);
	add_paths(config);
	for (int i = OCI_NS_MOUNT; i <= OCI_NS_CGROUP; i++)
		config->namespaces[i].wanted = true;
	if (rootless) {
		config->namespaces[OCI_NS_USER].wanted = true;
		config->uid_maps = own_id(geteuid());
		config->gid_maps = own_id(getegid());
		config->uid_map_count = config->gid_map_count = 1;
	} else {
		oci_runtime_config_add_device_rule(config, false, 'a', -1, -1, "rwm");
	}
	return config;
}

static int spec(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct spec_args *args = arguments;
	autofree char *path = path_join(args->bundle ? args->bundle : ".", "config.json");

	if (access(path, F_OK) == 0)
		return err_set(err, EEXIST, "'%s' exists already; remove it first", path);
	struct oci_runtime_config *config = example(args->rootless);
	autojson struct json_object *json = oci_runtime_config_to_json(config);
	oci_runtime_config_free(config);
	autofree char *text =
		xasprintf("%s\n", json_object_to_json_string_ext(
					  json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							JSON_C_TO_STRING_NOSLASHESCAPE));
	return file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, err);
}

const struct verb verb_spec = {
	.name = "spec",
	.summary = "Write a config.json to begin with",
	.operands = "",
	.max_operands = 0,
	.options = options,
	.args_size = sizeof(struct spec_args),
	.run = spec,
};
