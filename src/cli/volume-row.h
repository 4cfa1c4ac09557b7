/* A volume as a JSON object, for volume ls and volume inspect. */
#pragma once

#include <stdbool.h>

struct json_object;
struct volume;

struct json_object *volume_row(const struct volume *volume, bool for_template);
