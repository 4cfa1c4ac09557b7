#include "oci-runtime/container.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/local-socket.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"
#include "kernel/seccomp.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"
#include "oci/runtime-state.h"
#include "oci/timestamp.h"
#include "runtime/runtime.h"

#define CONFIG_FILE	 "config.json"
#define STATE_FILE	 "state.json"
#define SOCKET_FILE	 "start"
#define FILTERS		 ".filters" /* no name of a container begins with a dot */
#define MAX_CONFIG_BYTES (4 << 20)
#define END_TIMEOUT_MSEC 10000

const char *const container_status_names[] = {
	[CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created",
	[CONTAINER_RUNNING] = "running",   [CONTAINER_PAUSED] = "paused",
	[CONTAINER_STOPPED] = "stopped",
};

/* ---- directories ---- */

static int check_id(const char *id, struct err *err)
{
	size_t size = strlen(id);

	if (size == 0 || size > 200)
		return err_set(err, EINVAL,
			       "container name '%.40s%s': not 1 to 200 characters long", id,
			       size ? "…" : "");
	for (const char *at = id; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("_+-.", *at))
			return err_set(
				err, EINVAL,
				"container name '%s': only letters, digits and '_+-.' can be in it",
				id);
	if (*id == '.')
		return err_set(err, EINVAL, "container name '%s': begins with a dot", id);
	return 0;
}

static struct container *container_new(const struct program *program, const char *id)
{
	struct container *container = xcalloc(1, sizeof(*container));

	container->directory = path_join(program->root, id);
	container->directory_fd = -1;
	container->owner = getuid();
	return container;
}

void container_free(struct container *container)
{
	if (!container)
		return;
	free(container->directory);
	fd_close(&container->directory_fd);
	oci_runtime_config_free(container->config);
	free(container->cgroup);
	free(container->created);
	free(container);
}

static int open_directory(struct container *container, bool lock, struct err *err)
{
	container->directory_fd =
		open(container->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (container->directory_fd < 0)
		return err_errno(err, "open '%s'", container->directory);
	while (lock && flock(container->directory_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock '%s'", container->directory);
	container->is_locked = lock;
	return 0;
}

int container_make(const struct program *program, const char *id, const char *config_text,
		   size_t config_size, const char *bundle, struct container **ret_container,
		   struct err *err)
{
	struct timespec now;

	int r = check_id(id, err);
	if (r == 0)
		r = file_make_dirs(AT_FDCWD, program->root, 0700, err);
	if (r < 0)
		return r;
	struct container *container = container_new(program, id);
	clock_gettime(CLOCK_REALTIME, &now);
	container->created = oci_time_print(now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	r = oci_runtime_config_parse(config_text, config_size, bundle, &container->config, err);
	if (r == 0) {
		container->config->id = xstrdup(id);
		if (mkdir(container->directory, 0700) < 0)
			r = errno == EEXIST ? err_set(err, EEXIST,
						      "container '%s' exists already; delete it "
						      "first, or take "
						      "another name",
						      id)
					    : err_errno(err, "make '%s'", container->directory);
	}
	if (r < 0) {
		container_free(container);
		return r;
	}
	r = open_directory(container, true, err);
	if (r == 0)
		r = file_write(container->directory_fd, CONFIG_FILE, config_text, config_size, 0600,
			       0, err);
	if (r == 0)
		r = container_save(container, err);
	if (r < 0) {
		struct err ignored; /* the first failure is the one to tell */
		(void)file_remove_tree(AT_FDCWD, container->directory, &ignored);
		container_free(container);
		return r;
	}
	*ret_container = container;
	return 0;
}

/* ---- reading and writing ---- */

int container_save(const struct container *container, struct err *err)
{
	autojson struct json_object *state = json_object_new_object();

	json_add_string(state, "bundle", container->config->bundle_path);
	json_add_string(state, "created", container->created);
	json_add_int(state, "pid", container->pid);
	json_add_int(state, "startTime", (int64_t)container->start_time);
	json_add_string(state, "cgroup", container->cgroup);
	json_add_int(state, "owner", container->owner);
	const char *text = json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN);
	return file_write(container->directory_fd, STATE_FILE, text, strlen(text), 0600, 0, err);
}

/* What is to be warned about was warned about when the container was made; who reads what `state` prints may read
 * standard error with it. */
static int parse_again(struct container *container, const struct strbuf *text, const char *bundle,
		       struct err *err)
{
	enum log_level before = log_level();

	log_set_level(LOG_LEVEL_ERROR);
	int r = oci_runtime_config_parse(strbuf_text(text), text->size, bundle, &container->config,
					 err);
	log_set_level(before);
	return r;
}

static int load(struct container *container, const char *id, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY, config = STRBUF_EMPTY;
	autojson struct json_object *state = NULL;

	int r = file_read(container->directory_fd, STATE_FILE, &text, MAX_CONFIG_BYTES, err);
	if (r == 0)
		r = json_parse(strbuf_text(&text), text.size, &state, err);
	if (r < 0)
		return r;
	container->created = xstrdup(json_get_string(state, "created", ""));
	container->pid = (pid_t)json_get_int(state, "pid", 0);
	container->start_time = (uint64_t)json_get_int(state, "startTime", 0);
	container->cgroup = xstrdup(json_get_string(state, "cgroup", NULL));
	container->owner = (uid_t)json_get_int(state, "owner", 0);
	r = file_read(container->directory_fd, CONFIG_FILE, &config, MAX_CONFIG_BYTES, err);
	if (r == 0)
		r = parse_again(container, &config, json_get_string(state, "bundle", "/"), err);
	if (r == 0)
		container->config->id = xstrdup(id);
	return r;
}

int container_find(const struct program *program, const char *id, enum container_find_flags flags,
		   struct container **ret_container, struct err *err)
{
	int r = check_id(id, err);
	if (r < 0)
		return r;
	struct container *container = container_new(program, id);
	r = open_directory(container, flags & CONTAINER_LOCK, err);
	/* Removed while we waited for the lock? */
	if (r == -ENOENT || (r == 0 && access(container->directory, F_OK) < 0))
		r = err_set(err, ENOENT, "container '%s' does not exist", id);
	else if (r == 0)
		r = load(container, id, err);
	/* It may have been killed before it had written anything. */
	if (r < 0 && (flags & CONTAINER_MAY_BE_BROKEN) && container->directory_fd >= 0 &&
	    (r != -ENOENT || access(container->directory, F_OK) == 0))
		r = 0;
	if (r < 0) {
		container_free(container);
		return r;
	}
	if (!container->config) {
		container->config = oci_runtime_config_new();
		container->config->id = xstrdup(id);
	}
	*ret_container = container;
	return 0;
}

int container_names(const struct program *program, struct strlist *names, struct err *err)
{
	DIR *dir = opendir(program->root);

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "read '%s'", program->root);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			strlist_add(names, entry->d_name);
	closedir(dir);
	strlist_sort(names);
	return 0;
}

/* ---- what it is doing ---- */

static bool is_paused(const struct container *container)
{
	struct cgroup *cgroup = NULL;
	struct err ignored; /* without a group nothing is paused */

	if (container_open_cgroup(container, &cgroup, &ignored) < 0 || !cgroup)
		return false;
	bool paused = cgroup_is_frozen(cgroup);
	cgroup_free(cgroup);
	return paused;
}

enum container_status container_status(const struct container *container)
{
	if (!container->pid) {
		/* Whoever makes it holds the lock. */
		if (container->is_locked)
			return CONTAINER_STOPPED;
		int fd = open(container->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool is_locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
		fd_close(&fd);
		return is_locked ? CONTAINER_CREATING : CONTAINER_STOPPED;
	}
	if (!process_is_alive(container->pid, container->start_time))
		return CONTAINER_STOPPED;
	if (is_paused(container))
		return CONTAINER_PAUSED;
	return faccessat(container->directory_fd, SOCKET_FILE, F_OK, 0) == 0 ? CONTAINER_CREATED
									     : CONTAINER_RUNNING;
}

const char *container_status_name(const struct container *container)
{
	return container_status_names[container_status(container)];
}

int container_open_process(const struct container *container, int *ret_pid_fd, struct err *err)
{
	int fd = container->pid > 0 ? pidfd_open_process(container->pid) : -1;

	/* Looked at with the descriptor in hand, so that it is no later process of that number. */
	if (fd >= 0 && process_is_alive(container->pid, container->start_time)) {
		*ret_pid_fd = fd;
		return 0;
	}
	fd_close(&fd);
	return err_set(err, ESRCH, "container '%s' is not running", container->config->id);
}

int container_open_cgroup(const struct container *container, struct cgroup **ret_cgroup,
			  struct err *err)
{
	*ret_cgroup = NULL;
	return container->cgroup ? cgroup_open(container->cgroup, ret_cgroup, err) : 0;
}

struct json_object *container_state(const struct container *container)
{
	enum container_status status = container_status(container);
	pid_t pid = status == CONTAINER_STOPPED ? 0 : container->pid;
	struct json_object *state =
		oci_runtime_state(container->config, container_status_names[status], pid);
	const struct passwd *owner = getpwuid(container->owner);

	/* What runc and crun tell besides. */
	if (!pid)
		json_add_int(state, "pid", 0);
	json_add_string(state, "rootfs", container->config->root_path);
	json_add_string(state, "created", container->created);
	json_add_string(state, "owner", owner ? owner->pw_name : "");
	return state;
}

/* ---- the socket ---- */

int container_listen(const struct container *container, struct err *err)
{
	int fd = local_socket_listen(SOCK_SEQPACKET, container->directory_fd, SOCKET_FILE, 8);

	return fd < 0 ? err_set(err, -fd, "make the socket '%s/" SOCKET_FILE "': %s",
				container->directory, strerror(-fd))
		      : fd;
}

int container_connect(const struct container *container, struct err *err)
{
	int fd = local_socket_connect(SOCK_SEQPACKET, container->directory_fd, SOCKET_FILE);

	return fd < 0 ? err_set(err, -fd, "connect to '%s/" SOCKET_FILE "': %s",
				container->directory, strerror(-fd))
		      : fd;
}

void container_unlink_socket(const struct container *container)
{
	(void)unlinkat(container->directory_fd, SOCKET_FILE, 0); /* `run` has none */
}

/* ---- the end ---- */

static void end_process(const struct container *container)
{
	struct pollfd ended = { .events = POLLIN };
	struct err ignored; /* it has ended: all the better */

	if (container_open_process(container, &ended.fd, &ignored) < 0)
		return;
	(void)pidfd_signal(ended.fd, SIGKILL);
	while (poll(&ended, 1, END_TIMEOUT_MSEC) < 0 && errno == EINTR)
		;
	close(ended.fd);
}

int container_remove(struct container *container, struct err *err)
{
	struct cgroup *cgroup = NULL;
	struct err ignored;

	/* A frozen process does not end. */
	if (container_open_cgroup(container, &cgroup, &ignored) == 0 && cgroup)
		(void)cgroup_freeze(cgroup, false, &ignored);
	end_process(container);
	int r = cgroup ? cgroup_remove(cgroup, err) : 0;
	cgroup_free(cgroup);
	if (r == 0)
		r = file_remove_tree(AT_FDCWD, container->directory, err);
	if (r < 0)
		return r;
	return runtime_run_hooks(container->config, OCI_HOOK_POSTSTOP, "stopped", 0, err);
}

/* ---- the filter ---- */

int container_load_filter(const struct program *program, struct oci_runtime_config *config,
			  struct err *err)
{
	const char *profile = config->seccomp_profile;
	struct err ignored; /* without a cache it takes longer */

	if (!profile)
		return 0;
	autofree char *path = path_join(program->root, FILTERS);
	(void)file_make_dirs(AT_FDCWD, path, 0700, &ignored);
	autoclose int cache_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = seccomp_filter_make(profile, strlen(profile), config->process.capabilities.bounding,
				    cache_fd, &config->seccomp, err);
	return r < 0 ? err_wrap(err, "linux.seccomp") : 0;
}
