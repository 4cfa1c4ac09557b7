/* User namespaces.
 *
 * Maps. A process of an ordinary user may map its own ID by itself; every other ID needs the setuid
 * programs newuidmap(1) and newgidmap(1), which check /etc/subuid and /etc/subgid. They are the
 * slowest part of a rootless start, so both run at once, and not at all where one ID is enough. */
#include "kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "kernel/pidfd.h"

#define SUBID_FILE_MAX (1 << 20)
#define EXTENTS_MAX    340 /* user_namespaces(7) */

void userns_map_clear(struct userns_map *map)
{
	free(map->uid);
	free(map->gid);
	*map = (struct userns_map){ 0 };
}

static void extent_add(struct id_extent **extents, size_t *count, uint32_t inside, uint32_t outside,
		       uint32_t size)
{
	*extents = xreallocarray(*extents, *count + 1, sizeof(**extents));
	(*extents)[(*count)++] = (struct id_extent){ inside, outside, size };
}

/* Without the cost of loading the name service where /etc/passwd
 * knows it. NULL if nobody does. */
char *userns_user_name(uid_t uid)
{
	autostrbuf struct strbuf passwd = STRBUF_EMPTY;
	struct err ignored;

	if (file_read(AT_FDCWD, "/etc/passwd", &passwd, SUBID_FILE_MAX, &ignored) == 0) {
		for (const char *line = strbuf_text(&passwd); *line;) {
			const char *end = strchrnul(line, '\n');
			const char *name_end = memchr(line, ':', (size_t)(end - line));
			const char *id =
				name_end ? memchr(name_end + 1, ':', (size_t)(end - name_end - 1))
					 : NULL;
			char *id_end = NULL;
			if (id && id[1] >= '0' && id[1] <= '9' &&
			    strtoul(id + 1, &id_end, 10) == uid && *id_end == ':')
				return xstrndup(line, (size_t)(name_end - line));
			line = *end ? end + 1 : end;
		}
	}
	struct passwd *entry = getpwuid(uid);
	return entry ? xstrdup(entry->pw_name) : NULL;
}

static bool parse_id(const char *text, uint32_t *ret_id)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || *end || value >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

void userns_parse_ranges(const char *text, const char *name, uid_t uid, struct id_extent **extents,
			 size_t *count)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	autostrlist struct strlist lines = STRLIST_EMPTY;
	strlist_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count && *count < EXTENTS_MAX; i++) {
		autostrlist struct strlist fields = STRLIST_EMPTY;
		uint32_t start, size;
		strlist_split(&fields, lines.items[i], ':');
		if (fields.count != 3 || !((name && strcmp(fields.items[0], name) == 0) ||
					   strcmp(fields.items[0], number) == 0))
			continue;
		if (!parse_id(fields.items[1], &start) || !parse_id(fields.items[2], &size) ||
		    size == 0)
			continue;
		uint32_t inside = 0;
		if (*count)
			inside = (*extents)[*count - 1].inside + (*extents)[*count - 1].size;
		/* The last of all numbers is no ID. */
		if (size > UINT32_MAX - inside || size > UINT32_MAX - start)
			continue;
		extent_add(extents, count, inside, start, size);
	}
}

static void read_ranges(const char *path, const char *name, uid_t uid, struct id_extent **extents,
			size_t *count)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored;

	/* An unreadable file grants nothing, as an absent one. */
	if (file_read(AT_FDCWD, path, &text, SUBID_FILE_MAX, &ignored) == 0)
		userns_parse_ranges(strbuf_text(&text), name, uid, extents, count);
}

void userns_ranges_of(const char *path, const char *name, struct id_extent **extents, size_t *count)
{
	read_ranges(path, name, (uid_t)-1, extents, count);
}

int userns_map_for_user(struct userns_map *ret_map, struct err *err)
{
	struct userns_map map = { 0 };
	uid_t uid = geteuid();
	gid_t gid = getegid();

	(void)err; /* nothing fails yet; a source of ranges that can be down will */
	if (uid == 0) {
		extent_add(&map.uid, &map.uid_count, 0, 0, UINT32_MAX);
		extent_add(&map.gid, &map.gid_count, 0, 0, UINT32_MAX);
		map.is_identity = true;
		*ret_map = map;
		return 0;
	}

	autofree char *name = userns_user_name(uid);
	extent_add(&map.uid, &map.uid_count, 0, uid, 1);
	extent_add(&map.gid, &map.gid_count, 0, gid, 1);
	read_ranges("/etc/subuid", name, uid, &map.uid, &map.uid_count);
	read_ranges("/etc/subgid", name, uid, &map.gid, &map.gid_count);
	if (map.uid_count == 1 || map.gid_count == 1) {
		map.uid_count = map.gid_count = 1;
		map.is_single_id = true;
	}
	*ret_map = map;
	return 0;
}

uint32_t userns_id_to_host(const struct id_extent *extents, size_t count, uint32_t inside)
{
	for (size_t i = 0; i < count; i++)
		if (inside >= extents[i].inside && inside - extents[i].inside < extents[i].size)
			return extents[i].outside + (inside - extents[i].inside);
	return UINT32_MAX;
}

/* ---- writing maps ---- */

static int write_proc(pid_t pid, const char *file, const char *text, size_t size, struct err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	/* One write: the kernel takes a map whole or not at all. */
	if (write(fd, text, size) < 0)
		return err_errno(err, "write '%s'", path);
	return 0;
}

static int write_extents(pid_t pid, const char *file, const struct id_extent *extents, size_t count,
			 struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < count; i++)
		strbuf_addf(&text, "%u %u %u\n", extents[i].inside, extents[i].outside,
			    extents[i].size);
	int r = write_proc(pid, file, text.data, text.size, err);
	if (r == -EPERM)
		return err_set(err, EPERM,
			       "write ID map: this process may not give these IDs away");
	return r;
}

/* One run of newuidmap(1) or newgidmap(1). */
struct map_helper {
	const char *program;
	const char *file; /* whose ranges it obeys */
	pid_t pid;
	int error_fd; /* what it says */
};

static int helper_start(struct map_helper *helper, pid_t pid, const struct id_extent *extents,
			size_t count, struct err *err)
{
	autostrlist struct strlist argv = STRLIST_EMPTY;
	int said[2];

	strlist_add(&argv, helper->program);
	strlist_addf(&argv, "%d", pid);
	for (size_t i = 0; i < count; i++) {
		strlist_addf(&argv, "%u", extents[i].inside);
		strlist_addf(&argv, "%u", extents[i].outside);
		strlist_addf(&argv, "%u", extents[i].size);
	}
	if (pipe2(said, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");

	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, said[1], 1);
	posix_spawn_file_actions_adddup2(&actions, said[1], 2);
	int r = posix_spawnp(&helper->pid, helper->program, &actions, NULL, argv.items, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(said[1]);
	if (r != 0) {
		helper->pid = 0;
		close(said[0]);
		if (r == ENOENT)
			return err_set(err, ENOENT,
				       "no program '%s'; install the package uidmap (shadow-utils)",
				       helper->program);
		errno = r;
		return err_errno(err, "run '%s'", helper->program);
	}
	helper->error_fd = said[0];
	return 0;
}

static int helper_finish(struct map_helper *helper, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	int status = 0;

	(void)fd_read_all(helper->error_fd, &text, 4096); /* only to quote it */
	fd_close(&helper->error_fd);
	int r = process_reap(helper->pid, &status);
	helper->pid = 0;
	if (r < 0) {
		errno = -r;
		return err_errno(err, "wait for '%s'", helper->program);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	while (text.size > 0 && text.data[text.size - 1] == '\n')
		text.data[--text.size] = '\0';
	return err_set(err, EPERM, "%s: %s; see that %s grants the range to this user",
		       helper->program, text.size ? text.data : "failed", helper->file);
}

static int write_maps_by_helpers(pid_t pid, const struct userns_map *map, struct err *err)
{
	struct map_helper uid = { .program = "newuidmap", .file = "/etc/subuid", .error_fd = -1 };
	struct map_helper gid = { .program = "newgidmap", .file = "/etc/subgid", .error_fd = -1 };
	struct err second;

	int r = helper_start(&uid, pid, map->uid, map->uid_count, err);
	if (r < 0)
		return r;
	r = helper_start(&gid, pid, map->gid, map->gid_count, err);
	int finished = helper_finish(&uid, r < 0 ? &second : err);
	if (r < 0)
		return r;
	r = helper_finish(&gid, finished < 0 ? &second : err);
	return finished < 0 ? finished : r;
}

static bool is_own_id(const struct id_extent *extents, size_t count, uint32_t id)
{
	return count == 1 && extents[0].size == 1 && extents[0].outside == id;
}

int userns_write_maps(pid_t pid, const struct userns_map *map, struct err *err)
{
	bool own = is_own_id(map->uid, map->uid_count, geteuid()) &&
		   is_own_id(map->gid, map->gid_count, getegid());

	if (geteuid() != 0 && !own)
		return write_maps_by_helpers(pid, map, err);
	if (geteuid() != 0) {
		/* The price of a group map without newgidmap(1): a group must not be dropped where
		 * it is what denies access. */
		int r = write_proc(pid, "setgroups", "deny", 4, err);
		if (r < 0)
			return r;
	}
	int r = write_extents(pid, "uid_map", map->uid, map->uid_count, err);
	return r < 0 ? r : write_extents(pid, "gid_map", map->gid, map->gid_count, err);
}

/* ---- one that is made beforehand ---- */

/* Even starting the two programs takes longer than making a process, so one of our own does it:
 *
 *	caller                       maker                        holder
 *	begin ─────────────────────→ clone3 ────────────────────→ (waits)
 *	  │ (does other things)      newuidmap, newgidmap
 *	finish ←──────── draft_word ── (waits)
 *	  opens the namespace
 *	  closes the socket ───────→ kills and reaps ───────────→
 *	free: reaps the maker */
struct userns_draft {
	pid_t maker;
	int socket_fd;
};

struct draft_word {
	pid_t holder;
	int result;
	struct err err;
};

static pid_t fork_with(unsigned long flags)
{
	struct clone_args args = { .flags = flags | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Whoever waits ends with the process that made it. */
static void end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
}

static _Noreturn void make_draft(const struct userns_map *map, int socket_fd)
{
	struct draft_word word = { .result = 0 };
	pid_t self = getpid();

	word.holder = fork_with(CLONE_NEWUSER);
	if (word.holder == 0) {
		end_with(self);
		for (;;)
			pause();
	}
	word.result = word.holder < 0 ? userns_explain_refusal(errno, &word.err)
				      : write_maps_by_helpers(word.holder, map, &word.err);
	if (send(socket_fd, &word, sizeof(word), MSG_NOSIGNAL) == (ssize_t)sizeof(word))
		(void)recv(socket_fd, &word.result, 1, 0); /* until the other end is closed */
	if (word.holder > 0) {
		(void)kill(word.holder, SIGKILL);
		(void)process_reap(word.holder, &(int){ 0 });
	}
	_exit(0);
}

int userns_draft_begin(const struct userns_map *map, struct userns_draft **ret_draft,
		       struct err *err)
{
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	pid_t pid = fork_with(0);
	if (pid == 0) {
		end_with(self);
		close(pair[0]);
		make_draft(map, pair[1]);
	}
	int r = pid < 0 ? err_errno(err, "fork") : 0;
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	*ret_draft = xcalloc(1, sizeof(**ret_draft));
	**ret_draft = (struct userns_draft){ .maker = pid, .socket_fd = pair[0] };
	return 0;
}

int userns_draft_finish(struct userns_draft *draft, struct err *err)
{
	struct draft_word word;
	char path[48];
	ssize_t n;

	do
		n = recv(draft->socket_fd, &word, sizeof(word), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(word))
		return err_set(err, ECHILD, "the process that makes the user namespace died");
	if (word.result < 0) {
		*err = word.err;
		return word.result;
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", word.holder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "open namespace '%s'", path);
	/* From here on the descriptor holds it. Dying takes a moment, which nobody waits for yet. */
	fd_close(&draft->socket_fd);
	return fd;
}

void userns_draft_free(struct userns_draft *draft)
{
	if (!draft)
		return;
	fd_close(&draft->socket_fd);
	(void)process_reap(draft->maker, &(int){ 0 });
	free(draft);
}

bool userns_is_our_child(int user_ns_fd)
{
	struct stat parent, ours;
	uid_t owner;

	autoclose int parent_fd = ioctl(user_ns_fd, NS_GET_PARENT);
	return parent_fd >= 0 && fstat(parent_fd, &parent) == 0 &&
	       stat("/proc/self/ns/user", &ours) == 0 && parent.st_ino == ours.st_ino &&
	       parent.st_dev == ours.st_dev && ioctl(user_ns_fd, NS_GET_OWNER_UID, &owner) == 0 &&
	       owner == geteuid();
}

int userns_explain_refusal(int code, struct err *err)
{
	switch (code) {
	case EPERM:
	case EACCES:
		return err_set(
			err, code,
			"make a user namespace: not allowed here; outside of a chroot, and as root "
			"set sysctl kernel.unprivileged_userns_clone=1 or "
			"kernel.apparmor_restrict_unprivileged_userns=0");
	case ENOSPC:
		return err_set(err, code,
			       "make a user namespace: too many; raise sysctl "
			       "user.max_user_namespaces");
	case EINVAL:
	case ENOSYS:
		return err_set(err, code,
			       "make a user namespace: this kernel has none "
			       "(CONFIG_USER_NS)");
	default:
		errno = code;
		return err_errno(err, "make a user namespace");
	}
}
