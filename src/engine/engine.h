/* The engine: one caller's view of davit's world. Made once by a command, passed first to
 * everything.
 *
 * It knows where things are kept, who asks (root or an ordinary user), the settings of
 * containers.conf, and opens the store when it is first needed, so that a command pays only for
 * what it uses. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/strlist.h"
#include "engine/settings.h"
#include "kernel/userns.h"

struct database;
struct err;
struct store;

struct engine_options {
	const char *root;	    /* --root, NULL: the default */
	const char *runroot;	    /* --runroot, NULL: the default */
	const char *cgroup_manager; /* --cgroup-manager, NULL: what containers.conf says */
	const char *events_logger;  /* --events-backend, NULL: what containers.conf says */
};

struct engine {
	char *root;	 /* what must last */
	char *runroot;	 /* tmpfs: what is true until the next boot */
	char *build_dir; /* BUILD/src when this program runs from there, else NULL */
	char *self_path; /* this program, for what is started again later */
	bool is_rootless;
	bool is_unshared; /* by davit unshare: rootless, and root of the namespace of all one's containers */
	bool runroot_was_chosen;	/* by an option */
	bool cgroup_manager_was_chosen; /* by an option, so there is no other way */
	uid_t uid;
	gid_t gid;
	char *home;		    /* the caller's, "/" if unknown */
	struct strlist environment; /* the caller's, read once */
	unsigned
		preserve_fds; /* so many of the caller's descriptors from 3 on are for the container's command, too */
	struct settings settings;
	struct store *store;   /* NULL until engine_store() */
	struct userns_map map; /* valid when has_map */
	bool has_map;
	struct userns_draft *userns_draft; /* see engine_expect_userns() */
	struct netns_draft *netns_draft;   /* see engine_expect_netns() */
};

/* Makes directories and opens databases only when they are needed: this touches no disk but
 * containers.conf. */
int engine_open(const struct engine_options *options, struct engine **ret_engine, struct err *err);
void engine_close(struct engine *engine);

/* For a command that is root of the caller's mapping from now on: davit commands that it starts work on the same
 * containers. Sets variables of this process. */
void engine_set_unshared(const struct engine *engine);

/* The store, opened at the first call; owned by the engine. */
int engine_store(struct engine *engine, struct store **ret_store, struct err *err);

/* Its database, borrowed. */
int engine_database(struct engine *engine, struct database **ret_db, struct err *err);

/* The ID mapping of this caller, read at the first call. Warns once when there are no subordinate
 * IDs. */
int engine_map(struct engine *engine, const struct userns_map **ret_map, struct err *err);

/* A process whose user namespace has just the caller's mapping, or 0: joining it saves a rootless
 * caller the set-up of another one. It is checked now, and may be gone at any later moment. */
pid_t engine_join_pid(struct engine *engine);
/* The same for another mapping of the caller's. */
pid_t engine_join_pid_of(struct engine *engine, const struct userns_map *map);

/* A container with the caller's own mapping is about to be started: begin to make its user namespace,
 * where that takes time and there is none to join. engine_take_userns() returns its descriptor, owned
 * by the caller, or -1 if there is none of this mapping; it is called once at most. What is left of
 * the making is put away by engine_forget_namespaces(), at the latest by engine_close(). */
void engine_expect_userns(struct engine *engine);
int engine_take_userns(struct engine *engine, const struct userns_map *map);
/* The same for a network namespace of root's, -1 or -errno if there is none. */
void engine_expect_netns(struct engine *engine);
int engine_take_netns(struct engine *engine);
void engine_forget_namespaces(struct engine *engine);

/* Run `body` as root of the caller's mapping; see userns_run(). */
int engine_run_mapped(struct engine *engine, int (*body)(void *arg, struct err *err), void *arg,
		      struct err *err);

/* Where the helper program NAME is, e.g. "davit-monitor"; owned by the caller. */
char *engine_helper_path(const struct engine *engine, const char *name);

/* The caller's variable, borrowed, or NULL. */
const char *engine_getenv(const struct engine *engine, const char *name);

static inline void engine_close_auto(struct engine **at)
{
	if (*at)
		engine_close(*at);
}
#define autoengine __attribute__((cleanup(engine_close_auto)))
