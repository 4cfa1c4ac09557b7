/* Layers: what an image is made of, each unpacked once into a directory of its own.
 *
 *   STORE/layers/HEX/diff/      the tree, HEX being the layer's diff ID: the SHA-256 of its tar
 *   STORE/layers/tmp-RANDOM/    one that is being made or removed; locked by flock(2) while it is
 *
 * A layer does not depend on those below it, so all layers of an image can be unpacked at once, and
 * images share them. Whiteouts are in overlayfs's form. A directory named by a diff ID is always
 * complete: it is renamed into place when all digests were right. It may not have reached the disk:
 * whoever records a layer as lasting calls syncfs(2) first, once a pull.
 *
 * `store_fd` is the store's directory. In a rootless store files belong to many IDs, so layers are
 * made and removed inside the user's mapping: by layer_worker_start(), or in a function given to
 * userns_run(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

struct err;
struct userns_map;

enum layer_flags {
	/* We are root of a user namespace only: whiteouts and markers for overlay's userxattr, and
	 * device nodes are left out. */
	LAYER_IN_USERNS = 1 << 0,
	/* What belongs to IDs outside of the mapping becomes root's instead of an error. */
	LAYER_IGNORE_OWNERS = 1 << 1,
};

/* One message through layer_source.growth_fd. The last one of a download has `is_complete`. */
struct layer_growth {
	uint64_t size_bytes; /* how much of the blob can be read by now */
	uint32_t is_complete;
	uint32_t is_aborted; /* the rest will not come */
};

/* A layer as it comes: a tar archive, compressed by gzip or zstd or not at all. */
struct layer_source {
	int fd; /* the blob; a file is read from its start without moving its offset, or a pipe */
	/* -1: all of it is there. Else a pipe that tells with one struct layer_growth after another
	 * how far a download has come; its end without `is_complete` aborts. Borrowed. */
	int growth_fd;
	/* 0: nothing. Else a file that is given the blob as it is read, for blobs that come through a pipe.
	 * Borrowed. */
	int keep_fd;
	const char *digest;  /* "sha256:HEX" of the blob as it is; NULL: not known */
	const char *diff_id; /* "sha256:HEX" of the archive inside; NULL: not known */
	uint64_t size_bytes; /* of the blob; 0: not known */
};

struct layer_options {
	enum layer_flags flags;
	/* Bounds against archives that are made to fill the disk; 0: the default. */
	uint64_t max_tar_bytes;	 /* default: what gzip can make of the blob at most, 1100 times */
	uint64_t min_free_bytes; /* what stays free; default: 64 MiB or a twentieth of it all */
	/* Called now and then from another thread of this process, with bytes of the blob. */
	void (*progress)(void *arg, uint64_t blob_bytes);
	void *progress_arg;
};

struct layer_result {
	char digest[DIGEST_TEXT_SIZE];
	char diff_id[DIGEST_TEXT_SIZE];
	uint64_t blob_bytes;
	uint64_t tar_bytes;
	uint64_t content_bytes; /* file data in the tree */
	uint64_t entries;
	uint64_t skipped_devices, skipped_xattrs, changed_owners;
	bool existed; /* the store had it already; nothing was unpacked a second time */
};

/* Unpack one layer in this process, which should be a worker: umask is changed and threads are
 * used. A layer that exists is still read and checked when diff_id is NULL; else it is not read and
 * only diff_id and existed are set. On failure nothing stays. -EBADMSG: not what its digests, its
 * compression or tar say; -ENOSPC, -EFBIG: it is or grows too large; -ECANCELED: the download was
 * aborted. */
int layer_unpack(int store_fd, const struct layer_source *source,
		 const struct layer_options *options, struct layer_result *ret_result,
		 struct err *err);

/* The same in a child inside `map` (LAYER_IN_USERNS is set where that is a user namespace). Several
 * may run side by side. `join_pid`: see userns_run(). `progress` is not used: ask
 * layer_worker_progress(). */
struct layer_worker;
int layer_worker_start(int store_fd, const struct layer_source *source,
		       const struct layer_options *options, const struct userns_map *map,
		       int join_pid, struct layer_worker **ret_worker, struct err *err);
int layer_worker_fd(const struct layer_worker *worker); /* readable when it has ended; borrowed */
uint64_t layer_worker_progress(const struct layer_worker *worker); /* bytes of the blob done */
/* Wait for the end, free the worker, return what layer_unpack() returned. */
int layer_worker_finish(struct layer_worker *worker, struct layer_result *ret_result,
			struct err *err);

bool layer_exists(int store_fd, const char *diff_id);
/* "layers/HEX/diff", relative to the store; owned by the caller. NULL if that is no diff ID. */
char *layer_path(const char *diff_id);

/* Remove a layer. From the first moment on it does not exist; what is left of it after a crash is
 * swept. Absence is success. Inside the mapping when rootless. */
int layer_remove(int store_fd, const char *diff_id, struct err *err);

/* Remove what interrupted unpacks and removals left. What is in use is not touched. Inside the
 * mapping when rootless. Returns how many. */
int layer_sweep(int store_fd, struct err *err);
