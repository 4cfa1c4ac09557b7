/* The file is mounted into running containers, so it is changed in place and never replaced. The lock is on
 * another file beside it, which no container sees: on the file itself a container could hold it for
 * ever. */
#include "engine/shared-hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/engine.h"

#define HOSTS_FILE  "hosts"
#define RESOLV_FILE "resolv.conf"
#define LOCK_FILE   "hosts.lock"
#define LINE_FILE   "hosts.line"
#define SIZE_LIMIT  (1 << 20)

static int link_file(const char *donor_dir, const char *run_dir, const char *name, struct err *err)
{
	autofree char *from = path_join(donor_dir, name), *to = path_join(run_dir, name);

	(void)unlink(to); /* of an earlier start */
	/* A file of its own outlives the other's run directory, should that one end in this moment. */
	if (link(from, to) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	/* With a mapping of its own the other's files are its root's, whom the kernel lets nobody link to. */
	return symlink(from, to) < 0 ? err_errno(err, "link '%s' to '%s'", to, from) : 1;
}

/* Held until the descriptor is closed. */
static int lock_hosts(const char *run_dir, bool make, struct err *err)
{
	autofree char *path = path_join(run_dir, LOCK_FILE);

	autoclose int fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock '%s'", path);
	return take_fd(&fd);
}

static char *own_line(const char *hostname, const char *name)
{
	return strcmp(hostname, name) == 0 ? xasprintf("127.0.0.1\t%s\n", hostname)
					   : xasprintf("127.0.0.1\t%s %s\n", hostname, name);
}

/* The text without each such line. */
static void remove_line(const char *text, const char *line, struct strbuf *rest)
{
	size_t size = strlen(line);

	while (*text) {
		size_t length = strcspn(text, "\n");
		length += text[length] == '\n';
		if (length != size || memcmp(text, line, size) != 0)
			strbuf_add(rest, text, length);
		text += length;
	}
}

struct change {
	const char *path, *line;
	bool add;
};

static int apply(void *arg, struct err *err)
{
	const struct change *change = arg;
	autostrbuf struct strbuf text = STRBUF_EMPTY, changed = STRBUF_EMPTY;

	autoclose int fd = open(change->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, "open '%s'", change->path);
	int r = fd_read_all(fd, &text, SIZE_LIMIT);
	if (r < 0) {
		errno = -r;
		return err_errno(err, "read '%s'", change->path);
	}
	remove_line(strbuf_text(&text), change->line, &changed);
	if (change->add && changed.size && changed.data[changed.size - 1] != '\n')
		strbuf_addc(&changed, '\n');
	if (change->add)
		strbuf_adds(&changed, change->line);
	/* Written over before it is cut: who reads meanwhile misses no line that stays. */
	if (pwrite(fd, strbuf_text(&changed), changed.size, 0) != (ssize_t)changed.size ||
	    ftruncate(fd, (off_t)changed.size) < 0)
		return err_errno(err, "write '%s'", change->path);
	return 0;
}

static int change_hosts(struct engine *engine, const char *donor_dir, const char *line, bool add,
			struct err *err)
{
	autofree char *path = path_join(donor_dir, HOSTS_FILE);
	struct change change = { .path = path, .line = line, .add = add };

	autoclose int lock_fd = lock_hosts(donor_dir, add, err);
	if (lock_fd < 0)
		return lock_fd;
	int r = apply(&change, err);
	/* With a mapping of its own the file belongs to that container's root. */
	return r == -EACCES && engine->is_rootless ? engine_run_mapped(engine, apply, &change, err)
						   : r;
}

/* The line is noted first: were we killed in between, it would still be known what to take out. */
int shared_hosts_link(struct engine *engine, const char *donor_dir, const char *run_dir,
		      const char *hostname, const char *name, struct err *err)
{
	autofree char *line = own_line(hostname, name), *note = path_join(run_dir, LINE_FILE);

	int r = link_file(donor_dir, run_dir, HOSTS_FILE, err);
	if (r <= 0)
		return r;
	r = file_write(AT_FDCWD, note, line, strlen(line), 0600, 0, err);
	if (r == 0)
		r = change_hosts(engine, donor_dir, line, true, err);
	return r < 0 && r != -ENOENT ? r : 1; /* gone since: nobody is left to be told */
}

int shared_resolv_link(const char *donor_dir, const char *run_dir, struct err *err)
{
	return link_file(donor_dir, run_dir, RESOLV_FILE, err);
}

int shared_hosts_leave(struct engine *engine, const char *donor_dir, const char *run_dir,
		       struct err *err)
{
	autofree char *note = path_join(run_dir, LINE_FILE);
	autostrbuf struct strbuf line = STRBUF_EMPTY;

	int r = file_read(AT_FDCWD, note, &line, SIZE_LIMIT, err);
	if (r == 0)
		r = change_hosts(engine, donor_dir, strbuf_text(&line), false, err);
	return r == -ENOENT ? 0 : r;
}
