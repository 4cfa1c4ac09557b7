/* Shared by the files of src/registry, nobody else. */
#pragma once

#include <stddef.h>

struct err;
struct json_object;
struct registries;

#define CONFIG_SIZE_MAX ((size_t)1024 * 1024)

/* A TOML file as a tree; the error names the file. -ENOENT may be branched on. */
int config_read_toml(const char *path, struct json_object **ret_root, struct err *err);

/* The file in which an alias was found, borrowed. */
const char *registries_alias_file(const struct registries *registries, const char *short_name);

/* Checks both sides of an alias. */
int alias_check(const char *name, const char *value, struct err *err);
