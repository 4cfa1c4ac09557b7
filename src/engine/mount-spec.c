#include "engine/mount-spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define SUBPATH "subpath=" /* among the options */

static const char *const kind_names[] = {
	[MOUNT_BIND] = "bind",	 [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs",
	[MOUNT_RAMFS] = "ramfs", [MOUNT_DEVPTS] = "devpts", [MOUNT_IMAGE] = "image",
};
_Static_assert(ARRAY_SIZE(kind_names) == MOUNT_KIND_COUNT, "every kind has a name");

const char *mount_kind_name(enum mount_kind kind)
{
	return kind_names[kind];
}

void mount_spec_clear(struct mount_spec *mount)
{
	strlist_clear(&mount->layers);
	free(mount->source);
	free(mount->destination);
	strlist_clear(&mount->options);
	*mount = (struct mount_spec){ 0 };
}

bool object_name_is_valid(const char *name)
{
	if (!isalnum((unsigned char)*name))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return strlen(name) <= 255;
}

static int set_destination(struct mount_spec *mount, const char *text, struct err *err)
{
	size_t size = strlen(text);

	if (text[0] != '/')
		return err_set(err, EINVAL, "mount target '%s' is not absolute; begin it with '/'",
			       text);
	if (strchr(text, '\n'))
		return err_set(err, EINVAL, "mount target '%s' holds a line break", text);
	while (size > 1 && text[size - 1] == '/')
		size--;
	if (size == 1)
		return err_set(err, EINVAL,
			       "cannot mount over '/' of the container; name a directory below it");
	free(mount->destination);
	mount->destination = xstrndup(text, size);
	return 0;
}

static int set_bind_source(struct mount_spec *mount, const char *text, const char *cwd,
			   struct err *err)
{
	if (strchr(text, '\n'))
		return err_set(err, EINVAL, "mount source '%s' holds a line break", text);
	free(mount->source);
	mount->source = text[0] == '/' ? xstrdup(text) : xasprintf("%s/%s", cwd, text);
	return 0;
}

/* Options that -v and --mount share. Returns 1 if `option` is none of them. */
static int apply_option(struct mount_spec *mount, const char *option)
{
	static const char *const passed_on[] = { "bind",    "rbind",	"shared",     "rshared",
						 "slave",   "rslave",	"private",    "rprivate",
						 "nosuid",  "suid",	"nodev",      "dev",
						 "noexec",  "exec",	"unbindable", "runbindable",
						 "noatime", "relatime", "idmap" };

	if (strcmp(option, "ro") == 0 || strcmp(option, "readonly") == 0)
		mount->read_only = true;
	else if (strcmp(option, "rw") == 0)
		mount->read_only = false;
	else if (strcmp(option, "U") == 0 || strcmp(option, "chown") == 0)
		mount->chown_to_user = true;
	else if (strcmp(option, "nocopy") == 0)
		mount->no_copy = true;
	else if (strcmp(option, "O") == 0)
		mount->is_overlay = true;
	else if (strcmp(option, "copy") == 0 || strcmp(option, "z") == 0 ||
		 strcmp(option, "Z") == 0)
		return 0; /* copying is the rule; labels matter only under SELinux, which relabels
			     nothing where it is off */
	else if (mount->is_overlay &&
		 (strncmp(option, "upperdir=/", 10) == 0 || strncmp(option, "workdir=/", 9) == 0))
		strlist_add(&mount->options, option);
	else {
		for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
			if (strcmp(option, passed_on[i]) == 0) {
				strlist_add(&mount->options, option);
				return 0;
			}
		return 1;
	}
	return 0;
}

const char *mount_spec_subpath(const struct mount_spec *mount)
{
	for (size_t i = 0; mount->kind == MOUNT_VOLUME && i < mount->options.count; i++)
		if (strncmp(mount->options.items[i], SUBPATH, strlen(SUBPATH)) == 0)
			return mount->options.items[i] + strlen(SUBPATH);
	return NULL;
}

static bool has_prefix(const struct strlist *list, const char *prefix)
{
	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->items[i], prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

static int check_whole(const struct mount_spec *mount, const char *text, struct err *err)
{
	if (has_prefix(&mount->options, "upperdir=") != has_prefix(&mount->options, "workdir="))
		return err_set(err, EINVAL,
			       "volume '%s': upperdir and workdir of option 'O' belong together; "
			       "give both, as directories of one file system",
			       text);
	if (mount_spec_subpath(mount) &&
	    (!mount->source || mount->is_overlay || mount->chown_to_user))
		return err_set(
			err, EINVAL,
			"the subpath of volume '%s' needs a volume with a name, and goes with "
			"neither 'O' nor 'U'",
			text);
	if (mount->is_overlay && mount->kind == MOUNT_VOLUME && !mount->source)
		return err_set(err, EINVAL,
			       "option 'O' of volume '%s' needs a directory or a volume as its "
			       "source",
			       text);
	return 0;
}

int mount_spec_parse_volume(const char *text, const char *cwd, struct mount_spec *ret_mount,
			    struct err *err)
{
	struct mount_spec mount = { 0 };
	autostrlist struct strlist parts = STRLIST_EMPTY, options = STRLIST_EMPTY;
	int r = 0;

	strlist_split(&parts, text, ':');
	if (parts.count == 0 || parts.count > 3 || !*parts.items[parts.count > 1])
		return err_set(err, EINVAL,
			       "invalid volume '%s'; write it as [SOURCE:]TARGET[:OPTIONS]", text);
	if (parts.count == 1) {
		mount.kind = MOUNT_VOLUME;
		r = set_destination(&mount, parts.items[0], err);
	} else {
		const char *source = parts.items[0];
		if (source[0] == '/' || source[0] == '.') {
			mount.kind = MOUNT_BIND;
			r = set_bind_source(&mount, source, cwd, err);
		} else {
			mount.kind = MOUNT_VOLUME;
			if (!*source || !object_name_is_valid(source))
				r = err_set(err, EINVAL,
					    "'%s' is no valid volume name; for a directory write "
					    "./%s or its whole path",
					    source, source);
			else
				mount.source = xstrdup(source);
		}
		if (r == 0)
			r = set_destination(&mount, parts.items[1], err);
	}
	if (r == 0 && parts.count == 3)
		strlist_split(&options, parts.items[2], ',');
	for (size_t i = 0; r == 0 && i < options.count; i++) {
		r = apply_option(&mount, options.items[i]);
		if (r == 1)
			r = err_set(
				err, EINVAL,
				"unknown option '%s' of volume '%s'; see davit-run(1), --volume",
				options.items[i], text);
	}
	if (r == 0)
		r = check_whole(&mount, text, err);
	if (r < 0) {
		mount_spec_clear(&mount);
		return r;
	}
	*ret_mount = mount;
	return 0;
}

/* One line of CSV: fields between commas, optionally in double quotes, a quote inside doubled. */
static void split_csv(const char *text, struct strlist *fields)
{
	struct strbuf field = STRBUF_EMPTY;
	bool quoted = false;

	for (const char *p = text;; p++) {
		if (quoted && *p == '"' && p[1] == '"')
			strbuf_addc(&field, *p++);
		else if (*p == '"')
			quoted = !quoted;
		else if (!*p || (*p == ',' && !quoted)) {
			strlist_take(fields, strbuf_take(&field));
			if (!*p)
				return;
		} else
			strbuf_addc(&field, *p);
	}
}

static int parse_boolean(const char *text, bool *ret_value)
{
	if (!text || strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		*ret_value = true;
	else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		*ret_value = false;
	else
		return -EINVAL;
	return 0;
}

/* It is followed inside the volume, whatever links there are. */
static int set_subpath(struct mount_spec *mount, const char *path, struct err *err)
{
	if (!path || !*path || path[0] == '/' || strpbrk(path, ",\n"))
		return err_set(
			err, EINVAL,
			"invalid subpath '%s'; give a path in the volume that neither begins with "
			"'/' nor holds a comma",
			path ?: "");
	if (mount_spec_subpath(mount))
		return err_set(err, EINVAL, "subpath '%s' is one too many; give one", path);
	strlist_addf(&mount->options, SUBPATH "%s", path);
	mount->no_copy = true; /* it is there, or it cannot be mounted */
	return 0;
}

static int apply_mount_field(struct mount_spec *mount, const char *key, const char *value,
			     const char *cwd, struct err *err)
{
	bool on;

	if (strcmp(key, "type") == 0)
		return 0; /* looked at first */
	if (strcmp(key, "dst") == 0 || strcmp(key, "destination") == 0 ||
	    strcmp(key, "target") == 0)
		return set_destination(mount, value ?: "", err);
	if (strcmp(key, "src") == 0 || strcmp(key, "source") == 0) {
		if (mount->kind == MOUNT_BIND)
			return set_bind_source(mount, value ?: "", cwd, err);
		if (mount->kind == MOUNT_IMAGE && value && *value && !strchr(value, '\n')) {
			free(mount->source);
			mount->source = xstrdup(value);
			return 0;
		}
		if (mount->kind != MOUNT_VOLUME || !value || !object_name_is_valid(value))
			return err_set(err, EINVAL, "invalid source '%s' of a %s mount",
				       value ?: "", kind_names[mount->kind]);
		free(mount->source);
		mount->source = xstrdup(value);
		return 0;
	}
	if (strcmp(key, "ro") == 0 || strcmp(key, "readonly") == 0 || strcmp(key, "rw") == 0) {
		if (parse_boolean(value, &on) < 0)
			return err_set(err, EINVAL, "'%s=%s' of a mount is neither true nor false",
				       key, value);
		mount->read_only = strcmp(key, "rw") == 0 ? !on : on;
		return 0;
	}
	if (strcmp(key, "U") == 0 || strcmp(key, "chown") == 0) {
		if (parse_boolean(value, &mount->chown_to_user) < 0)
			return err_set(err, EINVAL, "'%s=%s' of a mount is neither true nor false",
				       key, value);
		return 0;
	}
	if (mount->kind == MOUNT_VOLUME &&
	    (strcmp(key, "subpath") == 0 || strcmp(key, "volume-subpath") == 0))
		return set_subpath(mount, value, err);
	if (mount->kind == MOUNT_BIND && !value && strcmp(key, "bind-nonrecursive") == 0)
		value = "true";
	if (mount->kind == MOUNT_BIND && value) {
		/* What other systems need this for is always so here. */
		if (strcmp(key, "consistency") == 0)
			return 0;
		if (strcmp(key, "bind-propagation") == 0)
			return apply_option(mount, value) == 1
				       ? err_set(err, EINVAL,
						 "unknown propagation '%s' of a bind mount", value)
				       : 0;
		if (strcmp(key, "relabel") == 0)
			return 0; /* see apply_option() */
		if (strcmp(key, "bind-nonrecursive") == 0 && parse_boolean(value, &on) == 0) {
			strlist_add(&mount->options, on ? "bind" : "rbind");
			return 0;
		}
	}
	if (mount->kind == MOUNT_TMPFS || mount->kind == MOUNT_RAMFS ||
	    mount->kind == MOUNT_DEVPTS) {
		if (strcmp(key, "tmpfs-size") == 0 || strcmp(key, "size") == 0) {
			strlist_addf(&mount->options, "size=%s", value ?: "");
			return 0;
		}
		if (strcmp(key, "tmpfs-mode") == 0 || strcmp(key, "mode") == 0) {
			strlist_addf(&mount->options, "mode=%s", value ?: "");
			return 0;
		}
		if (value && (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0 ||
			      strcmp(key, "max") == 0)) {
			strlist_addf(&mount->options, "%s=%s", key, value);
			return 0;
		}
		if (!value && (strcmp(key, "tmpcopyup") == 0 || strcmp(key, "notmpcopyup") == 0)) {
			strlist_add(&mount->options, key);
			return 0;
		}
	}
	int r = value ? 1 : apply_option(mount, key);
	return r == 1 ? err_set(err, EINVAL,
				"unknown option '%s' of a %s mount; see davit-run(1), --mount", key,
				kind_names[mount->kind])
		      : r;
}

/* A tmpfs shows what the image has at its place, unless asked not to. */
static void finish_tmpfs(struct mount_spec *mount)
{
	bool copies = true;

	for (size_t i = 0; i < mount->options.count;) {
		const char *option = mount->options.items[i];
		if (strcmp(option, "tmpcopyup") == 0 || strcmp(option, "notmpcopyup") == 0) {
			copies = option[0] == 't';
			strlist_remove(&mount->options, i);
		} else {
			i++;
		}
	}
	static const char *const defaults[][2] = { { "nosuid", "suid" }, { "nodev", "dev" } };
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (!strlist_contains(&mount->options, defaults[i][1]) &&
		    !strlist_contains(&mount->options, defaults[i][0]))
			strlist_add(&mount->options, defaults[i][0]);
	if (copies)
		strlist_add(&mount->options, "tmpcopyup");
}

int mount_spec_parse_mount(const char *text, const char *cwd, struct mount_spec *ret_mount,
			   struct err *err)
{
	struct mount_spec mount = { .kind = MOUNT_VOLUME };
	autostrlist struct strlist fields = STRLIST_EMPTY;
	const char *type = "volume";
	int r = 0;

	split_csv(text, &fields);
	for (size_t i = 0; i < fields.count; i++)
		if (strncmp(fields.items[i], "type=", 5) == 0)
			type = fields.items[i] + 5;
	mount.is_glob = strcmp(type, "glob") == 0;
	for (mount.kind = 0; !mount.is_glob && mount.kind < MOUNT_KIND_COUNT; mount.kind++)
		if (strcmp(type, kind_names[mount.kind]) == 0)
			break;
	if (mount.kind == MOUNT_IMAGE)
		mount.read_only = true;
	if (mount.kind == MOUNT_KIND_COUNT)
		return err_set(err, EINVAL,
			       "unknown type '%s' of mount '%s'; it is bind, volume, image, glob, "
			       "tmpfs, ramfs or devpts",
			       type, text);
	for (size_t i = 0; r == 0 && i < fields.count; i++) {
		char *equals = strchr(fields.items[i], '=');
		if (equals)
			*equals = '\0';
		r = apply_mount_field(&mount, fields.items[i], equals ? equals + 1 : NULL, cwd,
				      err);
	}
	if (r == 0 && !mount.destination && !mount.is_glob)
		r = err_set(err, EINVAL, "mount '%s' has no target; add dst=PATH", text);
	if (r == 0 && (mount.kind == MOUNT_BIND || mount.kind == MOUNT_IMAGE) && !mount.source)
		r = err_set(err, EINVAL, "%s mount '%s' has no source; add src=%s", type, text,
			    mount.kind == MOUNT_BIND ? "PATH" : "IMAGE");
	if (r == 0)
		r = check_whole(&mount, text, err);
	if (r < 0) {
		mount_spec_clear(&mount);
		return r;
	}
	if (mount.kind == MOUNT_TMPFS)
		finish_tmpfs(&mount);
	*ret_mount = mount;
	return 0;
}

int mount_spec_parse_tmpfs(const char *text, struct mount_spec *ret_mount, struct err *err)
{
	struct mount_spec mount = { .kind = MOUNT_TMPFS };
	autostrlist struct strlist options = STRLIST_EMPTY;
	const char *colon = strchr(text, ':');
	autofree char *destination = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));

	int r = set_destination(&mount, destination, err);
	if (r < 0)
		return r;
	if (colon)
		strlist_split(&options, colon + 1, ',');
	for (size_t i = 0; i < options.count; i++) {
		const char *option = options.items[i];
		if (strcmp(option, "ro") == 0 || strcmp(option, "rw") == 0)
			mount.read_only = option[1] == 'o';
		else
			strlist_add(&mount.options, option);
	}
	finish_tmpfs(&mount);
	*ret_mount = mount;
	return 0;
}

char *mount_spec_store(const struct mount_spec *mount)
{
	autofree char *options = strlist_join(&mount->options, ","),
		      *layers = strlist_join(&mount->layers, ",");

	return xasprintf("%s\n%s\n%s\n%s%s%s%s\n%s%s%s", kind_names[mount->kind],
			 mount->source ?: "", mount->destination, mount->read_only ? "r" : "",
			 mount->chown_to_user ? "U" : "", mount->no_copy ? "n" : "",
			 mount->is_overlay ? "O" : "", options, *layers ? "\n" : "", layers);
}

int mount_spec_load(const char *stored, struct mount_spec *ret_mount, struct err *err)
{
	struct mount_spec mount = { 0 };
	autostrlist struct strlist parts = STRLIST_EMPTY;

	strlist_split(&parts, stored, '\n');
	if (parts.count == 5 || parts.count == 6)
		for (mount.kind = 0; mount.kind < MOUNT_KIND_COUNT; mount.kind++)
			if (strcmp(parts.items[0], kind_names[mount.kind]) == 0)
				break;
	if (parts.count < 5 || parts.count > 6 || mount.kind == MOUNT_KIND_COUNT)
		return err_set(
			err, EINVAL,
			"a mount of the container is stored in a form this version does not know");
	mount.source = *parts.items[1] ? xstrdup(parts.items[1]) : NULL;
	mount.destination = xstrdup(parts.items[2]);
	mount.read_only = strchr(parts.items[3], 'r');
	mount.chown_to_user = strchr(parts.items[3], 'U');
	mount.no_copy = strchr(parts.items[3], 'n');
	mount.is_overlay = strchr(parts.items[3], 'O');
	strlist_split(&mount.options, parts.items[4], ',');
	if (parts.count == 6)
		strlist_split(&mount.layers, parts.items[5], ',');
	*ret_mount = mount;
	return 0;
}
