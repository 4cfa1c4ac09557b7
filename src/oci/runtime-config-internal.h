/* What the files of the configuration's parser share. */
#pragma once

#include "base/json-reader.h"
#include "oci/runtime-config.h"

/* Make room for one more element of an array that only grows here, and clear it. */
#define OCI_APPEND(array, count)                                                                   \
	((array) = xreallocarray((array), (count) + 1, sizeof(*(array))),                          \
	 memset(&(array)[(count)], 0, sizeof(*(array))), &(array)[(count)++])

/* A list of ID extents; absence is an empty one. */
void oci_parse_extents(const struct json_at *object, const char *name, struct id_extent **extents,
		       size_t *count);

/* A list of absolute paths. */
void oci_parse_paths(const struct json_at *object, const char *name, struct strlist *paths);

void oci_parse_process(const struct json_at *at, struct oci_process *process);
void oci_parse_linux(const struct json_at *at, struct oci_runtime_config *config);
void oci_parse_resources(const struct json_at *at, struct cgroup_resources *resources);
