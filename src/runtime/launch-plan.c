#include "runtime/launch-plan.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "runtime/child.h"
#include "runtime/exec-command.h"

#define DEFAULT_PATH	      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CGROUP2_MAGIC	      0x63677270
#define INITIAL_USER_NS_INODE 0xEFFFFFFDU /* include/linux/proc_ns.h of the kernel, ABI by use */

const struct plan_namespace plan_namespaces[OCI_NS_COUNT] = {
	[OCI_NS_USER] = { "user", CLONE_NEWUSER },
	[OCI_NS_MOUNT] = { "mount", CLONE_NEWNS },
	[OCI_NS_PID] = { "pid", CLONE_NEWPID },
	[OCI_NS_NETWORK] = { "network", CLONE_NEWNET },
	[OCI_NS_IPC] = { "ipc", CLONE_NEWIPC },
	[OCI_NS_UTS] = { "uts", CLONE_NEWUTS },
	[OCI_NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
	[OCI_NS_TIME] = { "time", 0x00000080 /* CLONE_NEWTIME */ },
};

static const struct {
	const char *path;
	unsigned major, minor;
} default_devices[] = {
	{ "/dev/null", 1, 3 },	 { "/dev/zero", 1, 5 },	   { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static bool is_initial_user_namespace(void)
{
	struct stat st;

	/* Without /proc we do not come far anyway. */
	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == INITIAL_USER_NS_INODE;
}

/* Where 0 is not mapped somebody else sets things up, with the same capabilities. */
static void plan_root_ids(struct launch_plan *plan)
{
	const struct oci_runtime_config *config = plan->config;

	if (config->uid_map_count &&
	    userns_id_to_host(config->uid_maps, config->uid_map_count, 0) == UINT32_MAX)
		plan->root_uid = config->uid_maps[0].inside;
	if (config->gid_map_count &&
	    userns_id_to_host(config->gid_maps, config->gid_map_count, 0) == UINT32_MAX)
		plan->root_gid = config->gid_maps[0].inside;
}

static int plan_own_namespaces(struct launch_plan *plan, bool joins_user_namespace, struct err *err)
{
	const struct oci_runtime_config *config = plan->config;

	for (int i = 0; i < OCI_NS_COUNT; i++) {
		const struct oci_namespace_config *ns = &config->namespaces[i];
		if (i == OCI_NS_USER && joins_user_namespace)
			continue;
		if (i == OCI_NS_TIME) { /* see child-time.c */
			plan->has_own_time_namespace = ns->wanted && !ns->path;
			continue;
		}
		if (ns->wanted && !ns->path)
			plan->clone_flags |= plan_namespaces[i].clone_flag;
	}
	if (!config->namespaces[OCI_NS_MOUNT].wanted)
		return err_set(err, ENOTSUP,
			       "a container needs a mount namespace of its own; do not share it");

	plan->has_own_user_namespace = plan->clone_flags & CLONE_NEWUSER;
	plan->has_own_pid_namespace = plan->clone_flags & CLONE_NEWPID;
	plan->has_own_network_namespace = plan->clone_flags & CLONE_NEWNET;
	plan->pid_namespace_is_joined = config->namespaces[OCI_NS_PID].path != NULL;
	plan->is_in_user_namespace = plan->has_own_user_namespace || joins_user_namespace ||
				     config->namespaces[OCI_NS_USER].path ||
				     !is_initial_user_namespace();

	plan->map = (struct userns_map){
		.uid = config->uid_maps,
		.gid = config->gid_maps,
		.uid_count = config->uid_map_count,
		.gid_count = config->gid_map_count,
	};
	if (plan->has_own_user_namespace && (!config->uid_map_count || !config->gid_map_count))
		return err_set(err, EINVAL,
			       "a new user namespace needs a map of user and group IDs");
	plan_root_ids(plan);
	plan->root_is_other =
		plan->is_in_user_namespace && geteuid() != 0 && config->uid_map_count &&
		userns_id_to_host(config->uid_maps, config->uid_map_count, plan->root_uid) !=
			geteuid();
	/* Nested in somebody's user namespace as its root, nobody tells whether groups can be set. */
	plan->groups_are_fixed =
		plan->is_in_user_namespace &&
		(geteuid() != 0 ? config->gid_map_count == 1 && config->gid_maps[0].size == 1
				: !is_initial_user_namespace());
	return 0;
}

/* What is written to timens_offsets: clocks by the numbers of clock_gettime(2). */
static void plan_time(struct launch_plan *plan)
{
	static const int clocks[OCI_CLOCK_COUNT] = {
		[OCI_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
		[OCI_CLOCK_BOOTTIME] = CLOCK_BOOTTIME,
	};
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < OCI_CLOCK_COUNT; i++) {
		const struct oci_time_offset *offset = &plan->config->time_offsets[i];
		if (offset->given)
			strbuf_addf(&text, "%d %lld %u\n", clocks[i], (long long)offset->seconds,
				    offset->nanoseconds);
	}
	if (plan->has_own_time_namespace && text.size)
		plan->time_offsets = strbuf_take(&text);
}

static void overlay_escape(struct strbuf *text, const char *path)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			strbuf_addc(text, '\\');
		strbuf_addc(text, *path);
	}
}

static int plan_root(struct launch_plan *plan, struct err *err)
{
	const struct oci_overlay *overlay = &plan->config->overlay;
	const char *propagation = plan->config->rootfs_propagation;

	plan->root_propagation = MS_PRIVATE | MS_REC;
	if (propagation) {
		struct mount_options options;
		struct strlist word = { .items = (char *[]){ (char *)propagation, NULL },
					.count = 1 };
		int r = mount_options_parse(&word, &options, err);
		if (r < 0)
			return r;
		unsigned long value = options.propagation;
		mount_options_clear(&options);
		if (!value)
			return err_set(err, EINVAL,
				       "root propagation '%s' is none of private, slave, shared, "
				       "unbindable",
				       propagation);
		plan->root_propagation = value | MS_REC;
	}
	/* The host's root has layers with the IDs of the image; others unpack them as they appear.
	 */
	plan->by_host_root =
		plan->is_in_user_namespace && geteuid() == 0 && is_initial_user_namespace();
	plan->map_root =
		plan->by_host_root && (overlay->lowers.count > 0 || plan->config->root_is_mapped);
	plan->mapped_count = plan->map_root;
	plan->root_readonly = plan->config->root_readonly;
	plan->root_source = plan->config->root_path;
	if (overlay->lowers.count == 0 && !plan->root_source)
		return err_set(err, EINVAL, "the container has no root file system");
	if (overlay->lowers.count == 1 && !overlay->upper) {
		/* overlayfs wants two layers at least; one alone is a directory not to be written.
		 */
		plan->root_source = overlay->lowers.items[0];
		plan->root_readonly = plan->root_is_layer = true;
		return 0;
	}
	if (overlay->lowers.count == 0)
		return 0;
	if (!overlay->upper != !overlay->work)
		return err_set(err, EINVAL, "an overlay needs both an upper and a work directory");
	plan->has_overlay = true;
	plan->overlay_userxattr =
		overlay->has_user_xattrs || (plan->is_in_user_namespace && !plan->map_root);

	autostrbuf struct strbuf text = STRBUF_EMPTY;
	strbuf_adds(&text, "lowerdir=");
	for (size_t i = 0; i < overlay->lowers.count; i++) {
		if (i)
			strbuf_addc(&text, ':');
		overlay_escape(&text, overlay->lowers.items[i]);
	}
	if (overlay->upper) {
		strbuf_adds(&text, ",upperdir=");
		overlay_escape(&text, overlay->upper);
		strbuf_adds(&text, ",workdir=");
		overlay_escape(&text, overlay->work);
		if (overlay->is_volatile)
			strbuf_adds(&text, ",volatile");
		plan->volatile_mark = xasprintf("%s/work/incompat/volatile", overlay->work);
	}
	if (plan->overlay_userxattr)
		strbuf_adds(&text, ",userxattr");
	plan->overlay_fallback = strbuf_take(&text);
	return 0;
}

static bool id_is_mapped(const struct launch_plan *plan, const char *key, const char *value)
{
	uint32_t id = (uint32_t)strtoul(value, NULL, 10);

	if (!plan->is_in_user_namespace || !plan->map.uid_count)
		return true;
	if (strcmp(key, "uid") == 0)
		return userns_id_to_host(plan->map.uid, plan->map.uid_count, id) != UINT32_MAX;
	return userns_id_to_host(plan->map.gid, plan->map.gid_count, id) != UINT32_MAX;
}

/* "gid=5" of the usual devpts line means nothing where group 5 does not exist. */
static void drop_unmapped_ids(struct launch_plan *plan, struct mount_options *options)
{
	size_t kept = 0;

	for (size_t i = 0; i < options->option_count; i++) {
		struct file_system_option *option = &options->options[i];
		bool is_id = strcmp(option->key, "uid") == 0 || strcmp(option->key, "gid") == 0;
		if (is_id && option->value && !id_is_mapped(plan, option->key, option->value)) {
			free(option->key);
			free(option->value);
			continue;
		}
		options->options[kept++] = *option;
	}
	options->option_count = kept;
}

static bool path_is_or_is_below(const char *path, const char *top)
{
	size_t size = strlen(top);

	return strncmp(path, top, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

bool plan_option_is_directory(const struct file_system_option *option)
{
	return option->value &&
	       (strcmp(option->key, "lowerdir") == 0 || strcmp(option->key, "lowerdir+") == 0 ||
		strcmp(option->key, "upperdir") == 0 || strcmp(option->key, "workdir") == 0);
}

static int count_mapped(struct launch_plan *plan, struct plan_mount *mount, struct err *err)
{
	mount->by_mapper = plan->by_host_root && mount->mount_fd <= 0;
	if (mount->options.idmap && !plan->is_in_user_namespace)
		mount->options.idmap = mount->options.idmap_recursive = false;
	if (mount->options.idmap && !plan->by_host_root)
		return err_set(err, EPERM,
			       "option 'idmap' is for root only: the kernel lets nobody else map "
			       "the IDs of a host file system");
	if (mount->by_mapper && ++plan->mapped_count > PLAN_MAPPED_MAX)
		return err_set(err, E2BIG,
			       "more than %d mounts of the host; a container with a user namespace "
			       "cannot have more",
			       PLAN_MAPPED_MAX - 1);
	return 0;
}

static int plan_overlay(struct launch_plan *plan, struct plan_mount *mount, struct err *err)
{
	mount->first_directory = plan->directory_count;
	for (size_t i = 0; i < mount->options.option_count; i++)
		plan->directory_count += plan_option_is_directory(&mount->options.options[i]);
	return count_mapped(plan, mount, err);
}

static int plan_file_system(struct launch_plan *plan, struct plan_mount *mount, struct err *err)
{
	const char *type = mount->type;

	if (strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0) {
		struct statfs fs;
		mount->kind = PLAN_MOUNT_CGROUP;
		plan->shows_cgroup_v1 =
			statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type != CGROUP2_MAGIC;
		mount->fallback_source = "/sys/fs/cgroup";
	} else if (strcmp(type, "sysfs") == 0) {
		mount->fallback_source = "/sys";
	} else if (strcmp(type, "mqueue") == 0) {
		mount->fallback_source = "/dev/mqueue";
	} else if (strcmp(type, "proc") == 0 && !plan->has_own_pid_namespace) {
		mount->fallback_source = "/proc";
	} else if (strcmp(type, "overlay") == 0) {
		return plan_overlay(plan, mount, err);
	} else if (strcmp(type, "devpts") == 0) {
		drop_unmapped_ids(plan, &mount->options);
	}
	if (plan->config->mount_label &&
	    (strcmp(type, "tmpfs") == 0 || strcmp(type, "devpts") == 0 ||
	     strcmp(type, "mqueue") == 0))
		mount_options_add(&mount->options, "context", plan->config->mount_label);
	if (mount->options.copy_up && strcmp(type, "tmpfs") != 0)
		return err_set(err, EINVAL, "option 'tmpcopyup' is for tmpfs only");
	return 0;
}

static bool same_extents(const struct id_extent *a, size_t a_count, const struct id_extent *b,
			 size_t b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof(*a)) == 0;
}

/* Maps of a mount's own mean the same as option 'idmap' when they are those of the container. */
static int take_mount_maps(const struct launch_plan *plan, const struct oci_mount *from,
			   struct mount_options *options, struct err *err)
{
	const struct oci_runtime_config *config = plan->config;

	if (from->mount_fd > 0) { /* has them already */
		options->idmap = options->idmap_recursive = false;
		return 0;
	}
	if (!from->uid_map_count && !from->gid_map_count)
		return 0;
	if (!same_extents(from->uid_maps, from->uid_map_count, config->uid_maps,
			  config->uid_map_count) ||
	    !same_extents(from->gid_maps, from->gid_map_count, config->gid_maps,
			  config->gid_map_count))
		return err_set(err, ENOTSUP,
			       "uidMappings and gidMappings other than linux.uidMappings and "
			       "linux.gidMappings are not supported; leave them out, or make them "
			       "the same");
	options->idmap = true;
	return 0;
}

static int plan_mount_one(struct launch_plan *plan, const struct oci_mount *from,
			  struct plan_mount *mount, struct err *err)
{
	int r = mount_options_parse(&from->options, &mount->options, err);
	if (r < 0)
		return r;
	mount->target = from->destination;
	mount->source = from->source;
	mount->type = from->type;
	mount->mount_fd = from->mount_fd;
	if (!from->destination || from->destination[0] != '/')
		return err_set(err, EINVAL, "the destination is not an absolute path");
	const char *rest = from->destination + strspn(from->destination, "/");
	if (!*rest)
		return err_set(err, EINVAL, "the root directory cannot be a destination");
	const char *top = rest - 1;
	mount->no_symlinks =
		strcmp(top, "/proc") == 0 || strcmp(top, "/sys") == 0 || strcmp(top, "/dev") == 0;

	bool is_bind = mount->options.bind || (from->type && strcmp(from->type, "bind") == 0);
	if (!is_bind && !from->type)
		return err_set(err, EINVAL, "neither a type nor option 'bind' is given");
	if (!is_bind) {
		mount->kind = PLAN_MOUNT_FILE_SYSTEM;
		/* The kernel's own trees must not land where a link of the image points. */
		if (strcmp(from->type, "proc") == 0 || strcmp(from->type, "sysfs") == 0)
			mount->no_symlinks = true;
		return plan_file_system(plan, mount, err);
	}
	mount->kind = PLAN_MOUNT_BIND;
	r = take_mount_maps(plan, from, &mount->options, err);
	if (r < 0)
		return r;
	if (!from->source || !*from->source)
		return err_set(err, EINVAL, "a bind mount needs a source");
	for (size_t i = 0; i < mount->options.option_count; i++) {
		const struct file_system_option *option = &mount->options.options[i];
		if (strcmp(option->key, "subpath") != 0 || !option->value)
			return err_set(err, EINVAL, "unknown option '%s' for a bind mount",
				       option->key);
		mount->subpath = option->value;
	}
	int counted = count_mapped(plan, mount, err);
	if (counted < 0)
		return counted;
	if (mount->options.propagation == MS_SHARED || mount->options.propagation == MS_SLAVE)
		plan->bind_before_private = true;
	return 0;
}

static int plan_mounts(struct launch_plan *plan, struct err *err)
{
	const struct oci_runtime_config *config = plan->config;

	plan->make_default_devices = !config->no_devices;
	plan->mounts = xcalloc(config->mount_count, sizeof(*plan->mounts));
	plan->mount_count = config->mount_count;
	if (config->mount_label && access("/sys/fs/selinux/enforce", F_OK) < 0)
		return err_set(
			err, ENOTSUP,
			"linux.mountLabel '%s': SELinux is not active on this host; leave it out",
			config->mount_label);
	/* The host's root, who turns into a user that his directories may be closed to. */
	plan->opens_early =
		plan->is_in_user_namespace && geteuid() == 0 && !config->overlay.lowers.count;
	plan->bind_before_private = plan->opens_early;
	for (size_t i = 0; i < config->mount_count; i++) {
		const struct oci_mount *from = &config->mounts[i];
		int r = plan_mount_one(plan, from, &plan->mounts[i], err);
		if (r < 0)
			return err_wrap(err, "mount '%s'",
					from->destination ? from->destination : "");
		/* The host's own /dev must not be changed. */
		if (plan->mounts[i].kind == PLAN_MOUNT_BIND &&
		    strcmp(from->destination, "/dev") == 0)
			plan->make_default_devices = false;
	}
	return 0;
}

static int device_type(char type, mode_t *ret_type)
{
	switch (type) {
	case 'c':
	case 'u':
		*ret_type = S_IFCHR;
		return 0;
	case 'b':
		*ret_type = S_IFBLK;
		return 0;
	case 'p':
		*ret_type = S_IFIFO;
		return 0;
	default:
		return -EINVAL;
	}
}

static int plan_devices(struct launch_plan *plan, struct err *err)
{
	const struct oci_runtime_config *config = plan->config;

	plan->devices =
		xcalloc(ARRAY_SIZE(default_devices) + config->device_count, sizeof(*plan->devices));
	for (size_t i = 0; plan->make_default_devices && i < ARRAY_SIZE(default_devices); i++)
		plan->devices[plan->device_count++] = (struct plan_device){
			.path = default_devices[i].path,
			.source = default_devices[i].path,
			.type_and_mode = S_IFCHR | 0666,
			.number = makedev(default_devices[i].major, default_devices[i].minor),
			.is_default = true,
		};
	for (size_t i = 0; i < config->device_count; i++) {
		const struct oci_device *from = &config->devices[i];
		struct plan_device *device = &plan->devices[plan->device_count];
		mode_t type;
		if (!from->path || from->path[0] != '/')
			return err_set(err, EINVAL, "device '%s': not an absolute path",
				       from->path ? from->path : "");
		if (device_type(from->type, &type) < 0)
			return err_set(err, EINVAL, "device '%s': unknown type '%c'", from->path,
				       from->type);
		*device = (struct plan_device){
			.path = from->path,
			.source = from->source ? from->source : from->path,
			.type_and_mode = type | (from->file_mode ? from->file_mode & 07777 : 0666),
			.number = makedev((unsigned)from->major, (unsigned)from->minor),
			.uid = from->uid,
			.gid = from->gid,
		};
		plan->device_count++;
	}
	return 0;
}

/* The file below /proc/sys of a key as sysctl(8) takes it: "net.ipv4.ip_forward" or, where a part
 * has dots of its own, "net/ipv4/conf/eth0.1/forwarding" ("net.ipv4.conf.eth0/1.forwarding"). */
static char *sysctl_path(const char *key)
{
	char *path = xstrdup(key);
	size_t first = strcspn(path, "./");

	if (path[first] == '.')
		for (char *at = path; *at; at++)
			*at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
	return path;
}

static bool sysctl_is_sane(const char *path)
{
	if (*path == '\0' || *path == '/')
		return false;
	for (const char *at = path; *at;) {
		const char *end = strchrnul(at, '/');
		size_t size = (size_t)(end - at);
		if (size == 0 || (size == 1 && at[0] == '.') || (size == 2 && !memcmp(at, "..", 2)))
			return false;
		if (!*end)
			return true;
		at = end + 1;
	}
	return false; /* ends with a slash */
}

/* A sysctl of no namespace, or of one the container shares, would change the host. */
static int sysctl_check(const struct launch_plan *plan, const char *key, const char *path,
			struct err *err)
{
	static const char *const ipc[] = { "kernel/msgmax",	 "kernel/msgmnb",
					   "kernel/msgmni",	 "kernel/sem",
					   "kernel/shmall",	 "kernel/shmmax",
					   "kernel/shmmni",	 "kernel/shm_rmid_forced",
					   "kernel/msg_next_id", "kernel/sem_next_id",
					   "kernel/shm_next_id", "fs/mqueue" };
	const struct oci_namespace_config *ns = plan->config->namespaces;
	int needed = -1;

	if (!sysctl_is_sane(path))
		return err_set(err, EINVAL, "sysctl '%s': not a name of a setting", key);
	if (path_is_or_is_below(path, "net"))
		needed = OCI_NS_NETWORK;
	if (strcmp(path, "kernel/domainname") == 0 || strcmp(path, "kernel/hostname") == 0)
		needed = OCI_NS_UTS;
	for (size_t i = 0; i < ARRAY_SIZE(ipc); i++)
		if (path_is_or_is_below(path, ipc[i]))
			needed = OCI_NS_IPC;
	if (needed < 0)
		return err_set(
			err, EINVAL,
			"sysctl '%s' is not in a namespace; set it on the host with sysctl(8)",
			key);
	if (!ns[needed].wanted)
		return err_set(err, EINVAL,
			       "sysctl '%s' would change the host; give the container its own %s "
			       "namespace",
			       key, plan_namespaces[needed].name);
	return 0;
}

static int plan_sysctls(struct launch_plan *plan, struct err *err)
{
	const struct oci_runtime_config *config = plan->config;

	plan->sysctls = xcalloc(config->sysctl_count, sizeof(*plan->sysctls));
	for (size_t i = 0; i < config->sysctl_count; i++) {
		struct plan_sysctl *sysctl = &plan->sysctls[plan->sysctl_count++];
		sysctl->path = sysctl_path(config->sysctls[i].key);
		sysctl->value = config->sysctls[i].value;
		int r = sysctl_check(plan, config->sysctls[i].key, sysctl->path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_rlimits(struct launch_plan *plan, struct err *err)
{
	const struct oci_process *process = &plan->config->process;

	snprintf(plan->oom_score, sizeof(plan->oom_score), "%d", process->oom_score_adj);
	plan->rlimits = xcalloc(process->rlimit_count, sizeof(*plan->rlimits));
	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct oci_rlimit *from = &process->rlimits[i];
		int resource = oci_rlimit_from_name(from->type);
		if (resource < 0)
			return err_set(err, EINVAL, "unknown limit '%s'", from->type);
		if (from->soft > from->hard)
			return err_set(err, EINVAL, "limit '%s': soft is above hard", from->type);
		plan->rlimits[plan->rlimit_count++] = (struct plan_rlimit){
			.resource = resource,
			.limit = { .rlim_cur = from->soft, .rlim_max = from->hard },
			.is_default = from->is_default,
		};
	}
	return 0;
}

static int plan_command(struct launch_plan *plan, struct err *err)
{
	const struct oci_process *process = &plan->config->process;

	if (process->args.count == 0)
		return err_set(err, EINVAL, "no command to run; the image names none, so give one");
	plan->keeps_groups =
		strlist_contains(&plan->config->annotations, "run.oci.keep_original_groups=1");
	plan->cwd = process->cwd && *process->cwd ? process->cwd : "/";
	if (plan->cwd[0] != '/')
		return err_set(err, EINVAL, "working directory '%s': not an absolute path",
			       plan->cwd);

	const char *command = process->args.items[0];
	if (strchr(command, '/') || !*command) {
		strlist_add(&plan->candidates, command);
		return 0;
	}
	const char *path = strlist_env_get(&process->env, "PATH");
	autostrlist struct strlist directories = STRLIST_EMPTY;
	strlist_split(&directories, path ? path : DEFAULT_PATH, ':');
	for (size_t i = 0; i < directories.count; i++)
		strlist_addf(&plan->candidates, "%s/%s",
			     *directories.items[i] ? directories.items[i] : ".", command);
	plan->searched_path = true;
	return 0;
}

/* Whether the container could write to the program that makes it. */
static bool program_is_exposed(const struct launch_plan *plan)
{
	struct stat st;

	if (!plan->is_in_user_namespace || stat("/proc/self/exe", &st) < 0)
		return true;
	if (st.st_mode & S_IWOTH)
		return true;
	/* Who owns it is somebody inside? */
	for (size_t i = 0; i < plan->map.uid_count; i++)
		if (st.st_uid - plan->map.uid[i].outside < plan->map.uid[i].size)
			return true;
	for (size_t i = 0; (st.st_mode & S_IWGRP) && i < plan->map.gid_count; i++)
		if (st.st_gid - plan->map.gid[i].outside < plan->map.gid[i].size)
			return true;
	return false;
}

static int plan_filters(struct launch_plan *plan, struct err *err)
{
	const struct oci_runtime_config *config = plan->config;
	bool is_listening = config->seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;

	bool has_listener = is_listening || config->seccomp_recording.count;

	if (!is_listening)
		plan->filter = config->seccomp;
	if (is_listening && config->seccomp_recording.count)
		return err_set(err, EBUSY,
			       "linux.seccomp: calls that an agent is notified of cannot be "
			       "recorded as well, since there can be one listener only");
	if (!has_listener && !(plan->enters_container && plan->filter.count))
		return 0;
	if (getrandom(plan->filter_key, sizeof(plan->filter_key), 0) < 0)
		return err_errno(err, "get random bytes");
	int r = 0;
	if (has_listener)
		r = seccomp_filter_add_door(is_listening ? &config->seccomp
							 : &config->seccomp_recording,
					    plan->filter_key, &plan->listening, err);
	if (r == 0 && plan->enters_container && plan->filter.count) {
		r = seccomp_filter_add_door(&config->seccomp, plan->filter_key, &plan->own_filter,
					    err);
		plan->filter = plan->own_filter;
	}
	return r;
}

/* The stub's arguments, ended by the command's own; see exec-command.h. */
static void plan_stub(struct launch_plan *plan)
{
	const struct oci_process *process = &plan->config->process;
	const struct seccomp_filter *filter = &plan->filter;

#ifdef HAVE_EXEC_STUB
	/* With a security label the label protects, and may not let a memfd be executed. */
	plan->use_stub = !process->apparmor_profile && !process->selinux_label &&
			 (plan->enters_container || program_is_exposed(plan));
#endif
	if (!plan->use_stub)
		return;
	strlist_add(&plan->stub_args, "davit-exec");
	strlist_addf(&plan->stub_args, "%zu", plan->candidates.count);
	strlist_addf(&plan->stub_args, "%zu", child_stub_size);
	strlist_addf(&plan->stub_args, "%zu", process->no_new_privileges ? filter->count : 0);
	strlist_addf(&plan->stub_args, "%u", filter->flags);
	strlist_addf(&plan->stub_args, "%zu",
		     process->no_new_privileges && plan->listening.count
			     ? child_stub_size + filter->count * sizeof(struct sock_filter)
			     : 0);
	strlist_addf(&plan->stub_args, "%u", EXEC_CONTROL_FD + process->preserve_fds);
	strlist_addf(&plan->stub_args, "%d",
		     !plan->enters_container ? EXEC_NO_FORK
		     : process->terminal     ? EXEC_FORK_WITH_TERMINAL
					     : EXEC_FORK);
	for (int i = 0; i < SECCOMP_KEY_WORDS; i++)
		strlist_addf(&plan->stub_args, "%" PRIu64, plan->filter_key[i]);
	strlist_extend(&plan->stub_args, &plan->candidates);
	size_t own = plan->stub_args.count;
	plan->stub_argv = xcalloc(own + process->args.count + 1, sizeof(char *));
	memcpy(plan->stub_argv, plan->stub_args.items, own * sizeof(char *));
	memcpy(plan->stub_argv + own, process->args.items, process->args.count * sizeof(char *));
}

static void plan_hooks(struct launch_plan *plan)
{
	static const enum oci_hook_point inside[] = {
		OCI_HOOK_CREATE_CONTAINER,
		OCI_HOOK_START_CONTAINER,
	};
	const struct oci_hooks *hooks = plan->config->hooks;

	plan->has_creation_hooks = hooks[OCI_HOOK_PRESTART].count ||
				   hooks[OCI_HOOK_CREATE_RUNTIME].count ||
				   hooks[OCI_HOOK_CREATE_CONTAINER].count;
	for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
		struct plan_state *state = &plan->hook_states[inside[i]];
		if (hooks[inside[i]].count)
			state->text =
				oci_runtime_state_text(plan->config, "created", &state->pid_at);
	}
}

int launch_plan_make(const struct oci_runtime_config *config, bool joins_user_namespace,
		     struct launch_plan **ret_plan, struct err *err)
{
	struct launch_plan *plan = xcalloc(1, sizeof(*plan));

	plan->config = config;
	int r = plan_own_namespaces(plan, joins_user_namespace, err);
	plan_time(plan);
	if (r >= 0)
		r = plan_root(plan, err);
	if (r >= 0)
		r = plan_mounts(plan, err);
	if (r >= 0)
		r = plan_devices(plan, err);
	if (r >= 0)
		r = plan_sysctls(plan, err);
	if (r >= 0)
		r = plan_rlimits(plan, err);
	if (r >= 0)
		r = plan_command(plan, err);
	if (r >= 0)
		r = plan_filters(plan, err);
	if (r >= 0) {
		plan_hooks(plan);
		plan_stub(plan);
	}
	if (r < 0) {
		launch_plan_free(plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

/* "0-3,7" */
static int parse_cpus(const char *text, const char *name, cpu_set_t **ret_cpus, struct err *err)
{
	const char *at = text;
	int64_t first, last;

	if (!text || !*text)
		return 0;
	*ret_cpus = xcalloc(1, sizeof(**ret_cpus));
	for (;;) {
		if (number_take(&at, 0, CPU_SETSIZE - 1, &first) < 0)
			break;
		last = first;
		if (*at == '-' && (at++, number_take(&at, first, CPU_SETSIZE - 1, &last) < 0))
			break;
		for (int64_t cpu = first; cpu <= last; cpu++)
			CPU_SET((size_t)cpu, *ret_cpus);
		if (!*at)
			return 0;
		if (*at++ != ',')
			break;
	}
	return err_set(
		err, EINVAL,
		"process.execCPUAffinity.%s: '%s' is not a list of processors such as '0-3,7'",
		name, text);
}

/* The process forks after it has been set. */
static int check_entry_scheduler(const struct oci_scheduler *scheduler, struct err *err)
{
	if (scheduler->policy == SCHED_DEADLINE)
		return err_set(
			err, ENOTSUP,
			"process.scheduler.policy: SCHED_DEADLINE ends with a fork, so a process "
			"that enters a container cannot have it; leave it out");
	if (scheduler->policy >= 0 && scheduler->flags & SCHED_FLAG_RESET_ON_FORK)
		return err_set(
			err, ENOTSUP,
			"process.scheduler.flags: with SCHED_FLAG_RESET_ON_FORK nothing is left of "
			"it in a process that enters a container; leave it out");
	return 0;
}

int launch_plan_make_entry(const struct oci_process *process, const struct seccomp_filter *filter,
			   const struct seccomp_filter *recording, const struct userns_map *map,
			   bool groups_are_fixed, struct launch_plan **ret_plan, struct err *err)
{
	struct launch_plan *plan = xcalloc(1, sizeof(*plan));

	plan->own_config = xcalloc(1, sizeof(*plan->own_config));
	plan->own_config->process = *process;
	if (filter)
		plan->own_config->seccomp = *filter;
	if (recording)
		plan->own_config->seccomp_recording = *recording;
	plan->own_config->uid_maps = map->uid;
	plan->own_config->uid_map_count = map->uid_count;
	plan->own_config->gid_maps = map->gid;
	plan->own_config->gid_map_count = map->gid_count;
	plan->config = plan->own_config;
	plan->map = *map;
	plan->enters_container = true;
	plan->pid_namespace_is_joined =
		true; /* or its own from the start: strangers all the same */
	plan->is_in_user_namespace = map->uid_count > 0;
	plan->groups_are_fixed = groups_are_fixed;
	plan_root_ids(plan);
	int r = check_entry_scheduler(&process->scheduler, err);
	if (r >= 0)
		r = plan_rlimits(plan, err);
	if (r >= 0)
		r = parse_cpus(process->initial_cpu_affinity, "initial", &plan->initial_cpus, err);
	if (r >= 0)
		r = parse_cpus(process->final_cpu_affinity, "final", &plan->final_cpus, err);
	if (r >= 0)
		r = plan_command(plan, err);
	if (r >= 0)
		r = plan_filters(plan, err);
	if (r < 0) {
		launch_plan_free(plan);
		return r;
	}
	plan_stub(plan);
	*ret_plan = plan;
	return 0;
}

void launch_plan_free(struct launch_plan *plan)
{
	if (!plan)
		return;
	if (plan->own_config) {
		free(plan->own_config->uid_maps);
		free(plan->own_config->gid_maps);
		free(plan->own_config);
	}
	free(plan->time_offsets);
	free(plan->initial_cpus);
	free(plan->final_cpus);
	for (int i = 0; i < OCI_HOOK_POINT_COUNT; i++)
		free(plan->hook_states[i].text);
	free(plan->overlay_fallback);
	free(plan->volatile_mark);
	for (size_t i = 0; i < plan->mount_count; i++)
		mount_options_clear(&plan->mounts[i].options);
	free(plan->mounts);
	free(plan->devices);
	for (size_t i = 0; i < plan->sysctl_count; i++)
		free(plan->sysctls[i].path);
	free(plan->sysctls);
	free(plan->rlimits);
	seccomp_filter_clear(&plan->listening);
	seccomp_filter_clear(&plan->own_filter);
	strlist_clear(&plan->candidates);
	strlist_clear(&plan->stub_args);
	free(plan->stub_argv);
	free(plan);
}
