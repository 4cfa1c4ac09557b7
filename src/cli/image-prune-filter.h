/* Which images a user means by --filter of image prune and system prune: label, label!, until. */
#pragma once

struct err;
struct image_prune;
struct strlist;

#define IMAGE_PRUNE_FILTER_CHOICES .choices = "label=|label!=|until="

/* Add them to `prune`, whose lists are the caller's to clear. */
int image_prune_add_filters(struct image_prune *prune, const struct strlist *filters,
			    struct err *err);
