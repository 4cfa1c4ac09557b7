#include "engine/runroot.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/run-directory.h"

/* In /tmp anybody may make a directory of that name after a boot: what is not the caller's does not count. */
static bool has_running(const struct engine *engine, const char *runroot)
{
	struct stat st;
	bool found = false;

	if (lstat(runroot, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != engine->uid)
		return false;
	autofree char *directory = path_join(runroot, "containers");
	DIR *dir = opendir(directory);
	if (!dir)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(dir));) {
		struct run_status status;
		autofree char *path = path_join(directory, entry->d_name);

		found = entry->d_name[0] != '.' && run_directory_status(path, &status) == 0 &&
			(status.is_running || status.monitor_lives);
	}
	closedir(dir);
	return found;
}

/* By another way to write it, such as /var/run for /run. */
static bool is_same_directory(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int engine_settle_runroot(struct engine *engine, bool was_chosen, struct err *err)
{
	autofree char *link = path_join(engine->root, "runroot");
	char recorded[PATH_MAX];
	ssize_t n = readlink(link, recorded, sizeof(recorded) - 1);

	if (n > 0) {
		recorded[n] = '\0';
		if (strcmp(recorded, engine->runroot) == 0 ||
		    is_same_directory(recorded, engine->runroot))
			return 0;
		if (has_running(engine, recorded)) {
			if (was_chosen)
				return err_set(
					err, EBUSY,
					"containers of '%s' run under --runroot '%s', not '%s'; "
					"use that one, or stop them first",
					engine->root, recorded, engine->runroot);
			free(engine->runroot);
			engine->runroot = xstrdup(recorded);
			return 0;
		}
	}
	/* A store that cannot be written starts nothing either. */
	if (n > 0)
		(void)unlink(link);
	(void)symlink(engine->runroot, link);
	return 0;
}
