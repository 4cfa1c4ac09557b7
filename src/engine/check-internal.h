/* What the files of the check share: check.c has the order, containers and volumes, check-store.c images and what they
 * consist of, check-snapshots.c and check-secrets.c what their names say, check-mounts.c and check-network.c what is
 * mounted and published. Not for others. */
#pragma once

#include "engine/check.h"

struct database;
struct store;

struct check {
	struct engine *engine;
	struct store *store;
	struct database *db;
	enum check_flags flags;
	void (*tell)(void *arg, const char *object, const char *damage, const char *outcome);
	void *arg;
	struct check_result result;
};

/* How something is put right. `id` is the object's, as given to check_found(). */
typedef int check_repair(struct check *check, const char *id, struct err *err);

/* Something is damaged. It is repaired at once if flags have all of `needs`; `repair` NULL: it cannot be. */
void check_found(struct check *check, enum check_flags needs, check_repair *repair, const char *id,
		 const char *object, const char *damage);

/* Run one statement with one text. */
int check_run(struct check *check, const char *sql, const char *text, struct err *err);

/* 1 if the query has a row for this text. */
int check_has_row(struct check *check, const char *sql, const char *text, struct err *err);

int check_blobs(struct check *check, struct err *err);
int check_layers(struct check *check, struct err *err);
int check_images(struct check *check, struct err *err);
int check_snapshots(struct check *check, struct err *err);
int check_secrets(struct check *check, struct err *err);
int check_mounts(struct check *check, struct err *err);
int check_ports(struct check *check, struct err *err);
