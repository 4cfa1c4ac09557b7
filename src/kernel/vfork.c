#include "kernel/vfork.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library has clone3(2) for itself only. The new process begins with an empty stack, so it
 * cannot return from a function: it calls `body` before it leaves the instructions below. */
#if defined(__x86_64__)
static long clone3_call(const struct clone_args *args, int (*body)(void *arg), void *arg)
{
	register void *r8 __asm__("r8") = arg;
	long result = SYS_clone3;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r8, %%rdi\n\t"
			 "call *%%rdx\n\t"
			 "hlt\n"
			 "1:"
			 : "+a"(result)
			 : "D"(args), "S"(sizeof(*args)), "d"(body), "r"(r8)
			 : "rcx", "r11", "memory", "cc");
	return result;
}
#elif defined(__aarch64__)
static long clone3_call(const struct clone_args *args, int (*body)(void *arg), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);
	register void *x3 __asm__("x3") = (void *)body;
	register void *x4 __asm__("x4") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x4\n\t"
			 "blr x3\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x3), "r"(x4), "r"(x8)
			 : "memory", "cc");
	return x0;
}
#else
static long clone3_call(const struct clone_args *args, int (*body)(void *arg), void *arg)
{
	(void)args;
	(void)body;
	(void)arg;
	return -ENOSYS;
}
#endif

pid_t vfork_into(int (*body)(void *arg), void *arg, void *stack, size_t stack_size, int cgroup_fd)
{
	const struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = stack_size,
		.cgroup = (uint64_t)cgroup_fd,
	};

	if (cgroup_fd >= 0) {
		long pid = clone3_call(&args, body, arg);
		if (pid > 0)
			return (pid_t)pid;
	}
	return clone(body, (char *)stack + stack_size, CLONE_VM | CLONE_VFORK | SIGCHLD, arg);
}
