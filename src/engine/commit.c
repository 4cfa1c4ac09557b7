/* Two processes work at once: one walks the container's upper directory and writes it as an archive into a
 * pipe, the other one takes digests, keeps the blob and unpacks the layer, see engine/new-layer.h. So
 * the data is read once, and what is unpacked is what was hashed, whatever the container does to its
 * files meanwhile.
 *
 * The archive is not compressed: nobody but this host reads the blob until it is saved. */
#include "engine/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/commit-config.h"
#include "engine/commit-files.h"
#include "engine/container-inside.h"
#include "engine/container-own-layers.h"
#include "engine/container-pause.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image-draft.h"
#include "engine/image.h"
#include "engine/new-layer.h"
#include "kernel/pidfd.h"
#include "kernel/userns.h"
#include "oci/manifest.h"
#include "store/store.h"

#define PIPE_BYTES (1 << 20)

struct commit {
	struct engine *engine;
	struct container *container;
	struct container_spec *spec;
	const struct commit_options *options;
	struct image_draft *draft;
};

/* ---- the image's settings ---- */

static int begin_draft(struct commit *commit, struct err *err)
{
	autoimage struct image *image = NULL;
	struct oci_platform host = { 0 };
	struct store *store;
	int r = 0;

	if (commit->container->image_id) {
		r = engine_store(commit->engine, &store, err);
		if (r >= 0)
			r = image_load(store, commit->container->image_id, &image, err);
		if (r >= 0)
			r = image_draft_from_image(commit->engine, image, &commit->draft, err);
		return r < 0 ? r : 0;
	}
	host = oci_platform_of_host();
	commit->draft = image_draft_new(&host);
	oci_platform_clear(&host);
	return 0;
}

static int make_settings(struct commit *commit, struct err *err)
{
	const struct commit_options *options = commit->options;

	int r = begin_draft(commit, err);
	if (r < 0)
		return r;
	struct json_object *config = image_draft_run_config(commit->draft);
	r = commit_config_fill(config, commit->spec, options->include_volumes, err);
	for (size_t i = 0; r == 0 && i < options->changes->count; i++)
		r = image_draft_change(config, options->changes->items[i], err);
	image_draft_describe(commit->draft, options->author,
			     options->is_docker ? options->message : NULL);
	if (options->is_docker)
		image_draft_set_docker(commit->draft);
	return r;
}

/* ---- standing still ---- */

/* A process of its own lets the container go on when the pipe's other end is closed: when we are done,
 * and when we are killed. */
static int pause_until_closed(struct commit *commit, pid_t *ret_pid, int *ret_fd, struct err *err)
{
	int fds[2];

	int r = container_pause(commit->engine, commit->container, err);
	if (r < 0)
		return r;
	container_refresh(commit->engine, commit->container, CONTAINER_WITH_SPEC);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = err_errno(err, "make a pipe");
		container_thaw(commit->engine, commit->container);
		return r;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		char byte;
		close(fds[1]);
		(void)setsid(); /* a signal to our terminal's processes is not for it */
		while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
			;
		container_thaw(commit->engine, commit->container);
		_exit(0);
	}
	if (pid < 0)
		r = err_errno(err, "fork");
	close(fds[0]);
	if (r < 0) {
		close(fds[1]);
		container_thaw(commit->engine, commit->container);
		return r;
	}
	*ret_pid = pid;
	*ret_fd = fds[1];
	return 0;
}

static void go_on(pid_t pid, int *fd)
{
	int status;

	if (*fd < 0)
		return;
	fd_close(fd);
	(void)process_reap(pid, &status);
}

/* ---- the layer ---- */

/* What the walker says counts more than what comes of it. If it could not write on, then the other
 * one knows why. */
static int finish_layer(struct commit *commit, struct userns_worker *walker,
			struct new_layer_job *job, struct image_layer *ret_layer, struct err *err)
{
	struct err walk_err = { 0 };

	int r = new_layer_finish(job, commit->options->progress, ret_layer, err);
	int walked = userns_wait(walker, &walk_err);
	if (walked < 0 && (r >= 0 || walk_err.code != EPIPE)) {
		*err = walk_err;
		if (r >= 0)
			new_layer_clear(ret_layer);
		return walked;
	}
	return r;
}

static int make_layer(struct commit *commit, struct container_inside *inside, const char *upper,
		      struct image_layer *ret_layer, struct err *err)
{
	struct new_layer_job *job;
	struct userns_worker *walker;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* fewer wake-ups; a smaller one does */
	int r = commit_files_start(commit->engine, commit->spec, upper, inside, fds, &walker, err);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return r;
	}
	r = new_layer_start(commit->engine, fds[0], &job, err);
	close(fds[0]);
	if (r < 0) {
		struct err ignored; /* it could not write */
		(void)userns_wait(walker, &ignored);
		return r;
	}
	return finish_layer(commit, walker, job, ret_layer, err);
}

static int add_layer(struct commit *commit, struct container_inside *inside, const char *upper,
		     struct err *err)
{
	const struct commit_options *options = commit->options;
	autonewlayer struct image_layer layer = { 0 };
	autofree char *from = xasprintf("FROM %s", commit->container->image_name ?: "scratch");

	int r = make_layer(commit, inside, upper, &layer, err);
	if (r < 0)
		return r;
	struct draft_history history = { .created_by = "/bin/sh",
					 .author = options->author,
					 .comment = options->message ?: from };
	image_draft_add_layer(commit->draft, &layer, &history);
	return 0;
}

static int add_all_files(struct commit *commit, struct err *err)
{
	autoinside struct container_inside *inside = NULL;

	image_draft_drop_layers(commit->draft);
	int r = container_inside_open(commit->engine, commit->container, INSIDE_ROOT_ONLY, &inside,
				      err);
	return r < 0 ? r : add_layer(commit, inside, NULL, err);
}

/* A layer for each of its own directories: those of snapshots are layers of their own, and then the last
 * one may be missing. */
static int add_changes(struct commit *commit, struct err *err)
{
	autostrlist struct strlist own = STRLIST_EMPTY;
	autoclose int lock_fd = -1;

	int r = container_lock_found(commit->engine, commit->container, &lock_fd, err);
	if (r == 0)
		r = container_own_layers(commit->engine, commit->container, &own, err);
	for (size_t i = 0; r == 0 && i < own.count; i++)
		if (i == 0 || faccessat(AT_FDCWD, own.items[i], F_OK, AT_EACCESS) == 0)
			r = add_layer(commit, NULL, own.items[i], err);
	return r;
}

static int make_image(struct commit *commit, char **ret_id, struct err *err)
{
	int r = commit->options->squash || !commit->container->image_id ? add_all_files(commit, err)
									: add_changes(commit, err);

	return r < 0 ? r
		     : image_draft_record(commit->engine, commit->draft, commit->options->name,
					  ret_id, err);
}

static int commit_locked(struct commit *commit, char **ret_id, struct err *err)
{
	autoclose int pull_lock = -1, pause_fd = -1;
	struct store *store;
	pid_t pid = -1;

	int r = container_spec_of(commit->container, &commit->spec, err);
	if (r == 0)
		r = make_settings(commit, err);
	if (r == 0)
		r = engine_store(commit->engine, &store, err);
	/* Until the image is recorded nobody sweeps its parts away. */
	if (r >= 0)
		r = store_begin_pull(store, &pull_lock, err);
	if (r >= 0 && commit->options->pause && commit->container->state == CONTAINER_RUNNING &&
	    !commit->container->run.is_paused)
		r = pause_until_closed(commit, &pid, &pause_fd, err);
	if (r >= 0)
		r = make_image(commit, ret_id, err);
	go_on(pid, &pause_fd);
	return r;
}

int container_commit(struct engine *engine, struct container *container,
		     const struct commit_options *options, char **ret_id, struct err *err)
{
	struct commit commit = { .engine = engine, .container = container, .options = options };

	int r = commit_locked(&commit, ret_id, err);
	container_spec_free(commit.spec);
	image_draft_free(commit.draft);
	if (r == 0)
		event_container(engine, container, EVENT_COMMIT);
	return r < 0 ? err_wrap(err, "commit container '%s'", container->name) : 0;
}
