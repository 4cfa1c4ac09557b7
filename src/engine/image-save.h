/* Saving images into archives and directories that any container engine can load. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct engine;
struct err;
struct progress;

enum save_format {
	/* docker's manifest.json and an OCI layout in one archive, as newer dockers write it: old
	 * tools find what they know, and those that know OCI get the very manifests. */
	SAVE_DOCKER_ARCHIVE,
	SAVE_OCI_ARCHIVE,
	SAVE_OCI_DIRECTORY,
	SAVE_DIRECTORY, /* skopeo's "dir:", one image only */
};

int save_format_parse(const char *word, enum save_format *ret_format, struct err *err);

/* Layers are saved as the blobs they came as, so that all digests stay. A word that is a name keeps
 * only this name; an ID saves an image without names.
 *
 * @path:  a file, or the directory to make; "-" is standard output, for archives. A file is
 * replaced when all of it is written; nothing half-made stays.
 *
 * -ENOENT if there is no such image or its blobs were pruned, -EBADMSG if a blob is damaged. */
int image_save(struct engine *engine, const struct strlist *words, enum save_format format,
	       const char *path, struct progress *progress, struct err *err);
