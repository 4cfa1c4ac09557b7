/* The table has a row for each capability and group of calls, with a function that looks closer where the call alone does
 * not tell. Files are looked at as the caller would see them without capabilities: we walk to them inside the container's
 * root, as the caller's user and groups where we are the host's root, and as ourselves where the caller is the container's
 * root of an ordinary user, who outside is just that user. In between things may change; a recording is no defence. */
#include "engine/capability-use.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/xattr.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "kernel/seccomp-notice.h"
#include "kernel/seccomp-profile.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define NUMBERS		1024 /* far above the newest call */
#define X32_CALL_BIT	0x40000000
#define MAX_GROUPS	256

/* Who calls, as /proc/PID/status has it; IDs are ours, not those inside. */
struct caller {
	uint64_t effective, permitted;
	uid_t uid; /* for files */
	gid_t gid;
	gid_t groups[MAX_GROUPS];
	size_t group_count;
};

struct call {
	const struct seccomp_notice *notice;
	struct caller caller;
	bool is_32bit;
};

struct row {
	int capability;
	const char *calls;
	bool (*needs)(const struct call *call, const struct row *row); /* NULL: always */
	/* Of a path: which arguments; -1: none. */
	int directory, path;
	enum {
		WALK, /* it has to be reached */
		READ,
		WRITE,
		EXECUTE,
		CHANGE, /* an entry is made or removed in its directory */
		OPEN,	/* as the flags in the argument behind say */
		CONNECT,
		BIND, /* of a socket's address */
	} access;
};

static uint64_t argument(const struct call *call, int index)
{
	uint64_t value = call->notice->arguments[index];
	return call->is_32bit ? (uint32_t)value : value;
}

/* ---- the caller ---- */

static const char *status_line(const struct strbuf *text, const char *name)
{
	const char *at = strstr(strbuf_text(text), name);

	if (!at)
		return "";
	at += strlen(name);
	return at + strspn(at, "\t ");
}

static uint64_t hexadecimal(const char *at)
{
	uint64_t value = 0;

	for (; *at && *at != '\n'; at++)
		value = value << 4 | (uint64_t)(*at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10);
	return value;
}

static bool take_id(const char **at, uint32_t *ret_id)
{
	int64_t number;

	*at += strspn(*at, "\t ");
	if (number_take(at, 0, UINT32_MAX, &number) < 0)
		return false;
	*ret_id = (uint32_t)number;
	return true;
}

static bool read_caller(pid_t pid, struct caller *caller)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* it has ended */
	char path[32];
	uint32_t id = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read(AT_FDCWD, path, &text, 65536, &ignored) < 0)
		return false;
	*caller = (struct caller){
		.effective = hexadecimal(status_line(&text, "\nCapEff:")),
		.permitted = hexadecimal(status_line(&text, "\nCapPrm:")),
	};
	/* Real, effective, saved, for files. */
	const char *at = status_line(&text, "\nUid:");
	for (int i = 0; i < 4 && take_id(&at, &id); i++)
		caller->uid = id;
	at = status_line(&text, "\nGid:");
	for (int i = 0; i < 4 && take_id(&at, &id); i++)
		caller->gid = id;
	at = status_line(&text, "\nGroups:");
	while (caller->group_count < MAX_GROUPS && take_id(&at, &id))
		caller->groups[caller->group_count++] = id;
	return true;
}

static bool read_memory(const struct call *call, uint64_t address, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)(uintptr_t)address, size };

	return process_vm_readv(call->notice->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* At most so many bytes, up to a page's end at least; the text is ended by a zero. */
static bool read_text(const struct call *call, uint64_t address, char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t rest = 4096 - (address + at) % 4096;
		if (rest > size - at)
			rest = size - at;
		if (!read_memory(call, address + at, to + at, rest))
			return false;
		if (memchr(to + at, '\0', rest))
			return true;
		at += rest;
	}
	return false;
}

/* ---- without capabilities ---- */

/* What we are when we are not somebody else. */
struct guise {
	uid_t uid;
	gid_t gid;
	gid_t groups[MAX_GROUPS];
	int group_count;
	uint64_t effective;
};

static int get_capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capget, &header, data);
}

static uint64_t get_effective(void)
{
	struct __user_cap_data_struct data[2] = { 0 };

	(void)get_capabilities(data);
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static void set_effective(uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (get_capabilities(data) < 0)
		return;
	data[0].effective = data[0].permitted & (uint32_t)wanted;
	data[1].effective = data[1].permitted & (uint32_t)(wanted >> 32);
	(void)syscall(SYS_capset, &header, data);
}

/* Become who calls, without capabilities. False: we cannot, being no root; or he is not who we are. */
static bool put_on(const struct caller *caller, struct guise *guise)
{
	*guise = (struct guise){ .effective = get_effective() };
	guise->uid = (uid_t)setfsuid((uid_t)-1);
	guise->gid = (gid_t)setfsgid((gid_t)-1);
	guise->group_count = (int)syscall(SYS_getgroups, MAX_GROUPS, guise->groups);
	if (geteuid() != 0)
		return caller->uid == geteuid();
	if (guise->group_count < 0 ||
	    syscall(SYS_setgroups, caller->group_count, caller->groups) < 0)
		return false;
	(void)setfsgid(caller->gid);
	(void)setfsuid(caller->uid);
	set_effective(0);
	return true;
}

static void take_off(const struct guise *guise)
{
	if (geteuid() != 0)
		return;
	set_effective(guise->effective);
	(void)setfsuid(guise->uid);
	(void)setfsgid(guise->gid);
	(void)syscall(SYS_setgroups, guise->group_count, guise->groups);
}

/* ---- paths ---- */

struct place {
	int root_fd;
	char *path; /* absolute inside the container */
};

static void place_clear(struct place *place)
{
	fd_close(&place->root_fd);
	free(place->path);
}

/* The path that the row names, or that of a socket's address. */
static bool read_path(const struct call *call, const struct row *row, char *text, size_t size)
{
	struct sockaddr_un address = { 0 };
	uint64_t length = argument(call, 2);

	if (row->access != CONNECT && row->access != BIND)
		return read_text(call, argument(call, row->path), text, size);
	if (length > sizeof(address))
		length = sizeof(address);
	if (!read_memory(call, argument(call, 1), &address, length))
		return false;
	snprintf(text, size, "%.*s", (int)sizeof(address.sun_path), address.sun_path);
	return true;
}

/* False: it cannot be told. */
static bool find_place(const struct call *call, const struct row *row, struct place *place)
{
	char text[PATH_MAX], base[PATH_MAX], link[48];
	int directory = row->directory < 0 ? AT_FDCWD : (int)argument(call, row->directory);

	*place = (struct place){ .root_fd = -1 };
	if (!read_path(call, row, text, sizeof(text)))
		return false;
	snprintf(link, sizeof(link), "/proc/%d/root", (int)call->notice->pid);
	place->root_fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->root_fd < 0)
		return false;
	if (text[0] == '/') {
		place->path = xstrdup(text);
		return true;
	}
	/* As seen in the container: it has a root of its own, or shares ours. */
	if (directory == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)call->notice->pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)call->notice->pid, directory);
	ssize_t size = readlink(link, base, sizeof(base) - 1);
	if (size <= 0 || base[0] != '/')
		return false;
	base[size] = '\0';
	place->path = text[0] ? path_join(base, text) : xstrdup(base);
	return true;
}

static int walk_to(const struct place *place, const char *path, bool to_link)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (to_link ? (uint64_t)O_NOFOLLOW : 0),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, place->root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int check(int fd, int mode)
{
	return syscall(SYS_faccessat2, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS) < 0 ? -errno : 0;
}

static char *parent_of(const char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	while (size > 1 && path[size - 1] != '/')
		size--;
	return xstrndup(path, size);
}

static int check_parent(const struct place *place)
{
	autofree char *parent = parent_of(place->path);
	autoclose int fd = walk_to(place, parent, false);

	return fd < 0 ? fd : check(fd, W_OK | X_OK);
}

static int open_mode(const struct call *call, const struct row *row)
{
	static const int modes[] = { R_OK, W_OK, R_OK | W_OK, R_OK | W_OK };
	struct open_how how = { 0 };
	int at = row->path + 1;
	int flags = (int)argument(call, at);

	if (strcmp(row->calls, "openat2") == 0) {
		if (!read_memory(call, argument(call, at), &how, sizeof(how)))
			return R_OK | W_OK;
		flags = (int)how.flags;
	}
	if (flags & O_PATH)
		return F_OK;
	return modes[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0);
}

static int check_file(const struct call *call, const struct row *row, int fd)
{
	switch (row->access) {
	case READ:
		return check(fd, R_OK);
	case WRITE:
	case CONNECT:
		return check(fd, W_OK);
	case EXECUTE:
		return check(fd, X_OK);
	case OPEN:
		return check(fd, open_mode(call, row));
	default:
		return 0;
	}
}

static int check_place(const struct call *call, const struct row *row, const struct place *place)
{
	if (row->access == CHANGE || row->access == BIND)
		return check_parent(place);
	autoclose int fd = walk_to(place, place->path, row->access == WALK);
	if (fd == -ENOENT) /* it may be about to be made */
		return row->access == OPEN ? check_parent(place) : 0;
	return fd < 0 ? fd : check_file(call, row, fd);
}

/* An open file is meant, and not a path that begins there: no path, or an empty one with AT_EMPTY_PATH. */
static bool is_about_descriptor(const struct call *call, const struct row *row)
{
	char first = '\0';

	if (row->path < 0 || row->directory < 0)
		return row->path < 0;
	uint64_t address = argument(call, row->path);
	return !address || (read_memory(call, address, &first, 1) && !first);
}

static void descriptor_link(const struct call *call, const struct row *row, char link[48])
{
	snprintf(link, 48, "/proc/%d/fd/%d", (int)call->notice->pid,
		 (int)argument(call, row->directory));
}

static bool descriptor_is_shut(const struct call *call, const struct row *row)
{
	struct guise guise;
	char link[48];

	descriptor_link(call, row, link);
	autoclose int fd = open(link, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT; /* there is none */
	bool is_open = put_on(&call->caller, &guise) && check_file(call, row, fd) == 0;
	take_off(&guise);
	return !is_open;
}

/* Whether the permissions of files would not let the caller through. */
static bool is_kept_out(const struct call *call, const struct row *row)
{
	struct place place;
	struct guise guise;

	if (is_about_descriptor(call, row))
		return row->access != WALK && descriptor_is_shut(call, row);
	bool is_known = find_place(call, row, &place);
	int r = -EACCES;
	if (is_known && put_on(&call->caller, &guise))
		r = check_place(call, row, &place);
	if (is_known)
		take_off(&guise);
	place_clear(&place);
	return !is_known || r == -EACCES || r == -EPERM;
}

/* Whether the file belongs to somebody else than who calls, or cannot be looked at. */
static bool is_of_another(const struct call *call, const struct row *row)
{
	struct place place;
	struct stat st;
	char link[48];
	int r = -1;

	if (is_about_descriptor(call, row)) {
		descriptor_link(call, row, link);
		r = stat(link, &st);
	} else if (find_place(call, row, &place)) {
		autoclose int fd = walk_to(&place, place.path, false);
		r = fd < 0 ? -1 : fstat(fd, &st);
		if (fd == -ENOENT)
			r = 0, st.st_uid = call->caller.uid;
		place_clear(&place);
	}
	return r < 0 || st.st_uid != call->caller.uid;
}

/* Only who owns the file or its directory may remove it from a directory like /tmp. */
static bool is_stuck(const struct call *call, const struct row *row)
{
	struct stat directory, file;
	struct place place;
	bool may_be = true;

	if (find_place(call, row, &place)) {
		autofree char *parent = parent_of(place.path);
		autoclose int parent_fd = walk_to(&place, parent, false);
		autoclose int fd = walk_to(&place, place.path, true);
		if (fd == -ENOENT)
			may_be = false;
		else if (parent_fd >= 0 && fd >= 0 && fstat(parent_fd, &directory) == 0 &&
			 fstat(fd, &file) == 0)
			may_be = (directory.st_mode & S_ISVTX) &&
				 directory.st_uid != call->caller.uid &&
				 file.st_uid != call->caller.uid;
		place_clear(&place);
	}
	return may_be;
}

/* ---- the other arguments ---- */

/* A name in the file system; others have no permissions. */
static bool is_kept_from_socket(const struct call *call, const struct row *row)
{
	struct {
		sa_family_t family;
		char first;
	} address;

	if (argument(call, 2) < sizeof(address.family) + 1)
		return false;
	if (!read_memory(call, argument(call, 1), &address, sizeof(address.family) + 1))
		return true;
	return address.family == AF_UNIX && address.first && is_kept_out(call, row);
}

static bool sets_file_flags(const struct call *call, const struct row *row)
{
	uint32_t request = (uint32_t)argument(call, 1);

	return (request == FS_IOC_SETFLAGS || request == FS_IOC32_SETFLAGS ||
		request == FS_IOC_FSSETXATTR) &&
	       is_of_another(call, row);
}

static bool keeps_access_time(const struct call *call, const struct row *row)
{
	return (argument(call, row->path + 1) & O_NOATIME) && is_of_another(call, row);
}

/* Whose first map may need it. */
static bool makes_user_namespace(const struct call *call, const struct row *row)
{
	uint64_t flags = argument(call, 0);

	if (strcmp(row->calls, "clone3") == 0 &&
	    !read_memory(call, argument(call, 0), &flags, sizeof(flags)))
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
	size_t size = argument(call, 2) < sizeof(address.v4) ? 2 : sizeof(address.v4);

	if (!read_memory(call, argument(call, 1), &address, size))
		return true;
	if (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6)
		return false;
	uint16_t port = ntohs(address.v4.sin_port); /* at the same place in both */
	return port > 0 && port < 1024;
}

static bool is_raw_socket(const struct call *call, const struct row *row)
{
	int family = (int)argument(call, 0), type = (int)argument(call, 1) & 0xf;

	return family == AF_PACKET ||
	       ((family == AF_INET || family == AF_INET6) && type == SOCK_RAW);
}

static bool is_audit_socket(const struct call *call, const struct row *row)
{
	return argument(call, 0) == AF_NETLINK && argument(call, 2) == 9 /* NETLINK_AUDIT */;
}

/* The mode stands behind the path. */
static bool makes_device(const struct call *call, const struct row *row)
{
	mode_t mode = (mode_t)argument(call, row->path + 1);

	return S_ISCHR(mode) || S_ISBLK(mode);
}

static bool sets_group_bit(const struct call *call, const struct row *row)
{
	return argument(call, (row->path < 0 ? row->directory : row->path) + 1) & S_ISGID;
}

static bool names_capability(const struct call *call, const struct row *row)
{
	char name[XATTR_NAME_MAX + 1];

	return !read_text(call, argument(call, 1), name, sizeof(name)) ||
	       strcmp(name, XATTR_NAME_CAPS) == 0;
}

static bool drops_from_bounding(const struct call *call, const struct row *row)
{
	uint64_t option = argument(call, 0);

	return option == PR_CAPBSET_DROP || option == PR_SET_SECUREBITS;
}

/* Inheritable ones that are not permitted. */
static bool adds_inheritable(const struct call *call, const struct row *row)
{
	struct __user_cap_data_struct data[2];

	if (!argument(call, 1) || !read_memory(call, argument(call, 1), data, sizeof(data)))
		return true;
	uint64_t inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return inheritable & ~call->caller.permitted;
}

/* Who is signalled, as a number of the container's own processes. */
static bool signals_another_user(const struct call *call, const struct row *row)
{
	int pid = (int)argument(call, strcmp(row->calls, "tgkill rt_tgsigqueueinfo") == 0);
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
	{ CAP_DAC_OVERRIDE, calls, is_kept_out, directory, path, access },                         \
	{                                                                                          \
		CAP_DAC_READ_SEARCH, calls, is_kept_out, directory, path, access                   \
	}

/* clang-format off */
static const struct row rows[] = {
	{ CAP_CHOWN, "chown chown32 lchown lchown32 fchown fchown32 fchownat", NULL, NO_PATH },
	{ CAP_FSETID, "chmod", sets_group_bit, -1, 0, WALK },
	{ CAP_FSETID, "fchmod", sets_group_bit, 0, -1, WALK },
	{ CAP_FSETID, "fchmodat fchmodat2", sets_group_bit, 0, 1, WALK },
	{ CAP_FOWNER, "chmod utime utimes setxattr lsetxattr removexattr lremovexattr", is_of_another, -1, 0, WALK },
	{ CAP_FOWNER, "fchmod fsetxattr fremovexattr", is_of_another, 0, -1, WALK },
	{ CAP_FOWNER, "ioctl", sets_file_flags, 0, -1, WALK },
	{ CAP_FOWNER, "open", keeps_access_time, -1, 0, WALK },
	{ CAP_FOWNER, "openat", keeps_access_time, 0, 1, WALK },
	{ CAP_FOWNER, "fchmodat fchmodat2 utimensat utimensat_time64 futimesat setxattrat removexattrat", is_of_another, 0, 1, WALK },
	{ CAP_FOWNER, "unlink rmdir rename", is_stuck, -1, 0, WALK },
	{ CAP_FOWNER, "unlinkat renameat renameat2", is_stuck, 0, 1, WALK },
	{ CAP_FOWNER, "rename", is_stuck, -1, 1, WALK },
	{ CAP_FOWNER, "renameat renameat2", is_stuck, 2, 3, WALK },
	{ CAP_FOWNER, "link", is_of_another, -1, 0, WALK },
	{ CAP_FOWNER, "linkat", is_of_another, 0, 1, WALK },
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

/* Those that a program brings along: without them in the bounding set it may not even be executed. */
static uint64_t capabilities_of_program(const struct call *call, const struct row *row)
{
	struct vfs_ns_cap_data data = { 0 };
	struct place place;
	uint64_t set = 0;

	if (find_place(call, row, &place)) {
		autoclose int fd = walk_to(&place, place.path, false);
		char link[32];
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (fd >= 0 && getxattr(link, XATTR_NAME_CAPS, &data, sizeof(data)) >=
				       (ssize_t)XATTR_CAPS_SZ_1)
			set = le32toh(data.data[0].permitted) |
			      (uint64_t)le32toh(data.data[1].permitted) << 32;
		place_clear(&place);
	}
	return set;
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
	if ((!bits[0] && !bits[1]) || !read_caller(notice->pid, &call.caller))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		uint64_t bit = BIT(row->capability);
		if (!(bits[i / 64] >> i % 64 & 1))
			continue;
		if (row->access == EXECUTE && strncmp(row->calls, "execve", 6) == 0)
			found |= capabilities_of_program(&call, row);
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
