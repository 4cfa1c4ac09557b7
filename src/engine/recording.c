#include "engine/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd-pass.h"
#include "base/fd.h"
#include "base/local-socket.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/capability-use.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/recorder.h"
#include "kernel/seccomp-notice.h"
#include "kernel/seccomp-profile.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"

#define LOCK_FILE "recorder" /* locked as long as the recorder works */
#define SOCKET_FILE                                                                                \
	"recorder-socket" /* takes listeners of processes that are executed in the container */

bool recording_is_wanted(const struct container_spec *spec)
{
	return spec->seccomp_record || spec->cap_record;
}

static int check_file(const char *option, const char *path, struct err *err)
{
	struct stat st;

	if (!path)
		return 0;
	if (stat(path, &st) == 0)
		return S_ISREG(st.st_mode)
			       ? 0
			       : err_set(err, EINVAL,
					 "--%s '%s': there is something that is no file", option,
					 path);
	autofree char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	return access(*directory ? directory : "/", W_OK | X_OK) < 0
		       ? err_errno(err, "--%s: directory '%s'", option, directory)
		       : 0;
}

int recording_check(const struct container_spec *spec, struct err *err)
{
	int r = check_file("seccomp-record", spec->seccomp_record, err);

	return r < 0 ? r : check_file("cap-record", spec->cap_record, err);
}

/* ---- the filter ---- */

int recording_plan(const struct container_spec *spec, struct oci_runtime_config *config,
		   struct err *err)
{
	if (!recording_is_wanted(spec))
		return 0;
	struct seccomp_profile *profile = seccomp_profile_new();
	bool all = spec->seccomp_record;
	struct seccomp_rule *rule;

	/* There is no end without these, and no sense in asking: a return from a signal's handler that another signal
	 * interrupts would be no return. */
	profile->default_action = all ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
	rule = seccomp_profile_add_rule(profile, all ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF);
	if (all)
		recorder_list_assumed(&rule->names);
	else
		capability_use_list_calls(&rule->names);
	profile->with_absent_x32 = true;
	profile->flags = seccomp_notice_flags();
	seccomp_profile_add_native_architectures(profile);
	int r = seccomp_profile_compile(profile, &config->seccomp_recording, err);
	seccomp_profile_free(profile);
	return r < 0 ? err_wrap(err, "the filter that records") : 0;
}

/* ---- the recorder ---- */

static int open_directory(const char *path, struct err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, "open '%s'", path) : fd;
}

static int listen_for_others(int run_dir_fd, struct err *err)
{
	int fd = local_socket_listen(SOCK_SEQPACKET, run_dir_fd, SOCKET_FILE, 16);

	return fd < 0 ? err_set(err, -fd, "make the recorder's socket: %s", strerror(-fd)) : fd;
}

static int open_lock(int run_dir_fd, struct err *err)
{
	autoclose int fd =
		openat(run_dir_fd, LOCK_FILE, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_errno(err, "lock the recorder's file");
	return take_fd(&fd);
}

static void list_arguments(const struct recording *recording, struct strlist *arguments)
{
	const struct container_spec *spec = recording->spec;
	const char *profile = spec->seccomp_profile ?: recording->engine->settings.seccomp_profile;
	uint64_t granted = recording->config->process.capabilities.bounding;

	strlist_add(arguments, recording->engine->self_path);
	strlist_add(arguments, "container");
	strlist_add(arguments, "record");
	strlist_addf(arguments, "--granted=%llx", (unsigned long long)granted);
	strlist_addf(arguments, "--state=%s/recorded", recording->directory);
	if (spec->seccomp_record)
		strlist_addf(arguments, "--seccomp=%s", spec->seccomp_record);
	if (spec->cap_record)
		strlist_addf(arguments, "--capabilities=%s", spec->cap_record);
	if (!recording->config->seccomp.count)
		strlist_add(arguments, "--unconfined");
	else if (profile)
		strlist_addf(arguments, "--profile=%s", profile);
}

/* The recorder's descriptors are those of recorder.h; it outlives the terminal that started the container. */
static int spawn_recorder(const struct recording *recording, const int sources[RECORDER_FD_COUNT],
			  struct err *err)
{
	autostrlist struct strlist arguments = STRLIST_EMPTY;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int raised[RECORDER_FD_COUNT];
	sigset_t none;
	pid_t pid;

	list_arguments(recording, &arguments);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, 0, 2);
	for (int i = 0; i < RECORDER_FD_COUNT; i++) {
		/* Out of the way: a source may lie where another one goes. */
		raised[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 16);
		posix_spawn_file_actions_adddup2(&actions, raised[i], RECORDER_FIRST_FD + i);
	}
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	int code = posix_spawn(&pid, arguments.items[0], &actions, &attributes, arguments.items,
			       recording->engine->environment.items);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	for (int i = 0; i < RECORDER_FD_COUNT; i++)
		fd_close(&raised[i]);
	return code ? err_set(err, code, "start the recorder: %s", strerror(code)) : 0;
}

static int pass_to_agent(const struct recording *recording, const struct runtime_child *child,
			 const char *status, int listener_fd, struct err *err)
{
	return runtime_send_listener(recording->config, status,
				     recording->container_pid ?: child->pid, child->pid,
				     listener_fd, err);
}

int recording_take_first(void *data, const struct runtime_child *child, int listener_fd,
			 struct err *err)
{
	const struct recording *recording = data;

	if (!recording_is_wanted(recording->spec))
		return pass_to_agent(recording, child, "created", listener_fd, err);
	autoclose int run_dir_fd = open_directory(recording->run_dir, err);
	if (run_dir_fd < 0)
		return run_dir_fd;
	autoclose int socket_fd = listen_for_others(run_dir_fd, err);
	if (socket_fd < 0)
		return socket_fd;
	autoclose int lock_fd = open_lock(run_dir_fd, err);
	if (lock_fd < 0)
		return lock_fd;
	const int fds[RECORDER_FD_COUNT] = { listener_fd, socket_fd, lock_fd };
	return spawn_recorder(recording, fds, err);
}

int recording_take_other(void *data, const struct runtime_child *child, int listener_fd,
			 struct err *err)
{
	const struct recording *recording = data;

	if (!recording_is_wanted(recording->spec))
		return pass_to_agent(recording, child, "running", listener_fd, err);
	autoclose int run_dir_fd = open_directory(recording->run_dir, err);
	if (run_dir_fd < 0)
		return run_dir_fd;
	autoclose int fd = local_socket_connect(SOCK_SEQPACKET, run_dir_fd, SOCKET_FILE);
	int r = fd < 0 ? fd : (int)fd_send(fd, "l", 1, listener_fd);
	if (r < 0)
		return err_set(err, -r,
			       "the recorder of the container does not answer: %s; was it killed?",
			       strerror(-r));
	return 0;
}

void recording_await(const struct container_spec *spec, const char *run_dir)
{
	if (!recording_is_wanted(spec))
		return;
	autofree char *path = xasprintf("%s/" LOCK_FILE, run_dir);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	while (fd >= 0 && flock(fd, LOCK_SH) < 0 && errno == EINTR)
		;
}
