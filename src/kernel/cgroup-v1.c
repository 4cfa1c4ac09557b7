/* Version 1, alone or beside an empty v2 tree ("hybrid"): a hierarchy a controller, each mounted in
 * a directory of its name.
 *
 * Every directory costs the start of a container 0.03 to 0.07 ms and as much at its end, so a group
 * is made only where there is something to set, or for one hierarchy at least, to find the
 * container's processes by. The others know the container's processes as the caller's. Only root
 * can make groups here: v1 cannot be delegated safely. */
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strlist.h"

#define FREEZE_TIMEOUT_MSEC 2000

static const char *const hierarchies[CGROUP_CONTROLLER_COUNT] = {
	[CGROUP_PIDS] = "pids",	      [CGROUP_MEMORY] = "memory",     [CGROUP_DEVICES] = "devices",
	[CGROUP_CPU] = "cpu",	      [CGROUP_CPUSET] = "cpuset",     [CGROUP_IO] = "blkio",
	[CGROUP_HUGETLB] = "hugetlb", [CGROUP_FREEZER] = "freezer",   [CGROUP_RDMA] = "rdma",
	[CGROUP_NET_CLS] = "net_cls", [CGROUP_NET_PRIO] = "net_prio",
};

/* Where processes are found when nothing is limited, in this order. */
static const enum cgroup_controller trackers[] = { CGROUP_PIDS, CGROUP_FREEZER, CGROUP_DEVICES,
						   CGROUP_CPU, CGROUP_MEMORY };

static struct cgroup_directory *find_directory(const struct cgroup *group,
					       enum cgroup_controller controller)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->directories[i].controller == controller)
			return (struct cgroup_directory *)&group->directories[i];
	return NULL;
}

/* A new group in this hierarchy. 0 or -errno; -ENODEV if the host does not have it. */
static int make_directory(struct cgroup *group, enum cgroup_controller controller)
{
	autofree char *path = xasprintf(CGROUP_ROOT "/%s/%s", hierarchies[controller], group->name);
	bool is_new = false;

	int r = cgroup_make_directory(path, &is_new);
	if (r == 0)
		r = cgroup_add_directory(group, path, controller);
	if (r == 0 && is_new)
		group->is_new = true;
	/* Nothing of that name, or just a directory of the tmpfs that the hierarchies are in. */
	if (r == -ENOENT || r == -EINVAL)
		r = -ENODEV;
	return r;
}

static bool has_hierarchy(enum cgroup_controller controller)
{
	autofree char *path = xasprintf(CGROUP_ROOT "/%s", hierarchies[controller]);
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC;
}

/* The directory for this controller, made when it is needed for the first time. */
static int need_directory(struct cgroup *group, enum cgroup_controller controller,
			  struct cgroup_directory **ret_directory)
{
	*ret_directory = find_directory(group, controller);
	if (*ret_directory)
		return 0;
	if (!has_hierarchy(controller))
		return -ENODEV;
	int r = make_directory(group, controller);
	if (r < 0)
		return r;
	*ret_directory = &group->directories[group->count - 1];
	return 0;
}

static const char *remedy_for(int code, const struct cgroup_setting *setting)
{
	bool refused = code == EACCES || code == EPERM || code == EROFS;

	if (refused && geteuid() != 0)
		return "ordinary users cannot set limits on a host with cgroup v1; boot it with "
		       "systemd.unified_cgroup_hierarchy=1, or see davit-rootless(7)";
	if (refused)
		return "the control groups are read-only here, as inside a container";
	if (code == ENODEV)
		return "this host has no cgroup controller for it; it may be disabled on the "
		       "kernel's command line";
	if (code == ENOENT && setting->controller == CGROUP_MEMORY)
		return "this kernel does not account it; boot with swapaccount=1";
	if (code == ENOENT)
		return "this kernel does not have it";
	if (code == EBUSY && setting->controller == CGROUP_MEMORY)
		return "more than that is in use";
	if ((code == ERANGE || code == EACCES) && setting->controller == CGROUP_CPUSET)
		return "this host, or the cgroup above, does not have them all; see lscpu(1)";
	return NULL;
}

/* ---- cpuset ---- */

/* New groups have neither processors nor memory nodes, and cannot be entered; they get all of
 * their parent's first. */
static int fill_cpuset(const char *path)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	autofree char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');
	int r = 0;

	*slash = '\0';
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		autostrbuf struct strbuf own = STRBUF_EMPTY, above = STRBUF_EMPTY;
		r = cgroup_read(fd, files[i], &own);
		if (r < 0 || (own.size && own.data[0] != '\n'))
			continue;
		/* The parent first, up to the hierarchy's root, which has them all. */
		if (strcmp(parent, CGROUP_ROOT "/cpuset") != 0)
			r = fill_cpuset(parent);
		autoclose int parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r == 0)
			r = parent_fd < 0 ? -errno : cgroup_read(parent_fd, files[i], &above);
		if (r == 0)
			r = cgroup_write(fd, files[i], strbuf_text(&above));
	}
	return r;
}

/* ---- devices ---- */

static int write_device_rule(int allow_fd, int deny_fd, const struct cgroup_device_rule *rule)
{
	char text[64];

	cgroup_device_rule_text(rule, text);
	return write(rule->allow ? allow_fd : deny_fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int set_devices(struct cgroup *group, const struct cgroup_resources *resources,
		       struct strlist *left_out, struct err *err)
{
	const struct cgroup_setting devices = { .controller = CGROUP_DEVICES, .is_default = true };
	struct cgroup_directory *directory;

	if (!cgroup_devices_are_limited(resources))
		return 0;
	int r = need_directory(group, CGROUP_DEVICES, &directory);
	if (r == -ENODEV)
		return cgroup_leave_out(&devices, ENODEV, NULL, left_out, err);
	if (r == 0) {
		autoclose int allow_fd =
			openat(directory->fd, "devices.allow", O_WRONLY | O_CLOEXEC);
		autoclose int deny_fd = openat(directory->fd, "devices.deny", O_WRONLY | O_CLOEXEC);
		for (size_t i = 0; r == 0 && i < resources->device_count; i++)
			r = write_device_rule(allow_fd, deny_fd, &resources->devices[i]);
	}
	if (r < 0) {
		errno = -r;
		return err_errno(err, "set the device rules of control group '%s'", group->name);
	}
	return 0;
}

/* ---- making ---- */

static int apply_settings(struct cgroup *group, const struct cgroup_settings *settings,
			  struct strlist *left_out, struct err *err)
{
	struct cgroup_directory *directory;

	for (size_t i = 0; i < settings->count; i++) {
		const struct cgroup_setting *setting = &settings->items[i];
		bool is_first = !find_directory(group, setting->controller);
		int r = need_directory(group, setting->controller, &directory);
		if (r == 0 && is_first && setting->controller == CGROUP_CPUSET)
			r = fill_cpuset(directory->path);
		if (r == 0)
			r = cgroup_apply(directory->fd, setting);
		if (r < 0)
			r = cgroup_leave_out(setting, -r, remedy_for(-r, setting), left_out, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One hierarchy at least. -errno if not even that. */
static int ensure_tracker(struct cgroup *group)
{
	struct cgroup_directory *directory;
	int r = 0;

	if (group->count)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(trackers); i++) {
		r = need_directory(group, trackers[i], &directory);
		if (r == 0)
			return 0;
	}
	return r;
}

static int open_entries(struct cgroup *group)
{
	for (size_t i = 0; i < group->count; i++) {
		int fd = openat(group->directories[i].fd, "tasks", O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		group->entry_fds[group->entry_count++] = fd;
	}
	return 0;
}

static bool is_refusal(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS || r == -ENODEV;
}

static int create(struct cgroup *group, const struct cgroup_resources *resources,
		  struct strlist *left_out, bool *ret_none, struct err *err)
{
	struct cgroup_settings settings;

	int r = cgroup_settings_plan_v1(resources, &settings, err);
	if (r < 0)
		return r;
	r = apply_settings(group, &settings, left_out, err);
	cgroup_settings_clear(&settings);
	if (r < 0)
		return r;
	r = ensure_tracker(group);
	if (is_refusal(r)) {
		*ret_none = true;
		return 0;
	}
	if (r == 0)
		r = set_devices(group, resources, left_out, err);
	else
		r = err_set(err, -r, "make control group '%s': %s", group->name, strerror(-r));
	if (r < 0)
		return r;
	r = open_entries(group);
	return r < 0 ? err_set(err, -r, "open control group '%s': %s", group->name, strerror(-r))
		     : 0;
}

/* "sys/fs/cgroup/pids/davit/ID", as cgroup_location() says it, is "davit/ID" in all hierarchies. */
static const char *name_in_hierarchies(const char *name)
{
	const char *root = CGROUP_ROOT;

	if (strncmp(name, root + 1, strlen(root + 1)) != 0 || name[strlen(root + 1)] != '/')
		return name;
	const char *slash = strchr(name + strlen(root + 1) + 1, '/');
	return slash ? slash + 1 : name;
}

static int find(struct cgroup *group, struct err *err)
{
	char *name = xstrdup(name_in_hierarchies(group->name));

	/* Directories that are made later, as for freezing, are of that name, too. */
	free(group->name);
	group->name = name;
	for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		autofree char *path = xasprintf(CGROUP_ROOT "/%s/%s", hierarchies[i], name);
		int r = cgroup_add_directory(group, path, (enum cgroup_controller)i);
		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			return err_set(err, -r, "open control group '%s': %s", path, strerror(-r));
	}
	return 0;
}

/* ---- use ---- */

/* Nothing forks away and nothing sleeps through its signal: frozen processes do not die of SIGKILL
 * in v1. Sending it is for the caller. */
static void prepare_kill(const struct cgroup *group)
{
	const struct cgroup_directory *pids = find_directory(group, CGROUP_PIDS);
	const struct cgroup_directory *freezer = find_directory(group, CGROUP_FREEZER);

	if (pids)
		(void)cgroup_write(pids->fd, "pids.max", "0"); /* the killing loop ends without */
	if (freezer)
		(void)cgroup_write(freezer->fd, "freezer.state", "THAWED");
}

/* A hierarchy that the group is not in yet: all processes move there, and those that they make
 * meanwhile, too. */
static int enter_hierarchy(struct cgroup *group, enum cgroup_controller controller,
			   struct cgroup_directory **ret_directory)
{
	bool is_new = !find_directory(group, controller);

	int r = need_directory(group, controller, ret_directory);
	if (r < 0 || !is_new)
		return r;
	if (controller == CGROUP_CPUSET)
		r = fill_cpuset((*ret_directory)->path);
	if (r < 0)
		return r;
	for (int round = 0; round < 100; round++) {
		autostrbuf struct strbuf all = STRBUF_EMPTY, there = STRBUF_EMPTY;
		r = cgroup_read(group->directories[0].fd, "cgroup.procs", &all);
		if (r == 0)
			r = cgroup_read((*ret_directory)->fd, "cgroup.procs", &there);
		if (r < 0 ||
		    (all.size == there.size && strcmp(strbuf_text(&all), strbuf_text(&there)) == 0))
			return r;
		for (char *pid = all.data, *end; pid && (end = strchr(pid, '\n')); pid = end + 1) {
			*end = '\0';
			r = cgroup_write((*ret_directory)->fd, "cgroup.procs", pid);
			if (r < 0 && r != -ESRCH)
				return r;
		}
	}
	return -EBUSY;
}

static int wait_frozen(const struct cgroup_directory *directory)
{
	/* "FREEZING" has no event; writing again makes the kernel try again. */
	for (int waited = 0; waited < FREEZE_TIMEOUT_MSEC; waited++) {
		autostrbuf struct strbuf state = STRBUF_EMPTY;
		int r = cgroup_write(directory->fd, "freezer.state", "FROZEN");
		if (r == 0)
			r = cgroup_read(directory->fd, "freezer.state", &state);
		if (r < 0 || strcmp(strbuf_text(&state), "FROZEN\n") == 0)
			return r;
		(void)poll(NULL, 0, 1);
	}
	(void)cgroup_write(directory->fd, "freezer.state", "THAWED"); /* not half of them */
	return -ETIMEDOUT;
}

static int freeze(struct cgroup *group, bool frozen, struct err *err)
{
	struct cgroup_directory *directory = find_directory(group, CGROUP_FREEZER);
	int r = 0;

	if (!frozen)
		r = directory ? cgroup_write(directory->fd, "freezer.state", "THAWED") : 0;
	else
		r = enter_hierarchy(group, CGROUP_FREEZER, &directory);
	if (frozen && r == 0)
		r = wait_frozen(directory);
	return r < 0 ? err_set(err, -r, "%s control group '%s': %s", frozen ? "freeze" : "thaw",
			       group->name, strerror(-r))
		     : 0;
}

/* The limit of memory and swap together may not be below that of memory, at no time. */
static int raise_swap_first(int dir_fd, const struct cgroup_settings *settings)
{
	for (size_t i = 0; i < settings->count; i++)
		if (strcmp(settings->items[i].file, "memory.memsw.limit_in_bytes") == 0)
			return cgroup_apply(dir_fd, &settings->items[i]);
	return cgroup_write(dir_fd, "memory.memsw.limit_in_bytes", "-1");
}

static int update(struct cgroup *group, const struct cgroup_resources *resources, struct err *err)
{
	struct cgroup_settings settings;
	struct cgroup_directory *directory;

	int r = cgroup_settings_plan_v1(resources, &settings, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < settings.count; i++) {
		const struct cgroup_setting *setting = &settings.items[i];
		r = enter_hierarchy(group, setting->controller, &directory);
		if (r == 0)
			r = cgroup_apply(directory->fd, setting);
		if (r == -EINVAL && strcmp(setting->file, "memory.limit_in_bytes") == 0 &&
		    raise_swap_first(directory->fd, &settings) == 0)
			r = cgroup_apply(directory->fd, setting);
		if (r < 0)
			r = cgroup_leave_out(setting, -r, remedy_for(-r, setting), NULL, err);
	}
	cgroup_settings_clear(&settings);
	return r;
}

/* "8:0 Read 4096" lines. */
static void read_io(const struct cgroup_directory *io, struct cgroup_statistics *statistics)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	int64_t bytes;

	if (cgroup_read(io->fd, "blkio.throttle.io_service_bytes", &text) < 0)
		return;
	statistics->has_io = true;
	for (const char *line = strbuf_text(&text); line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *word = strchr(line, ' '), *at = word ? strchr(word + 1, ' ') : NULL;
		if (!at || number_take(&(const char *){ at + 1 }, 0, INT64_MAX, &bytes) < 0)
			continue;
		if (strncmp(word, " Read ", 6) == 0)
			statistics->read_bytes += (uint64_t)bytes;
		else if (strncmp(word, " Write ", 7) == 0)
			statistics->write_bytes += (uint64_t)bytes;
	}
}

static void read_statistics(const struct cgroup *group, struct cgroup_statistics *statistics)
{
	const struct cgroup_directory *cpu = find_directory(group, CGROUP_CPU),
				      *memory = find_directory(group, CGROUP_MEMORY),
				      *pids = find_directory(group, CGROUP_PIDS),
				      *io = find_directory(group, CGROUP_IO);
	uint64_t nsec, cache;

	/* On most hosts both controllers are in one hierarchy. */
	if (cpu && cgroup_read_number(cpu->fd, "cpuacct.usage", &nsec)) {
		statistics->has_cpu = true;
		statistics->cpu_usec = nsec / 1000;
	}
	if (cpu) {
		(void)cgroup_read_key(cpu->fd, "cpu.stat", "nr_throttled",
				      &statistics->throttled_periods);
		if (cgroup_read_key(cpu->fd, "cpu.stat", "throttled_time", &nsec))
			statistics->throttled_usec = nsec / 1000;
	}
	if (memory &&
	    cgroup_read_number(memory->fd, "memory.usage_in_bytes", &statistics->memory_bytes)) {
		statistics->has_memory = true;
		if (cgroup_read_key(memory->fd, "memory.stat", "total_inactive_file", &cache) &&
		    cache < statistics->memory_bytes)
			statistics->memory_bytes -= cache;
		if (!cgroup_read_number(memory->fd, "memory.limit_in_bytes",
					&statistics->memory_limit_bytes) ||
		    statistics->memory_limit_bytes > UINT64_C(1) << 60)
			statistics->memory_limit_bytes = UINT64_MAX;
		(void)cgroup_read_key(memory->fd, "memory.oom_control", "oom_kill",
				      &statistics->oom_kills);
	}
	if (pids && cgroup_read_number(pids->fd, "pids.current", &statistics->pids)) {
		statistics->has_pids = true;
		(void)cgroup_read_number(pids->fd, "pids.max", &statistics->pids_limit);
	}
	if (io)
		read_io(io, statistics);
}

static const struct cgroup_directory *memory_directory(const struct cgroup *group)
{
	return find_directory(group, CGROUP_MEMORY);
}

const struct cgroup_ops cgroup_v1_ops = {
	.create = create,
	.open = find,
	.kill = prepare_kill,
	.freeze = freeze,
	.update = update,
	.read_statistics = read_statistics,
	.memory_directory = memory_directory,
	.oom_file = "memory.oom_control",
};
