/* The floor under `davit run --rm --network none IMAGE true`: the same namespaces, mounts, masks, capabilities and a
 * filter of the same size, made by hand in one cold process that knows all answers beforehand and keeps no records.
 *
 *	floor ROOTFS WORK [COMMAND]      as root, or as a user with subordinate IDs
 *
 * ROOTFS is the lower layer, WORK a directory for upper and work directories. What an engine takes beyond this is what
 * it costs to be an engine. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call)                                                                                 \
	do {                                                                                       \
		if ((long)(call) < 0) {                                                            \
			fprintf(stderr, "floor: line %d: %s\n", __LINE__, strerror(errno));        \
			_exit(99);                                                                 \
		}                                                                                  \
	} while (0)

static char upper[4096], work[4096], options[16384];
static int is_user;

static void make_device(const char *name, int major_number, int minor_number)
{
	char inside[64], host[64];

	snprintf(inside, sizeof(inside), "dev/%s", name);
	snprintf(host, sizeof(host), "/dev/%s", name);
	if (!is_user) {
		MUST(mknod(inside, S_IFCHR | 0666,
			   makedev((unsigned)major_number, (unsigned)minor_number)));
		return;
	}
	int fd = open(inside, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	MUST(fd);
	close(fd);
	MUST(mount(host, inside, NULL, MS_BIND, NULL));
}

static void make_mounts(void)
{
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mount("overlay", upper, "overlay", 0, options));
	MUST(chdir(upper));
	MUST(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	MUST(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"));
	make_device("null", 1, 3);
	make_device("zero", 1, 5);
	make_device("full", 1, 7);
	make_device("random", 1, 8);
	make_device("urandom", 1, 9);
	make_device("tty", 5, 0);
	MUST(mkdir("dev/pts", 0755));
	MUST(mkdir("dev/shm", 0755));
	MUST(mkdir("dev/mqueue", 0755));
	MUST(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "newinstance,ptmxmode=0666,mode=0620,gid=5"));
	MUST(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   "mode=1777,size=65536k"));
	MUST(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	MUST(symlink("/proc/self/fd", "dev/fd"));
	MUST(symlink("/proc/self/fd/0", "dev/stdin"));
	MUST(symlink("/proc/self/fd/1", "dev/stdout"));
	MUST(symlink("/proc/self/fd/2", "dev/stderr"));
	MUST(symlink("pts/ptmx", "dev/ptmx"));
	MUST(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL));
	if (access("sys/fs/cgroup", F_OK) == 0)
		MUST(mount("cgroup2", "sys/fs/cgroup", "cgroup2",
			   MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL));
	MUST(syscall(SYS_pivot_root, ".", "."));
	MUST(umount2(".", MNT_DETACH));
	MUST(chdir("/"));
}

static void mask_paths(void)
{
	static const char *const files[] = { "/proc/kcore",	    "/proc/keys",
					     "/proc/latency_stats", "/proc/timer_list",
					     "/proc/sched_debug",   "/proc/timer_stats" };
	static const char *const directories[] = {
		"/proc/acpi",	  "/proc/scsi",	     "/sys/firmware",
		"/sys/dev/block", "/sys/fs/selinux", "/sys/devices/virtual/powercap"
	};
	static const char *const readonly[] = {
		"/proc/asound", "/proc/bus", "/proc/fs",
		"/proc/irq",	"/proc/sys", "/proc/sysrq-trigger"
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], F_OK) == 0)
			MUST(mount("/dev/null", files[i], NULL, MS_BIND, NULL));
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (access(directories[i], F_OK) == 0)
			MUST(mount("tmpfs", directories[i], "tmpfs", MS_RDONLY, "size=0"));
	for (size_t i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++)
		if (access(readonly[i], F_OK) == 0) {
			MUST(mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL));
			MUST(mount(NULL, readonly[i], NULL,
				   MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV |
					   MS_NOEXEC,
				   NULL));
		}
}

/* A tree of comparisons over the numbers low … high, allowing all: as deep and as long as a real allow-list. */
static int add_tree(struct sock_filter *program, int at, int low, int high)
{
	if (high - low < 2) {
		program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							     (unsigned)low, 0, 0);
		program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		return at;
	}
	int middle = (low + high) / 2, jump = at++;
	program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0);
	at = add_tree(program, at, low, middle);
	program[jump] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)middle, 0, 1);
	program[jump + 1].k = (unsigned)(at - jump - 2);
	/* JGE true: skip over the low half by the JA; false: fall into it. */
	return add_tree(program, at, middle, high);
}

static void confine(void)
{
	static struct sock_filter program[4096];
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	const unsigned kept = 0x800405fb; /* the eleven of containers.conf */
	struct __user_cap_data_struct data[2] = { { kept, kept, 0 }, { 0, 0, 0 } };
	int count = 0;

	program[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							offsetof(struct seccomp_data, nr));
	count = add_tree(program, count, 0, 256);
	struct sock_fprog filter = { .len = (unsigned short)count, .filter = program };
	for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (i >= 32 || !(kept >> i & 1))
			MUST(prctl(PR_CAPBSET_DROP, i, 0, 0, 0));
	MUST(syscall(SYS_capset, &header, data));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static _Noreturn void child(int go_fd, char *command)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	char byte, *const arguments[] = { command, NULL }, *const environment[] = { NULL };

	if (is_user) {
		MUST(read(go_fd, &byte, 1));
		MUST(setresgid(0, 0, 0));
		MUST(setresuid(0, 0, 0));
	}
	MUST(sethostname("floor", 5));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(fd);
	MUST(ioctl(fd, SIOCSIFFLAGS, &loopback));
	close(fd);
	make_mounts();
	mask_paths();
	confine();
	execve(command, arguments, environment);
	MUST(-1);
	_exit(99);
}

static void run_helper(const char *name, pid_t pid, unsigned own)
{
	char target[16], outside[16];
	const char *user = getenv("FLOOR_RANGE"); /* first subordinate ID */

	snprintf(target, sizeof(target), "%d", (int)pid);
	snprintf(outside, sizeof(outside), "%u", own);
	execlp(name, name, target, "0", outside, "1", "1", user ? user : "100000", "65536",
	       (char *)NULL);
	_exit(99);
}

static void write_maps(pid_t pid)
{
	pid_t helpers[2];

	for (int i = 0; i < 2; i++) {
		helpers[i] = vfork();
		MUST(helpers[i]);
		if (helpers[i] == 0)
			run_helper(i ? "newgidmap" : "newuidmap", pid, i ? getgid() : getuid());
	}
	for (int i = 0; i < 2; i++) {
		int status;
		MUST(waitpid(helpers[i], &status, 0));
		if (status)
			MUST(-1);
	}
}

/* What overlayfs has made in its work directory, from the inside out. */
static void clean_up(const char *base)
{
	static const char *const made[] = { "w/work/incompat/volatile",
					    "w/work/incompat",
					    "w/work",
					    "w/index",
					    "w",
					    "u/etc",
					    "u/run",
					    "u",
					    "" };
	char path[4096];

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, made[i]);
		(void)rmdir(path); /* not all of them are there */
	}
}

int main(int argc, char **argv)
{
	char base[2048], ns_path[64];
	int go[2], pid_fd, status;

	if (argc < 3) {
		fprintf(stderr, "usage: floor ROOTFS WORK [COMMAND]\n");
		return 2;
	}
	is_user = geteuid() != 0;
	snprintf(base, sizeof(base), "%s/%d", argv[2], (int)getpid());
	snprintf(upper, sizeof(upper), "%s/u", base);
	snprintf(work, sizeof(work), "%s/w", base);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s,volatile%s", argv[1],
		 upper, work, is_user ? ",userxattr" : "");
	MUST(mkdir(base, 0755));
	MUST(mkdir(upper, 0755));
	MUST(mkdir(work, 0755));
	MUST(pipe2(go, O_CLOEXEC));
	struct clone_args how = {
		.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			 CLONE_NEWUTS | CLONE_NEWCGROUP | (is_user ? CLONE_NEWUSER : 0),
		.pidfd = (uintptr_t)&pid_fd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof(how));
	MUST(pid);
	if (pid == 0)
		child(go[0], argc > 3 ? argv[3] : "/bin/true");
	if (is_user)
		write_maps(pid);
	/* Held until the end: the last process does not have to wait for the unmounting. */
	snprintf(ns_path, sizeof(ns_path), "/proc/%d/ns/mnt", (int)pid);
	MUST(open(ns_path, O_RDONLY | O_CLOEXEC));
	snprintf(ns_path, sizeof(ns_path), "/proc/%d/ns/net", (int)pid);
	MUST(open(ns_path, O_RDONLY | O_CLOEXEC));
	MUST(write(go[1], "x", 1));
	struct pollfd ended = { .fd = pid_fd, .events = POLLIN };
	MUST(poll(&ended, 1, -1));
	MUST(waitpid(pid, &status, 0));
	clean_up(base);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
