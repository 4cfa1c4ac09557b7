#include "cli/output-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/space.h"

int output_file_open(struct output_file *file, const char *path, struct err *err)
{
	struct stat st;

	*file = OUTPUT_FILE_EMPTY;
	if (!path) {
		file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return file->fd < 0 ? err_errno(err, "standard output") : 0;
	}
	bool is_plain = stat(path, &st) < 0 || S_ISREG(st.st_mode);
	autofree char *aside = is_plain ? xasprintf("%s.tmp-%d", path, (int)getpid()) : NULL;
	file->fd = is_plain ? open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)
			    : open(path, O_WRONLY | O_CLOEXEC);
	if (file->fd < 0)
		return err_errno(err, "create '%s'", path);
	if (is_plain) {
		file->path = xstrdup(path);
		file->aside = take_ptr(&aside);
	}
	return 0;
}

int output_file_close(struct output_file *file, int result, struct err *err)
{
	if (close(take_fd(&file->fd)) < 0 && result >= 0)
		result = err_errno(err, "write '%s'", file->path ?: "output");
	if (file->aside && result >= 0 && rename(file->aside, file->path) < 0)
		result = err_errno(err, "move the archive to '%s'", file->path);
	if (file->aside && result < 0)
		(void)unlink(file->aside);
	if (file->path && result < 0 && space_is_short(err->code))
		(void)err_wrap(err, "write '%s'", file->path);
	if (result < 0)
		(void)space_remedy(SPACE_ELSEWHERE, err);
	free(file->aside);
	free(file->path);
	return result;
}
