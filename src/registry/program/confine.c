#include "registry/program/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- capabilities ---- */

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		if (prctl(PR_CAPBSET_DROP, capability) < 0 && errno != EPERM)
			return err_errno(err, "drop capability %d", capability);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* capset() implies it */
	if (syscall(SYS_capset, &header, none) < 0)
		return err_errno(err, "drop capabilities");
	return 0;
}

/* ---- Landlock, see landlock(7) ---- */

/* As of ABI 6; the size given to the kernel tells which part of it exists. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

#define ACCESS_FS_REFER	      (1ULL << 13) /* ABI 2 */
#define ACCESS_FS_TRUNCATE    (1ULL << 14) /* ABI 3 */
#define ACCESS_FS_IOCTL_DEV   (1ULL << 15) /* ABI 5 */
#define ACCESS_NET_BIND_TCP   (1ULL << 0)  /* ABI 4 */
#define SCOPE_ABSTRACT_SOCKET (1ULL << 0)  /* ABI 6 */
#define SCOPE_SIGNAL	      (1ULL << 1)  /* ABI 6 */

#define ACCESS_READ_FILE      ((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE)
#define ACCESS_READ_DIRECTORY (ACCESS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_DOWNLOAD                                                                            \
	(ACCESS_READ_DIRECTORY | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |     \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_FS_TRUNCATE)

static int allow(int ruleset_fd, int path_fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = path_fd };

	return (int)syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
			    0);
}

static int allow_reading(int ruleset_fd, const char *path, struct err *err)
{
	struct stat st;

	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (allow(ruleset_fd, fd, S_ISDIR(st.st_mode) ? ACCESS_READ_DIRECTORY : ACCESS_READ_FILE) <
	    0)
		return err_errno(err, "Landlock rule for '%s'", path);
	return 0;
}

static int restrict_files(int download_fd, const struct strlist *read_paths, struct err *err)
{
	int abi =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_debug(
			"no Landlock in this kernel; davit-registry can write where its user can");
		return 0;
	}
	struct ruleset ruleset = { .handled_access_fs = (1ULL << 13) - 1 };
	size_t size = sizeof(ruleset.handled_access_fs);
	if (abi >= 2)
		ruleset.handled_access_fs |= ACCESS_FS_REFER;
	if (abi >= 3)
		ruleset.handled_access_fs |= ACCESS_FS_TRUNCATE;
	if (abi >= 4) {
		ruleset.handled_access_net = ACCESS_NET_BIND_TCP;
		size = offsetof(struct ruleset, scoped);
	}
	if (abi >= 5)
		ruleset.handled_access_fs |= ACCESS_FS_IOCTL_DEV;
	if (abi >= 6) {
		ruleset.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
		size = sizeof(ruleset);
	}
	autoclose int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
	if (fd < 0)
		return err_errno(err, "create a Landlock ruleset");
	if (download_fd >= 0 &&
	    allow(fd, download_fd, ACCESS_DOWNLOAD & ruleset.handled_access_fs) < 0)
		return err_errno(err, "Landlock rule for the download directory");
	for (size_t i = 0; i < read_paths->count; i++) {
		int r = allow_reading(fd, read_paths->items[i], err);
		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_errno(err, "restrict files by Landlock");
	return 0;
}

/* ---- system calls ---- */

/* What libc's resolver and allocator, OpenSSL and libcurl need, and our own loop. */
static const int allowed_calls[] = {
	/* data */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(ioctl),
	SCMP_SYS(fadvise64),
	SCMP_SYS(_llseek),
	/* files */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	SCMP_SYS(flock),
	SCMP_SYS(ftruncate),
	SCMP_SYS(ftruncate64),
	SCMP_SYS(unlinkat),
	/* network */
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(socketpair),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(_newselect),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(futex),
	/* memory */
	SCMP_SYS(mmap),
	SCMP_SYS(mmap2),
	SCMP_SYS(munmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(membarrier),
	/* threads (the resolver's), signals, the end */
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* questions */
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrlimit),
	SCMP_SYS(ugetrlimit),
};

static int add_rules(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed_calls); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
		if (r == -EDOM || r == -EINVAL) /* not a call of this architecture */
			r = 0;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	if (r == 0) /* threads, no processes */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0) /* its flags lie in memory; libc then uses clone */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (r == 0) /* asking for limits, not setting them */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
				     SCMP_A2(SCMP_CMP_EQ, 0));
	return r;
}

static int filter_calls(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (!filter)
		return err_set(err, ENOMEM, "prepare a seccomp filter");
	int r = add_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r == -EINVAL || r == -ENOSYS) {
		log_debug("no seccomp filters in this kernel");
		r = 0;
	}
	if (r < 0)
		return err_set(err, -r, "load the seccomp filter: %s", strerror(-r));
	return 0;
}

int confine(int download_fd, const struct strlist *read_paths, struct err *err)
{
	const struct rlimit no_core = { 0, 0 }; /* it would hold passwords */

	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return err_errno(err, "forbid core dumps");
	(void)prctl(PR_SET_DUMPABLE, 0); /* nor may our user's other processes look inside */
	int r = drop_capabilities(err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, "set no_new_privs");
	r = restrict_files(download_fd, read_paths, err);
#ifndef __SANITIZE_ADDRESS__ /* the sanitizer's own calls are not in the list */
	if (r >= 0)
		r = filter_calls(err);
#endif
	return r;
}
