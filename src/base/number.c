#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

int number_take(const char **at, int64_t min, int64_t max, int64_t *ret_number)
{
	const char *digits = *at + (**at == '-' || **at == '+');
	char *end;

	if (!isdigit((unsigned char)*digits)) /* strtoimax() would skip white space */
		return -EINVAL;
	errno = 0;
	intmax_t number = strtoimax(*at, &end, 10);
	if (errno == ERANGE || number < min || number > max)
		return -ERANGE;
	*at = end;
	*ret_number = number;
	return 0;
}

int number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
	int64_t number;

	int r = number_take(&text, min, max, &number);
	if (r == 0 && *text)
		r = -EINVAL;
	if (r == 0)
		*ret_number = number;
	return r;
}
