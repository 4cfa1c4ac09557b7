/* Who keeps the values of secrets: davit itself in files, gpg in files that it has encrypted as pass(1) does, or commands of
 * the user's. Names, options and their meaning are those of podman's drivers.
 *
 * A value is known by a key, which is made of hex digits: no name that somebody has chosen gets into a path or to a command.
 * A key is used for one value only; another value of the same secret is stored under another key before the old one goes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"

struct engine;
struct err;
struct strbuf;

struct secret_place {
	const struct engine *engine;
	const struct strlist *options; /* KEY=VALUE */
	const char *key;
};

struct secret_driver {
	const char *name;
	/* Are these options all right? What they leave open is added to them, so that the value is found later whatever has
	 * changed meanwhile. */
	int (*check)(const struct engine *engine, struct strlist *options, struct err *err);
	/* It has reached the disk, as far as that is for us to say, when this returns. */
	int (*store)(const struct secret_place *place, const void *data, size_t size,
		     struct err *err);
	int (*read)(const struct secret_place *place, struct strbuf *value, struct err *err);
	/* One that is gone already is removed. */
	int (*remove)(const struct secret_place *place, struct err *err);
	/* Values without a record are found again, and those of records are not needed for removing these. */
	bool is_swept;
};

/* NULL if there is none of this name. */
const struct secret_driver *secret_driver_find(const char *name);

/* Where davit's own driver keeps this value: the caller frees. */
char *secret_file_path(const struct secret_place *place);
/* davit's directory of such values, if the options name no other. */
char *secret_directory(const struct engine *engine);
