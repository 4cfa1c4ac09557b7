/* The store: ROOT, the directory of everything that lasts.
 *
 *	davit.db                    the state database
 *	davit.db-spare              room for removals on a full disk
 *	blobs/sha256/HEX            manifests, configurations and layers as they came
 *	layers/HEX/diff             unpacked layers, by diff ID
 *	containers/ID, volumes/NAME by their own modules
 *	cache/, tmp/                may be lost; tmp/pull holds unfinished downloads
 *	locks/                      one empty file for each object that was ever locked
 *
 * Opening makes what is missing and costs the opening of the database; directories are made and
 * opened when they are asked for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct database;
struct err;
struct strlist;
struct store;

/* @root:         made with mode 0700 when it is missing
 * @is_rootless:  the owner is an ordinary user; what is unpacked belongs to his mapping
 *
 * -EUCLEAN if `root` is something else's directory, such as podman's. */
int store_open(const char *root, bool is_rootless, struct store **ret_store, struct err *err);
void store_close(struct store *store);

static inline void store_close_auto(struct store **at)
{
	store_close(*at);
}
#define autostore __attribute__((cleanup(store_close_auto)))

/* All borrowed. */
struct database *store_database(struct store *store);
const char *store_root(const struct store *store);
int store_root_fd(const struct store *store);
bool store_is_rootless(const struct store *store);

enum store_directory {
	STORE_BLOBS,	  /* blobs/sha256 */
	STORE_LAYERS,	  /* layers */
	STORE_CONTAINERS, /* containers */
	STORE_VOLUMES,	  /* volumes */
	STORE_CACHE,	  /* cache */
	STORE_TMP,	  /* tmp */
	STORE_PULL,	  /* tmp/pull */
	STORE_TRASH,	  /* tmp/trash */
	STORE_LOCKS,	  /* locks */
	STORE_DIRECTORY_COUNT,
};

/* A descriptor of the directory (O_PATH is not set: it can be read and synced), made when missing;
 * borrowed from the store. */
int store_directory(struct store *store, enum store_directory directory, struct err *err);
/* "ROOT/layers" and so on, owned by the caller; makes nothing. */
char *store_path(const struct store *store, enum store_directory directory);
/* "ROOT/layers/HEX/diff" of a diff ID ("sha256:HEX"), owned by the caller. */
char *store_layer_path(const struct store *store, const char *diff_id);
/* Append the paths of layers, lowest first as images name them, in overlayfs's order: uppermost first and each once, since
 * what the upper one of two shows hides all of the lower. */
void store_layer_dirs(const struct store *store, const struct strlist *diff_ids,
		      struct strlist *dirs);

/* Locks by object, e.g. ("image", HEX), ("blob", HEX), ("container", ID). The lock lives as long as
 * the returned descriptor. Two of them at once are taken in the order of their names, blobs after
 * images. */
enum store_lock_flags {
	STORE_LOCK_SHARED = 1 << 0,
	STORE_LOCK_NO_WAIT = 1 << 1, /* -EWOULDBLOCK instead of waiting */
};
int store_lock(struct store *store, const char *kind, const char *name, enum store_lock_flags flags,
	       int *ret_lock_fd, struct err *err);

/* Give an exclusive lock up and remove its file. */
void store_unlock(struct store *store, const char *kind, const char *name, int *lock_fd);

/* Move a file or tree out of sight, to be removed later; renaming is quick and needs no mapping.
 * Absence is success. */
int store_trash(struct store *store, int dir_fd, const char *name, struct err *err);
/* Whether there is anything in the trash, or a layer that was not finished. */
bool store_has_trash(struct store *store);
/* Remove what is in the trash. What was unpacked under a user's mapping belongs to his IDs: run it
 * inside that mapping. */
int store_empty_trash(struct store *store, struct err *err);

/* Take the part of a running pull: until the descriptor is closed nothing that is unreferenced is
 * swept. */
int store_begin_pull(struct store *store, int *ret_lock_fd, struct err *err);

/* Put into the trash what killed commands left behind: unfinished layers, downloads that nobody
 * continued for a day, layers and blobs that no image refers to. Does nothing while a pull is
 * running. `age_nsec`: how old unreferenced things must be; 0 takes them all. */
void store_sweep(struct store *store, int64_t age_nsec);

/* The kernel's boot ID, 36 characters, borrowed. */
const char *store_boot_id(struct store *store);
