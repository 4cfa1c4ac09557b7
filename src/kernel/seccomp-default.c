/* The profile for containers whose host has none: what programs may ask of the kernel.
 *
 * A call is here when ordinary programs need it and the kernel checks the caller's rights inside
 * the container's namespaces; it takes a capability when its effect could reach outside, or when
 * its code is little used and has a history of holes. What a group lacks a capability for gives
 * EPERM, so that programs report a missing right; everything that is not here gives ENOSYS, so that
 * they fall back as on an older kernel. Where the peers differ, the stricter choice is taken: new
 * namespaces and mounts need CAP_SYS_ADMIN, and neither io_uring nor keyrings are there.
 *
 * Names that an architecture lacks, or that libseccomp and we do not know, are passed over. */
#include "kernel/seccomp-profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/mem.h"

#define LOWER_HALF UINT64_C(0xffffffff) /* arguments that the kernel takes as an int */

static const char *const always[] = {
	/* Files and directories: rights are checked against the container's own mounts. */
	"access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
	"faccessat faccessat2 fadvise64 fadvise64_64 arm_fadvise64_64 fallocate fchdir fchmod "
	"fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 "
	"fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents "
	"getdents64 ioctl lchown lchown32 link linkat _llseek lseek lstat lstat64 mkdir mkdirat "
	"mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev "
	"pwritev2 read readahead readdir readlink readlinkat readv rename renameat renameat2 rmdir "
	"sendfile sendfile64 splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
	"sync_file_range sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 umask "
	"unlink unlinkat utime utimensat utimensat_time64 utimes write writev cachestat "
	"file_getattr file_setattr name_to_handle_at vmsplice",
	/* Extended attributes. */
	"fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr "
	"listxattrat llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr "
	"setxattrat",
	/* Looking at mounts, not changing them. */
	"statmount listmount",
	/* Waiting for events. */
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	"epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init "
	"inotify_init1 inotify_rm_watch _newselect pause pipe pipe2 poll ppoll ppoll_time64 "
	"pselect6 pselect6_time64 select signalfd signalfd4",
	/* Asynchronous input and output of the old kind; io_uring stays out. */
	"io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
	/* Memory. Executable pages are a program's own affair. */
	"brk get_mempolicy madvise mbind membarrier memfd_create memfd_secret mincore mlock mlock2 "
	"mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap "
	"map_shadow_stack pkey_alloc pkey_free pkey_mprotect remap_file_pages set_mempolicy "
	"set_mempolicy_home_node",
	/* Processes and their relations. clone(2) has conditions, below. */
	"capget capset execve execveat exit exit_group fork get_robust_list getcpu getegid "
	"getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid "
	"getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage "
	"getsid gettid getuid getuid32 ioprio_get ioprio_set kill pidfd_open pidfd_send_signal "
	"prctl prlimit64 process_mrelease restart_syscall rseq set_robust_list set_tid_address "
	"setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid "
	"setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
	"setreuid32 setrlimit setsid setuid setuid32 sysinfo tgkill times tkill ugetrlimit uname "
	"vfork wait4 waitid waitpid",
	/* Tracing what runs as the same user. Safe since filters are checked after a tracer has
	   changed the call (Linux 4.8). */
	"ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp uretprobe uprobe",
	/* Signals. */
	"rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
	"rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack signal "
	"sigpending sigprocmask sigreturn sigsuspend",
	/* Scheduling, within what nice levels and real-time limits allow. */
	"sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
	"sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	"sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield",
	/* Locks. */
	"futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake",
	/* Time. Setting it is below. */
	"adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
	"clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer "
	"gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun "
	"timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create "
	"timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64",
	/* Sockets: the network namespace bounds them. socket(2) has conditions, below, which
	   socketcall(2), used by 32-bit programs, gets around: arguments behind a pointer cannot be
	   looked at. */
	"accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom "
	"recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown "
	"socketcall socketpair",
	/* SysV and POSIX IPC: the IPC namespace bounds them. */
	"ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	"mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
	"semtimedop_time64 shmat shmctl shmdt shmget",
	/* Confining oneself further, and asking how one is confined. */
	"landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr "
	"lsm_list_modules lsm_set_self_attr seccomp",
	/* What only some architectures have. */
	"arch_prctl breakpoint cacheflush get_thread_area modify_ldt riscv_flush_icache "
	"riscv_hwprobe s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr set_thread_area "
	"set_tls switch_endian syscall",
	"getrandom",
};

/* Calls that a capability opens. A call of several groups needs one of their capabilities. */
static const struct {
	int capability;
	const char *names;
} with_capability[] = {
	/* A handle opens any inode of a file system, whatever directory hides it. */
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	/* Changing mounts and making namespaces opens the larger part of the kernel. */
	{ CAP_SYS_ADMIN,
	  "bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr "
	  "move_mount open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd "
	  "setdomainname sethostname setns syslog umount umount2 unshare listns" },
	{ CAP_BPF, "bpf" },
	{ CAP_PERFMON, "perf_event_open" },
	{ CAP_SYSLOG, "syslog" },
	{ CAP_SYS_BOOT, "reboot" },
	{ CAP_SYS_CHROOT, "chroot" },
	{ CAP_SYS_MODULE, "delete_module finit_module init_module query_module" },
	{ CAP_SYS_NICE, "migrate_pages move_pages" },
	{ CAP_SYS_PACCT, "acct" },
	{ CAP_SYS_PTRACE, "process_madvise" },
	{ CAP_SYS_RAWIO, "ioperm iopl" },
	{ CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime" },
	{ CAP_SYS_TTY_CONFIG, "vhangup" },
};

/* Refused to everybody: what programs might take ENOSYS of for a reason to try worse. */
static const char refused[] =
	/* Another kernel, or code in this one. */
	"kexec_file_load kexec_load create_module get_kernel_syms "
	/* Keys are not in any namespace. */
	"add_key keyctl request_key "
	/* Holds other processes' page faults, which is what exploits of races want. */
	"userfaultfd "
	/* The host's swap. */
	"swapoff swapon "
	/* Old calls that no program needs and nobody tests. */
	"_sysctl bdflush nfsservctl oldfstat oldlstat oldolduname oldstat olduname "
	"pciconfig_iobase pciconfig_read pciconfig_write sgetmask ssetmask swapcontext sysfs "
	"uselib ustat vm86 vm86old";

static struct seccomp_rule *add_calls(struct seccomp_profile *profile, uint32_t action,
				      const char *names)
{
	struct seccomp_rule *rule = seccomp_profile_add_rule(profile, action);

	strlist_split(&rule->names, names, ' ');
	return rule;
}

/* For calls with conditional rules, which a rule without a condition would beat: one whose
 * condition always holds, behind them. */
static void add_otherwise(struct seccomp_profile *profile, uint32_t action, const char *name)
{
	seccomp_rule_add_condition(add_calls(profile, action, name), 0, SECCOMP_GREATER_OR_EQUAL, 0,
				   0);
}

static void add_personality(struct seccomp_profile *profile)
{
	/* Linux, 32-bit Linux, each also with uname's 2.6 release, and asking what is set. */
	static const uint32_t allowed[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		seccomp_rule_add_condition(add_calls(profile, SECCOMP_RET_ALLOW, "personality"), 0,
					   SECCOMP_MASKED_EQUAL, allowed[i], LOWER_HALF);
	add_otherwise(profile, SECCOMP_RET_ERRNO | EPERM, "personality");
}

static void add_clone(struct seccomp_profile *profile, bool may_make_namespaces)
{
	static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
					   CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
					   CLONE_NEWNET;

	if (may_make_namespaces) {
		add_calls(profile, SECCOMP_RET_ALLOW, "clone clone3");
		return;
	}
	/* Flags are the first argument everywhere but on s390. */
#ifdef __s390__
	const unsigned flags_argument = 1;
#else
	const unsigned flags_argument = 0;
#endif
	seccomp_rule_add_condition(add_calls(profile, SECCOMP_RET_ALLOW, "clone"), flags_argument,
				   SECCOMP_MASKED_EQUAL, 0, namespaces);
	add_otherwise(profile, SECCOMP_RET_ERRNO | EPERM, "clone");
	/* The flags of clone3 are behind a pointer; libraries fall back to clone. */
	add_calls(profile, SECCOMP_RET_ERRNO | ENOSYS, "clone3");
}

static void add_socket(struct seccomp_profile *profile, bool may_audit)
{
	struct seccomp_rule *rule;

	/* The way to a virtual machine's host; no namespace bounds it. */
	rule = add_calls(profile, SECCOMP_RET_ERRNO | EAFNOSUPPORT, "socket");
	seccomp_rule_add_condition(rule, 0, SECCOMP_MASKED_EQUAL, AF_VSOCK, LOWER_HALF);
	if (!may_audit) {
		/* EINVAL tells login programs that there is no audit here; EPERM would stop them.
		 */
		rule = add_calls(profile, SECCOMP_RET_ERRNO | EINVAL, "socket");
		seccomp_rule_add_condition(rule, 0, SECCOMP_MASKED_EQUAL, AF_NETLINK, LOWER_HALF);
		seccomp_rule_add_condition(rule, 2, SECCOMP_MASKED_EQUAL, NETLINK_AUDIT,
					   LOWER_HALF);
	}
	add_otherwise(profile, SECCOMP_RET_ALLOW, "socket");
}

struct seccomp_profile *seccomp_profile_default(uint64_t capabilities)
{
	struct seccomp_profile *profile = seccomp_profile_new();

	profile->default_action = SECCOMP_RET_ERRNO | ENOSYS;
	seccomp_profile_add_native_architectures(profile);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		add_calls(profile, SECCOMP_RET_ALLOW, always[i]);
	/* What is allowed comes first, and the first rule counts. */
	for (size_t i = 0; i < ARRAY_SIZE(with_capability); i++)
		if (capabilities & (UINT64_C(1) << with_capability[i].capability))
			add_calls(profile, SECCOMP_RET_ALLOW, with_capability[i].names);
	for (size_t i = 0; i < ARRAY_SIZE(with_capability); i++)
		add_calls(profile, SECCOMP_RET_ERRNO | EPERM, with_capability[i].names);
	add_calls(profile, SECCOMP_RET_ERRNO | EPERM, refused);
	add_personality(profile);
	add_clone(profile, capabilities & (UINT64_C(1) << CAP_SYS_ADMIN));
	add_socket(profile, capabilities & (UINT64_C(1) << CAP_AUDIT_WRITE));
	return profile;
}
