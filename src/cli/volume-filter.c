#include "cli/volume-filter.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/mem.h"
#include "engine/volume.h"

/* "KEY" or "KEY=VALUE" among the labels. */
static bool has_label(const struct volume *volume, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	autofree char *key = xstrndup(wanted, strcspn(wanted, "="));
	const char *value = strlist_env_get(&volume->labels, key);

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

static bool has_option(const struct volume *volume, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	autofree char *key = xstrndup(wanted, strcspn(wanted, "="));
	const char *value = strlist_env_get(&volume->options, key);

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

static int parse_flag(const char *key, const char *value, struct err *err)
{
	bool flag = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

	if (!flag && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return err_set(err, EINVAL, "filter %s=%s: neither true nor false", key, value);
	return flag;
}

/* Made later than the other one, whose name this is. */
static int is_newer(struct engine *engine, const struct volume *volume, const char *name,
		    struct err *err)
{
	autovolume struct volume *other = NULL;
	int r = volume_find(engine, name, &other, err);

	return r < 0 ? r : volume->created_nsec > other->created_nsec;
}

/* 1 when the volume matches the filter, 0 when not. */
static int matches(struct engine *engine, const struct volume *volume, const char *key,
		   const char *value, struct err *err)
{
	if (strcmp(key, "name") == 0)
		return strstr(volume->name, value) != NULL;
	if (strcmp(key, "label") == 0)
		return has_label(volume, value);
	if (strcmp(key, "label!") == 0)
		return !has_label(volume, value);
	if (strcmp(key, "driver") == 0)
		return strcmp(volume->driver, value) == 0;
	if (strcmp(key, "opt") == 0)
		return has_option(volume, value);
	if (strcmp(key, "scope") == 0)
		return strcmp(value, "local") == 0;
	if (strcmp(key, "dangling") == 0 || strcmp(key, "anonymous") == 0) {
		int flag = parse_flag(key, value, err);
		bool is_so = key[0] == 'd' ? volume->use_count == 0 : volume->is_anonymous;
		return flag < 0 ? flag : is_so == flag;
	}
	if (strcmp(key, "after") == 0 || strcmp(key, "since") == 0)
		return is_newer(engine, volume, value, err);
	if (strcmp(key, "until") == 0) {
		int64_t until_usec;
		int r = timestamp_parse(value, timestamp_now_usec(), &until_usec, err);

		return r < 0 ? r : volume->created_nsec / 1000 < until_usec;
	}
	return err_set(
		err, EINVAL,
		"filter '%s' is not known; volumes have name, label, driver, opt, scope, dangling, "
		"anonymous, until, since and after",
		key);
}

int volume_matches_filters(struct engine *engine, const struct volume *volume,
			   const struct strlist *filters, struct err *err)
{
	bool matches_all = true;

	for (size_t i = 0; i < filters->count; i++) {
		const char *value = strchr(filters->items[i], '=');
		autofree char *key = xstrndup(filters->items[i], strcspn(filters->items[i], "="));
		bool any = strncmp(key, "label", 5) != 0, found;

		if (!value)
			return err_set(err, EINVAL, "filter '%s' has no value; write KEY=VALUE",
				       key);
		int r = matches(engine, volume, key, value + 1, err);
		if (r < 0)
			return r;
		found = r;
		for (size_t j = 0; any && !found && j < filters->count; j++)
			if (strncmp(filters->items[j], key, strlen(key)) == 0 &&
			    filters->items[j][strlen(key)] == '=')
				found = matches(engine, volume, key,
						filters->items[j] + strlen(key) + 1, err) > 0;
		matches_all &= found;
	}
	return matches_all;
}

int volume_filters_check(struct engine *engine, const struct strlist *filters, struct err *err)
{
	const struct volume none = { .name = (char *)"", .driver = (char *)"" };

	int r = volume_matches_filters(engine, &none, filters, err);
	return r < 0 ? r : 0;
}
