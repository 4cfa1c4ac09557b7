/* Version 2: one tree for all controllers.
 *
 * A group has the files of those controllers that its parent has enabled for its children, and
 * enabling is not for a parent with processes of its own (EBUSY), except for the root. Root
 * therefore has its groups directly below the root of the tree. An ordinary user has them where the
 * tree was given to the user: at the nearest ancestor of the caller's own group that the user may
 * write to and that can still enable what is asked for, and in the own group only where the user may
 * write to no other.
 *
 * Controllers are enabled when a limit's file turns out to be missing: normally the container before
 * has done it. */
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"

#define FREEZE_TIMEOUT_MSEC 10000

static const char *const controllers[CGROUP_CONTROLLER_COUNT] = {
	[CGROUP_PIDS] = "pids",	    [CGROUP_MEMORY] = "memory", [CGROUP_CPU] = "cpu",
	[CGROUP_CPUSET] = "cpuset", [CGROUP_IO] = "io",		[CGROUP_HUGETLB] = "hugetlb",
	[CGROUP_RDMA] = "rdma",
};

/* ---- controllers ---- */

/* Whether enabling a controller for its children would not do: the kernel refuses that for memory
 * and io, but for pids and cpu it turns a group with processes of its own into one of threads, whose
 * children take no processes at all. The root of the host's tree, which has no type, is exempt. */
static bool is_populated(int dir_fd)
{
	char byte;

	if (faccessat(dir_fd, "cgroup.type", F_OK, 0) < 0)
		return false;
	autoclose int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, &byte, 1);
	return n > 0 || (n < 0 && errno == EOPNOTSUPP); /* threads have no list of processes */
}

/* For the children of `path`. 0 or -errno; ENOENT is what the kernel says of one that its own
 * parent has not enabled. */
static int enable(const char *path, enum cgroup_controller controller)
{
	char text[32];

	snprintf(text, sizeof(text), "+%s", controllers[controller]);
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && is_populated(fd))
		return -EBUSY;
	int r = fd < 0 ? -errno : cgroup_write(fd, "cgroup.subtree_control", text);
	return r == -EINVAL ? -ENODEV : r; /* no controller of this name is in the whole tree */
}

/* In every directory from `base` down to the parent of `path`. */
static int enable_down_to(const char *base, const char *path, enum cgroup_controller controller)
{
	autofree char *prefix = xstrdup(path);

	for (size_t at = strlen(base); path[at]; at += 1 + strcspn(path + at + 1, "/")) {
		prefix[at] = '\0';
		int r = enable(prefix, controller);
		if (r < 0)
			return r;
		prefix[at] = '/';
	}
	return 0;
}

/* ---- where an ordinary user's groups are ---- */

int cgroup_v2_own_group(struct strbuf *path)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	int r = cgroup_read(AT_FDCWD, "/proc/self/cgroup", &text);
	if (r < 0)
		return r;
	const char *line = strstr(strbuf_text(&text), "0::");
	if (!line || (line != text.data && line[-1] != '\n'))
		return -ENOENT;
	line += 3;
	size_t size = strcspn(line, "\n");
	/* "/../x" is outside of what our cgroup namespace shows. */
	if (size >= 3 && strncmp(line, "/..", 3) == 0)
		return -ENOENT;
	strbuf_adds(path, CGROUP_ROOT);
	if (size > 1)
		strbuf_add(path, line, size);
	return 0;
}

static bool may_manage(const char *path)
{
	autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) == 0 &&
	       faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0 &&
	       faccessat(fd, "cgroup.subtree_control", W_OK, AT_EACCESS) == 0;
}

/* How many of the limits' controllers `path` cannot give to its children. */
static unsigned count_missing(const char *path, const struct cgroup_settings *settings)
{
	unsigned tried = 0, missing = 0;

	for (size_t i = 0; i < settings->count; i++) {
		enum cgroup_controller controller = settings->items[i].controller;
		if (controller == CGROUP_CONTROLLER_COUNT || (tried & (1U << controller)))
			continue;
		tried |= 1U << controller;
		if (enable(path, controller) < 0)
			missing++;
	}
	return missing;
}

/* The directory below which groups are made: NULL if the user has none. */
static char *find_base(const struct cgroup_settings *settings)
{
	autostrbuf struct strbuf path = STRBUF_EMPTY;
	unsigned best_missing = UINT_MAX;
	bool best_is_own = false;
	autofree char *best = NULL;

	if (cgroup_v2_own_group(&path) < 0)
		return NULL;
	for (bool is_own = true; may_manage(strbuf_text(&path)); is_own = false) {
		unsigned missing = count_missing(strbuf_text(&path), settings);
		/* Our own is the last choice: it has us in it, and ends with the unit that it is of. */
		if (missing < best_missing || (best_is_own && missing == best_missing)) {
			best_is_own = is_own;
			best_missing = missing;
			free(best);
			best = xstrdup(strbuf_text(&path));
		}
		if ((missing == 0 && !is_own) || path.size <= strlen(CGROUP_ROOT))
			break;
		path.size = (size_t)(strrchr(path.data, '/') - path.data);
		path.data[path.size] = '\0';
	}
	return take_ptr(&best);
}

/* ---- making ---- */

static const char *remedy_for(int code, const struct cgroup_setting *setting, struct strbuf *text)
{
	const char *controller = setting->controller == CGROUP_CONTROLLER_COUNT
					 ? NULL
					 : controllers[setting->controller];

	if (code == ERANGE && setting->controller == CGROUP_CPUSET)
		return "this host does not have them all; see lscpu(1)";
	if (!controller)
		return code == ENOENT ? "this kernel does not have it" : NULL;
	if (code == EROFS)
		return "the control groups are read-only here, as inside a container";
	if (code != EACCES && code != EPERM && code != ENOENT && code != EBUSY && code != ENODEV)
		return NULL;
	if (geteuid() != 0)
		strbuf_addf(
			text,
			"needs a delegated cgroup with the %s controller%s; see davit-rootless(7)",
			controller,
			access("/run/systemd/system", F_OK) == 0
				? ", as after 'systemd-run --user --scope -p Delegate=yes'"
				: "");
	else if (code == EBUSY)
		return "the control group that davit may use has processes of its own, which "
		       "keeps it from having limits below";
	else
		strbuf_addf(text, "this host's cgroups do not have the %s controller", controller);
	return strbuf_text(text);
}

static int apply(const char *base, const struct cgroup_directory *directory,
		 const struct cgroup_setting *setting)
{
	int r = cgroup_apply(directory->fd, setting);

	if (r != -ENOENT || setting->controller == CGROUP_CONTROLLER_COUNT)
		return r;
	r = enable_down_to(base, directory->path, setting->controller);
	return r < 0 ? r : cgroup_apply(directory->fd, setting);
}

static int apply_settings(const char *base, struct cgroup *group,
			  const struct cgroup_settings *settings, struct strlist *left_out,
			  struct err *err)
{
	for (size_t i = 0; i < settings->count; i++) {
		autostrbuf struct strbuf remedy = STRBUF_EMPTY;
		const struct cgroup_setting *setting = &settings->items[i];
		int r = apply(base, &group->directories[0], setting);
		if (r < 0)
			r = cgroup_leave_out(setting, -r, remedy_for(-r, setting, &remedy),
					     left_out, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* No group at all: the defaults are left out, a wish is an error. */
static int do_without(const struct cgroup_settings *settings, int code, struct strlist *left_out,
		      bool *ret_none, struct err *err)
{
	for (size_t i = 0; i < settings->count; i++) {
		autostrbuf struct strbuf remedy = STRBUF_EMPTY;
		const struct cgroup_setting *setting = &settings->items[i];
		int r = cgroup_leave_out(setting, code, remedy_for(code, setting, &remedy),
					 left_out, err);
		if (r < 0)
			return r;
	}
	*ret_none = true;
	return 0;
}

static bool is_root_of_the_host(void)
{
	char text[64] = "";

	autoclose int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	return geteuid() == 0 && n > 0 && strstr(text, "4294967295");
}

/* Where to begin to enable controllers: systemd hands on only those that it knows, but the groups above a user's are
 * others'. */
static const char *enabling_top(const char *base)
{
	return faccessat(AT_FDCWD, CGROUP_ROOT "/cgroup.subtree_control", W_OK, AT_EACCESS) == 0
		       ? CGROUP_ROOT
		       : base;
}

static int limit_devices(const struct cgroup *group, const struct cgroup_resources *resources,
			 struct err *err)
{
	/* Users cannot attach programs, nor have devices that they could not open anyway. */
	if (!cgroup_devices_are_limited(resources) || geteuid() != 0)
		return 0;
	int r = cgroup_devices_attach(group->directories[0].fd, resources->devices,
				      resources->device_count);
	if (r == 0 || (r == -EPERM && !is_root_of_the_host()))
		return 0;
	return err_set(err, -r, "set the device rules of control group '%s': %s", group->name,
		       strerror(-r));
}

static bool is_refusal(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

static int create_below(struct cgroup *group, const struct cgroup_settings *settings,
			struct strlist *left_out, bool *ret_none, struct err *err)
{
	autofree char *path = xasprintf("%s/%s", group->base, group->name);

	int r = cgroup_make_directory(path, &group->is_new);
	if (is_refusal(r))
		return do_without(settings, -r, left_out, ret_none, err);
	if (r == 0)
		r = cgroup_add_directory(group, path, CGROUP_CONTROLLER_COUNT);
	if (r < 0)
		return err_set(err, -r, "make control group '%s': %s", path, strerror(-r));
	const char *top = settings->count ? enabling_top(group->base) : group->base;
	return apply_settings(top, group, settings, left_out, err);
}

static int create(struct cgroup *group, const struct cgroup_resources *resources,
		  struct strlist *left_out, bool *ret_none, struct err *err)
{
	struct cgroup_settings settings;

	int r = cgroup_settings_plan_v2(resources, &settings, err);
	if (r < 0)
		return r;
	if (!group->base)
		group->base = geteuid() == 0 ? xstrdup(CGROUP_ROOT) : find_base(&settings);
	if (!group->base)
		r = do_without(&settings, EACCES, left_out, ret_none, err);
	else
		r = create_below(group, &settings, left_out, ret_none, err);
	cgroup_settings_clear(&settings);
	return r;
}

/* ---- finding ---- */

/* An absolute one is taken as it is: cgroup_location() said it. */
static int find(struct cgroup *group, struct err *err)
{
	static const char location[] = "sys/fs/cgroup/";
	autostrbuf struct strbuf base = STRBUF_EMPTY;

	if (strncmp(group->name, location, strlen(location)) == 0) {
		autofree char *path = xasprintf("/%s", group->name);
		(void)cgroup_add_directory(group, path, CGROUP_CONTROLLER_COUNT);
		return 0;
	}
	if (geteuid() == 0)
		strbuf_adds(&base, CGROUP_ROOT);
	else if (cgroup_v2_own_group(&base) < 0)
		return 0;
	while (group->count == 0) {
		autofree char *path = xasprintf("%s/%s", strbuf_text(&base), group->name);
		int r = cgroup_add_directory(group, path, CGROUP_CONTROLLER_COUNT);
		if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EACCES)
			return err_set(err, -r, "open control group '%s': %s", path, strerror(-r));
		if (base.size <= strlen(CGROUP_ROOT))
			break;
		base.size = (size_t)(strrchr(base.data, '/') - base.data);
		base.data[base.size] = '\0';
	}
	return 0;
}

/* ---- use ---- */

static void kill_all(const struct cgroup *group)
{
	(void)cgroup_write(group->directories[0].fd, "cgroup.kill", "1"); /* since Linux 5.14 */
}

static int wait_for_event(const struct cgroup *group, const char *line)
{
	autoclose int fd = openat(group->directories[0].fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (;;) {
		struct pollfd changed = { .fd = fd, .events = POLLPRI };
		char text[256];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (strstr(text, line))
			return 0;
		int r = poll(&changed, 1, FREEZE_TIMEOUT_MSEC);
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int freeze(struct cgroup *group, bool frozen, struct err *err)
{
	int fd = group->directories[0].fd;

	int r = cgroup_write(fd, "cgroup.freeze", frozen ? "1" : "0");
	if (r == 0)
		r = wait_for_event(group, frozen ? "frozen 1" : "frozen 0");
	if (r == -ETIMEDOUT && frozen)
		(void)cgroup_write(fd, "cgroup.freeze", "0"); /* not half of them */
	return r < 0 ? err_set(err, -r, "%s control group '%s': %s", frozen ? "freeze" : "thaw",
			       group->name, strerror(-r))
		     : 0;
}

/* v1 refuses that by itself. */
static int check_usage(const struct cgroup *group, const struct cgroup_resources *resources,
		       struct err *err)
{
	uint64_t used;

	if (!resources->memory_check_before_update || resources->memory_limit <= 0 ||
	    !cgroup_read_number(group->directories[0].fd, "memory.current", &used) ||
	    used <= (uint64_t)resources->memory_limit)
		return 0;
	return err_set(err, EBUSY, "memory limit '%" PRId64 "': %" PRIu64 " bytes are in use",
		       resources->memory_limit, used);
}

static int update(struct cgroup *group, const struct cgroup_resources *resources, struct err *err)
{
	struct cgroup_settings settings;

	int r = check_usage(group, resources, err);
	if (r == 0)
		r = cgroup_settings_plan_v2(resources, &settings, err);
	if (r < 0)
		return r;
	const char *path = group->directories[0].path;
	autofree char *base = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	r = apply_settings(enabling_top(base), group, &settings, NULL, err);
	cgroup_settings_clear(&settings);
	return r;
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 …" lines. */
static bool read_io(int dir_fd, struct cgroup_statistics *statistics)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (cgroup_read(dir_fd, "io.stat", &text) < 0)
		return false;
	for (const char *at = strbuf_text(&text); (at = strstr(at, "bytes=")); at += 6) {
		unsigned long long bytes = strtoull(at + 6, NULL, 10);
		if (at > text.data && at[-1] == 'r')
			statistics->read_bytes += bytes;
		else if (at > text.data && at[-1] == 'w')
			statistics->write_bytes += bytes;
	}
	return true;
}

static void read_statistics(const struct cgroup *group, struct cgroup_statistics *statistics)
{
	int fd = group->directories[0].fd;
	uint64_t cache;

	statistics->has_cpu =
		cgroup_read_key(fd, "cpu.stat", "usage_usec", &statistics->cpu_usec) &&
		cgroup_read_key(fd, "cpu.stat", "user_usec", &statistics->cpu_user_usec) &&
		cgroup_read_key(fd, "cpu.stat", "system_usec", &statistics->cpu_system_usec);
	(void)cgroup_read_key(fd, "cpu.stat", "nr_throttled", &statistics->throttled_periods);
	(void)cgroup_read_key(fd, "cpu.stat", "throttled_usec", &statistics->throttled_usec);
	if (cgroup_read_number(fd, "memory.current", &statistics->memory_bytes)) {
		statistics->has_memory = true;
		if (cgroup_read_key(fd, "memory.stat", "inactive_file", &cache) &&
		    cache < statistics->memory_bytes)
			statistics->memory_bytes -= cache;
		(void)cgroup_read_number(fd, "memory.max", &statistics->memory_limit_bytes);
		(void)cgroup_read_key(fd, "memory.events", "oom_kill", &statistics->oom_kills);
	}
	if (cgroup_read_number(fd, "pids.current", &statistics->pids)) {
		statistics->has_pids = true;
		(void)cgroup_read_number(fd, "pids.max", &statistics->pids_limit);
	}
	statistics->has_io = read_io(fd, statistics);
}

static const struct cgroup_directory *memory_directory(const struct cgroup *group)
{
	return &group->directories[0];
}

const struct cgroup_ops cgroup_v2_ops = {
	.create = create,
	.limit_devices = limit_devices,
	.open = find,
	.kill = kill_all,
	.freeze = freeze,
	.update = update,
	.read_statistics = read_statistics,
	.memory_directory = memory_directory,
	.oom_file = "memory.events",
	.clones_into = true,
};
