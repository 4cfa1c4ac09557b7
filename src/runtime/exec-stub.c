/* The stub that executes a container's command; why and how it is called: exec-command.h.
 *
 * Linked with nothing, not even the C library, so that executing it costs a page or two. Where this
 * file knows no system call instruction it is not built, and the child executes the command. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/exec-command.h"

/* BPF_MAXINSNS of the kernel */
#define FILTER_MAX 4096

void stub_main(uintptr_t *stack);

#if defined(__x86_64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call stub_main\n");

static long call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x0, sp\n"
	"	b stub_main\n");

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#endif

static long execute(const char *path, char *const *argv, char *const *env)
{
	return call(SYS_execve, (long)path, (long)argv, (long)env, 0);
}

static long exists(const char *path)
{
	return call(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0);
}

static long control_fd;

static _Noreturn void end(const struct child_report *report)
{
	(void)call(SYS_write, control_fd, (long)report, sizeof(*report), 0);
	for (;;)
		(void)call(SYS_exit_group, 1, 0, 0, 0);
}

static size_t number(const char *digits)
{
	size_t value = 0;

	while (*digits)
		value = value * 10 + (size_t)(*digits++ - '0');
	return value;
}

/* The bss costs nothing until it is written to. */
static struct sock_filter filter[FILTER_MAX];
static struct child_report report;

static void set_filter(size_t offset, size_t count, size_t flags)
{
	struct sock_fprog program = { .len = (unsigned short)count, .filter = filter };
	long size = (long)(count * sizeof(filter[0]));

	long r = count > FILTER_MAX
			 ? -E2BIG
			 : call(SYS_pread64, control_fd + 1, (long)filter, size, (long)offset);
	(void)call(SYS_close, control_fd + 1, 0, 0, 0);
	if (r == size)
		r = count ? call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (long)flags, (long)&program,
				 0)
			  : 0;
	else if (r >= 0)
		r = -EIO;
	if (r < 0) {
		report.step = CHILD_SECCOMP;
		report.code = (int)-r;
		end(&report);
	}
}

void stub_main(uintptr_t *stack)
{
	size_t argc = stack[0];
	char **argv = (char **)(stack + 1);
	char **env = argv + argc + 1;
	size_t candidates = argc > 6 ? number(argv[1]) : 0;

	/* An image that names /proc/self/exe gets us as its program. */
	if (argc <= 6 || candidates > argc - 6)
		for (;;)
			(void)call(SYS_exit_group, 126, 0, 0, 0);
	control_fd = (long)number(argv[5]);
	(void)call(SYS_fcntl, control_fd, F_SETFD, FD_CLOEXEC, 0);
	set_filter(number(argv[2]), number(argv[3]), number(argv[4]));
	exec_candidates(argv + 6, candidates, argv + 6 + candidates, env, execute, exists, &report);
	end(&report);
}
