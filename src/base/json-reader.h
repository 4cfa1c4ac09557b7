/* Reading a JSON document strictly: whatever is not as it should be is an error that names its place, such as
 * "config.json: linux.namespaces[2].type: unknown namespace 'foo'".
 *
 * The first error sticks: from then on every function finds nothing, so that a parser may read member after member and
 * ask json_reader_failed() once at its end. Members that are absent or null are not errors. For documents that may lack
 * anything base/json.h is shorter. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strlist;

struct json_reader {
	const char *document; /* put in front of the place, e.g. "config.json"; NULL: nothing */
	struct err *err;      /* set at the first error */
	int code;	      /* 0 while nothing failed, else -errno */
};

/* A value and where it stands. Lives on the stack of who walks the document; `parent` and `member` are borrowed. */
struct json_at {
	struct json_reader *reader;
	const struct json_at *parent;
	const char *member; /* NULL: an element of the parent's list */
	size_t index;
	struct json_object *value; /* borrowed */
};

/* The document as a whole. */
struct json_at json_at_root(struct json_reader *reader, struct json_object *root);

/* 0 or the -errno of the first failure. */
int json_reader_failed(const struct json_reader *reader);

/* Fail at this place, or (`member`) at a member of it; returns false. Does nothing when something failed before. */
bool json_at_fail(const struct json_at *at, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The member, if it is there and of this type. */
bool json_at_member(const struct json_at *object, const char *name, enum json_type type,
		    struct json_at *ret_at);

/* The elements of a list: `for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++)` */
bool json_at_element(const struct json_at *list, size_t index, enum json_type type,
		     struct json_at *ret_at);

/* A text without NUL characters, borrowed; NULL if it is not there. */
const char *json_at_string(const struct json_at *object, const char *name);
/* The same, which has to be there; "" after a failure. */
const char *json_at_need_string(const struct json_at *object, const char *name);
/* The text of a string value itself. */
const char *json_at_text(const struct json_at *at);

/* Replace *text, which is owned, by the member if that is there. */
void json_at_copy(const struct json_at *object, const char *name, char **text);

/* Whether it is there; then *ret_number is from `min` to `max`. */
bool json_at_int(const struct json_at *object, const char *name, int64_t min, int64_t max,
		 int64_t *ret_number);
bool json_at_uint(const struct json_at *object, const char *name, uint64_t max,
		  uint64_t *ret_number);
/* What has to be there. */
int64_t json_at_need_int(const struct json_at *object, const char *name, int64_t min, int64_t max);

bool json_at_bool(const struct json_at *object, const char *name); /* false if it is not there */
void json_at_strlist(const struct json_at *object, const char *name, struct strlist *list);

/* The object's members as "KEY=VALUE" lines; all have to be strings. */
void json_at_pairs(const struct json_at *object, const char *name,
		   void (*add)(void *data, const struct json_at *at, const char *key,
			       const char *value),
		   void *data);
