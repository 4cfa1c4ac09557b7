/* Times in documents: strict where it matters (a wrong field is an error), wide where producers
 * differ (zones, digits of the fraction). */
#include "oci/timestamp.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define NSEC_PER_SEC 1000000000LL

static int read_number(const char **at, int digits, int lowest, int highest, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)**at))
			return -EINVAL;
		value = value * 10 + (*(*at)++ - '0');
	}
	if (value < lowest || value > highest)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int skip(const char **at, const char *any_of)
{
	if (!**at || !strchr(any_of, **at))
		return -EINVAL;
	(*at)++;
	return 0;
}

int oci_time_parse(const char *text, int64_t *ret_nsec)
{
	struct tm tm = { 0 };
	const char *at = text;
	int64_t nsec = 0;
	int hours = 0, minutes = 0, sign = 0;

	if (read_number(&at, 4, 1, 9999, &tm.tm_year) < 0 || skip(&at, "-") < 0 ||
	    read_number(&at, 2, 1, 12, &tm.tm_mon) < 0 || skip(&at, "-") < 0 ||
	    read_number(&at, 2, 1, 31, &tm.tm_mday) < 0 || skip(&at, "Tt ") < 0 ||
	    read_number(&at, 2, 0, 23, &tm.tm_hour) < 0 || skip(&at, ":") < 0 ||
	    read_number(&at, 2, 0, 59, &tm.tm_min) < 0 || skip(&at, ":") < 0 ||
	    read_number(&at, 2, 0, 60, &tm.tm_sec) < 0)
		return -EINVAL;
	if (*at == '.' || *at == ',') {
		int64_t unit = NSEC_PER_SEC / 10;

		at++;
		if (!isdigit((unsigned char)*at))
			return -EINVAL;
		for (; isdigit((unsigned char)*at); at++, unit /= 10)
			nsec += (*at - '0') * unit;
	}
	if (*at == '+' || *at == '-') {
		sign = *at++ == '+' ? 1 : -1;
		if (read_number(&at, 2, 0, 23, &hours) < 0)
			return -EINVAL;
		if (*at == ':')
			at++;
		if (read_number(&at, 2, 0, 59, &minutes) < 0)
			return -EINVAL;
	} else if (skip(&at, "Zz") < 0) {
		return -EINVAL;
	}
	if (*at)
		return -EINVAL;

	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	int64_t seconds = (int64_t)timegm(&tm) - sign * (hours * 3600 + minutes * 60);
	/* Years before 1678 and after 2262 do not fit; Go's zero time, "0001-01-01", is common. */
	if (seconds > INT64_MAX / NSEC_PER_SEC - 1)
		*ret_nsec = INT64_MAX;
	else if (seconds < INT64_MIN / NSEC_PER_SEC + 1)
		*ret_nsec = INT64_MIN;
	else
		*ret_nsec = seconds * NSEC_PER_SEC + nsec;
	return 0;
}

char *oci_time_print(int64_t nsec)
{
	char day[32], fraction[11] = "";
	struct tm tm;

	if (nsec == INT64_MIN)
		return xstrdup("0001-01-01T00:00:00Z");
	time_t seconds = nsec / NSEC_PER_SEC;
	int64_t rest = nsec % NSEC_PER_SEC;
	if (rest < 0) {
		rest += NSEC_PER_SEC;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest > 0) {
		fraction[0] = '.';
		for (int i = 9; i > 0; i--, rest /= 10)
			fraction[i] = (char)('0' + rest % 10);
		for (int i = 9; fraction[i] == '0'; i--)
			fraction[i] = '\0';
	}
	return xasprintf("%s%sZ", day, fraction);
}
