/* TOML 1.0, the language of containers.conf, registries.conf and storage.conf, read into a json-c
 * tree: tables become objects, arrays of tables arrays of objects, dates strings.
 *
 * Strict: what the specification calls invalid is refused with the line it stands on, because a
 * configuration that is half understood is worse than none. */
#pragma once

#include <stddef.h>

struct err;
struct json_object;

#define TOML_SIZE_MAX ((size_t)1024 * 1024) /* bytes; a configuration beyond it is a mistake */

/* Read the whole text. The result is always an object, released with json_object_put().
 *
 * Returns 0; -EINVAL with "line N: …" (the caller puts the file's name in front); -EFBIG beyond
 * TOML_SIZE_MAX. Two liberties are taken: strings and keys with a NUL inside are refused, as our
 * callers could not see what follows it, and date-times are checked for shape, not for
 * calendar. */
int toml_parse(const char *text, size_t size, struct json_object **ret_root, struct err *err);
