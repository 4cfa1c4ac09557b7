/* The table has a row for each capability and group of calls, with a function that looks closer where the call alone does
 * not tell; those for files are in capability-files.c. */
#include "engine/capability-use.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/prctl.h>
#include <linux/xattr.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/capability-use-internal.h"
#include "kernel/seccomp-notice.h"
#include "kernel/seccomp-profile.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define NUMBERS		1024 /* far above the newest call */
#define X32_CALL_BIT	0x40000000

/* ---- arguments ---- */

/* A name in the file system; others have no permissions. */
static bool is_kept_from_socket(const struct call *call, const struct row *row)
{
	struct {
		sa_family_t family;
		char first;
	} address;

	if (call_argument(call, 2) < sizeof(address.family) + 1)
		return false;
	if (!call_read_memory(call, call_argument(call, 1), &address, sizeof(address.family) + 1))
		return true;
	return address.family == AF_UNIX && address.first && file_is_shut(call, row);
}

static bool sets_file_flags(const struct call *call, const struct row *row)
{
	uint32_t request = (uint32_t)call_argument(call, 1);

	return (request == FS_IOC_SETFLAGS || request == FS_IOC32_SETFLAGS ||
		request == FS_IOC_FSSETXATTR) &&
	       file_is_of_another(call, row);
}

static bool keeps_access_time(const struct call *call, const struct row *row)
{
	return (call_argument(call, row->path + 1) & O_NOATIME) && file_is_of_another(call, row);
}

/* Whose first map may need it. */
static bool makes_user_namespace(const struct call *call, const struct row *row)
{
	uint64_t flags = call_argument(call, 0);

	if (strcmp(row->calls, "clone3") == 0 &&
	    !call_read_memory(call, call_argument(call, 0), &flags, sizeof(flags)))
		return true;
	return flags & CLONE_NEWUSER;
}

static bool binds_low_port(const struct call *call, const struct row *row)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	size_t size = call_argument(call, 2) < sizeof(address.v4) ? 2 : sizeof(address.v4);

	if (!call_read_memory(call, call_argument(call, 1), &address, size))
		return true;
	if (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6)
		return false;
	uint16_t port = ntohs(address.v4.sin_port); /* at the same place in both */
	return port > 0 && port < 1024;
}

static bool is_raw_socket(const struct call *call, const struct row *row)
{
	int family = (int)call_argument(call, 0), type = (int)call_argument(call, 1) & 0xf;

	return family == AF_PACKET ||
	       ((family == AF_INET || family == AF_INET6) && type == SOCK_RAW);
}

static bool is_audit_socket(const struct call *call, const struct row *row)
{
	return call_argument(call, 0) == AF_NETLINK &&
	       call_argument(call, 2) == 9 /* NETLINK_AUDIT */;
}

/* The mode stands behind the path. */
static bool makes_device(const struct call *call, const struct row *row)
{
	mode_t mode = (mode_t)call_argument(call, row->path + 1);

	return S_ISCHR(mode) || S_ISBLK(mode);
}

static bool sets_group_bit(const struct call *call, const struct row *row)
{
	return call_argument(call, (row->path < 0 ? row->directory : row->path) + 1) & S_ISGID;
}

static bool names_capability(const struct call *call, const struct row *row)
{
	char name[XATTR_NAME_MAX + 1];

	return !call_read_text(call, call_argument(call, 1), name, sizeof(name)) ||
	       strcmp(name, XATTR_NAME_CAPS) == 0;
}

static bool drops_from_bounding(const struct call *call, const struct row *row)
{
	uint64_t option = call_argument(call, 0);

	return option == PR_CAPBSET_DROP || option == PR_SET_SECUREBITS;
}

/* Inheritable ones that are not permitted. */
static bool adds_inheritable(const struct call *call, const struct row *row)
{
	struct __user_cap_data_struct data[2];

	if (!call_argument(call, 1) ||
	    !call_read_memory(call, call_argument(call, 1), data, sizeof(data)))
		return true;
	uint64_t inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return inheritable & ~call->caller.permitted;
}

/* Who is signalled, as a number of the container's own processes. */
static bool signals_another_user(const struct call *call, const struct row *row)
{
	int pid = (int)call_argument(call, strcmp(row->calls, "tgkill rt_tgsigqueueinfo") == 0);
	char path[48], link[32];
	struct stat st;

	if (pid <= 0)
		return true; /* a group, or all */
	snprintf(link, sizeof(link), "/proc/%d/root", (int)call->notice->pid);
	autoclose int root_fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "proc/%d", pid);
	if (root_fd < 0 || fstatat(root_fd, path, &st, 0) < 0)
		return true;
	return st.st_uid != call->caller.uid;
}

/* ---- the table ---- */

#define NO_PATH -1, -1, WALK
#define DAC(calls, directory, path, access)                                                        \
	{ CAP_DAC_OVERRIDE, calls, file_is_shut, directory, path, access },                        \
	{                                                                                          \
		CAP_DAC_READ_SEARCH, calls, file_is_shut, directory, path, access                  \
	}

/* clang-format off */
static const struct row rows[] = {
	{ CAP_CHOWN, "chown chown32 lchown lchown32 fchown fchown32 fchownat", NULL, NO_PATH },
	{ CAP_FSETID, "chmod", sets_group_bit, -1, 0, WALK },
	{ CAP_FSETID, "fchmod", sets_group_bit, 0, -1, WALK },
	{ CAP_FSETID, "fchmodat fchmodat2", sets_group_bit, 0, 1, WALK },
	{ CAP_FOWNER, "chmod utime utimes setxattr lsetxattr removexattr lremovexattr", file_is_of_another, -1, 0, WALK },
	{ CAP_FOWNER, "fchmod fsetxattr fremovexattr", file_is_of_another, 0, -1, WALK },
	{ CAP_FOWNER, "ioctl", sets_file_flags, 0, -1, WALK },
	{ CAP_FOWNER, "open", keeps_access_time, -1, 0, WALK },
	{ CAP_FOWNER, "openat", keeps_access_time, 0, 1, WALK },
	{ CAP_FOWNER, "fchmodat fchmodat2 utimensat utimensat_time64 futimesat setxattrat removexattrat", file_is_of_another, 0, 1, WALK },
	{ CAP_FOWNER, "unlink rmdir rename", file_is_stuck, -1, 0, WALK },
	{ CAP_FOWNER, "unlinkat renameat renameat2", file_is_stuck, 0, 1, WALK },
	{ CAP_FOWNER, "rename", file_is_stuck, -1, 1, WALK },
	{ CAP_FOWNER, "renameat renameat2", file_is_stuck, 2, 3, WALK },
	{ CAP_FOWNER, "link", file_is_of_another, -1, 0, WALK },
	{ CAP_FOWNER, "linkat", file_is_of_another, 0, 1, WALK },
	{ CAP_KILL, "kill tkill rt_sigqueueinfo", signals_another_user, NO_PATH },
	{ CAP_KILL, "tgkill rt_tgsigqueueinfo", signals_another_user, NO_PATH },
	{ CAP_KILL, "pidfd_send_signal", NULL, NO_PATH },
	{ CAP_SETGID, "setgid setgid32 setregid setregid32 setresgid setresgid32 setfsgid setfsgid32 setgroups setgroups32", NULL, NO_PATH },
	{ CAP_SETUID, "setuid setuid32 setreuid setreuid32 setresuid setresuid32 setfsuid setfsuid32", NULL, NO_PATH },
	{ CAP_SETPCAP, "prctl", drops_from_bounding, NO_PATH },
	{ CAP_SETPCAP, "capset", adds_inheritable, NO_PATH },
	{ CAP_NET_BIND_SERVICE, "bind", binds_low_port, NO_PATH },
	{ CAP_NET_BIND_SERVICE, "socketcall", NULL, NO_PATH },
	{ CAP_NET_RAW, "socket", is_raw_socket, NO_PATH },
	{ CAP_NET_RAW, "socketcall", NULL, NO_PATH },
	{ CAP_AUDIT_WRITE, "socket", is_audit_socket, NO_PATH },
	{ CAP_SYS_CHROOT, "chroot setns", NULL, NO_PATH },
	{ CAP_MKNOD, "mknod", makes_device, -1, 0, WALK },
	{ CAP_MKNOD, "mknodat", makes_device, 0, 1, WALK },
	{ CAP_SETFCAP, "setxattr lsetxattr fsetxattr", names_capability, NO_PATH },
	{ CAP_SETFCAP, "setxattrat", NULL, NO_PATH },
	{ CAP_SETFCAP, "unshare clone", makes_user_namespace, NO_PATH },
	{ CAP_SETFCAP, "clone3", makes_user_namespace, NO_PATH },
	{ CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64 adjtimex clock_adjtime clock_adjtime64", NULL, NO_PATH },
	{ CAP_SYS_BOOT, "reboot kexec_load kexec_file_load", NULL, NO_PATH },
	{ CAP_SYS_MODULE, "init_module finit_module delete_module", NULL, NO_PATH },
	DAC("openat2", 0, 1, OPEN), DAC("open", -1, 0, OPEN), DAC("openat", 0, 1, OPEN),
	DAC("creat truncate truncate64 setxattr lsetxattr removexattr lremovexattr utime utimes uselib swapon", -1, 0, WRITE),
	DAC("utimensat utimensat_time64 futimesat setxattrat removexattrat", 0, 1, WRITE),
	DAC("execve", -1, 0, EXECUTE), DAC("execveat", 0, 1, EXECUTE),
	DAC("chdir chroot", -1, 0, EXECUTE), DAC("inotify_add_watch", -1, 1, READ),
	DAC("getxattr lgetxattr listxattr llistxattr", -1, 0, READ), DAC("getxattrat listxattrat", 0, 1, READ),
	DAC("stat stat64 lstat lstat64 readlink statfs statfs64 access chmod chown chown32 lchown lchown32", -1, 0, WALK),
	DAC("newfstatat fstatat64 statx readlinkat faccessat faccessat2 fchmodat fchmodat2 fchownat name_to_handle_at", 0, 1, WALK),
	DAC("mkdir mknod rmdir unlink rename link", -1, 0, CHANGE), DAC("rename link symlink", -1, 1, CHANGE),
	DAC("mkdirat mknodat unlinkat renameat renameat2 linkat", 0, 1, CHANGE),
	DAC("renameat renameat2 linkat", 2, 3, CHANGE), DAC("symlinkat", 1, 2, CHANGE),
	DAC("fchdir", 0, -1, EXECUTE),
	{ CAP_DAC_OVERRIDE, "bind", is_kept_from_socket, -1, 1, BIND },
	{ CAP_DAC_OVERRIDE, "connect", is_kept_from_socket, -1, 1, CONNECT },
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at", NULL, NO_PATH },
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(rows) <= 128, "a bit for each row");

struct capability_use {
	uint32_t architectures[2];    /* the second one is of 32 bits */
	uint64_t rows[2][NUMBERS][2]; /* a bit for each row that is about this number */
};

static const struct {
	uint32_t native, narrow;
} machines[] = {
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
	{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
};

struct capability_use *capability_use_new(void)
{
	struct capability_use *use = xcalloc(1, sizeof(*use));

	use->architectures[0] = seccomp_arch_native();
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].native == use->architectures[0])
			use->architectures[1] = machines[i].narrow;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autostrlist struct strlist names = STRLIST_EMPTY;
		strlist_split(&names, rows[i].calls, ' ');
		for (size_t n = 0; n < names.count * 2; n++) {
			uint32_t architecture = use->architectures[n % 2];
			int number = architecture
					     ? seccomp_call_number(architecture, names.items[n / 2])
					     : -1;
			if (number >= 0 && number < NUMBERS)
				use->rows[n % 2][number][i / 64] |= UINT64_C(1) << i % 64;
		}
	}
	return use;
}

void capability_use_free(struct capability_use *use)
{
	free(use);
}

void capability_use_list_calls(struct strlist *names)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autostrlist struct strlist some = STRLIST_EMPTY;
		strlist_split(&some, rows[i].calls, ' ');
		for (size_t n = 0; n < some.count; n++)
			if (!strlist_contains(names, some.items[n]))
				strlist_add(names, some.items[n]);
	}
}

uint64_t capability_use_find(const struct capability_use *use, const struct seccomp_notice *notice,
			     uint64_t asked)
{
	struct call call = { .notice = notice };
	int number = notice->number;
	size_t which = 0;
	uint64_t found = 0;

	while (which < 2 && use->architectures[which] != notice->architecture)
		which++;
	if (which == 0 && (number & X32_CALL_BIT)) /* most are the same */
		number &= ~X32_CALL_BIT;
	if (which == 2 || number < 0 || number >= NUMBERS || !asked)
		return 0;
	call.is_32bit = which == 1;
	const uint64_t *bits = use->rows[which][number];
	/* Who has been killed meanwhile needs nothing. */
	if ((!bits[0] && !bits[1]) || !caller_read(notice->pid, &call.caller))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		uint64_t bit = BIT(row->capability);
		if (!(bits[i / 64] >> i % 64 & 1))
			continue;
		if (row->access == EXECUTE && strncmp(row->calls, "execve", 6) == 0)
			found |= file_capabilities(&call,
						   row); /* without them it may not even start */
		if ((asked & ~found & call.caller.effective & bit) &&
		    (!row->needs || row->needs(&call, row)))
			found |= bit;
	}
	return found & asked;
}

uint64_t capability_use_unknown(uint64_t granted)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		granted &= ~BIT(rows[i].capability);
	return granted;
}
