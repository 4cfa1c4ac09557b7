#include "engine/skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/engine.h"

static const char *const directories[] = { "dev", "etc", "proc", "run", "sys" };
static const char *const files[] = { "etc/hostname", "etc/hosts", "etc/resolv.conf",
				     "run/.containerenv" };

static int fill(int dir_fd, struct err *err)
{
	/* mkdir(2) and open(2) heed the umask, and these are seen by every container. */
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (mkdirat(dir_fd, directories[i], 0755) < 0 ||
		    fchmodat(dir_fd, directories[i], 0755, 0) < 0)
			return err_errno(err, "make '%s' of the skeleton", directories[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autoclose int fd =
			openat(dir_fd, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 || fchmod(fd, 0644) < 0)
			return err_errno(err, "make '%s' of the skeleton", files[i]);
	}
	/* Programs of old look for the mount table here. */
	if (symlinkat("/proc/mounts", dir_fd, "etc/mtab") < 0)
		return err_errno(err, "make 'etc/mtab' of the skeleton");
	return 0;
}

int skeleton_open(struct engine *engine, char **ret_path, struct err *err)
{
	autofree char *path = path_join(engine->root, SKELETON_NAME);
	char random[17];
	struct err ignored;

	if (access(path, F_OK) == 0) {
		*ret_path = take_ptr(&path);
		return 0;
	}
	/* Made aside: a command that is killed half-way leaves a directory of another name, in tmp. */
	random_hex(random, 8);
	autofree char *aside = xasprintf("%s/tmp/skeleton-%s", engine->root, random);
	int r = file_make_dirs(AT_FDCWD, aside, 0755, err);
	if (r < 0)
		return r;
	autoclose int fd = open(aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0755) < 0)
		return err_errno(err, "open '%s'", aside);
	r = fill(fd, err);
	if (r == 0 && rename(aside, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		r = err_errno(err, "make '%s'", path);
	(void)file_remove_tree(AT_FDCWD, aside,
			       &ignored); /* renamed, or another command was faster */
	if (r == 0)
		*ret_path = take_ptr(&path);
	return r;
}
