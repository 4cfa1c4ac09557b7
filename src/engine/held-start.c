#include "engine/held-start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/local-socket.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container-restart.h"
#include "engine/container-spec.h"
#include "engine/container-start-internal.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/event.h"
#include "engine/health.h"
#include "engine/recording.h"
#include "engine/run-directory.h"
#include "monitor/attach.h"
#include "runtime/runtime.h"

#define SOCKET_FILE "start"

/* ---- the socket ---- */

int held_start_listen(const char *run_dir, struct err *err)
{
	autoclose int run_dir_fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = run_dir_fd < 0 ? -errno
				: local_socket_listen(SOCK_SEQPACKET, run_dir_fd, SOCKET_FILE, 8);

	return fd < 0 ? err_set(err, -fd, "make the socket '%s/" SOCKET_FILE "': %s", run_dir,
				strerror(-fd))
		      : fd;
}

/* Whoever waits takes a connection without a word for nothing. */
bool held_start_waits(const char *run_dir)
{
	autofree char *path = path_join(run_dir, SOCKET_FILE);

	if (access(path, F_OK) < 0)
		return false;
	autoclose int fd = local_socket_connect(SOCK_SEQPACKET | SOCK_NONBLOCK, AT_FDCWD, path);
	return fd >= 0 || fd == -EAGAIN; /* more ask at once than it hears */
}

static void remove_socket(const char *run_dir)
{
	autofree char *path = path_join(run_dir, SOCKET_FILE);

	(void)unlink(path); /* nobody listens, which tells as much */
}

/* ---- the second half ---- */

static int open_socket(const struct start *start, struct err *err)
{
	autofree char *path = path_join(start->run_dir, SOCKET_FILE);
	int fd = local_socket_connect(SOCK_SEQPACKET, AT_FDCWD, path);

	if (fd >= 0)
		return fd;
	if (fd == -ECONNREFUSED)
		remove_socket(start->run_dir);
	return err_set(err, -fd, "connect to '%s/" SOCKET_FILE "': %s", start->run_dir,
		       strerror(-fd));
}

static int attach_first(const struct start *start, struct start_result *ret_result, struct err *err)
{
	autoclose int run_dir_fd = open(start->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = run_dir_fd < 0 ? err_errno(err, "open '%s'", start->run_dir)
				: attach_connect(run_dir_fd, err);

	if (fd < 0)
		return fd;
	ret_result->client_fd = fd;
	attach_hold_signals(&ret_result->signals);
	return 0;
}

/* It began to run now. Said before it does: nobody else may say it after us. */
static int write_down(const struct start *start, struct err *err)
{
	const struct run_status *run = &start->container->run;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_nsec = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	int r = container_set_running(start->engine, start->container->id, now_nsec, 0, err);
	if (r == 0)
		r = run_directory_write_pid(start->run_dir, run->pid, run->monitor_pid, now_nsec,
					    err);
	return r < 0 ? r : run_directory_show_pid(start->run_dir, err);
}

static int let_run(struct start *start, int *ret_exit_code, struct err *err)
{
	struct recording recording = {
		.engine = start->engine,
		.spec = start->spec,
		.config = start->config,
		.run_dir = start->run_dir,
		.directory = start->directory,
	};
	struct runtime_child child;
	autoclose int pid_fd = -1;

	autoclose int socket_fd = open_socket(start, err);
	if (socket_fd < 0)
		return socket_fd;
	int r = container_open_init(start->engine, start->container, &pid_fd, err);
	if (r == 0)
		r = runtime_adopt(start->config, start->container->run.pid, pid_fd, socket_fd,
				  &child, err);
	if (r < 0)
		return r;
	(void)take_fd(&pid_fd);
	(void)take_fd(&socket_fd);
	child.take_listener = recording_take_first;
	child.listener_data = &recording;
	r = runtime_exec(&child, ret_exit_code, err);
	remove_socket(start->run_dir);
	if (r == 0)
		runtime_child_clear(&child);
	return r;
}

static void tell(const struct start *start, bool with_client)
{
	enum event_status statuses[3];
	size_t count = 0;

	if (start->is_restart)
		statuses[count++] = EVENT_RESTART;
	statuses[count++] = EVENT_START;
	if (with_client)
		statuses[count++] = EVENT_ATTACH;
	event_container_several(start->engine, start->container, statuses, count);
}

int held_start_go_on(struct start *start, bool with_client, struct start_result *ret_result,
		     int *ret_exit_code, struct err *err)
{
	struct err ignored; /* the failure of the start is the one to tell */

	int r = start_plan_again(start, ret_exit_code, err);
	if (r == 0 && with_client)
		r = attach_first(start, ret_result, err);
	if (r == 0)
		r = write_down(start, err);
	if (r == 0)
		r = let_run(start, ret_exit_code, err);
	if (r < 0) {
		if (ret_result->client_fd >= 0)
			attach_release_signals(&ret_result->signals);
		fd_close(&ret_result->client_fd);
		(void)container_end_restarts_locked(start->engine, start->container, &ignored);
		return err_wrap(err, "start container '%s'", start->container->name);
	}
	ret_result->pid = start->container->run.pid;
	if (health_has_check(start->spec))
		health_changed(start->engine, start->container, start->spec);
	tell(start, with_client);
	return 0;
}
