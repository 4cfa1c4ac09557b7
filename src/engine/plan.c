/* The defaults here are the containment every container gets from the first day: private
 * namespaces, the few capabilities of containers.conf, no way to gain more than they are by setuid
 * programs that the filter and the namespaces do not confine, masked kernel files, a limit on
 * processes and on memory. Each loosening comes from a field of the spec, so that it can be told
 * back to the user. */
#include "engine/plan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "engine/container-secrets.h"
#include "engine/container-spec.h"
#include "engine/identity.h"
#include "engine/mount-spec.h"
#include "engine/plan-devices.h"
#include "engine/plan-limits.h"
#include "engine/plan-mount.h"
#include "engine/namespace-mode.h"
#include "engine/settings.h"
#include "engine/shared-namespaces.h"
#include "engine/time-offset.h"
#include "engine/volume-backing.h"
#include "oci/runtime-config.h"

#define INIT_TARGET "/run/davit-init"

/* Files of /proc and /sys through which a container could learn about or disturb the host. */
static const char *const masked_paths[] = {
	"/proc/acpi",	     "/proc/kcore",
	"/proc/keys",	     "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi",
	"/proc/timer_list",  "/proc/timer_stats",
	"/sys/dev/block",    "/sys/devices/virtual/powercap",
	"/sys/firmware",     "/sys/fs/selinux",
};
static const char *const readonly_paths[] = {
	"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static struct namespace_source source_of(const struct plan_input *input, enum oci_namespace ns)
{
	if (input->shared)
		return input->shared->of[ns];
	return (struct namespace_source){
		.is_host = namespace_mode_of(input->spec, ns).kind == NAMESPACE_HOST,
	};
}

static bool is_host(const struct plan_input *input, enum oci_namespace ns)
{
	return source_of(input, ns).is_host;
}

static char *hostname_of(const struct plan_input *input)
{
	if (input->hostname)
		return xstrdup(input->hostname);
	return input->spec->hostname ? xstrdup(input->spec->hostname) : xstrndup(input->id, 12);
}

static int apply_capability(uint64_t *set, const char *name, bool add, struct err *err)
{
	if (strcasecmp(name, "all") == 0) {
		*set = add ? capability_all() : 0;
		return 0;
	}
	int number = capability_from_name(name);
	if (number < 0)
		return err_set(err, EINVAL, "unknown capability '%s'; see capabilities(7)", name);
	if (add)
		*set |= UINT64_C(1) << number;
	else
		*set &= ~(UINT64_C(1) << number);
	return 0;
}

int plan_required_capabilities(const struct container_spec *spec, uint64_t *ret_required,
			       struct err *err)
{
	const char *text = strlist_env_get(&spec->labels, CAPABILITIES_LABEL);
	autostrlist struct strlist names = STRLIST_EMPTY;
	uint64_t set = 0;

	if (!text || !*text || spec->privileged)
		return 0;
	strlist_split(&names, text, ',');
	for (size_t i = 0; i < names.count; i++) {
		int r = apply_capability(&set, names.items[i], true, err);
		if (r < 0)
			return err_wrap(err, "label '" CAPABILITIES_LABEL "=%s'", text);
	}
	*ret_required = set & capability_all();
	return 1;
}

/* Without the label. */
static int allowed_capabilities(const struct container_spec *spec, const struct settings *settings,
				uint64_t *ret_bounding, struct err *err)
{
	uint64_t set = 0;
	int r = 0;

	if (spec->privileged) {
		set = capability_all();
	} else {
		for (size_t i = 0; r == 0 && i < settings->default_capabilities.count; i++)
			r = apply_capability(&set, settings->default_capabilities.items[i], true,
					     err);
		for (size_t i = 0; r == 0 && i < spec->cap_add.count; i++)
			for (size_t d = 0; r == 0 && d < spec->cap_drop.count; d++) {
				const char *name = spec->cap_add.items[i];
				int number = capability_from_name(name);
				if (number >= 0 &&
				    number == capability_from_name(spec->cap_drop.items[d]))
					r = err_set(err, EINVAL,
						    "capability '%s' is both added and dropped; "
						    "leave one of the two out",
						    name);
			}
		/* "all" of either list is the ground on which the other list's names stand. */
		bool drops_all = false;
		for (size_t i = 0; i < spec->cap_drop.count; i++)
			drops_all |= strcasecmp(spec->cap_drop.items[i], "all") == 0;
		if (drops_all)
			set = 0;
		for (size_t i = 0; r == 0 && i < spec->cap_add.count; i++)
			r = apply_capability(&set, spec->cap_add.items[i], true, err);
	}
	for (size_t i = 0; r == 0 && i < spec->cap_drop.count; i++)
		if (strcasecmp(spec->cap_drop.items[i], "all") != 0)
			r = apply_capability(&set, spec->cap_drop.items[i], false, err);
	if (r < 0)
		return r;
	*ret_bounding = set & capability_all();
	return 0;
}

int plan_capabilities(const struct container_spec *spec, const struct settings *settings,
		      uint64_t *ret_bounding, struct err *err)
{
	uint64_t set, required = 0;

	int r = allowed_capabilities(spec, settings, &set, err);
	if (r == 0)
		r = plan_required_capabilities(spec, &required, err);
	if (r < 0)
		return r;
	/* An image cannot give itself more. */
	*ret_bounding = r > 0 && !(required & ~set) ? required : set;
	return 0;
}

static void warn_of_required(const struct plan_input *input)
{
	uint64_t set, required = 0;
	struct err ignored; /* told before */

	if (allowed_capabilities(input->spec, input->settings, &set, &ignored) < 0 ||
	    plan_required_capabilities(input->spec, &required, &ignored) <= 0)
		return;
	for (int i = 0; capability_name(i); i++)
		if ((required & ~set) >> i & 1)
			log_warn("the label '" CAPABILITIES_LABEL
				 "' asks for %s, which the container does not get; it keeps the "
				 "default capabilities, unless you add it with --cap-add",
				 capability_name(i));
}

/* A davit that was itself given less cannot give more. What is wanted as a whole ("all", the
 * defaults, --privileged) then means what there is; what is wanted by name is missed. */
static int limit_capabilities(const struct plan_input *input, uint64_t *bounding, struct err *err)
{
	uint64_t missing = *bounding & ~input->available_capabilities;

	for (size_t i = 0; missing && i < input->spec->cap_add.count; i++) {
		const char *name = input->spec->cap_add.items[i];
		int number = capability_from_name(name);
		if (number >= 0 && (missing >> number & 1))
			return err_set(err, EPERM,
				       "capability '%s' cannot be given: davit itself runs without "
				       "it; start davit with it, or leave --cap-add out",
				       name);
	}
	*bounding &= input->available_capabilities;
	return 0;
}

void plan_environment(const struct container_spec *spec, const char *hostname, const char *home,
		      struct strlist *env)
{
	strlist_extend(env, &spec->env);
	if (!strlist_env_get(env, "HOME"))
		strlist_env_set(env, "HOME", home);
	if (!strlist_env_get(env, "HOSTNAME"))
		strlist_env_set(env, "HOSTNAME", hostname);
}

static int plan_ulimits(const struct strlist *ulimits, bool is_default,
			struct oci_runtime_config *config, struct err *err)
{
	for (size_t i = 0; i < ulimits->count; i++) {
		const char *text = ulimits->items[i];
		size_t size = strcspn(text, "=");
		if (strcmp(text, "host") == 0)
			continue;
		const char *at = text + size + (text[size] == '=');
		int64_t soft = 0, hard;
		int r = size ? number_take(&at, -1, INT64_MAX, &soft) : -EINVAL;
		hard = soft;
		if (r == 0 && *at == ':') {
			at++;
			r = number_take(&at, -1, INT64_MAX, &hard);
		}
		if (r < 0 || *at)
			return err_set(err, EINVAL,
				       "invalid limit '%s'; write it as NAME=SOFT[:HARD], e.g. "
				       "nofile=1024:2048; -1 means unlimited",
				       text);
		autofree char *name = xstrndup(text, size);
		if (oci_rlimit_from_name(name) < 0)
			return err_set(
				err, EINVAL,
				"unknown limit '%s'; ulimits are named as in prlimit(1), e.g. "
				"nofile",
				name);
		autofree char *type = xasprintf("RLIMIT_%.*s", (int)size, text);
		for (char *p = type; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		struct oci_rlimit *limit = oci_runtime_config_add_rlimit(
			config, type, soft < 0 ? RLIM_INFINITY : (uint64_t)soft,
			hard < 0 ? RLIM_INFINITY : (uint64_t)hard);
		limit->is_default = is_default;
	}
	return 0;
}

/* Whoever gives its primary group up must not get past files that this group alone is kept from. */
static void add_primary_group(struct oci_process *process)
{
	for (size_t i = 0; i < process->additional_gid_count; i++)
		if (process->additional_gids[i] == process->gid)
			return;
	process->additional_gids =
		xreallocarray(process->additional_gids, process->additional_gid_count + 1,
			      sizeof(*process->additional_gids));
	process->additional_gids[process->additional_gid_count++] = process->gid;
}

static int plan_process(const struct plan_input *input, struct oci_runtime_config *config,
			struct err *err)
{
	const struct container_spec *spec = input->spec;
	struct oci_process *process = &config->process;
	uint64_t bounding;

	int r = plan_capabilities(spec, input->settings, &bounding, err);
	if (r == 0)
		r = limit_capabilities(input, &bounding, err);
	if (r < 0)
		return r;
	if (spec->init) {
		strlist_add(&process->args, INIT_TARGET);
		strlist_add(&process->args, "--");
	}
	strlist_extend(&process->args, &spec->entrypoint);
	strlist_extend(&process->args, &spec->command);
	if (process->args.count == (spec->init ? 2 : 0))
		return err_set(err, EINVAL,
			       "image '%s' has no command; give one behind the image's name",
			       spec->image_name);

	autofree char *hostname = hostname_of(input);
	plan_environment(spec, hostname, input->identity->home, &process->env);
	for (size_t i = 0; input->secret_env && i < input->secret_env->count; i++) {
		const char *text = input->secret_env->items[i], *equals = strchr(text, '=');
		autofree char *key = xstrndup(text, (size_t)(equals - text));
		strlist_env_set(&process->env, key, equals + 1);
	}
	process->terminal = spec->tty;
	process->cwd = xstrdup(spec->workdir && *spec->workdir ? spec->workdir : "/");
	config->has_personality = spec->personality;
	config->personality = spec->personality && strcmp(spec->personality, "LINUX32") == 0
				      ? PER_LINUX32
				      : PER_LINUX;
	process->cwd_must_exist = spec->workdir_is_given;
	process->uid = input->identity->uid;
	process->gid = input->identity->gid;
	process->additional_gid_count = input->identity->group_count;
	process->additional_gids =
		xmemdup(input->identity->groups,
			input->identity->group_count * sizeof(*process->additional_gids));
	if (!spec->keep_groups)
		add_primary_group(process);
	process->umask = spec->umask ? (int)strtol(spec->umask, NULL, 8) : 0022;
	process->no_new_privileges = spec->no_new_privileges;
	process->has_oom_score_adj = spec->has_oom_score_adj;
	process->oom_score_adj = (int)spec->oom_score_adj;
	process->apparmor_profile = xstrdup(spec->apparmor_profile);
	process->selinux_label = xstrdup(spec->selinux_label);

	struct capability_sets *sets = &process->capabilities;
	sets->bounding = bounding;
	if (process->uid == 0 || spec->privileged) {
		sets->permitted = sets->effective = bounding;
	} else {
		/* An ordinary user holds only what was asked for by name, so that an image's USER
		 * means something. */
		for (size_t i = 0; r == 0 && i < spec->cap_add.count; i++)
			r = apply_capability(&sets->permitted, spec->cap_add.items[i], true, err);
		sets->permitted &= bounding;
		sets->effective = sets->ambient = sets->inheritable = sets->permitted;
	}
	/* "host": those of the caller, which the process has anyway. */
	if (r == 0 && !strlist_contains(&spec->ulimits, "host"))
		r = plan_ulimits(&input->settings->default_ulimits, true, config, err);
	if (r == 0)
		r = plan_ulimits(&spec->ulimits, false, config, err);
	return r;
}

/* Shared memory and message queues are of the IPC namespace, whoever's that is. */
static void plan_ipc_mounts(const struct plan_input *input, struct oci_runtime_config *config)
{
	const struct shared_namespaces *shared = input->shared;
	int64_t size = input->spec->shm_size;

	if (is_host(input, OCI_NS_IPC)) {
		oci_runtime_config_add_mount(config, "/dev/shm", "bind", "/dev/shm",
					     "rbind,nosuid,noexec,nodev");
		if (input->host_has_mqueue)
			oci_runtime_config_add_mount(config, "/dev/mqueue", "bind", "/dev/mqueue",
						     "rbind,nosuid,noexec,nodev");
		return;
	}
	if (shared && shared->shm_fd >= 0) {
		oci_runtime_config_add_mount(config, "/dev/shm", "bind", "shm",
					     "bind,nosuid,noexec,nodev")
			->mount_fd = shared->shm_fd;
	} else if (!shared || !shared->has_no_shm) {
		autofree char *options = xasprintf("nosuid,noexec,nodev,mode=1777,size=%lld",
						   (long long)(size > 0 ? size : 65536 << 10));
		oci_runtime_config_add_mount(config, "/dev/shm", "tmpfs", "shm", options);
	}
	oci_runtime_config_add_mount(config, "/dev/mqueue", "mqueue", "mqueue",
				     "nosuid,noexec,nodev");
}

static void add_proc(const struct container_spec *spec, struct oci_runtime_config *config)
{
	autofree char *options = xasprintf("nosuid,noexec,nodev%s%s", spec->proc_options ? "," : "",
					   spec->proc_options ?: "");

	oci_runtime_config_add_mount(config, "/proc", "proc", "proc", options);
}

static void plan_default_mounts(const struct plan_input *input, struct oci_runtime_config *config)
{
	const struct container_spec *spec = input->spec;

	if (is_host(input, OCI_NS_PID) && input->is_rootless)
		/* The kernel lets nobody mount a proc of a pid namespace that belongs to others. */
		oci_runtime_config_add_mount(config, "/proc", "bind", "/proc",
					     "rbind,nosuid,noexec,nodev");
	else
		add_proc(spec, config);
	oci_runtime_config_add_mount(config, "/dev", "tmpfs", "tmpfs",
				     "nosuid,strictatime,mode=755,size=65536k");
	/* Group 5 is "tty" wherever there is one; a single-ID mapping has no such group. */
	oci_runtime_config_add_mount(
		config, "/dev/pts", "devpts", "devpts",
		input->map->is_single_id
			? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
			: "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	plan_ipc_mounts(input, config);
	oci_runtime_config_add_mount(config, "/sys", "sysfs", "sysfs",
				     spec->privileged ? "nosuid,noexec,nodev"
						      : "nosuid,noexec,nodev,ro");
	oci_runtime_config_add_mount(config, "/sys/fs/cgroup", "cgroup", "cgroup",
				     spec->privileged ? "nosuid,noexec,nodev,relatime"
						      : "nosuid,noexec,nodev,relatime,ro");
	if (spec->read_only && spec->read_only_tmpfs) {
		static const char *const places[] = { "/run", "/tmp", "/var/tmp" };
		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			oci_runtime_config_add_mount(config, places[i], "tmpfs", "tmpfs",
						     strcmp(places[i], "/run") == 0
							     ? "nosuid,nodev,mode=755,tmpcopyup"
							     : "nosuid,nodev,mode=1777,tmpcopyup");
	}
}

static void bind_file(struct oci_runtime_config *config, const char *directory, const char *name,
		      const char *target, const char *options)
{
	autofree char *source = path_join(directory, name);

	oci_runtime_config_add_mount(config, target, "bind", source, options);
}

static bool is_mounted_by_user(const struct oci_runtime_config *config, size_t first,
			       const char *destination)
{
	for (size_t i = first; i < config->mount_count; i++)
		if (strcmp(config->mounts[i].destination, destination) == 0)
			return true;
	return false;
}

static int depth(const char *path)
{
	int count = 0;

	for (; *path; path++)
		count += *path == '/';
	return count;
}

/* What is mounted deeper comes later, whoever asked for it; otherwise the order stays (insertion sort keeps it). A
 * volume at /etc lies below the hosts file that davit mounts into it. */
static void sort_by_depth(struct oci_runtime_config *config)
{
	for (size_t i = 1; i < config->mount_count; i++)
		for (size_t at = i; at > 0; at--) {
			struct oci_mount *here = &config->mounts[at], *before = here - 1;
			if (depth(before->destination) <= depth(here->destination))
				break;
			struct oci_mount swap = *here;
			*here = *before;
			*before = swap;
		}
}

static void plan_timezone(const struct container_spec *spec, struct oci_runtime_config *config)
{
	const char *zone = spec->timezone;

	if (zone && strcmp(zone, "local") == 0)
		bind_file(config, "/etc", "localtime", "/etc/localtime",
			  "bind,rprivate,ro,nosuid,nodev,noexec");
	else if (zone)
		bind_file(config, "/usr/share/zoneinfo", zone, "/etc/localtime",
			  "bind,rprivate,ro,nosuid,nodev,noexec");
}

/* A user's mount at the place of a default one replaces it. */
static int plan_mounts(const struct plan_input *input, struct oci_runtime_config *config,
		       struct err *err)
{
	const struct container_spec *spec = input->spec;
	const struct {
		const char *name, *target;
		bool is_left_out;
	} files[] = { { "hosts", "/etc/hosts", spec->no_hosts },
		      { "resolv.conf", "/etc/resolv.conf", spec->no_resolv },
		      { "hostname", "/etc/hostname", spec->no_hostname } };

	plan_default_mounts(input, config);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *options = spec->read_only ? "bind,rprivate,ro" : "bind,rprivate";
		if (files[i].is_left_out || (spec->rootfs && !spec->rootfs_is_lower))
			continue;
		bind_file(config, input->run_dir, files[i].name, files[i].target, options);
		for (size_t k = 0; k < spec->chroot_dirs.count; k++) {
			autofree char *target =
				xasprintf("%s%s", spec->chroot_dirs.items[k], files[i].target);
			bind_file(config, input->run_dir, files[i].name, target, options);
		}
	}
	if (input->identity->passwd_line)
		bind_file(config, input->run_dir, "passwd", "/etc/passwd", "bind,rprivate");
	if (input->identity->group_line)
		bind_file(config, input->run_dir, "group", "/etc/group", "bind,rprivate");
	plan_timezone(spec, config);
	bind_file(config, input->run_dir, ".containerenv", "/run/.containerenv", "bind,rprivate");
	if (spec->init)
		oci_runtime_config_add_mount(config, INIT_TARGET, "bind", input->init_path,
					     "bind,rprivate,ro,nosuid,nodev");

	int r = container_secrets_plan(spec, input->run_dir, config, err);
	if (r < 0)
		return r;
	size_t default_count = config->mount_count;
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r == 0) {
			r = plan_user_mount(input, &mount, i, config, err);
			mount_spec_clear(&mount);
		}
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < default_count;) {
		if (!is_mounted_by_user(config, default_count, config->mounts[i].destination)) {
			i++;
			continue;
		}
		oci_runtime_config_remove_mount(config, i);
		default_count--;
	}
	sort_by_depth(config);
	return 0;
}

static void plan_id_maps(const struct plan_input *input, struct oci_runtime_config *config)
{
	config->namespaces[OCI_NS_MOUNT].wanted = true;
	config->namespaces[OCI_NS_USER].wanted = !input->map->is_identity;
	if (input->map->is_identity)
		return;
	config->uid_maps =
		xmemdup(input->map->uid, input->map->uid_count * sizeof(*input->map->uid));
	config->uid_map_count = input->map->uid_count;
	config->gid_maps =
		xmemdup(input->map->gid, input->map->gid_count * sizeof(*input->map->gid));
	config->gid_map_count = input->map->gid_count;
}

static void plan_namespaces(const struct plan_input *input, struct oci_runtime_config *config)
{
	for (size_t i = 0; i < NAMESPACE_MODE_COUNT; i++) {
		struct namespace_source source = source_of(input, namespace_mode_list[i]);
		config->namespaces[namespace_mode_list[i]] = (struct oci_namespace_config){
			.wanted = !source.is_host,
			.path = xstrdup(source.path),
		};
	}
	plan_id_maps(input, config);
	if (input->spec->time_offset) {
		struct err ignored; /* checked when the container was made */
		(void)time_offset_parse(input->spec->time_offset, config->time_offsets, &ignored);
		config->namespaces[OCI_NS_TIME].wanted = true;
	}
	if (config->namespaces[OCI_NS_UTS].wanted && !config->namespaces[OCI_NS_UTS].path)
		config->hostname = hostname_of(input);
}

static int plan_sysctls(const struct plan_input *input, struct oci_runtime_config *config,
			struct err *err)
{
	const struct strlist *lists[] = { &input->settings->default_sysctls,
					  &input->spec->sysctls };

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l]->count; i++) {
			const char *text = lists[l]->items[i], *equals = strchr(text, '=');
			if (!equals || equals == text)
				return err_set(err, EINVAL,
					       "invalid sysctl '%s'; write it as NAME=VALUE", text);
			const struct oci_namespace_config *network =
				&config->namespaces[OCI_NS_NETWORK];
			bool is_network = strncmp(text, "net.", 4) == 0;
			/* A default is for networks of their own, not for what others use too. */
			if (is_network && l == 0 && (!network->wanted || network->path))
				continue;
			/* ping_group_range names group 0, whom not every mapping has. */
			if (l == 0 && strstr(text, "ping_group_range") &&
			    userns_id_to_host(input->map->gid, input->map->gid_count, 0) ==
				    UINT32_MAX)
				continue;
			if (is_network && !network->wanted) {
				return err_set(err, EINVAL,
					       "sysctl '%s' would change the host's network; use a "
					       "private network",
					       text);
			}
			autofree char *key = xstrndup(text, (size_t)(equals - text));
			oci_runtime_config_add_sysctl(config, key, equals + 1);
		}
	return 0;
}

/* By its path, or by a pattern as of glob(7). */
static bool is_unmasked(const struct container_spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->unmask.count; i++)
		if (fnmatch(spec->unmask.items[i], path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* Paths to hide, less those that --security-opt unmask names. */
static void plan_masks(const struct plan_input *input, struct oci_runtime_config *config)
{
	const struct container_spec *spec = input->spec;

	for (size_t i = 0; i < spec->mask.count; i++)
		strlist_add(&config->masked_paths, spec->mask.items[i]);
	if (spec->privileged || strlist_contains(&spec->unmask, "ALL"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(masked_paths); i++)
		if (!is_unmasked(spec, masked_paths[i]))
			strlist_add(&config->masked_paths, masked_paths[i]);
	/* With the host's processes in sight /proc is the host's too and may be a bind mount: still
	 * read-only. */
	for (size_t i = 0; i < ARRAY_SIZE(readonly_paths); i++)
		if (!is_unmasked(spec, readonly_paths[i]))
			strlist_add(&config->readonly_paths, readonly_paths[i]);
}

static void plan_root(const struct plan_input *input, struct oci_runtime_config *config)
{
	const struct container_spec *spec = input->spec;

	config->root_readonly = spec->read_only;
	if (spec->rootfs && !spec->rootfs_is_lower) {
		config->root_path = xstrdup(spec->rootfs);
		config->root_is_mapped = input->rootfs_is_mapped;
		return;
	}
	/* The mount lies over its own upper directory: a mount point that is there anyway, and
	 * hides nothing that the runtime still has to find. */
	config->root_path = path_join(input->container_dir, "upper");
	strlist_extend(&config->overlay.lowers, input->layer_dirs);
	if (input->skeleton)
		strlist_add(&config->overlay.lowers, input->skeleton);
	config->overlay.upper = path_join(input->container_dir, "upper");
	config->overlay.work = path_join(input->container_dir, "work");
	config->overlay.is_volatile = spec->auto_remove;
	/* Inside of davit unshare. */
	config->overlay.has_user_xattrs = input->is_rootless && input->map->is_identity;
}

int plan_container(const struct plan_input *input, struct oci_runtime_config **ret_config,
		   struct err *err)
{
	const struct container_spec *spec = input->spec;
	struct oci_runtime_config *config = oci_runtime_config_new();

	config->id = xstrdup(input->id);
	plan_root(input, config);
	plan_namespaces(input, config);
	plan_masks(input, config);
	config->cgroups_path = xstrdup(input->cgroups_path);
	int r = plan_limits(spec, input->settings, input->host_memory_bytes, &config->resources,
			    err);
	if (r == 0)
		r = plan_process(input, config, err);
	if (r == 0)
		warn_of_required(input);
	if (r == 0)
		r = plan_mounts(input, config, err);
	if (r == 0)
		r = plan_devices(input, config, err);
	if (r == 0)
		r = plan_sysctls(input, config, err);
	if (r < 0) {
		oci_runtime_config_free(config);
		return r;
	}
	strlist_addf(&config->annotations, "org.opencontainers.image.stopSignal=%s",
		     spec->stop_signal ?: "SIGTERM");
	if (spec->keep_groups)
		strlist_add(&config->annotations, "run.oci.keep_original_groups=1");
	strlist_extend(&config->annotations, &spec->annotations);
	*ret_config = config;
	return 0;
}

int plan_process_only(const struct plan_input *input, struct oci_runtime_config **ret_config,
		      struct err *err)
{
	struct oci_runtime_config *config = oci_runtime_config_new();

	int r = plan_process(input, config, err);
	if (r < 0) {
		oci_runtime_config_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

/* Whether it shows the same in the next start, or to others: not memory that a container gets anew. */
static bool mount_lasts(const struct mount_spec *mount)
{
	const char *backing = mount->kind == MOUNT_VOLUME ? volume_backing_of(mount) : NULL;

	if (backing && backing[0] == '/')
		return access(backing, F_OK) == 0;
	switch (mount->kind) {
	case MOUNT_VOLUME:
		return !backing;
	case MOUNT_BIND:
		return access(mount->source, F_OK) == 0;
	case MOUNT_IMAGE:
		return true;
	default:
		return false;
	}
}

/* Nothing is to reach the host, or to come from there, while somebody looks. */
static void drop_propagation(struct mount_spec *mount)
{
	static const char *const words[] = { "shared",	"rshared",  "slave",	  "rslave",
					     "private", "rprivate", "unbindable", "runbindable" };

	for (size_t i = mount->options.count; i > 0; i--)
		for (size_t k = 0; k < ARRAY_SIZE(words); k++)
			if (strcmp(mount->options.items[i - 1], words[k]) == 0) {
				strlist_remove(&mount->options, i - 1);
				break;
			}
}

int plan_files_only(const struct plan_input *input, bool with_mounts,
		    struct oci_runtime_config **ret_config, struct err *err)
{
	struct oci_runtime_config *config = oci_runtime_config_new();
	int r = 0;

	config->id = xstrdup(input->id);
	config->no_devices = true;
	config->no_new_keyring = true;
	plan_root(input, config);
	config->root_readonly = false;
	plan_id_maps(input, config);
	strlist_add(&config->process.args, "/"); /* never executed */
	for (size_t i = 0; r == 0 && with_mounts && i < input->spec->mounts.count; i++) {
		struct mount_spec mount;
		r = mount_spec_load(input->spec->mounts.items[i], &mount, err);
		if (r < 0)
			break;
		drop_propagation(&mount);
		if (mount_lasts(&mount))
			r = plan_user_mount(input, &mount, i, config, err);
		mount_spec_clear(&mount);
	}
	if (r < 0) {
		oci_runtime_config_free(config);
		return r;
	}
	sort_by_depth(config);
	*ret_config = config;
	return 0;
}
