/* Mounts of `davit mount` and `davit image mount` whose container or image is gone. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/check-internal.h"
#include "engine/container-mount.h"
#include "engine/engine.h"

static int take_away(struct check *check, const char *id, struct err *err)
{
	autofree char *path = container_mount_path(check->engine, id);

	container_forget_mount(check->engine, id);
	return access(path, F_OK) == 0 ? err_set(err, EBUSY, "'%s' cannot be taken away", path) : 0;
}

int check_mounts(struct check *check, struct err *err)
{
	autofree char *place = path_join(check->engine->runroot, "mounts");
	autostrlist struct strlist ids = STRLIST_EMPTY;
	DIR *dir = opendir(place);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "read '%s'", place);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strlen(entry->d_name) == 64)
			strlist_add(&ids, entry->d_name);
	closedir(dir);
	for (size_t i = 0; r >= 0 && i < ids.count; i++) {
		r = check_has_row(check,
				  "SELECT 1 FROM containers WHERE id = ?1 UNION "
				  "SELECT 1 FROM images WHERE id = ?1",
				  ids.items[i], err);
		autofree char *object = xasprintf("directory mounts/%.12s…", ids.items[i]);
		if (r == 0)
			check_found(check, CHECK_REPAIR, take_away, ids.items[i], object,
				    "what was mounted there is gone");
	}
	return r < 0 ? r : 0;
}
