#include "kernel/aside.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/err.h"
#include "kernel/pidfd.h"

#define STACK_BYTES (256 * 1024)

struct aside {
	int (*body)(void *arg, struct err *err);
	void *arg;
	char *inner_stack; /* of the second child of ASIDE_LEAVE */
	int result;
	struct err *err;
};

static int run_body(void *arg)
{
	struct aside *aside = arg;

	aside->result = aside->body(aside->arg, aside->err);
	return 0;
}

/* A child whose parent ends at once is reaped by init. We go on when it lets go of our memory,
 * which a dying process does before it closes its descriptors. */
static int run_body_in_orphan(void *arg)
{
	struct aside *aside = arg;

	if (clone(run_body, aside->inner_stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD,
		  aside) < 0)
		aside->result = err_errno(aside->err, "clone");
	return 0;
}

int aside_run(enum aside_flags flags, int (*body)(void *arg, struct err *err), void *arg,
	      struct err *err)
{
	size_t stack_bytes = flags & ASIDE_LEAVE ? 2 * STACK_BYTES : STACK_BYTES;
	struct aside aside = { .body = body, .arg = arg, .result = -EIO, .err = err };
	sigset_t all, before;
	int status = 0;

	char *stacks = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (stacks == MAP_FAILED)
		return err_errno(err, "make a stack");
	aside.inner_stack = stacks + STACK_BYTES;
	int dumpable = prctl(PR_GET_DUMPABLE);

	/* A handler of ours that ran in the child would work on our memory. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone(flags & ASIDE_LEAVE ? run_body_in_orphan : run_body, stacks + STACK_BYTES,
			  CLONE_VM | CLONE_VFORK | SIGCHLD |
				  (flags & ASIDE_SHARE_FILES ? CLONE_FILES : 0),
			  &aside);
	int reaped = pid < 0 ? -errno : process_reap(pid, &status);
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* A child that gains capabilities makes the memory undumpable, and with it our own
	 * /proc/self closed to us. */
	if (dumpable == 1)
		(void)prctl(PR_SET_DUMPABLE, 1);
	(void)munmap(stacks, stack_bytes);

	if (pid < 0)
		return err_set(err, -reaped, "clone: %s", strerror(-reaped));
	if (reaped == 0 && !WIFEXITED(status))
		return err_set(err, EIO, "a helping process was killed by signal %d",
			       WTERMSIG(status));
	return aside.result;
}
