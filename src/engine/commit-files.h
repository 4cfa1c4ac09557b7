/* A container's files as the archive of a layer, written into a pipe by a process of its own. */
#pragma once

struct container_inside;
struct container_spec;
struct engine;
struct err;
struct userns_worker;

/* Begin to write what the container has changed, which is in the directory `upper`, or, when `inside` is not
 * NULL, all files of it. The process
 * closes the end of the pipe that is not its own; the rest is userns_wait(). Left out are mount points that
 * the image would show as empty files, where a start has made them. The caller holds the container's
 * lock. */
int commit_files_start(struct engine *engine, const struct container_spec *spec, const char *upper,
		       struct container_inside *inside, const int pipe_fds[2],
		       struct userns_worker **ret_worker, struct err *err);
