/* A function of ours inside a container: with its root file system as the container has it, and as its root user.
 *
 * For a container that runs this is its own mount namespace, entered through its first process, so volumes, tmpfs and
 * what the container has mounted itself are there; paused ones as well. For any other one the same file systems are
 * mounted as a start would mount them, in a mount namespace that nobody else sees and that goes with the last process
 * in it: root, bind mounts, volumes (filled from the image if they are new) and images, but no tmpfs, /proc, /sys or
 * /dev; a read-only root can be written. The user namespace is always one with the container's ID mapping, so owners are
 * what the container sees, and whoever may start the container may look into it.
 *
 *	struct container_inside *inside;
 *	container_inside_open(engine, container, 0, &inside, err);
 *	container_inside_run(inside, body, &arg, err);	 any number of times
 *	container_inside_close(inside);
 *
 * A container that does not run is locked from open to close: nobody starts or removes it. Opening several means
 * opening them in the order of their IDs, or two commands could wait for each other, and each once.
 *
 * The body is called in a child process. It shares nothing with the caller but descriptors: it takes its orders from
 * `arg` as it was, gives data back through pipes or sockets that the caller has made (closing the ends that are not
 * its own, before it waits for an end of file), and errors through its result and `err`, as if it had been called
 * directly. Writing to a closed pipe is EPIPE. It is killed when the caller ends.
 *
 * Nothing it sees is to be trusted, and all of it may change at any moment: paths are resolved by
 * mount_open_in_root() from view->root_fd, whose ".." and links cannot lead outside; what is then to be read or written
 * is opened by container_inside_reopen() once fstat(2) has said what it is, as opening a device or a fifo has effects;
 * the directory "/proc" of the container is not used, nothing is executed, no library loaded, no name service asked. */
#pragma once

struct container;
struct container_inside;
struct engine;
struct err;
struct userns_worker;

enum inside_flags {
	/* Only the container's own root file system, without anything that is mounted on it: what an image
	 * of it would hold. */
	INSIDE_ROOT_ONLY = 1 << 0,
};

struct inside_view {
	int root_fd; /* of the container's "/", a path descriptor */
	int proc_fd; /* of the host's /proc */
};

/* Waits for a start or an end of the container that is going on. `container` is found again, with its spec.
 * -ENOENT: it is gone. -EPERM: its first process lives in a user namespace that it has made itself. */
int container_inside_open(struct engine *engine, struct container *container,
			  enum inside_flags flags, struct container_inside **ret_inside,
			  struct err *err);
void container_inside_close(struct container_inside *inside);

typedef int inside_body(const struct inside_view *view, void *arg, struct err *err);

/* Run it and wait. Returns what the body returned. */
int container_inside_run(struct container_inside *inside, inside_body *body, void *arg,
			 struct err *err);
/* Without waiting: the rest is userns_worker_fd() and userns_wait(). `inside` stays open until then. */
int container_inside_spawn(struct container_inside *inside, inside_body *body, void *arg,
			   struct userns_worker **ret_worker, struct err *err);

/* In the body: open what a path descriptor stands for, with other flags. -errno. */
int container_inside_reopen(const struct inside_view *view, int path_fd, int flags);

static inline void container_inside_close_auto(struct container_inside **at)
{
	container_inside_close(*at);
}
#define autoinside __attribute__((cleanup(container_inside_close_auto)))
