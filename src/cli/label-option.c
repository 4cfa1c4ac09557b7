#include "cli/label-option.h"

#include <errno.h>

#include "base/err.h"
#include "base/strlist.h"

int labels_check(const struct strlist *labels, struct err *err)
{
	for (size_t i = 0; i < labels->count; i++)
		if (!*labels->items[i] || *labels->items[i] == '=')
			return err_set(err, EINVAL,
				       "invalid label format: '%s'; write it as KEY=VALUE",
				       labels->items[i]);
	return 0;
}
