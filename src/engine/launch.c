#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/recording.h"
#include "kernel/seccomp.h"
#include "kernel/vfork.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"
#include "store/store.h"

#define MAX_PROFILE_BYTES (1 << 20)
#define STACK_BYTES	  (512 * 1024)

int launch_pipes_open(struct launch_pipes *pipes, bool with_stdin, struct err *err)
{
	if ((with_stdin && pipe2(pipes->stdin_fds, O_CLOEXEC) < 0) ||
	    pipe2(pipes->stdout_fds, O_CLOEXEC) < 0 || pipe2(pipes->stderr_fds, O_CLOEXEC) < 0)
		return err_errno(err, "create pipes");
	/* A program may open /dev/stdout again, which asks for permission on the pipe itself. The mode reaches nobody
	 * who was not given the descriptor. */
	int fds[] = { pipes->stdin_fds[0], pipes->stdout_fds[1], pipes->stderr_fds[1] };
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)fchmod(fds[i], 0666);
	return 0;
}

int launch_load_filter(struct engine *engine, const struct container_spec *spec, uint64_t bounding,
		       struct seccomp_filter *filter, struct err *err)
{
	const char *profile = spec->seccomp_profile ?: engine->settings.seccomp_profile;
	struct store *store;

	if (spec->privileged ||
	    (!spec->seccomp_text && profile && strcmp(profile, "unconfined") == 0))
		return 0;
	int r = engine_store(engine, &store, err);
	if (r < 0)
		return r;
	int cache_fd = store_directory(store, STORE_CACHE, err);
	if (cache_fd < 0)
		return cache_fd;
	if (!spec->seccomp_text)
		return seccomp_filter_load(profile, bounding, cache_fd, filter, err);
	r = seccomp_filter_make(spec->seccomp_text, strlen(spec->seccomp_text), bounding, cache_fd,
				filter, err);
	if (r < 0)
		return err_wrap(err, "seccomp profile of image '%s'", spec->image_name);
	/* Which program of the host is to judge is not for an image to say. */
	if (filter->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		return err_set(
			err, EPERM,
			"seccomp profile of image '%s' notifies a program of the host; give it "
			"as --security-opt seccomp=FILE",
			spec->image_name);
	return 0;
}

/* Its socket is in the profile, which is read again: a compiled one does not have it. */
static int find_agent(const char *profile, struct oci_runtime_config *config, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autojson struct json_object *document = NULL;

	if (!profile)
		return err_set(err, ENOTSUP,
			       "the host's seccomp profile has SCMP_ACT_NOTIFY; name another one "
			       "with --security-opt seccomp=FILE");
	int r = file_read(AT_FDCWD, profile, &text, MAX_PROFILE_BYTES, err);
	if (r == 0)
		r = json_parse(strbuf_text(&text), text.size, &document, err);
	if (r < 0)
		return r;
	config->seccomp_listener_path = xstrdup(json_get_string(document, "listenerPath", ""));
	config->seccomp_listener_metadata =
		xstrdup(json_get_string(document, "listenerMetadata", NULL));
	return 0;
}

int launch_load_filters(struct engine *engine, const struct container_spec *spec,
			struct oci_runtime_config *config, struct err *err)
{
	int r = launch_load_filter(engine, spec, config->process.capabilities.bounding,
				   &config->seccomp, err);

	if (r == 0 && (config->seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		r = find_agent(spec->seccomp_profile ?: engine->settings.seccomp_profile, config,
			       err);
	return r < 0 ? r : recording_plan(spec, config, err);
}

/* Run `body` in a child process that works on our memory while we stand still, as after vfork(2), until it executes
 * another program or ends: copying our page tables, only to drop them at the execve(2), would cost a tenth of a whole
 * start. Its descriptors are its own. */
static pid_t run_launcher(int (*body)(void *arg), void *arg, int cgroup_fd, struct err *err)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return err_errno(err, "memory for the launcher");
	pid_t pid = vfork_into(body, arg, stack, STACK_BYTES, cgroup_fd);
	int r = pid < 0 ? err_errno(err, "start the launcher") : 0;
	munmap(stack, STACK_BYTES);
	return r < 0 ? r : pid;
}

void launch_open_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t launch_and_hear(int (*body)(void *arg), void *arg, int cgroup_fd,
		      struct launch_report *report, struct err *err)
{
	pid_t pid = run_launcher(body, arg, cgroup_fd, err);

	if (pid < 0 || (report->is_made && report->exit_code == 0))
		return pid;
	(void)waitpid(pid, NULL, 0); /* it ends by itself after a failure */
	if (!report->is_made) {
		report->exit_code = RUNTIME_FAILED;
		return err_set(err, ECHILD, "the launching process was killed");
	}
	*err = report->err;
	return -err->code;
}

size_t launch_cleanup_words(const struct engine *engine, const char *id,
			    const char *words[LAUNCH_CLEANUP_WORDS])
{
	size_t count = 0;

	words[count++] = engine->self_path;
	words[count++] = "--root";
	words[count++] = engine->root;
	words[count++] = "--runroot";
	words[count++] = engine->runroot;
	if (!event_is_wanted(engine)) {
		words[count++] = "--events-backend";
		words[count++] = "none";
	}
	words[count++] = "container";
	words[count++] = "cleanup";
	words[count++] = id;
	words[count] = NULL;
	return count;
}
