/* Reading json-c trees without a null check at every step. All getters accept NULL and wrong types
 * and then give the fallback: foreign documents are allowed to lack anything. Strings are borrowed
 * from the tree. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct err;

/* Parse the whole text; anything behind the document but white space is an error that names the
 * byte offset. Depth is bounded at 64. The result is released with json_object_put(). */
int json_parse(const char *text, size_t size, struct json_object **ret_root, struct err *err);

struct json_object *json_get(struct json_object *object,
			     const char *key); /* borrowed, NULL if absent */
const char *json_get_string(struct json_object *object, const char *key, const char *fallback);
int64_t json_get_int(struct json_object *object, const char *key, int64_t fallback);
bool json_get_bool(struct json_object *object, const char *key, bool fallback);

/* Append the strings of the array under `key`; other kinds of members are passed over. */
void json_get_strlist(struct json_object *object, const char *key, struct strlist *list);

/* Adding; `text` NULL adds nothing. */
void json_add_string(struct json_object *object, const char *key, const char *text);
void json_add_int(struct json_object *object, const char *key, int64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_strlist(struct json_object *object, const char *key, const struct strlist *list);
void json_append_string(struct json_object *array, const char *text);

/* What is under `key`, borrowed; made, in the place of whatever else is there, if it is no object or no array. */
struct json_object *json_need_object(struct json_object *object, const char *key);
struct json_object *json_need_array(struct json_object *object, const char *key);

/* On one line without spaces, as programs read it and digests are taken of it; borrowed from the tree. */
const char *json_text(struct json_object *value);

/* {"KEY": "VALUE"} from a list of KEY=VALUE; a KEY alone has the value "". Owned by the caller. */
struct json_object *json_from_pairs(const struct strlist *pairs);
/* The same as text, NULL for an empty list or NULL; owned by the caller. And back: what is no object of texts gives
 * nothing. */
char *json_pairs_text(const struct strlist *pairs);
void json_pairs_from_text(const char *text, struct strlist *pairs);

void json_put_pointer(struct json_object **at);
#define autojson __attribute__((cleanup(json_put_pointer)))
