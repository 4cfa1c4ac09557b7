/* An ordinary user may enter a namespace only from inside the user namespace that owns it. Containers
 * of one user mostly share theirs, see engine_join_pid(), but two that were started in the same
 * moment have one each: who joins another container is put into that one's.
 *
 * The other container's process may end and its number be given away at any time. Its descriptor is
 * opened first; while that still answers, what was opened by number is the container's. */
#include "engine/shared-namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/namespace-mode.h"
#include "engine/shared-userns.h"
#include "kernel/aside.h"
#include "kernel/pidfd.h"
#include "kernel/userns.h"

/* What a container that others join is called in /proc, and in podman's messages. */
static const struct {
	const char *file;
	const char *word;
	int type; /* as NS_GET_NSTYPE tells it */
} kinds[OCI_NS_COUNT] = {
	[OCI_NS_NETWORK] = { "net", "network", CLONE_NEWNET },
	[OCI_NS_PID] = { "pid", "process", CLONE_NEWPID },
	[OCI_NS_IPC] = { "ipc", "IPC", CLONE_NEWIPC },
	[OCI_NS_UTS] = { "uts", "UTS", CLONE_NEWUTS },
	[OCI_NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
};

/* A running container whose namespaces are joined. */
struct donor {
	struct container *container;
	struct container_spec *spec;
	int pid_fd;
};

static void donor_clear(struct donor *donor)
{
	container_free(donor->container);
	container_spec_free(donor->spec);
	fd_close(&donor->pid_fd);
}
#define autodonor __attribute__((cleanup(donor_clear)))

static int donor_find(struct engine *engine, const char *id, struct donor *donor, struct err *err)
{
	int r = container_find(engine, id, CONTAINER_WITH_SPEC, &donor->container, err);
	return r < 0 ? r : container_spec_of(donor->container, &donor->spec, err);
}

static int donor_open(struct engine *engine, const char *id, enum oci_namespace ns,
		      struct donor *donor, struct err *err)
{
	int r = donor_find(engine, id, donor, err);
	if (r < 0)
		return r;
	struct container *container = donor->container;
	if (container_is_alive(container))
		donor->pid_fd = pidfd_open_process(container->run.pid);
	/* Asked after opening: had the number been given away before, this would tell. */
	container_refresh(engine, container, 0);
	if (donor->pid_fd < 0 || !container_is_alive(container))
		return err_set(err, ESRCH,
			       "container %s, whose %s namespace is to be shared, is not running; "
			       "start it with 'davit start %s'",
			       container->name, kinds[ns].word, container->name);
	return 0;
}

static int donor_namespace(const struct donor *donor, const char *file, struct err *err)
{
	autofree char *path = xasprintf("/proc/%d/ns/%s", (int)donor->container->run.pid, file);

	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code = errno;
	/* A process that has ended has no namespaces, and its number may be another's. */
	if ((fd < 0 && (code == ENOENT || code == ESRCH)) || pidfd_signal(donor->pid_fd, 0) < 0)
		return err_set(
			err, ESRCH,
			"container %s has just ended, and its namespaces with it; see 'davit "
			"logs %s'",
			donor->container->name, donor->container->name);
	errno = code;
	if (fd < 0)
		return err_errno(err, "container %s: open '%s'", donor->container->name, path);
	return take_fd(&fd);
}

static bool is_same_file(int a_fd, int b_fd)
{
	struct stat a, b;

	return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* Whether it is the one that we are in ourselves: the host's. */
static bool is_ours(int fd, const char *file)
{
	autofree char *path = xasprintf("/proc/self/ns/%s", file);

	autoclose int own_fd = open(path, O_RDONLY | O_CLOEXEC);
	return own_fd >= 0 && is_same_file(fd, own_fd);
}

/* ---- user namespaces ---- */

static bool read_extents(const char *path, const struct id_extent *extents, size_t count)
{
	FILE *file = fopen(path, "re");
	unsigned inside, outside, size;
	bool same = true;
	size_t at = 0;

	if (!file)
		return false;
	for (; same && fscanf(file, "%u %u %u", &inside, &outside, &size) == 3; at++)
		same = at < count && extents[at].inside == inside &&
		       extents[at].outside == outside && extents[at].size == size;
	fclose(file);
	return same && at == count;
}

static bool process_has_map(const char *process, const struct userns_map *map)
{
	autofree char *uid_map = xasprintf("/proc/%s/uid_map", process);
	autofree char *gid_map = xasprintf("/proc/%s/gid_map", process);

	return read_extents(uid_map, map->uid, map->uid_count) &&
	       read_extents(gid_map, map->gid, map->gid_count);
}

/* Aside, for there is no way back. Others may live in there already, who shall not look into us even
 * with every capability; the memory is our parent's, which is what may be looked into, so the parent
 * undoes this. */
static int enter_user_namespace(int userns_fd, struct err *err)
{
	(void)prctl(PR_SET_DUMPABLE, 0);
	return setns(userns_fd, CLONE_NEWUSER) < 0 ? err_errno(err, "enter the user namespace") : 0;
}

static int run_inside(int (*body)(void *arg, struct err *err), void *arg, struct err *err)
{
	int r = aside_run(ASIDE_SHARE_FILES, body, arg, err);

	(void)prctl(PR_SET_DUMPABLE, 1);
	return r;
}

struct map_question {
	int userns_fd;
	const struct userns_map *map;
};

static int compare_map(void *arg, struct err *err)
{
	const struct map_question *question = arg;

	int r = enter_user_namespace(question->userns_fd, err);
	return r < 0 ? r : process_has_map("self", question->map);
}

/* Note that this user namespace has to be entered. `donor` NULL: it owns what is behind a path. */
static int need_user_namespace(struct shared_namespaces *shared, int userns_fd,
			       const struct userns_map *map, const struct donor *donor,
			       struct err *err)
{
	if (shared->userns_fd >= 0) {
		if (is_same_file(shared->userns_fd, userns_fd))
			return 0;
		return err_set(err, EINVAL,
			       "the namespaces to be joined belong to different user namespaces; "
			       "start the other containers one after another, or join one only");
	}
	if (!userns_is_our_child(userns_fd))
		return err_set(err, EPERM,
			       "the namespaces to be joined do not belong to a user namespace of "
			       "this user; only root can join them");
	autofree char *process = donor ? xasprintf("%d", (int)donor->container->run.pid) : NULL;
	struct map_question question = { .userns_fd = userns_fd, .map = map };
	int same =
		process ? process_has_map(process, map) : run_inside(compare_map, &question, err);
	if (same < 0)
		return same;
	if (!same)
		return err_set(err, EINVAL,
			       "%s%s has other user IDs than this container would have; its "
			       "namespaces can be joined with the same --userns only",
			       donor ? "container " : "the user namespace of the path",
			       donor ? donor->container->name : "");
	shared->userns_fd = fcntl(userns_fd, F_DUPFD_CLOEXEC, 3);
	return shared->userns_fd < 0 ? err_errno(err, "keep the user namespace") : 0;
}

/* ---- /dev/shm ---- */

/* It can only be cloned from inside the mount namespace it is in. What the container has made of its
 * /dev is not to be trusted. */
static int clone_shm(void *arg, struct err *err)
{
	const int *fds = arg; /* user and mount namespace */
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	if (fds[0] >= 0 && enter_user_namespace(fds[0], err) < 0)
		return -err->code;
	if (setns(fds[1], CLONE_NEWNS) < 0)
		return err_errno(err, "enter the mount namespace");
	autoclose int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/shm", &how, sizeof(how));
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_errno(err, "open /dev/shm");
	int shm_fd = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return shm_fd < 0 ? err_errno(err, "clone /dev/shm") : shm_fd;
}

static int share_shm(struct shared_namespaces *shared, const struct donor *donor, bool is_rootless,
		     struct err *err)
{
	if (namespace_mode_of(donor->spec, OCI_NS_IPC).kind == NAMESPACE_NONE) {
		shared->has_no_shm = true;
		return 0;
	}
	autoclose int mount_fd = donor_namespace(donor, "mnt", err);
	if (mount_fd < 0)
		return mount_fd;
	int fds[] = { is_rootless ? shared->userns_fd : -1, mount_fd };
	int r = run_inside(clone_shm, fds, err);
	if (r == -ENOENT) {
		shared->has_no_shm = true;
		return 0;
	}
	if (r < 0)
		return err_wrap(err, "share /dev/shm of container %s", donor->container->name);
	autoclose int fd = r;
	shared->shm_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* 0 to 2 are taken over by the command */
	return shared->shm_fd < 0 ? err_errno(err, "keep /dev/shm") : 0;
}

/* ---- at a start ---- */

static int join_descriptor(struct shared_namespaces *shared, enum oci_namespace ns, int *fd)
{
	if (is_ours(*fd, kinds[ns].file)) {
		shared->of[ns].is_host = true;
		return 0;
	}
	shared->fds[ns] = take_fd(fd);
	shared->of[ns].path = xasprintf("/proc/self/fd/%d", shared->fds[ns]);
	return 1;
}

static int join_container(struct engine *engine, const struct container_spec *spec,
			  enum oci_namespace ns, const char *id, const struct userns_map *map,
			  struct shared_namespaces *shared, struct err *err)
{
	autodonor struct donor donor = { .pid_fd = -1 };

	int r = donor_open(engine, id, ns, &donor, err);
	if (r < 0)
		return r;
	autoclose int fd = donor_namespace(&donor, kinds[ns].file, err);
	if (fd < 0)
		return fd;
	if (ns == OCI_NS_NETWORK)
		shared->network_run_dir = shared_namespaces_network_dir(engine, spec);
	r = join_descriptor(shared, ns, &fd);
	if (r > 0 && engine->is_rootless) {
		autoclose int userns_fd = donor_namespace(&donor, "user", err);
		if (userns_fd < 0)
			return userns_fd;
		r = need_user_namespace(shared, userns_fd, map, &donor, err);
	}
	if (r >= 0 && ns == OCI_NS_IPC && !shared->of[ns].is_host)
		r = share_shm(shared, &donor, engine->is_rootless, err);
	return r < 0 ? r : 0;
}

static int join_path(const struct engine *engine, enum oci_namespace ns, const char *path,
		     const struct userns_map *map, struct shared_namespaces *shared,
		     struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot find specified %s namespace path: '%s'",
				 kinds[ns].word, path);
	if (ioctl(fd, NS_GET_NSTYPE) != kinds[ns].type)
		return err_set(err, EINVAL,
			       "'%s' is no %s namespace; name a file such as /proc/PID/ns/%s", path,
			       kinds[ns].word, kinds[ns].file);
	autoclose int userns_fd = engine->is_rootless ? ioctl(fd, NS_GET_USERNS) : -1;
	int owner_code = errno;
	int r = join_descriptor(shared, ns, &fd);
	if (r == 0 || !engine->is_rootless)
		return 0;
	if (userns_fd < 0) /* EPERM: it is not below ours */
		return err_set(err, owner_code,
			       "'%s' does not belong to a user namespace of this user; only root "
			       "can join it",
			       path);
	return need_user_namespace(shared, userns_fd, map, NULL, err);
}

int shared_namespaces_open(struct engine *engine, const struct container_spec *spec,
			   const struct userns_map *map, struct shared_namespaces *ret_shared,
			   struct err *err)
{
	for (size_t i = 0; i < NAMESPACE_MODE_COUNT; i++) {
		enum oci_namespace ns = namespace_mode_list[i];
		struct namespace_mode mode = namespace_mode_of(spec, ns);
		int r = 0;

		switch (mode.kind) {
		case NAMESPACE_HOST:
			ret_shared->of[ns].is_host = true;
			break;
		case NAMESPACE_CONTAINER:
			r = join_container(engine, spec, ns, mode.value, map, ret_shared, err);
			break;
		case NAMESPACE_PATH:
			r = join_path(engine, ns, mode.value, map, ret_shared, err);
			break;
		case NAMESPACE_NONE:
			ret_shared->has_no_shm = true;
			break;
		case NAMESPACE_PRIVATE:
		case NAMESPACE_SHAREABLE:
			break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void shared_namespaces_clear(struct shared_namespaces *shared)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		free(shared->of[i].path);
		fd_close(&shared->fds[i]);
	}
	fd_close(&shared->userns_fd);
	fd_close(&shared->shm_fd);
	free(shared->network_run_dir);
	free(shared->hostname);
}

/* ---- when a container is made ---- */

int shared_namespaces_resolve(struct engine *engine, struct container_spec *spec, struct err *err)
{
	for (size_t i = 0; i < NAMESPACE_MODE_COUNT; i++) {
		enum oci_namespace ns = namespace_mode_list[i];
		char **field = namespace_mode_field(spec, ns);
		autodonor struct donor donor = { .pid_fd = -1 };
		struct namespace_mode mode;

		int r = namespace_mode_parse(ns, *field, &mode, err);
		if (r < 0)
			return r;
		if (mode.kind != NAMESPACE_CONTAINER)
			continue;
		r = donor_find(engine, mode.value, &donor, err);
		if (r < 0)
			return err_wrap(err, "looking up container to share %s namespace with",
					kinds[ns].file);
		char *by_id = xasprintf("container:%s", donor.container->id);
		free(*field);
		*field = by_id;
		/* Its /dev/shm could be had all the same; this is the user's word for "keep out". */
		if (ns == OCI_NS_IPC &&
		    namespace_mode_of(donor.spec, ns).kind == NAMESPACE_PRIVATE &&
		    donor.spec->ipc_mode && *donor.spec->ipc_mode)
			return err_set(
				err, EPERM,
				"joining IPC of container %s is not allowed: it was made with "
				"--ipc private; make it with --ipc shareable",
				donor.container->name);
	}
	return 0;
}

void shared_namespaces_needed(const struct container_spec *spec, struct strlist *ids)
{
	for (size_t i = 0; i < NAMESPACE_MODE_COUNT; i++) {
		struct namespace_mode mode = namespace_mode_of(spec, namespace_mode_list[i]);
		if (mode.kind == NAMESPACE_CONTAINER && !strlist_contains(ids, mode.value))
			strlist_add(ids, mode.value);
	}
	shared_userns_needed(spec, ids);
	for (size_t i = 0; i < spec->requires.count; i++)
		if (!strlist_contains(ids, spec->requires.items[i]))
			strlist_add(ids, spec->requires.items[i]);
}

/* The files about a network belong to the container that it was made for: the last one of a chain. */
char *shared_namespaces_network_dir(struct engine *engine, const struct container_spec *spec)
{
	struct namespace_mode mode = namespace_mode_of(spec, OCI_NS_NETWORK);
	autodonor struct donor donor = { .pid_fd = -1 };
	struct err ignored; /* one that is gone has no files either */

	if (mode.kind != NAMESPACE_CONTAINER)
		return NULL;
	if (donor_find(engine, mode.value, &donor, &ignored) == 0) {
		char *further = shared_namespaces_network_dir(engine, donor.spec);
		if (further)
			return further;
	}
	return container_run_directory(engine, mode.value);
}

char *shared_namespaces_hostname(struct engine *engine, const char *id,
				 const struct container_spec *spec)
{
	struct namespace_mode mode = namespace_mode_of(spec, OCI_NS_UTS);
	char name[HOST_NAME_MAX + 1] = "";

	if (mode.kind == NAMESPACE_CONTAINER) {
		autodonor struct donor donor = { .pid_fd = -1 };
		struct err ignored; /* that it is gone is told elsewhere */
		if (donor_find(engine, mode.value, &donor, &ignored) == 0)
			return shared_namespaces_hostname(engine, mode.value, donor.spec);
	}
	/* On the host's network programs look themselves up by the host's name. */
	bool is_hosts = mode.kind == NAMESPACE_HOST ||
			(mode.kind == NAMESPACE_PRIVATE && !spec->hostname &&
			 namespace_mode_of(spec, OCI_NS_NETWORK).kind == NAMESPACE_HOST);
	if (is_hosts && gethostname(name, sizeof(name) - 1) == 0)
		return xstrdup(name);
	return spec->hostname ? xstrdup(spec->hostname) : xstrndup(id, 12);
}
