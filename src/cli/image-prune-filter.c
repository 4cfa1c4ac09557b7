#include "cli/image-prune-filter.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "engine/image.h"

static int add_filter(struct image_prune *prune, const char *word, struct err *err)
{
	int64_t usec;

	if (strncmp(word, "label=", 6) == 0) {
		strlist_add(&prune->labels, word + 6);
	} else if (strncmp(word, "label!=", 7) == 0) {
		strlist_add(&prune->not_labels, word + 7);
	} else if (strncmp(word, "until=", 6) == 0) {
		int r = timestamp_parse(word + 6, timestamp_now_usec(), &usec, err);
		if (r < 0)
			return err_wrap(err, "filter '%s'", word);
		prune->before_nsec = usec * 1000;
	} else {
		return err_set(err, EINVAL,
			       "invalid filter '%s'; known are label=, label!= and until=", word);
	}
	return 0;
}

int image_prune_add_filters(struct image_prune *prune, const struct strlist *filters,
			    struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < filters->count; i++)
		r = add_filter(prune, filters->items[i], err);
	return r;
}
