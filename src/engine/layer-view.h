/* The trees of an image's layers, seen as one. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct err;

/* A descriptor of the root of an overlay that is attached nowhere and read only; uppermost first. To be
 * called as root of the mapping that the layers were unpacked under. `in_userns`: not as the host's
 * root, so their marks are overlayfs's of users. */
int layer_view_open(const struct strlist *layer_dirs, bool in_userns, struct err *err);
