/* Workers: functions of ours that run as root of another user namespace.
 *
 * Files of a rootless container belong to IDs that only exist inside the user's mapping,
 * so they are written by a child that is root there. The child is made by fork(2), not by a bare
 * clone3(2), because it goes on with ordinary code and wants the C library in order; it unshares,
 * says so, waits for its maps, and then works. What it returned and why travels back through a
 * pipe. Where the namespaces are there already, it joins them and needs no answer.
 *
 *	parent                              child
 *	fork ─────────────────────────────▶ unshare(user, mount) or setns(user of join_pid)
 *	   ◀──────────── "unshared" ─────── (read of the answer blocks)
 *	write maps, answer ───────────────▶ setgroups, setresgid, setresuid to 0; body()
 *	   ◀──────────── struct outcome ─── _exit */
#include "kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kernel/pidfd.h"

struct userns_worker {
	pid_t pid;
	int pid_fd;
	int socket; /* ours to the child */
};

/* What the child has to tell, each one packet. */
enum message_kind { MESSAGE_UNSHARED, MESSAGE_JOINED, MESSAGE_GO, MESSAGE_OUTCOME };

struct message {
	enum message_kind kind;
	int result;
	struct err err;
};

static int message_send(int fd, enum message_kind kind, int result, const struct err *err)
{
	struct message message = { .kind = kind, .result = result };

	if (err)
		message.err = *err;
	return send(fd, &message, sizeof(message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int message_receive(int fd, struct message *ret_message)
{
	for (;;) {
		ssize_t n = recv(fd, ret_message, sizeof(*ret_message), 0);
		if (n == (ssize_t)sizeof(*ret_message))
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		return n < 0 ? -errno : -EPIPE;
	}
}

/* Enter the user namespace of `join_pid`. Its owner is this very user, which gives us every
 * capability inside. Failure is no error: a process that just ended is replaced by new maps. */
static bool join_user_namespace(pid_t join_pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", join_pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !userns_is_our_child(fd))
		return false;
	/* Others live there already; even with every capability they shall not look into us. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	return setns(fd, CLONE_NEWUSER) == 0;
}

static int become_root(struct err *err)
{
	/* With one ID only the groups cannot be set, and ours stay as unmapped ones. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_errno(err, "drop groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_errno(err, "become root of the user namespace");
	/* Our own mounts must not reach the host, and its new ones are welcome. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno(err, "make the mounts private");
	return 0;
}

static int enter(int fd, pid_t join_pid, struct err *err)
{
	struct message message;
	int r;

	if (join_pid > 0 && join_user_namespace(join_pid)) {
		if (unshare(CLONE_NEWNS) < 0)
			return err_errno(err, "make a mount namespace");
		r = message_send(fd, MESSAGE_JOINED, 0, NULL);
	} else {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return userns_explain_refusal(errno, err);
		r = message_send(fd, MESSAGE_UNSHARED, 0, NULL);
	}
	if (r == 0)
		r = message_receive(fd, &message);
	if (r < 0)
		return err_set(err, -r, "user namespace: the parent is gone");
	return become_root(err);
}

/* Capabilities come with the user namespace; the mount namespace brings its root and puts us there. */
static int enter_place(const struct userns_place *place, struct err *err)
{
	/* Who lives there, even with every capability, shall not look into us. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	if (place->user_ns_fd >= 0 && setns(place->user_ns_fd, CLONE_NEWUSER) < 0)
		return err_errno(err, "join the user namespace");
	if (setns(place->mount_ns_fd, CLONE_NEWNS) < 0)
		return err_errno(err, "join the mount namespace");
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_errno(err, "drop groups");
	if (setresgid(place->gid, place->gid, place->gid) < 0 ||
	    setresuid(place->uid, place->uid, place->uid) < 0)
		return err_errno(err, "become root of the user namespace");
	return 0;
}

struct work {
	bool is_identity;
	pid_t join_pid;
	const struct userns_place *place; /* NULL: not there yet */
	int (*body)(void *arg, struct err *err);
	void *arg;
};

static _Noreturn void worker_main(int fd, pid_t parent, const struct work *work)
{
	struct err err = { 0 };
	int r = work->place	    ? enter_place(work->place, &err)
		: work->is_identity ? 0
				    : enter(fd, work->join_pid, &err);

	if (r >= 0) {
		/* Work nobody waits for any more is not to go on. Set this late: a change of IDs
		 * clears it. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		r = work->body(work->arg, &err);
	}
	(void)message_send(fd, MESSAGE_OUTCOME, r, r < 0 ? &err : NULL);
	fflush(NULL);
	_exit(0);
}

static void worker_free(struct userns_worker *worker)
{
	fd_close(&worker->socket);
	fd_close(&worker->pid_fd);
	free(worker);
}

static int worker_give_maps(struct userns_worker *worker, const struct userns_map *map,
			    struct err *err)
{
	struct message message;

	int r = message_receive(worker->socket, &message);
	if (r < 0)
		return err_set(err, -r, "make a user namespace: the child ended");
	if (message.kind == MESSAGE_OUTCOME) {
		*err = message.err;
		return message.result;
	}
	if (message.kind == MESSAGE_UNSHARED) {
		r = userns_write_maps(worker->pid, map, err);
		if (r < 0)
			return r;
	}
	r = message_send(worker->socket, MESSAGE_GO, 0, NULL);
	return r < 0 ? err_set(err, -r, "make a user namespace: the child ended") : 0;
}

static int spawn(const struct work *work, const struct userns_map *map,
		 struct userns_worker **ret_worker, struct err *err)
{
	int pair[2];
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	fflush(NULL); /* or buffered text would be written by both */
	pid_t pid = fork();
	if (pid < 0) {
		int saved = errno;
		close(pair[0]);
		close(pair[1]);
		errno = saved;
		return err_errno(err, "fork");
	}
	if (pid == 0) {
		close(pair[0]);
		worker_main(pair[1], parent, work);
	}
	close(pair[1]);

	struct userns_worker *worker = xcalloc(1, sizeof(*worker));
	worker->pid = pid;
	worker->socket = pair[0];
	worker->pid_fd = pidfd_open_process(pid);
	int r = worker->pid_fd < 0 ? err_errno(err, "open process %d", pid) : 0;
	if (r >= 0 && map && !map->is_identity)
		r = worker_give_maps(worker, map, err);
	if (r < 0) {
		int status;
		(void)kill(pid, SIGKILL); /* ours and not reaped yet: cannot be another's */
		(void)process_reap(pid, &status);
		worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

int userns_spawn(const struct userns_map *map, pid_t join_pid,
		 int (*body)(void *arg, struct err *err), void *arg,
		 struct userns_worker **ret_worker, struct err *err)
{
	const struct work work = {
		.is_identity = map->is_identity,
		.join_pid = join_pid,
		.body = body,
		.arg = arg,
	};

	return spawn(&work, map, ret_worker, err);
}

int userns_spawn_in(const struct userns_place *place, int (*body)(void *arg, struct err *err),
		    void *arg, struct userns_worker **ret_worker, struct err *err)
{
	const struct work work = { .place = place, .body = body, .arg = arg };

	return spawn(&work, NULL, ret_worker, err);
}

int userns_worker_fd(const struct userns_worker *worker)
{
	return worker->pid_fd;
}

int userns_wait(struct userns_worker *worker, struct err *err)
{
	struct message message;
	int status = 0;

	int r = message_receive(worker->socket, &message);
	int reaped = process_reap(worker->pid, &status);
	if (r == 0 && message.kind == MESSAGE_OUTCOME) {
		if (message.result < 0)
			*err = message.err;
		r = message.result;
	} else if (reaped == 0 && WIFSIGNALED(status)) {
		r = err_set(err, EIO, "the worker process was killed by signal %d",
			    WTERMSIG(status));
	} else {
		r = err_set(err, EIO, "the worker process ended without a word");
	}
	worker_free(worker);
	return r;
}

int userns_run(const struct userns_map *map, pid_t join_pid,
	       int (*body)(void *arg, struct err *err), void *arg, struct err *err)
{
	struct userns_worker *worker;

	int r = userns_spawn(map, join_pid, body, arg, &worker, err);
	return r < 0 ? r : userns_wait(worker, err);
}
