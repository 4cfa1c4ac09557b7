/* Frozen layers: what snapshots and clones stand on. Their content is written once and nobody has recorded its size, so only
 * what is there at all can be told. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/check-internal.h"
#include "engine/engine.h"
#include "store/database.h"
#include "store/frozen-layer.h"
#include "store/store.h"

/* What was in it is lost, what lies below and above it is not. */
static int make_layer(struct check *check, const char *id, struct err *err)
{
	autofree char *path = frozen_layer_path(check->store, id);

	int r = file_make_dirs(AT_FDCWD, path, 0755, err);
	if (r == 0 &&
	    chmod(path, 0755) < 0) /* whatever the umask is: it may be the root of a container */
		r = err_errno(err, "change the mode of '%s'", path);
	return r;
}

/* Whom it concerns: "snapshot one of c", or the container that has written it. */
static const char object_query[] =
	"SELECT f.id, COALESCE("
	"(SELECT 'snapshot ' || s.tag || ' of ' || c.name FROM snapshots s "
	" JOIN containers c ON c.id = s.container_id WHERE s.layer_id = f.id LIMIT 1), "
	"(SELECT 'layer of ' || c.name FROM containers c WHERE c.head_layer = f.id LIMIT 1), "
	"'layer snapshots/' || substr(f.id, 1, 12)) "
	/* One that is yet to be frozen has its files elsewhere. */
	"FROM frozen_layers f WHERE f.id NOT IN "
	"(SELECT upper_move FROM containers WHERE upper_move IS NOT NULL) ORDER BY f.id";

static int check_recorded(struct check *check, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY, objects = STRLIST_EMPTY;
	autostatement struct statement *query = NULL;

	int r = database_prepare(check->db, object_query, &query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0) {
		strlist_add(&ids, statement_text(query, 0));
		strlist_add(&objects, statement_text(query, 1));
	}
	statement_release(take_ptr(&query));
	for (size_t i = 0; r == 0 && i < ids.count; i++) {
		autofree char *path = frozen_layer_path(check->store, ids.items[i]);
		if (access(path, F_OK) == 0 || errno != ENOENT)
			continue;
		/* It may have gone since. */
		r = check_has_row(check, "SELECT 1 FROM frozen_layers WHERE id = ?", ids.items[i],
				  err);
		if (r > 0)
			check_found(check, CHECK_REPAIR, make_layer, ids.items[i], objects.items[i],
				    "its directory is missing, and what was written to it with it");
		r = r < 0 ? r : 0;
	}
	return r;
}

static int sweep_layer(struct check *check, const char *id, struct err *err)
{
	autofree char *place = path_join(check->engine->root, "snapshots"),
		      *path = path_join(place, id);

	frozen_layer_sweep(check->store);
	return access(path, F_OK) == 0 ? err_set(err, EBUSY, "somebody builds a layer; try again")
				       : 0;
}

/* While nobody builds one: the record of such a layer comes last. */
static int check_directories(struct check *check, struct err *err)
{
	autofree char *place = path_join(check->engine->root, "snapshots");
	autostrlist struct strlist names = STRLIST_EMPTY;
	DIR *dir = opendir(place);

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "read '%s'", place);
	if (flock(dirfd(dir), LOCK_EX | LOCK_NB) == 0)
		for (struct dirent *entry; (entry = readdir(dir));)
			if (entry->d_name[0] != '.' &&
			    !frozen_layer_is_known(check->store, entry->d_name))
				strlist_add(&names, entry->d_name);
	closedir(dir); /* whoever sweeps needs the lock */
	for (size_t i = 0; i < names.count; i++) {
		autofree char *object = xasprintf("directory snapshots/%.12s…", names.items[i]);
		check_found(check, CHECK_REPAIR, sweep_layer, names.items[i], object,
			    "it belongs to no snapshot and no container");
	}
	return 0;
}

int check_snapshots(struct check *check, struct err *err)
{
	int r = check_recorded(check, err);

	return r < 0 ? r : check_directories(check, err);
}
