/* The ID ranges of containers with --userns auto: where they come from, and who has which.
 *
 * Root takes them from those that subuid(5) grants the user "containers", as podman does; a user
 * from his own. The record is the description of each container: its ranges are its own until it is
 * removed. They are chosen in the transaction that makes the record, so no two get the same. */
#pragma once

#include "kernel/id-map.h"

struct container_spec;
struct database;
struct engine;
struct err;

/* -EPERM, with the remedy, if there are none at all. */
int container_ids_available(struct engine *engine, struct id_map *ret_uid, struct id_map *ret_gid,
			    struct err *err);

/* --subuidname and --subgidname: the ranges of users by name, one behind the other from 0 on, as
 * values of --uidmap and --gidmap. One of the names alone is meant for both. -ENOENT, -EPERM. */
struct strlist;
int container_ids_named(struct engine *engine, const char *uid_name, const char *gid_name,
			struct strlist *uid_maps, struct strlist *gid_maps, struct err *err);

/* How many a container of this description needs, into spec->userns_size; 0 unless --userns auto.
 * Looks into the image. */
int container_ids_size(struct engine *engine, struct container_spec *spec, struct err *err);

/* Choose them, inside a transaction, if spec->userns_size says so. */
int container_ids_allocate(struct engine *engine, struct database *db, struct container_spec *spec,
			   struct err *err);
