/* Files, as who calls would see them without capabilities: we walk to them inside the container's root, as the caller's user
 * and groups where we are the host's root, and as ourselves where the caller is the container's root of an ordinary user,
 * who outside is just that user. In between things may change; a recording is no defence. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/xattr.h>
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
#include "engine/capability-use-internal.h"

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

bool caller_read(pid_t pid, struct caller *caller)
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
	while (caller->group_count < CALLER_GROUPS && take_id(&at, &id))
		caller->groups[caller->group_count++] = id;
	return true;
}

bool call_read_memory(const struct call *call, uint64_t address, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)(uintptr_t)address, size };

	return process_vm_readv(call->notice->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* At most so many bytes, up to a page's end at least; the text is ended by a zero. */
bool call_read_text(const struct call *call, uint64_t address, char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t rest = 4096 - (address + at) % 4096;
		if (rest > size - at)
			rest = size - at;
		if (!call_read_memory(call, address + at, to + at, rest))
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
	gid_t groups[CALLER_GROUPS];
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
	guise->group_count = (int)syscall(SYS_getgroups, CALLER_GROUPS, guise->groups);
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
	uint64_t length = call_argument(call, 2);

	if (row->access != CONNECT && row->access != BIND)
		return call_read_text(call, call_argument(call, row->path), text, size);
	if (length > sizeof(address))
		length = sizeof(address);
	if (!call_read_memory(call, call_argument(call, 1), &address, length))
		return false;
	snprintf(text, size, "%.*s", (int)sizeof(address.sun_path), address.sun_path);
	return true;
}

/* False: it cannot be told. */
static bool find_place(const struct call *call, const struct row *row, struct place *place)
{
	char text[PATH_MAX], base[PATH_MAX], link[48];
	int directory = row->directory < 0 ? AT_FDCWD : (int)call_argument(call, row->directory);

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
	int flags = (int)call_argument(call, at);

	if (strcmp(row->calls, "openat2") == 0) {
		if (!call_read_memory(call, call_argument(call, at), &how, sizeof(how)))
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
	uint64_t address = call_argument(call, row->path);
	return !address || (call_read_memory(call, address, &first, 1) && !first);
}

static void descriptor_link(const struct call *call, const struct row *row, char link[48])
{
	snprintf(link, 48, "/proc/%d/fd/%d", (int)call->notice->pid,
		 (int)call_argument(call, row->directory));
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
bool file_is_shut(const struct call *call, const struct row *row)
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
bool file_is_of_another(const struct call *call, const struct row *row)
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
bool file_is_stuck(const struct call *call, const struct row *row)
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

uint64_t file_capabilities(const struct call *call, const struct row *row)
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
