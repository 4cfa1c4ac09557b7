/* Secrets: small values with names, which containers get as files or variables without that anybody else comes to read them.
 *
 * The row in the database has everything but the value, which is a file of mode 0600 in a directory that only its owner
 * may enter, or is kept by another driver (secret-driver.h). A new value is always a new file: the row is what says which
 * one counts, so a secret is there with the whole of its value, or not at all. Who keeps an old value (see container-secrets.h) keeps it by a second link to its file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct engine;
struct err;
struct strbuf;

enum {
	SECRET_SIZE_LIMIT =
		512000, /* bytes; a value is smaller than that, and not empty. As podman's */
};

struct secret {
	char *id; /* 25 hex digits */
	char *name;
	char *driver;			/* as in secret-driver.h */
	struct strlist options, labels; /* KEY=VALUE */
	int64_t created_nsec, updated_nsec;
	char *file; /* the driver's key of the value; with the driver file a file's name */
};

/* What is to be made. */
struct secret_request {
	const char *name, *driver;
	const void *data;
	size_t size;
	const struct strlist *options, *labels; /* options: as secret_check_driver() left them */
	bool replace; /* one of this name gets the new value, options and labels, and keeps its ID */
};

/* Is there such a driver, and are these its options? Those that it has found out itself are added. */
int secret_check_driver(const struct engine *engine, const char *name, struct strlist *options,
			struct err *err);

/* -EEXIST if the name is taken, -EINVAL if it or the value's size is not allowed. */
int secret_create(struct engine *engine, const struct secret_request *request,
		  struct secret **ret_secret, struct err *err);

/* By name, ID, or a prefix of the ID that only one has. -ENOENT, -ENOTUNIQ. */
int secret_find(struct engine *engine, const char *name, struct secret **ret_secret,
		struct err *err);
/* By the whole ID, which may be another secret's name. -ENOENT. */
int secret_load(struct engine *engine, const char *id, struct secret **ret_secret, struct err *err);
/* By name; secret_list_free() releases the array and its members. */
int secret_list(struct engine *engine, struct secret ***ret_list, size_t *ret_count,
		struct err *err);
void secret_free(struct secret *secret);
void secret_list_free(struct secret **list, size_t count);

/* Append its value. */
int secret_read(struct engine *engine, const struct secret *secret, struct strbuf *value,
		struct err *err);
/* Put its value into a file of mode 0600 that is not there yet; it stays what it is when the secret changes or goes. */
int secret_keep(struct engine *engine, const struct secret *secret, const char *path,
		struct err *err);

/* Containers that have it keep it. -ENOENT if somebody else has removed it meanwhile. */
int secret_remove(struct engine *engine, const char *id, struct err *err);

/* Remove davit's own files that are the value of none. Every change does it, too. */
int secret_sweep(struct engine *engine, struct err *err);

static inline void secret_free_auto(struct secret **at)
{
	secret_free(*at);
}
#define autosecret __attribute__((cleanup(secret_free_auto)))
