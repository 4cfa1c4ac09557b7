#include "base/space.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

#define FREE_SPACE "free some space"

static const char *const remedies[] = {
	[SPACE_STORE] = FREE_SPACE
	", for example with 'davit image prune', or use a store elsewhere with --root",
	[SPACE_ELSEWHERE] = FREE_SPACE " there, or write to another place",
};

bool space_is_short(int code)
{
	return code == ENOSPC || code == EDQUOT;
}

int space_error(enum space_place place, int code, struct err *err)
{
	if (!space_is_short(code))
		return err_set(err, code, "%s", strerror(code));
	(void)err_set(err, code, "%s",
		      place != SPACE_STORE ? strerror(code)
		      : code == EDQUOT	   ? "your disk quota is used up"
					   : "no space is left on the file system of the store");
	return err_remedy(err, remedies[place]);
}

int space_remedy(enum space_place place, struct err *err)
{
	if (space_is_short(err->code) && !strstr(err->text, FREE_SPACE))
		return err_remedy(err, remedies[place]);
	return -err->code;
}
