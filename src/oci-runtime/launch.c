#include "oci-runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd-pass.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/local-socket.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "kernel/process.h"
#include "oci-runtime/container.h"
#include "oci-runtime/program.h"
#include "oci-runtime/scope.h"
#include "oci/runtime-config.h"
#include "runtime/mount-maps.h"
#include "runtime/runtime.h"

#define MAX_CONFIG_BYTES (4 << 20)

#define FIELD(f) offsetof(struct create_args, f)
#define CREATE_OPTIONS                                                                              \
	{ "bundle",	 'b',	OPTION_STRING,                                                      \
	  FIELD(bundle), "DIR", "Directory of config.json; default: the current one" },             \
		{ "console-socket", 0,                                                              \
		  OPTION_STRING,    FIELD(console_socket),                                          \
		  "SOCKET",	    "Send the master side of the terminal to this socket" },        \
		{ "pid-file",	   0,	   OPTION_STRING,                                           \
		  FIELD(pid_file), "FILE", "Write the process number to this file" },               \
		{ "no-pivot",  0,                                                                   \
		  OPTION_FLAG, FIELD(no_pivot),                                                     \
		  NULL,	       "Change the root without pivot_root(2), as on an initial ramdisk" }, \
		{ "no-new-keyring",	 0,    OPTION_FLAG,                                         \
		  FIELD(no_new_keyring), NULL, "Keep the session keyring" },                        \
	{                                                                                           \
		"preserve-fds", 0, OPTION_INT, FIELD(preserve_fds), "N",                            \
			"Let the command inherit so many descriptors from 3 on"                     \
	}

const struct option_spec create_options[] = {
	CREATE_OPTIONS,
	OPTION_END,
};

const struct option_spec run_options[] = {
	CREATE_OPTIONS,
	{ "detach", 'd', OPTION_FLAG, FIELD(detach), NULL, "Do not wait for the command's end" },
	{ "keep", 0, OPTION_FLAG, FIELD(keep), NULL, "Do not delete the container at its end" },
	{ "no-subreaper", 0, OPTION_FLAG, FIELD(no_subreaper), NULL,
	  "Accepted for runc's sake; this runtime never is a subreaper", .traits = OPTION_HIDDEN },
	OPTION_END,
};

int launch_check_preserved(int64_t count, struct err *err)
{
	if (count < 0 || count > 1024)
		return err_set(err, EINVAL, "--preserve-fds %lld: not from 0 to 1024",
			       (long long)count);
	for (int fd = 3; fd < 3 + count; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return err_set(err, EBADF, "--preserve-fds %lld: descriptor %d is not open",
				       (long long)count, fd);
	return 0;
}

static void limit_set(uint64_t *set, uint64_t available, const char *name)
{
	for (int i = 0; i < 64 && capability_name(i); i++)
		if ((*set & ~available) >> i & 1)
			log_warn("process.capabilities.%s: %s cannot be granted here; going on "
				 "without",
				 name, capability_name(i));
	*set &= available;
}

void launch_limit_capabilities(const struct oci_runtime_config *config, struct oci_process *process)
{
	struct capability_sets *sets = &process->capabilities;
	uint64_t available =
		config->namespaces[OCI_NS_USER].wanted ? capability_all() : capability_bounding();

	limit_set(&sets->bounding, available, "bounding");
	limit_set(&sets->permitted, available, "permitted");
	limit_set(&sets->effective, sets->permitted, "effective");
	limit_set(&sets->inheritable, available, "inheritable");
	limit_set(&sets->ambient, sets->permitted & sets->inheritable, "ambient");
}

int launch_write_pid_file(const char *path, int pid, struct err *err)
{
	char text[16];

	if (!path)
		return 0;
	int size = snprintf(text, sizeof(text), "%d", pid);
	return file_write(AT_FDCWD, path, text, (size_t)size, 0644, 0, err);
}

/* ---- the terminal ---- */

static int connect_console(const char *path, struct err *err)
{
	int fd = local_socket_connect(SOCK_STREAM, AT_FDCWD, path);

	return fd < 0 ? err_set(err, -fd, "connect to the console socket '%s': %s", path,
				strerror(-fd))
		      : fd;
}

int launch_send_console(const char *socket_path, struct runtime_child *child, struct err *err)
{
	if (child->console_fd < 0 || !socket_path)
		return 0;
	autoclose int fd = connect_console(socket_path, err);
	if (fd < 0)
		return fd;
	static const char name[] = "/dev/ptmx";
	ssize_t n = fd_send(fd, name, strlen(name), child->console_fd);
	if (n < 0)
		return err_set(err, (int)-n, "send the terminal to '%s': %s", socket_path,
			       strerror((int)-n));
	fd_close(&child->console_fd);
	return 0;
}

int launch_pass_listener(void *data, const struct runtime_child *child, int listener_fd,
			 struct err *err)
{
	const struct container *container = data;
	/* The first process has not executed its command yet. */
	enum container_status status =
		child->pid == container->pid ? CONTAINER_CREATED : CONTAINER_RUNNING;

	return runtime_send_listener(container->config, container_status_names[status],
				     container->pid, child->pid, listener_fd, err);
}

static int check_terminal(const struct oci_process *process, const struct create_args *args,
			  bool foreground, struct err *err)
{
	if (process->terminal && !args->console_socket && !foreground)
		return err_set(
			err, EINVAL,
			"config.json: process.terminal: needs --console-socket, since nobody else "
			"takes care of the terminal");
	if (!process->terminal && args->console_socket)
		return err_set(
			err, EINVAL,
			"--console-socket: config.json asks for no terminal (process.terminal)");
	return 0;
}

/* ---- the container ---- */

static int read_bundle(const char *asked, char **ret_bundle, struct strbuf *text, struct err *err)
{
	autofree char *bundle = realpath(asked ? asked : ".", NULL);

	if (!bundle)
		return err_errno(err, "bundle '%s'", asked ? asked : ".");
	autofree char *path = path_join(bundle, "config.json");
	int r = file_read(AT_FDCWD, path, text, MAX_CONFIG_BYTES, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "'%s' does not exist; make one with davit-runtime spec",
			       path);
	if (r == 0)
		*ret_bundle = take_ptr(&bundle);
	return r;
}

/* What every container may use, and the making of any device, which without the right to use it is harmless. The
 * specification leaves it to the runtime; these are those of runc and crun. */
static void allow_default_devices(struct oci_runtime_config *config)
{
	static const struct {
		char type;
		int64_t major, minor;
		const char *access;
	} devices[] = {
		{ 'c', -1, -1, "m" }, { 'b', -1, -1, "m" },    { 'c', 1, 3, "rwm" },
		{ 'c', 1, 5, "rwm" }, { 'c', 1, 7, "rwm" },    { 'c', 1, 8, "rwm" },
		{ 'c', 1, 9, "rwm" }, { 'c', 5, 0, "rwm" },    { 'c', 5, 1, "rwm" },
		{ 'c', 5, 2, "rwm" }, { 'c', 136, -1, "rwm" },
	};

	if (!config->resources.device_count)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		oci_runtime_config_add_device_rule(config, true, devices[i].type, devices[i].major,
						   devices[i].minor, devices[i].access);
}

static int make_cgroup(const struct program *program, struct container *container,
		       struct cgroup **cgroup, struct err *err)
{
	struct oci_runtime_config *config = container->config;
	const char *manager = program->globals.cgroup_manager;
	autofree char *left_out = NULL;

	if (manager && strcmp(manager, "disabled") == 0)
		return 0;
	allow_default_devices(config);
	if (program->globals.systemd_cgroup || (manager && strcmp(manager, "systemd") == 0)) {
		int made = scope_make_cgroup(config, cgroup, err);
		if (made < 0)
			return made;
		container->cgroup = xstrdup(cgroup_location(*cgroup));
		return container_save(container, err);
	}
	autofree char *name = xasprintf("runtime-%s", config->id);
	/* Written down first: who is killed in the middle leaves a group that can be found. */
	container->cgroup = config->cgroups_path && *config->cgroups_path
				    ? xstrdup(config->cgroups_path)
				    : cgroup_path(NULL, name);
	int r = container_save(container, err);
	if (r == 0)
		r = cgroup_create(container->cgroup, &config->resources, cgroup, &left_out, err);
	if (r < 0)
		return r;
	free(take_ptr(&container->cgroup));
	if (*cgroup)
		container->cgroup = xstrdup(cgroup_location(*cgroup));
	return 0;
}

static int spawn(const struct program *program, struct container *container,
		 const struct create_args *args, struct cgroup **cgroup,
		 struct runtime_child *child, struct err *err)
{
	struct oci_runtime_config *config = container->config;
	struct runtime_stdio stdio = { { 0, 1, 2 } };

	int r = container_load_filter(program, config, err);
	if (r == 0)
		r = make_cgroup(program, container, cgroup, err);
	if (r == 0)
		r = runtime_map_mounts(config, err);
	if (r == 0)
		r = runtime_spawn(config, *cgroup, &RUNTIME_NAMESPACES_NONE, &stdio, child, err);
	runtime_close_mapped_mounts(config);
	if (r < 0)
		return r;
	container->pid = child->pid;
	container->start_time = process_start_time(child->pid);
	/* From here on hooks may ask for the state. */
	r = container_save(container, err);
	if (r < 0) {
		runtime_abandon(child);
		return r;
	}
	r = runtime_ready(child, err);
	if (r < 0)
		return r;
	r = launch_send_console(args->console_socket, child, err);
	if (r == 0)
		r = launch_write_pid_file(args->pid_file, child->pid, err);
	if (r < 0)
		runtime_abandon(child);
	return r;
}

int launch_container(const struct program *program, const char *id, const struct create_args *args,
		     bool in_foreground, struct container **ret_container,
		     struct runtime_child *ret_child, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autofree char *bundle = NULL;
	struct container *container;
	struct cgroup *cgroup = NULL;
	struct err ignored;

	/* Before anything is opened that would take such a number. */
	int r = launch_check_preserved(args->preserve_fds, err);
	if (r == 0)
		r = read_bundle(args->bundle, &bundle, &text, err);
	if (r == 0)
		r = container_make(program, id, strbuf_text(&text), text.size, bundle, &container,
				   err);
	if (r < 0)
		return r;
	container->config->no_pivot = args->no_pivot;
	container->config->no_new_keyring = args->no_new_keyring;
	r = check_terminal(&container->config->process, args, in_foreground, err);
	launch_limit_capabilities(container->config, &container->config->process);
	container->config->process.preserve_fds = (unsigned)args->preserve_fds;
	if (r == 0)
		r = spawn(program, container, args, &cgroup, ret_child, err);
	cgroup_free(cgroup);
	if (r < 0) {
		(void)container_remove(container,
				       &ignored); /* the first failure is the one to tell */
		container_free(container);
		return r;
	}
	*ret_container = container;
	return 0;
}
