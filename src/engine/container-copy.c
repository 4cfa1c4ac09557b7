/* The source's process finds what to copy, says what it is (struct heading), and writes an archive in which that is
 * "." with all below it. The destination's process then knows whether "." becomes something in a directory or takes
 * a name of its own. Each looks where it works, so neither believes what the other end's paths look like.
 *
 *	source process ── pipe: heading, archive ──→ destination process
 *
 * Standard input has an archive without a heading. It is decompressed by a process on the host: that may load
 * libraries, which one in a container must not. */
#include "engine/container-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/space.h"
#include "engine/container-inside.h"
#include "engine/container-layers.h"
#include "engine/container-own-layers.h"
#include "engine/container.h"
#include "engine/copy-path.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/identity.h"
#include "kernel/userns.h"
#include "store/decompress.h"
#include "store/tar-place.h"
#include "store/tar-tree.h"
#include "store/tar.h"

#define PIPE_BYTES (1 << 20)
#define CHUNK	   (64 << 10)

struct heading {
	bool is_directory, is_content;
	char name[NAME_MAX + 1];
};

struct copy {
	struct engine *engine;
	const struct copy_end *source, *destination;
	enum copy_flags flags;
	int pipe_fds[2];
	int result_fds[2];
	uid_t uid; /* of whom it is to belong to, inside the destination */
	gid_t gid;
	struct container_inside *source_inside, *destination_inside; /* NULL: the host */
};

static bool is_stdio(const struct copy_end *end)
{
	return !end->container && strcmp(end->path, "-") == 0;
}

static int not_found(const struct copy_end *end, struct err *err)
{
	autofree char *cause = xstrdup(err->text);
	int code = err->code;

	if (end->container)
		return err_set(err, code, "\"%s\" could not be found on container %s: %s",
			       end->path, end->name,
			       code == ENOENT ? "no such file or directory" : cause);
	return err_set(err, code, "\"%s\" could not be found on the host: %s", end->path,
		       code == ENOENT ? "no such file or directory" : cause);
}

static struct copy_root root_of(const struct inside_view *view)
{
	return (struct copy_root){ .root_fd = view->root_fd, .proc_fd = view->proc_fd };
}

/* ---- the source ---- */

/* A link's name on the host is the user's; in a container it is the container's, and what it leads to is meant. */
static int make_heading(const struct copy *copy, const struct copy_path *path,
			struct heading *heading, struct err *err)
{
	const char *name =
		copy->source->container || !path->given_name ? path->own_name : path->given_name;

	heading->is_directory = path->is_directory;
	heading->is_content = path->is_content || path->is_root;
	if (strlen(name) > NAME_MAX)
		return err_set(err, ENAMETOOLONG, "'%.100s…': the name is too long", name);
	memcpy(heading->name, name, strlen(name) + 1);
	return 0;
}

/* Of one that runs: what these show is made up by the kernel, without end, and nothing of the container's. */
static void exclude_kernel_files(const struct copy *copy, const struct copy_path *path,
				 const char *prefix, struct strlist *excluded)
{
	static const char *const names[] = { "dev", "proc", "sys" };
	const struct container *container = copy->source->container;

	if (!container || !container_is_alive(container) || !path->is_root)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		strlist_addf(excluded, "%s%s", prefix, names[i]);
}

static int write_archive(const struct copy *copy, const struct copy_path *path,
			 const struct heading *heading, int proc_fd, int fd, struct err *err)
{
	bool with_names = is_stdio(copy->destination);
	autostrlist struct strlist excluded = STRLIST_EMPTY;
	const struct tar_tree_options options = { .excluded = &excluded, .proc_fd = proc_fd };
	struct tar_sink sink;
	autotarfdsink struct tar_fd_sink *fd_sink = tar_fd_sink_new(fd, &sink);
	autotarwriter struct tar_writer *writer = tar_writer_new(&sink);
	autotartree struct tar_tree *tree = tar_tree_new(writer, &options);
	struct copy_result result = { 0 };
	int r;

	exclude_kernel_files(copy, path, with_names ? "" : "./", &excluded);
	if (with_names && heading->is_content) {
		autoclose int dir_fd = openat(path->parent_fd, path->name,
					      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = dir_fd < 0 ? err_errno(err, "open directory '%s'", copy->source->path)
			       : tar_tree_add_content(tree, dir_fd, "", err);
	} else {
		r = tar_tree_add(tree, path->parent_fd, path->name,
				 with_names ? heading->name : ".", err);
	}
	if (r == 0 && tar_tree_stats(tree)->entries == 0 && tar_tree_stats(tree)->skipped_sockets)
		r = err_set(err, EOPNOTSUPP, "'%s' is a socket, which cannot be copied",
			    copy->source->path);
	if (r == 0)
		r = tar_writer_finish(writer, err);
	if (r == 0)
		r = tar_fd_sink_flush(fd_sink, err);
	result.skipped_sockets = tar_tree_stats(tree)->skipped_sockets;
	if (r == 0) /* small enough for the pipe's buffer */
		(void)fd_write_all(copy->result_fds[1], &result, sizeof(result));
	return r;
}

static int read_source(const struct inside_view *view, void *arg, struct err *err)
{
	struct copy *copy = arg;
	const struct copy_root root = root_of(view);
	autocopypath struct copy_path path = COPY_PATH_EMPTY;
	struct heading heading = { 0 };
	int out_fd = is_stdio(copy->destination) ? STDOUT_FILENO : copy->pipe_fds[1];

	fd_close(&copy->pipe_fds[0]);
	int r = copy_path_resolve(&root, copy->source->path, &path, err);
	if (r == 0 && !path.exists)
		r = err_set(err, ENOENT, "missing");
	if (r < 0)
		return not_found(copy->source, err);
	r = make_heading(copy, &path, &heading, err);
	if (r < 0)
		return r;
	if (!is_stdio(copy->destination)) {
		r = fd_write_all(out_fd, &heading, sizeof(heading));
		if (r < 0)
			return err_set(err, -r, "the other end of the copy is gone");
	}
	return write_archive(copy, &path, &heading, view->proc_fd, out_fd, err);
}

static ssize_t read_stdin(void *arg, void *data, size_t size, struct err *err)
{
	ssize_t n;

	(void)arg;
	do
		n = read(STDIN_FILENO, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_errno(err, "read standard input") : n;
}

static int no_archive(struct err *err)
{
	return err_set(err, EBADMSG,
		       "source must be a (compressed) tar archive when copying from stdin");
}

static int read_stdin_archive(const struct inside_view *view, void *arg, struct err *err)
{
	struct copy *copy = arg;
	const struct byte_source source = { .read = read_stdin };
	autodecompressor struct decompressor *decompressor = decompressor_new(&source);
	autofree char *data = xmalloc(CHUNK);
	uint64_t total = 0;

	(void)view;
	fd_close(&copy->pipe_fds[0]);
	for (;;) {
		ssize_t n = decompressor_read(decompressor, data, CHUNK, err);
		if (n < 0)
			return n == -EBADMSG || n == -EOPNOTSUPP ? no_archive(err) : (int)n;
		if (n == 0)
			return total ? 0 : no_archive(err);
		total += (uint64_t)n;
		int r = fd_write_all(copy->pipe_fds[1], data, (size_t)n);
		if (r < 0)
			return err_set(err, -r, "the other end of the copy is gone");
	}
}

/* ---- the destination ---- */

/* The directory to unpack in, and what "." is called there. */
static int choose_place(const struct copy *copy, const struct copy_path *path,
			struct heading *heading, int *ret_dir_fd, const char **ret_name,
			struct err *err)
{
	bool from_stdin = is_stdio(copy->source);

	if (from_stdin && !path->is_directory)
		return err_set(err, ENOTDIR,
			       "destination must be a directory when copying from stdin");
	if (path->exists && !path->is_directory && heading->is_directory)
		return err_set(err, ENOTDIR,
			       "destination must be a directory when copying a directory");
	if (!path->is_directory) {
		*ret_dir_fd = fcntl(path->parent_fd, F_DUPFD_CLOEXEC, 3);
		*ret_name = path->name;
	} else {
		*ret_dir_fd = openat(path->parent_fd, path->name,
				     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		*ret_name = from_stdin || heading->is_content ? NULL : heading->name;
	}
	return *ret_dir_fd < 0 ? err_errno(err, "open '%s'", copy->destination->path) : 0;
}

/* The source is a process of ours, but it reads what a container has written. */
static int read_heading(int fd, struct heading *heading, struct err *err)
{
	ssize_t n = fd_read_full(fd, heading, sizeof(*heading));

	heading->name[NAME_MAX] = '\0';
	if (n != (ssize_t)sizeof(*heading))
		return err_set(err, EPIPE, "the other end of the copy is gone");
	if (strchr(heading->name, '/') || strcmp(heading->name, ".") == 0 ||
	    strcmp(heading->name, "..") == 0 || (!heading->name[0] && !heading->is_content))
		return err_set(err, EINVAL, "'%s' is no name for a file", heading->name);
	return 0;
}

static int unpack(const struct copy *copy, int dir_fd, const char *name, struct err *err)
{
	struct tar_place_options options = { .uid = copy->uid, .gid = copy->gid, .name = name };
	bool to_host = !copy->destination->container, from_stdin = is_stdio(copy->source);
	struct tar_place_stats stats = { 0 };
	struct tar_source source;

	if (to_host || copy->flags & COPY_OWN)
		options.flags |= TAR_PLACE_SET_OWNER;
	if (copy->flags & COPY_REPLACE)
		options.flags |= TAR_PLACE_REPLACE_KINDS;
	if (to_host)
		options.flags |= TAR_PLACE_SKIP_DEVICES;
	/* Only in a container: "/" is its root then. */
	if (from_stdin && !to_host)
		options.flags |= TAR_PLACE_FOLLOW_LINKS;
	struct tar_fd_source *fd_source = tar_fd_source_new(copy->pipe_fds[0], &source);
	struct tar_reader *reader = tar_reader_new(&source, 0);
	int r = tar_place(dir_fd, reader, &options, &stats, err);
	tar_reader_free(reader);
	tar_fd_source_free(fd_source);
	if (r == -EBADMSG && from_stdin && stats.entries == 0)
		return no_archive(err);
	const struct copy_result result = { .skipped_devices = stats.skipped_devices };
	if (r == 0)
		(void)fd_write_all(copy->result_fds[1], &result, sizeof(result));
	return r;
}

static int write_destination(const struct inside_view *view, void *arg, struct err *err)
{
	struct copy *copy = arg;
	const struct copy_root root = root_of(view);
	autocopypath struct copy_path path = COPY_PATH_EMPTY;
	struct heading heading = { 0 };
	autoclose int dir_fd = -1;
	const char *name = NULL;

	fd_close(&copy->pipe_fds[1]);
	(void)umask(0);
	/* First, so that nothing is looked for where the source is missing. */
	int r = is_stdio(copy->source) ? 0 : read_heading(copy->pipe_fds[0], &heading, err);
	if (r < 0)
		return r;
	r = copy_path_resolve(&root, copy->destination->path, &path, err);
	if (r < 0)
		return not_found(copy->destination, err);
	r = choose_place(copy, &path, &heading, &dir_fd, &name, err);
	return r < 0 ? r : unpack(copy, dir_fd, name, err);
}

/* ---- both ---- */

struct host_job {
	inside_body *body;
	void *arg;
};

static int work_on_host(void *arg, struct err *err)
{
	const struct host_job *job = arg;
	autoclose int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct inside_view view = { .root_fd = -1, .proc_fd = proc_fd };

	if (proc_fd < 0)
		return err_errno(err, "open '/proc'");
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	return job->body(&view, job->arg, err);
}

static int spawn(struct copy *copy, struct container_inside *inside, inside_body *body,
		 struct userns_worker **ret_worker, struct err *err)
{
	struct host_job job = { .body = body, .arg = copy }; /* the child has a copy */
	const struct userns_map *map;

	if (inside)
		return container_inside_spawn(inside, body, copy, ret_worker, err);
	int r = engine_map(copy->engine, &map, err);
	return r < 0 ? r
		     : userns_spawn(map, engine_join_pid(copy->engine), work_on_host, &job,
				    ret_worker, err);
}

/* Whose failure it was: the one that lost its partner fails too. */
static int judge(int read_result, const struct err *read_err, int written,
		 const struct err *write_err, struct err *err)
{
	bool source_is_first = read_result < 0 && read_result != -EPIPE;

	if (read_result >= 0 && written >= 0)
		return 0;
	if (source_is_first || written >= 0)
		*err = *read_err;
	else
		*err = *write_err;
	return -err->code;
}

static void add_results(int fd, struct copy_result *result)
{
	struct copy_result part;

	while (fd_read_full(fd, &part, sizeof(part)) == (ssize_t)sizeof(part)) {
		result->skipped_devices += part.skipped_devices;
		result->skipped_sockets += part.skipped_sockets;
	}
}

static int run(struct copy *copy, struct copy_result *ret_result, struct err *err)
{
	bool to_stdout = is_stdio(copy->destination);
	struct userns_worker *reader = NULL, *writer = NULL;
	struct err read_err = { 0 }, write_err = { 0 };
	int written = 0;

	if (pipe2(copy->pipe_fds, O_CLOEXEC) < 0 || pipe2(copy->result_fds, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	(void)fcntl(copy->pipe_fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* fewer turns where allowed */
	int r = spawn(copy, copy->source_inside,
		      is_stdio(copy->source) ? read_stdin_archive : read_source, &reader, err);
	if (r < 0)
		return r;
	fd_close(&copy->pipe_fds[1]);
	if (!to_stdout)
		written = spawn(copy, copy->destination_inside, write_destination, &writer,
				&write_err);
	fd_close(&copy->pipe_fds[0]);
	fd_close(&copy->result_fds[1]);
	if (writer)
		written = userns_wait(writer, &write_err);
	r = userns_wait(reader, &read_err);
	add_results(copy->result_fds[0], ret_result);
	r = judge(r, &read_err, written, &write_err, err);
	return r < 0 ? space_remedy(copy->destination_inside ? SPACE_STORE : SPACE_ELSEWHERE, err)
		     : 0;
}

/* Who its processes are, by the container's own files. */
static int find_owner(struct copy *copy, struct container *container, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autostrlist struct strlist dirs = STRLIST_EMPTY;
	struct identity identity = { 0 };
	autofree char *directory = container_directory(copy->engine, container->id);

	int r = container_spec_of(container, &spec, err);
	if (r < 0 || !spec->user || !*spec->user)
		return r;
	if (!spec->rootfs)
		strlist_take(&dirs, path_join(directory, "upper"));
	r = container_frozen_dirs(copy->engine, container, &dirs, err);
	if (r == 0)
		r = container_layer_dirs(copy->engine, spec, &dirs, err);
	if (r == 0)
		r = identity_resolve(&dirs, spec->user, &spec->groups, &identity, err);
	if (r == 0) {
		copy->uid = identity.uid;
		copy->gid = identity.gid;
	}
	identity_clear(&identity);
	return r;
}

/* In the order of their IDs, each once; see container-inside.h. */
static int open_containers(struct copy *copy, struct err *err)
{
	struct container *source = copy->source->container;
	struct container *destination = copy->destination->container;
	struct container_inside **source_at = &copy->source_inside,
				**destination_at = &copy->destination_inside;
	int order = source && destination ? strcmp(source->id, destination->id) : -1;
	int r = 0;

	if (source && order <= 0)
		r = container_inside_open(copy->engine, source, 0, source_at, err);
	if (r == 0 && destination && order != 0)
		r = container_inside_open(copy->engine, destination, 0, destination_at, err);
	if (r == 0 && source && order > 0)
		r = container_inside_open(copy->engine, source, 0, source_at, err);
	if (r == 0 && order == 0)
		*destination_at = *source_at;
	return r;
}

static void copy_clear(struct copy *copy)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&copy->pipe_fds[i]);
		fd_close(&copy->result_fds[i]);
	}
	if (copy->destination_inside != copy->source_inside)
		container_inside_close(copy->destination_inside);
	container_inside_close(copy->source_inside);
}

int container_copy(struct engine *engine, const struct copy_end *source,
		   const struct copy_end *destination, enum copy_flags flags,
		   struct copy_result *ret_result, struct err *err)
{
	struct copy copy = {
		.engine = engine,
		.source = source,
		.destination = destination,
		.flags = flags,
		.pipe_fds = { -1, -1 },
		.result_fds = { -1, -1 },
	};

	*ret_result = (struct copy_result){ 0 };
	int r = open_containers(&copy, err);
	if (r == 0 && destination->container && flags & COPY_OWN)
		r = find_owner(&copy, destination->container, err);
	if (r == 0)
		r = run(&copy, ret_result, err);
	copy_clear(&copy);
	if (r == 0 && source->container)
		event_container(engine, source->container, EVENT_COPY);
	if (r == 0 && destination->container && destination->container != source->container)
		event_container(engine, destination->container, EVENT_COPY);
	return r;
}
