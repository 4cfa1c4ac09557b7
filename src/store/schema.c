/* The tables of the state database. A change of them is a new entry here, never an edit of an old
 * one: users' files hold what the old ones made.
 *
 * Digests are "sha256:HEX", image IDs the HEX of the configuration's digest. Times are nanoseconds
 * since 1970. `synced` and `boot_id`: the object is complete, but only safe from a power cut once
 * `synced` is 1; one that is not and comes from another boot is made anew. */
#include "store/store-internal.h"

const char *const schema_migrations[SCHEMA_VERSION] = {
	"CREATE TABLE images("
	"	id TEXT PRIMARY KEY NOT NULL,"
	"	manifest_digest TEXT NOT NULL," /* the latest one it was seen under */
	"	manifest_type TEXT NOT NULL,"
	"	config BLOB NOT NULL," /* the very bytes that the ID is the digest of */
	"	created_nsec INTEGER NOT NULL,"
	"	size_bytes INTEGER NOT NULL," /* of the unpacked layers */
	"	architecture TEXT, os TEXT, variant TEXT,"
	"	added_nsec INTEGER NOT NULL);"

	/* "docker.io/library/nginx:latest" or "…/nginx@sha256:…"; what was pulled under it. */
	"CREATE TABLE image_names("
	"	name TEXT PRIMARY KEY NOT NULL,"
	"	image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,"
	"	digest TEXT NOT NULL);"
	"CREATE INDEX image_names_image ON image_names(image_id);"

	/* Every manifest and index that led to the image; the blobs are kept for them. */
	"CREATE TABLE image_manifests("
	"	image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,"
	"	digest TEXT NOT NULL,"
	"	media_type TEXT NOT NULL,"
	"	PRIMARY KEY(image_id, digest)) WITHOUT ROWID;"

	"CREATE TABLE image_layers("
	"	image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,"
	"	position INTEGER NOT NULL," /* 0 is the lowest */
	"	diff_id TEXT NOT NULL,"
	"	blob_digest TEXT NOT NULL,"
	"	media_type TEXT NOT NULL,"
	"	blob_size INTEGER NOT NULL,"
	"	PRIMARY KEY(image_id, position)) WITHOUT ROWID;"
	"CREATE INDEX image_layers_diff ON image_layers(diff_id);"
	"CREATE INDEX image_layers_blob ON image_layers(blob_digest);"

	"CREATE TABLE layers("
	"	diff_id TEXT PRIMARY KEY NOT NULL,"
	"	size_bytes INTEGER NOT NULL,"
	"	created_nsec INTEGER NOT NULL,"
	"	synced INTEGER NOT NULL DEFAULT 0,"
	"	boot_id TEXT NOT NULL) WITHOUT ROWID;"

	"CREATE TABLE blobs("
	"	digest TEXT PRIMARY KEY NOT NULL,"
	"	size_bytes INTEGER NOT NULL,"
	"	created_nsec INTEGER NOT NULL,"
	"	synced INTEGER NOT NULL DEFAULT 0,"
	"	boot_id TEXT NOT NULL) WITHOUT ROWID;"

	"CREATE TABLE containers("
	"	id TEXT PRIMARY KEY NOT NULL,"
	"	name TEXT NOT NULL UNIQUE,"
	"	image_id TEXT," /* NULL: a root file system that is no image's */
	"	image_name TEXT,"
	"	spec TEXT NOT NULL," /* JSON */
	"	command TEXT,"
	"	ports TEXT,"
	"	labels TEXT," /* JSON object */
	"	created_nsec INTEGER NOT NULL,"
	"	state TEXT NOT NULL,"
	"	boot_id TEXT," /* of the last start */
	"	started_nsec INTEGER NOT NULL DEFAULT 0,"
	"	finished_nsec INTEGER NOT NULL DEFAULT 0,"
	"	exit_code INTEGER NOT NULL DEFAULT 0,"
	"	oom_killed INTEGER NOT NULL DEFAULT 0,"
	"	auto_remove INTEGER NOT NULL DEFAULT 0,"
	"	restart_count INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX containers_image ON containers(image_id);"

	"CREATE TABLE volumes("
	"	name TEXT PRIMARY KEY NOT NULL,"
	"	driver TEXT NOT NULL,"
	"	options TEXT," /* JSON object */
	"	labels TEXT,"  /* JSON object */
	"	created_nsec INTEGER NOT NULL,"
	"	anonymous INTEGER NOT NULL DEFAULT 0,"
	"	needs_copy_up INTEGER NOT NULL DEFAULT 1);"

	"CREATE TABLE container_volumes("
	"	container_id TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,"
	"	volume TEXT NOT NULL REFERENCES volumes(name),"
	"	PRIMARY KEY(container_id, volume)) WITHOUT ROWID;"
	"CREATE INDEX container_volumes_volume ON container_volumes(volume);"

	/* Addresses of containers on bridges. */
	"CREATE TABLE leases("
	"	network TEXT NOT NULL,"
	"	address TEXT NOT NULL,"
	"	container_id TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,"
	"	PRIMARY KEY(network, address)) WITHOUT ROWID;"
	"CREATE INDEX leases_container ON leases(container_id);"

	/* Written once after each folding of the log, see database_close(). */
	"CREATE TABLE checkpoints(id INTEGER PRIMARY KEY, count INTEGER NOT NULL);"
	"INSERT INTO checkpoints VALUES(1, 0);",

	/* Who cannot run without whom. What is needed cannot be removed. */
	"CREATE TABLE container_dependencies("
	"	container_id TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,"
	"	needed_id TEXT NOT NULL REFERENCES containers(id),"
	"	PRIMARY KEY(container_id, needed_id)) WITHOUT ROWID;"
	"CREATE INDEX container_dependencies_needed ON container_dependencies(needed_id);",

	/* All of a secret but its value, which is the file. */
	"CREATE TABLE secrets("
	"	id TEXT PRIMARY KEY NOT NULL,"
	"	name TEXT NOT NULL UNIQUE,"
	"	driver TEXT NOT NULL,"
	"	options TEXT," /* JSON object */
	"	labels TEXT,"  /* JSON object */
	"	created_nsec INTEGER NOT NULL,"
	"	updated_nsec INTEGER NOT NULL,"
	"	file TEXT NOT NULL UNIQUE);"

	/* The user wanted it to end, so that the next boot does not start it. */
	"ALTER TABLE containers ADD COLUMN stopped_by_user INTEGER NOT NULL DEFAULT 0;",

	/* See frozen-layer.h, and container-own-layers.h for `upper_move`. A container that has snapshots stands on a layer. */
	"CREATE TABLE frozen_layers("
	"	id TEXT PRIMARY KEY NOT NULL,"
	"	parent_id TEXT REFERENCES frozen_layers(id)," /* NULL: the image is next */
	"	container_id TEXT NOT NULL,"		      /* has written it; may be gone */
	"	created_nsec INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX frozen_layers_parent ON frozen_layers(parent_id);"
	"CREATE TABLE snapshots("
	"	container_id TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,"
	"	tag TEXT NOT NULL,"
	"	layer_id TEXT NOT NULL REFERENCES frozen_layers(id),"
	"	created_nsec INTEGER NOT NULL,"
	"	PRIMARY KEY(container_id, tag)) WITHOUT ROWID;"
	"CREATE INDEX snapshots_layer ON snapshots(layer_id);"
	"ALTER TABLE containers ADD COLUMN head_layer TEXT REFERENCES frozen_layers(id);"
	"ALTER TABLE containers ADD COLUMN upper_move TEXT;"
	"CREATE INDEX containers_head ON containers(head_layer) WHERE head_layer IS NOT NULL;",
};
