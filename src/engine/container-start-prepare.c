/* The command's part of a start: all that can fail or takes time and needs no process yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/timing.h"
#include "engine/container-dependencies.h"
#include "engine/container-files.h"
#include "engine/container-restart.h"
#include "engine/container-secrets.h"
#include "engine/container-spec.h"
#include "engine/container-start-internal.h"
#include "engine/container-users.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/log-driver.h"
#include "engine/plan.h"
#include "engine/shared-userns.h"
#include "kernel/caps.h"
#include "monitor/journal.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"
#include "store/store.h"

/* The files that are mounted into it, too, have to belong to the container's root. */
static int map_files(struct start *start, struct err *err)
{
	static const char *const files[] = { "hostname", ".containerenv", "hosts", "resolv.conf" };
	autostrlist struct strlist paths = STRLIST_EMPTY;

	if (!start->map.is_own)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autofree char *path = path_join(start->run_dir, files[i]);
		struct stat st;
		/* One with two names is another container's too, whose root it belongs to. */
		if (stat(path, &st) == 0 && st.st_nlink == 1)
			strlist_take(&paths, take_ptr(&path));
	}
	if (start->identity.passwd_line)
		strlist_take(&paths, path_join(start->run_dir, "passwd"));
	if (start->identity.group_line)
		strlist_take(&paths, path_join(start->run_dir, "group"));
	return container_files_map(start->engine, start->spec, &start->map, start->directory,
				   &paths, &start->files, err);
}

/* /run/.containerenv tells programs that they run in a container; for privileged ones it also tells
 * in which. */
static int write_container_env(struct start *start, struct err *err)
{
	const struct container *container = start->container;
	autofree char *text = xstrdup("");

	if (start->spec->privileged) {
		free(text);
		text = xasprintf("engine=\"davit\"\nname=\"%s\"\nid=\"%s\"\nimage=\"%s\"\nimageid="
				 "\"%s\"\nrootless=%d\n",
				 container->name, container->id, start->spec->image_name ?: "",
				 start->spec->image_id ?: "", start->engine->is_rootless);
	}
	autofree char *path = path_join(start->run_dir, ".containerenv");
	return file_write(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_IN_PLACE, err);
}

/* One that was begun beforehand, or that of a container which runs; -1 if there is none. */
static int find_userns(struct engine *engine, const struct userns_map *map)
{
	int fd = engine_take_userns(engine, map);
	if (fd >= 0)
		return fd;
	pid_t pid = engine_join_pid_of(engine, map);

	if (pid <= 0)
		return -1;
	autofree char *path = xasprintf("/proc/%d/ns/user", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int prepare_log(struct start *start, struct err *err)
{
	const char *name = start->container->name;

	if (log_driver_is(start->spec, "passthrough") &&
	    (start->spec->tty || isatty(STDIN_FILENO) || isatty(STDOUT_FILENO) ||
	     isatty(STDERR_FILENO)))
		return err_set(err, ENOTTY,
			       "container '%s': the log driver passthrough cannot be used on a "
			       "terminal, which the container could type into; use k8s-file",
			       name);
	if (!log_driver_is(start->spec, "journald"))
		return 0;
	start->journal_fd = journal_connect();
	if (start->journal_fd < 0)
		return err_set(err, -start->journal_fd,
			       "container '%s': journald does not listen on '%s': %s; use "
			       "--log-driver k8s-file",
			       name, JOURNAL_SOCKET, strerror(-start->journal_fd));
	return log_driver_journal_fields(start->engine, start->container, start->spec,
					 &start->journal_fields, err);
}

/* Only for who asks for a start: a container that its policy starts again does not bring back another
 * one that somebody has stopped. */
static int start_needed(struct start *start, struct err *err)
{
	return start->connections ? 0 : container_start_needed(start->engine, start->spec, err);
}

/* What of other containers and of the host it needs. */
static int find_needed(struct start *start, struct err *err)
{
	int r = container_map_of(start->engine, start->spec, &start->map, err);

	if (r == 0)
		r = start_needed(start, err);
	if (r == 0)
		r = shared_userns_open(start->engine, start->spec, &start->map,
				       &start->shared.userns_fd, err);
	if (r == 0)
		r = shared_namespaces_open(start->engine, start->spec, &start->map.map,
					   &start->shared, err);
	return r < 0 ? r : prepare_log(start, err);
}

static int find_user(struct start *start, int *exit_code, struct err *err)
{
	int r = identity_resolve(&start->files.layer_dirs, start->spec->user, &start->spec->groups,
				 &start->identity, err);

	if (r < 0) {
		*exit_code = RUNTIME_CANNOT_EXECUTE; /* there is nobody to run it as */
		return r;
	}
	container_users_plan(&start->files.layer_dirs, start->spec, &start->identity);
	return 0;
}

static int make_plan(struct start *start, const struct store *store, struct err *err)
{
	autostrlist struct strlist secret_env = STRLIST_EMPTY;
	struct sysinfo host;

	int r = container_secrets_environment(start->spec, start->directory, &secret_env, err);
	if (r < 0)
		return r;
	start->init_path = start->spec->init_path ? xstrdup(start->spec->init_path)
						  : engine_helper_path(start->engine, "davit-init");
	autofree char *volumes = store_path(store, STORE_VOLUMES);
	autofree char *cgroups_path = container_cgroup_path(start->spec, start->container->id);
	struct plan_input input = {
		.spec = start->spec,
		.settings = &start->engine->settings,
		.identity = &start->identity,
		.map = &start->map.map,
		.is_rootless = start->engine->is_rootless,
		.id = start->container->id,
		.name = start->container->name,
		.shared = &start->shared,
		.hostname = start->hostname,
		.container_dir = start->directory,
		.run_dir = start->run_dir,
		.map_name = container_map_is_copied(start->engine, &start->map) ? start->map.name
										: NULL,
		.volumes_dir = volumes,
		.store_dir = start->engine->root,
		.init_path = start->init_path,
		.secret_env = &secret_env,
		.layer_dirs = container_files_dirs(&start->files),
		.skeleton = start->files.skeleton,
		.rootfs_is_mapped = start->files.rootfs_is_mapped,
		.cgroups_path = cgroups_path,
		.host_memory_bytes =
			sysinfo(&host) == 0 ? (uint64_t)host.totalram * host.mem_unit : 0,
		.available_capabilities =
			start->map.map.is_identity ? capability_bounding() : capability_all(),
		.host_has_mqueue = access("/dev/mqueue", F_OK) == 0,
	};
	r = plan_container(&input, &start->config, err);
	container_secrets_wipe(&secret_env);
	if (r < 0)
		return r;
	strlist_extend(&start->config->own_paths, &start->files.own_paths);
	start->config->process.preserve_fds = start->engine->preserve_fds;
	return launch_load_filters(start->engine, start->spec, start->config, err);
}

/* The user namespace to join, where one is to be shared. */
static void choose_userns(struct start *start)
{
	/* With --userns private and auto it has one that no other container lives in. */
	bool is_private =
		start->spec->userns_size || (start->spec->userns_mode && !start->map.is_own);

	if (start->shared.userns_fd >= 0)
		start->made.user_fd = take_fd(&start->shared.userns_fd);
	else if (!start->map.map.is_identity && !is_private)
		start->made.user_fd = find_userns(start->engine, &start->map.map);
}

/* In this order, as each step may look at what the one before has found or made. */
static int make_files(struct start *start, struct err *err)
{
	int r = container_files_make(start->spec, &start->files, start->directory, err);

	if (r == 0)
		r = container_users_write(&start->files.layer_dirs, &start->identity,
					  start->run_dir, err);
	if (r == 0)
		r = container_network_prepare(&start->network, start->engine, start->container,
					      start->spec, &start->shared, &start->files.layer_dirs,
					      start->hostname, start->run_dir, err);
	if (r == 0)
		r = write_container_env(start, err);
	if (r == 0)
		r = health_begin(start->run_dir, start->spec, err);
	if (r == 0)
		r = container_write_restart(start->run_dir, start->spec, start->restart_count,
					    start->restart_delay_msec, err);
	if (r == 0)
		r = container_secrets_write(start->engine, start->spec, &start->map,
					    start->directory, start->run_dir, err);
	if (r == 0)
		r = map_files(start, err);
	return r < 0 ? r
		     : container_files_fill_volumes(start->engine, start->spec, &start->map,
						    &start->identity, &start->files, err);
}

/* All that is only looked at: who starts again what is held needs no more of it. */
static int find_all(struct start *start, struct store **ret_store, int *exit_code, struct err *err)
{
	int r = engine_store(start->engine, ret_store, err);

	if (r == 0)
		r = find_needed(start, err);
	if (r == 0)
		r = container_files_find(start->engine, start->container, start->spec, &start->map,
					 &start->files, err);
	if (r == 0)
		r = find_user(start, exit_code, err);
	if (r == 0)
		start->hostname = shared_namespaces_hostname(start->engine, start->container->id,
							     start->spec);
	return r;
}

int start_plan_again(struct start *start, int *exit_code, struct err *err)
{
	struct store *store;
	int r = find_all(start, &store, exit_code, err);

	return r < 0 ? r : make_plan(start, store, err);
}

int start_prepare(struct start *start, int *exit_code, struct err *err)
{
	struct store *store;

	int r = find_all(start, &store, exit_code, err);
	if (r < 0)
		return r;
	r = make_files(start, err);
	timing_mark("directories and files");
	if (r == 0)
		r = make_plan(start, store, err);
	if (r < 0)
		return r;
	choose_userns(start);
	start->made.network_fd = engine_take_netns(start->engine);
	timing_mark("plan and filter");
	r = container_cgroup_prepare(&start->cgroup, start->engine, start->spec,
				     start->container->id, start->config, start->run_dir, err);
	timing_mark("cgroup");
	return r;
}
