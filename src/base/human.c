#include "base/human.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"

/* "b", "k", "kb", "ki", "kib" and so on; the power of 1024, or -1. */
static int unit_power(const char *unit)
{
	static const char letters[] = "bkmgtp";
	const char *letter;

	if (!*unit)
		return 0;
	letter = strchr(letters, tolower((unsigned char)*unit));
	if (!letter)
		return -1;
	if (letter == letters)
		return unit[1] ? -1 : 0;
	unit++;
	if (*unit && strcasecmp(unit, "b") != 0 && strcasecmp(unit, "i") != 0 &&
	    strcasecmp(unit, "ib") != 0)
		return -1;
	return (int)(letter - letters);
}

int human_parse_bytes(const char *text, int64_t *ret_bytes, struct err *err)
{
	const char *p = text;
	double value = 0, scale = 1;
	int power, digits = 0;

	for (; isdigit((unsigned char)*p); p++, digits++)
		value = value * 10 + (*p - '0');
	if (digits && *p == '.')
		for (p++; isdigit((unsigned char)*p); p++) {
			scale /= 10;
			value += (*p - '0') * scale;
		}
	while (*p == ' ')
		p++;
	power = digits ? unit_power(p) : -1;
	if (power < 0)
		return err_set(err, EINVAL,
			       "'%s' is not a size; write bytes or a number with b, k, m, g or t",
			       text);
	while (power--)
		value *= 1024;
	if (value >= 9.2e18)
		return err_set(err, ERANGE, "size '%s' is too large", text);
	*ret_bytes = (int64_t)value;
	return 0;
}

char *human_size(double bytes, int digits, const char *separator)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double half =
		0.5; /* of the last digit shown: what rounds up to 1000 goes to the next unit */
	size_t i = 0;

	for (int digit = 3; digit < digits; digit++)
		half /= 10;
	for (; bytes >= 1000 - half && i + 1 < ARRAY_SIZE(names); i++)
		bytes /= 1000;
	return xasprintf("%.*g%s%s", digits, bytes, separator, names[i]);
}

char *human_size_binary(double bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t i = 0;

	for (; bytes >= 1024 && i + 1 < ARRAY_SIZE(names); i++)
		bytes /= 1024;
	return xasprintf("%.4g%s", bytes, names[i]);
}

char *human_duration(int64_t usec)
{
	int64_t seconds = usec / 1000000, minutes = seconds / 60;
	int64_t hours = (seconds + 1800) / 3600; /* rounded, unlike the others: so do the peers */

	if (seconds < 1)
		return xstrdup("Less than a second");
	if (seconds == 1)
		return xstrdup("1 second");
	if (seconds < 60)
		return xasprintf("%lld seconds", (long long)seconds);
	if (minutes == 1)
		return xstrdup("About a minute");
	if (minutes < 60)
		return xasprintf("%lld minutes", (long long)minutes);
	if (hours == 1)
		return xstrdup("About an hour");
	if (hours < 48)
		return xasprintf("%lld hours", (long long)hours);
	if (hours < 24 * 7 * 2)
		return xasprintf("%lld days", (long long)hours / 24);
	if (hours < 24 * 30 * 2)
		return xasprintf("%lld weeks", (long long)hours / 24 / 7);
	if (hours < 24 * 365 * 2)
		return xasprintf("%lld months", (long long)hours / 24 / 30);
	return xasprintf("%lld years", (long long)hours / 24 / 365);
}

char *human_ago(int64_t then_usec, int64_t now_usec)
{
	autofree char *span = NULL;

	if (then_usec == 0)
		return xstrdup("");
	span = human_duration(now_usec > then_usec ? now_usec - then_usec : 0);
	return xasprintf("%s ago", span);
}
