#include "engine/volume-backing.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/mount-spec.h"

#define PREFIX "backing="

static bool is_bind(const struct strlist *mount_options, const char *type)
{
	return strlist_contains(mount_options, "bind") ||
	       strlist_contains(mount_options, "rbind") || strcmp(type, "bind") == 0;
}

/* As tmpfs(5) has it: what it does not take would be told only when a container starts. */
static int check_size(const struct strlist *mount_options, struct err *err)
{
	for (size_t i = 0; i < mount_options->count; i++) {
		const char *option = mount_options->items[i];
		if (strncmp(option, "size=", 5) != 0)
			continue;
		size_t digits = strspn(option + 5, "0123456789");
		const char *unit = option + 5 + digits;
		if (!digits || (*unit && (!strchr("kKmMgG%", *unit) || unit[1])))
			return err_set(err, EINVAL,
				       "'%s' of a volume is no size; write a number of bytes, with "
				       "k, m, g or %%, such as size=64m",
				       option);
	}
	return 0;
}

static int read_options(const struct strlist *options, struct strlist *mount_options,
			const char **ret_backing, struct err *err)
{
	static const char *const known[] = { "type", "device", "o" };
	const char *type = strlist_env_get(options, "type") ?: "none",
		   *device = strlist_env_get(options, "device") ?: "",
		   *words = strlist_env_get(options, "o");

	for (size_t i = 0; i < options->count; i++) {
		size_t size = strcspn(options->items[i], "="), k = 0;
		while (k < ARRAY_SIZE(known) &&
		       (strlen(known[k]) != size || memcmp(known[k], options->items[i], size) != 0))
			k++;
		if (k == ARRAY_SIZE(known))
			return err_set(
				err, EINVAL,
				"unknown option '%.*s' of a volume; options are type, device "
				"and o",
				(int)size, options->items[i]);
	}
	if (words)
		strlist_split(mount_options, words, ',');
	if (is_bind(mount_options, type)) {
		if (device[0] != '/')
			return err_set(err, EINVAL,
				       "a volume with -o o=bind needs -o device=/DIRECTORY");
		*ret_backing = device;
		return 0;
	}
	if (strcmp(type, "tmpfs") == 0) {
		*ret_backing = "tmpfs";
		return check_size(mount_options, err);
	}
	return err_set(err, ENOTSUP,
		       "volumes of type '%s' are not there yet; mount it on the host, and give -o "
		       "o=bind -o device=/DIRECTORY",
		       type);
}

int volume_backing_check(const struct strlist *options, struct err *err)
{
	autostrlist struct strlist mount_options = STRLIST_EMPTY;
	const char *backing;

	return options->count ? read_options(options, &mount_options, &backing, err) : 0;
}

int volume_backing_path(const struct strlist *options, char **ret_backing, struct err *err)
{
	autostrlist struct strlist mount_options = STRLIST_EMPTY;
	const char *backing = NULL;

	int r = options->count ? read_options(options, &mount_options, &backing, err) : 0;
	if (r == 0)
		*ret_backing = xstrdup(backing);
	return r;
}

int volume_backing_apply(const struct strlist *options, struct mount_spec *mount, struct err *err)
{
	autostrlist struct strlist mount_options = STRLIST_EMPTY;
	const char *backing;

	if (!options->count)
		return 0;
	int r = read_options(options, &mount_options, &backing, err);
	if (r < 0)
		return r;
	strlist_addf(&mount->options, PREFIX "%s", backing);
	for (size_t i = 0; i < mount_options.count; i++) {
		const char *option = mount_options.items[i];
		if (strcmp(option, "ro") == 0)
			mount->read_only = true;
		else if (strcmp(option, "bind") != 0 && strcmp(option, "rbind") != 0 &&
			 strcmp(option, "rw") != 0)
			strlist_add(&mount->options, option);
	}
	return 0;
}

const char *volume_backing_of(const struct mount_spec *mount)
{
	for (size_t i = 0; i < mount->options.count; i++)
		if (strncmp(mount->options.items[i], PREFIX, strlen(PREFIX)) == 0)
			return mount->options.items[i] + strlen(PREFIX);
	return NULL;
}
