/* Executing the command, directly or through the stub; see exec-command.h. */
#include "runtime/exec-command.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/child.h"

#ifdef HAVE_EXEC_STUB
#include "exec-stub-program.h"
#else
static const unsigned char exec_stub_program[1];
#endif

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* since Linux 6.3 */
#endif

const size_t child_stub_size = sizeof(exec_stub_program);

static bool write_listening_filter(struct child *child, int fd)
{
	const struct seccomp_filter *filter = &child->plan->listening;
	ssize_t size = (ssize_t)(filter->count * 8);
	struct exec_listening_filter head = {
		.count = (uint32_t)filter->count,
		.flags = filter->flags,
	};

	return write(fd, &head, sizeof(head)) == (ssize_t)sizeof(head) &&
	       write(fd, filter->instructions, (size_t)size) == size;
}

/* Made before the limits of the command apply, one on file sizes for instance. */
void child_make_stub(struct child *child)
{
	const struct seccomp_filter *filter = &child->plan->filter;
	size_t filter_size = filter->count * 8; /* struct sock_filter */

	if (!child->plan->use_stub)
		return;
	int fd = memfd_create("davit-exec", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("davit-exec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return; /* forbidden by sysctl vm.memfd_noexec: davit's file goes unprotected */
	if (write(fd, exec_stub_program, child_stub_size) == (ssize_t)child_stub_size &&
	    (!filter_size ||
	     write(fd, filter->instructions, filter_size) == (ssize_t)filter_size) &&
	    (!child->plan->listening.count || write_listening_filter(child, fd)) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		child->stub_fd = fd;
	else
		close(fd);
}

static long execute_path(const char *path, char *const *argv, char *const *env)
{
	return execve(path, argv, env) < 0 ? -errno : 0;
}

static long path_exists(const char *path)
{
	return access(path, F_OK) < 0 ? -errno : 0;
}

static const uint64_t *door_key;

static long keyed_call(long number, long a, long b, long c)
{
	long r = syscall(number, a, b, c, door_key[0], door_key[1], door_key[2]);

	return r < 0 ? -errno : r;
}

static _Noreturn void leave(void)
{
	_exit(0);
}

int child_enter_pid_namespace(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	if (!plan->enters_container)
		return 0;
	door_key = plan->filter_key;
	return exec_enter_pid_namespace(plan->config->process.terminal ? EXEC_FORK_WITH_TERMINAL
								       : EXEC_FORK,
					child->control_fd, keyed_call, leave, &child->report);
}

int child_execute(struct child *child)
{
	static char *const empty[] = { NULL };
	const struct launch_plan *plan = child->plan;
	const struct oci_process *process = &plan->config->process;
	char *const *env = process->env.count ? process->env.items : empty;

	if (child->stub_fd >= 0) {
		syscall(SYS_execveat, child->stub_fd, "", plan->stub_argv, env, AT_EMPTY_PATH);
		/* A filter that had to be set before may forbid this call and allow execve(2). */
		bool forbidden = errno == EPERM || errno == ENOSYS || errno == EACCES;
		if (!forbidden || process->no_new_privileges || !plan->filter.count)
			return child_fail(child, CHILD_EXEC, 0);
		if (child_enter_pid_namespace(child) < 0)
			return -1;
	}
	exec_candidates(plan->candidates.items, plan->candidates.count, process->args.items, env,
			execute_path, path_exists, &child->report);
	return -1;
}
