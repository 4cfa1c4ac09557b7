/* The stub that executes a container's command; why and how it is called: exec-command.h.
 *
 * Linked with nothing, not even the C library, so that executing it costs a page or two. Where this
 * file knows no system call instruction it is not built, and the child executes the command. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
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

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x0, sp\n"
	"	b stub_main\n");

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#endif

static long call(long number, long a, long b, long c, long d)
{
	return call6(number, a, b, c, d, 0, 0);
}

static long execute(const char *path, char *const *argv, char *const *env)
{
	return call(SYS_execve, (long)path, (long)argv, (long)env, 0);
}

static long exists(const char *path)
{
	return call(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0);
}

/* The arguments before those of the command, in their order; see exec-command.h. */
enum argument {
	OWN_NAME,
	CANDIDATES,
	FILTER_OFFSET,
	FILTER_COUNT,
	FILTER_FLAGS,
	LISTENING_OFFSET,
	CONTROL_FD,
	FORK,
	KEY,
	FIRST_CANDIDATE = KEY + 3,
};

static long control_fd;

static _Noreturn void leave(void)
{
	for (;;)
		(void)call(SYS_exit_group, 1, 0, 0, 0);
}

static _Noreturn void end(const struct child_report *report)
{
	(void)call(SYS_write, control_fd, (long)report, sizeof(*report), 0);
	leave();
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

/* What opens the door of a filter that may refuse every other call, or wait for an answer to it. */
static uint64_t key[3];

static long keyed_call(long number, long a, long b, long c)
{
	return call6(number, a, b, c, (long)key[0], (long)key[1], (long)key[2]);
}

/* Returns the listener, if the filter has one. */
static long set_filter(size_t offset, size_t count, size_t flags)
{
	struct sock_fprog program = { .len = (unsigned short)count, .filter = filter };
	long size = (long)(count * sizeof(filter[0]));

	if (count > FILTER_MAX)
		return -E2BIG;
	long r = call(SYS_pread64, control_fd + 1, (long)filter, size, (long)offset);
	if (r != size)
		return r < 0 ? r : -EIO;
	return keyed_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (long)flags, (long)&program);
}

static long set_listening_filter(size_t offset)
{
	struct exec_listening_filter head;
	struct exec_message message;

	long r = call(SYS_pread64, control_fd + 1, (long)&head, sizeof(head), (long)offset);
	if (r != sizeof(head))
		return r < 0 ? r : -EIO;
	long fd = set_filter(offset + sizeof(head), head.count, head.flags);
	if (fd < 0)
		return fd;
	report.step = CHILD_LISTENER;
	exec_message(&message, &report, (int)fd);
	r = keyed_call(SYS_sendmsg, control_fd, (long)&message.header, MSG_NOSIGNAL);
	(void)keyed_call(SYS_close, fd, 0, 0);
	return r;
}

/* The one with a listener comes first, since the other one may forbid to set any. What follows is answered. */
static void set_filters(size_t offset, size_t count, size_t flags, size_t listening_offset)
{
	long r = listening_offset ? set_listening_filter(listening_offset) : 0;

	if (r >= 0 && count)
		r = set_filter(offset, count, flags);
	(void)call(SYS_close, control_fd + 1, 0, 0, 0);
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
	size_t candidates = argc > FIRST_CANDIDATE ? number(argv[CANDIDATES]) : 0;

	/* An image that names /proc/self/exe gets us as its program. */
	if (argc <= FIRST_CANDIDATE || candidates > argc - FIRST_CANDIDATE)
		for (;;)
			(void)call(SYS_exit_group, 126, 0, 0, 0);
	control_fd = (long)number(argv[CONTROL_FD]);
	for (int i = 0; i < 3; i++)
		key[i] = number(argv[KEY + i]);
	(void)call(SYS_fcntl, control_fd, F_SETFD, FD_CLOEXEC, 0);
	enum exec_fork fork = (enum exec_fork)number(argv[FORK]);
	/* Who has the same user inside shall not find the new process half made either. Its exec undoes it. */
	if (fork)
		(void)call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0);
	set_filters(number(argv[FILTER_OFFSET]), number(argv[FILTER_COUNT]),
		    number(argv[FILTER_FLAGS]), number(argv[LISTENING_OFFSET]));
	if (fork && exec_enter_pid_namespace(fork, (int)control_fd, keyed_call, leave, &report) < 0)
		end(&report);
	exec_candidates(argv + FIRST_CANDIDATE, candidates, argv + FIRST_CANDIDATE + candidates,
			env, execute, exists, &report);
	end(&report);
}
