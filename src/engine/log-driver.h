/* Log drivers: where a container's output goes, as the user says it and as the monitor needs it. */
#pragma once

#include <stdbool.h>

struct container;
struct container_spec;
struct engine;
struct err;
struct settings;
struct strlist;

/* "k8s-file|json-file|…": all there are. */
#define LOG_DRIVERS "k8s-file|json-file|journald|none|passthrough"

/* Fill the spec's log fields. `driver` is the user's word, NULL: what the settings say, or k8s-file where davit or this
 * host lacks that. `options` are "path=/FILE", "max-size=SIZE", "max-file=COUNT", "tag=TEMPLATE", "label=NAME=VALUE". */
int log_driver_choose(const char *driver, const struct strlist *options,
		      const struct settings *settings, struct container_spec *spec,
		      struct err *err);

/* Is the log in files? */
bool log_driver_is_file(const struct container_spec *spec);
bool log_driver_is(const struct container_spec *spec, const char *driver);

/* The file, where it is one; owned by the caller. */
char *log_driver_path(const struct container_spec *spec, const char *container_dir);

/* What the journal is told with each entry, "NAME=value". */
int log_driver_journal_fields(struct engine *engine, const struct container *container,
			      const struct container_spec *spec, struct strlist *fields,
			      struct err *err);
