#include "base/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

#define SECOND INT64_C(1000000)

static const struct {
	const char *name;
	double usec;
} units[] = {
	{ "ns", 0.001 },    { "us", 1 },	  { "\xc2\xb5s", 1 }, /* micro sign */
	{ "\xce\xbcs", 1 },					      /* Greek mu */
	{ "ms", 1000 },	    { "s", 1e6 },	  { "m", 60e6 },
	{ "h", 3600e6 },    { "d", 24 * 3600e6 }, { "w", 7 * 24 * 3600e6 },
};

/* llround() would link libm into every start. */
static int64_t round_usec(double value)
{
	return (int64_t)(value < 0 ? value - 0.5 : value + 0.5);
}

/* Digits with at most one point; strtod() would also take "inf", "1e9" and "0x10". */
static bool take_number(const char **at, double *ret_value)
{
	const char *p = *at;
	int digits = 0;
	double value = 0, scale = 1;

	for (; isdigit((unsigned char)*p); p++, digits++)
		value = value * 10 + (*p - '0');
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++, digits++) {
			scale /= 10;
			value += (*p - '0') * scale;
		}
	if (digits == 0)
		return false;
	*at = p;
	*ret_value = value;
	return true;
}

static bool take_unit(const char **at, double *ret_usec)
{
	size_t size = 0;

	while ((*at)[size] && !isdigit((unsigned char)(*at)[size]) && (*at)[size] != '.')
		size++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].name) == size && memcmp(units[i].name, *at, size) == 0) {
			*at += size;
			*ret_usec = units[i].usec;
			return true;
		}
	return false;
}

int duration_parse(const char *text, int64_t *ret_usec, struct err *err)
{
	const char *p = text;
	bool negative = *p == '-';
	double total = 0, value, unit;

	if (*p == '-' || *p == '+')
		p++;
	if (!*p)
		goto invalid;
	while (*p) {
		bool is_first = total == 0 && p <= text + 1;

		if (!take_number(&p, &value))
			goto invalid;
		if (!*p && is_first)
			unit = 1e6;
		else if (!take_unit(&p, &unit))
			goto invalid;
		total += value * unit;
	}
	if (total > 9e18)
		return err_set(err, ERANGE, "duration '%s' is too long", text);
	*ret_usec = round_usec(negative ? -total : total);
	return 0;
invalid:
	return err_set(err, EINVAL, "'%s' is not a duration such as 90s, 10m or 1h30m", text);
}

/* Two or four digits between `low` and `high`. */
static bool take_digits(const char **at, int count, int low, int high, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return false;
		value = value * 10 + ((*at)[i] - '0');
	}
	if (value < low || value > high)
		return false;
	*at += count;
	*ret_value = value;
	return true;
}

static bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static bool parse_zone(const char *p, bool *ret_has_zone, int *ret_offset_seconds)
{
	int hours, minutes = 0, sign;

	*ret_has_zone = true;
	*ret_offset_seconds = 0;
	if (!*p) {
		*ret_has_zone = false;
		return true;
	}
	if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
		return true;
	if (*p != '+' && *p != '-')
		return false;
	sign = *p++ == '-' ? -1 : 1;
	if (!take_digits(&p, 2, 0, 23, &hours))
		return false;
	(void)take_char(&p, ':');
	if (*p && !take_digits(&p, 2, 0, 59, &minutes))
		return false;
	*ret_offset_seconds = sign * (hours * 3600 + minutes * 60);
	return !*p;
}

static bool parse_rfc3339(const char *text, int64_t *ret_usec)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *p = text;
	double fraction = 0;
	bool has_zone;
	int offset;
	time_t seconds;

	if (!take_digits(&p, 4, 1900, 9999, &tm.tm_year) || !take_char(&p, '-') ||
	    !take_digits(&p, 2, 1, 12, &tm.tm_mon) || !take_char(&p, '-') ||
	    !take_digits(&p, 2, 1, 31, &tm.tm_mday))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (take_char(&p, 'T') || take_char(&p, 't') || (*p == ' ' && p++)) {
		if (!take_digits(&p, 2, 0, 23, &tm.tm_hour))
			return false;
		if (take_char(&p, ':') && !take_digits(&p, 2, 0, 59, &tm.tm_min))
			return false;
		if (take_char(&p, ':') && !take_digits(&p, 2, 0, 60, &tm.tm_sec))
			return false;
		if (*p == '.' && !take_number(&p, &fraction))
			return false;
		while (*p == ' ')
			p++;
	}
	if (!parse_zone(p, &has_zone, &offset))
		return false;
	seconds = has_zone ? timegm(&tm) - offset : mktime(&tm);
	*ret_usec = seconds * SECOND + round_usec(fraction * 1e6);
	return true;
}

int timestamp_parse(const char *text, int64_t now_usec, int64_t *ret_usec, struct err *err)
{
	struct err ignored;
	const char *p = text;
	double value;

	if (parse_rfc3339(text, ret_usec))
		return 0;
	/* A bare number is a point here, not a span: docker and podman read it as Unix time. */
	if (take_number(&p, &value) && !*p && value < 9e12) {
		*ret_usec = round_usec(value * 1e6);
		return 0;
	}
	if (duration_parse(text, ret_usec, &ignored) >= 0) {
		*ret_usec = now_usec - *ret_usec;
		return 0;
	}
	return err_set(err, EINVAL,
		       "'%s' is not a time; write 2024-01-02T15:04:05Z, Unix seconds or a duration "
		       "such as 10m",
		       text);
}

char *timestamp_format(int64_t usec)
{
	time_t seconds = (time_t)(usec / SECOND);
	int64_t rest = usec % SECOND;
	char text[sizeof("-2147483648-01-02T15:04:05")];
	char fraction[24] = "";
	struct tm tm;

	if (rest < 0) {
		rest += SECOND;
		seconds--;
	}
	if (!gmtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return xstrdup("0001-01-01T00:00:00Z");
	if (rest) {
		int n = snprintf(fraction, sizeof(fraction), ".%06lld", (long long)rest);
		while (n > 0 && fraction[n - 1] == '0')
			fraction[--n] = 0;
	}
	return xasprintf("%s%sZ", text, fraction);
}

int64_t timestamp_now_usec(void)
{
	return timestamp_now_nsec() / 1000;
}

int64_t timestamp_now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}
