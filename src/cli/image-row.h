/* An image as `davit images`, `davit image inspect` and `davit history` show it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct err;
struct image;
struct json_object;

/* The object of `images --format json`. Names are loaded; the configuration gets loaded. */
int image_to_json(struct engine *engine, struct image *image, struct json_object **ret_json,
		  struct err *err);

/* podman's document of an image; owned by the caller. -ENOENT if there is none. */
int inspect_image(struct engine *engine, const char *name, struct json_object **ret_json,
		  struct err *err);

/* "2024-01-02 03:04:05 +0000 UTC", as Go prints times; owned by the caller. */
char *image_time_text(int64_t nsec);

/* Labels ("KEY=VALUE") as an object. */
struct strlist;
struct json_object *labels_to_json(const struct strlist *labels);
/* A list as an array, NULL (json null) when it is empty. */
struct json_object *list_or_null(const struct strlist *list);
