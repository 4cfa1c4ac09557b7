#include "engine/identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/mount.h"
#include "kernel/overlay-marks.h"

#define DATABASE_FILE_LIMIT (4 << 20)
#define OVERFLOW_ID	    65534

static int open_in_root(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

/* Whether this layer hides what lower layers have at `path`: a whiteout at the path or a directory
 * on the way to it that is a whiteout or opaque. */
static bool layer_hides(int layer_fd, const char *path)
{
	autofree char *part = xstrdup(path);

	for (char *at = part + 1;; at++) {
		if (*at && *at != '/')
			continue;
		char kept = *at;
		*at = '\0';
		autoclose int fd = open_in_root(layer_fd, part, O_PATH | O_NOFOLLOW);
		struct stat st;
		if (fd < 0 || fstat(fd, &st) < 0)
			return false;
		if (overlay_is_whiteout_device(&st))
			return true;
		if (S_ISDIR(st.st_mode)) {
			autoclose int directory_fd =
				openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (directory_fd >= 0 && overlay_is_opaque(directory_fd))
				return true;
		}
		if (!kept)
			return false;
		*at = kept;
	}
}

int layers_open_file(const struct strlist *layer_dirs, const char *path)
{
	for (size_t i = 0; i < layer_dirs->count; i++) {
		autoclose int layer_fd =
			open(layer_dirs->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (layer_fd < 0)
			return -errno;
		int fd = mount_open_plain_file(layer_fd, path);
		if (fd >= 0)
			return fd;
		if (layer_hides(layer_fd, path))
			return -ENOENT;
	}
	return -ENOENT;
}

static void read_database(const struct strlist *layer_dirs, const char *path, struct strbuf *text)
{
	autoclose int fd = layers_open_file(layer_dirs, path);

	/* An image without users is usual; one with a giant file gets its first part looked at. */
	if (fd >= 0)
		(void)fd_read_all(fd, text, DATABASE_FILE_LIMIT);
}

static bool parse_id(const char *text, size_t size, uint32_t *ret_id)
{
	uint64_t value = 0;

	if (size == 0 || size > 10)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

struct database_field {
	const char *text;
	size_t size;
};

/* The next line's fields. Returns their number, 0 for a line to pass over, -1 at the end. */
static int next_line(const char **at, struct database_field *fields, int limit)
{
	int count = 0;

	if (!**at)
		return -1;
	const char *end = strchrnul(*at, '\n');
	for (const char *p = *at; count < limit; p++) {
		const char *stop = memchr(p, ':', (size_t)(end - p)) ?: end;
		fields[count++] = (struct database_field){ p, (size_t)(stop - p) };
		if (stop == end)
			break;
		p = stop;
	}
	*at = *end ? end + 1 : end;
	return count;
}

static bool field_is(const struct database_field *field, const char *name)
{
	return strlen(name) == field->size && memcmp(field->text, name, field->size) == 0;
}

static bool list_has(const struct database_field *list, const char *name)
{
	size_t size = strlen(name);

	for (const char *p = list->text, *end = list->text + list->size; p < end; p++) {
		const char *stop = memchr(p, ',', (size_t)(end - p)) ?: end;
		if ((size_t)(stop - p) == size && memcmp(p, name, size) == 0)
			return true;
		p = stop;
	}
	return false;
}

static void add_group(struct identity *identity, uint32_t gid)
{
	for (size_t i = 0; i < identity->group_count; i++)
		if (identity->groups[i] == gid)
			return;
	identity->groups =
		xreallocarray(identity->groups, identity->group_count + 1, sizeof(uint32_t));
	identity->groups[identity->group_count++] = gid;
}

static bool group_has_entry(const char *groups, uint32_t wanted)
{
	struct database_field f[4];
	uint32_t gid;

	for (int n; (n = next_line(&groups, f, 4)) >= 0;)
		if (n >= 3 && parse_id(f[2].text, f[2].size, &gid) && gid == wanted)
			return true;
	return false;
}

static bool find_group(const char *groups, const char *name, uint32_t *ret_gid)
{
	struct database_field f[4];

	for (int n; (n = next_line(&groups, f, 4)) >= 0;)
		if (n >= 3 && field_is(&f[0], name) && parse_id(f[2].text, f[2].size, ret_gid))
			return true;
	return false;
}

int identity_resolve(const struct strlist *layer_dirs, const char *user,
		     const struct strlist *extra_groups, struct identity *ret_identity,
		     struct err *err)
{
	autostrbuf struct strbuf passwd = STRBUF_EMPTY, group = STRBUF_EMPTY;
	struct identity identity = { 0 };
	const char *colon = user ? strchr(user, ':') : NULL;
	autofree char *user_part =
		user ? xstrndup(user, colon ? (size_t)(colon - user) : strlen(user)) : xstrdup("");
	const char *group_part = colon ? colon + 1 : "";
	autofree char *user_name = NULL;
	struct database_field f[7];
	bool is_number = parse_id(user_part, strlen(user_part), &identity.uid), found = false;

	read_database(layer_dirs, "/etc/passwd", &passwd);
	const char *at = strbuf_text(&passwd);
	for (int n; !found && (n = next_line(&at, f, 7)) >= 0;) {
		uint32_t uid, gid;
		if (n < 6 || !parse_id(f[2].text, f[2].size, &uid) ||
		    !parse_id(f[3].text, f[3].size, &gid))
			continue;
		found = !*user_part
				? uid == 0
				: field_is(&f[0], user_part) || (is_number && uid == identity.uid);
		if (found) {
			identity.uid = uid;
			identity.gid = gid;
			identity.home = f[5].size ? xstrndup(f[5].text, f[5].size) : NULL;
			user_name = xstrndup(f[0].text, f[0].size);
		}
	}
	identity.is_listed = found;
	if (!found && *user_part && !is_number)
		return err_set(err, ENOENT,
			       "user '%s' is not in the image's /etc/passwd; give a number, e.g. "
			       "--user 1000",
			       user_part);
	if (!identity.home)
		identity.home = xstrdup("/");

	int r = 0;
	if (*group_part || extra_groups->count || user_name)
		read_database(layer_dirs, "/etc/group", &group);
	if (*group_part && !parse_id(group_part, strlen(group_part), &identity.gid) &&
	    !find_group(strbuf_text(&group), group_part, &identity.gid))
		r = err_set(err, ENOENT,
			    "group '%s' is not in the image's /etc/group; give a number",
			    group_part);
	identity.group_is_listed =
		!*group_part || group_has_entry(strbuf_text(&group), identity.gid);
	if (r == 0 && user_name && !*group_part) {
		/* A named group is meant alone; without one the user's other groups come along. */
		at = strbuf_text(&group);
		for (int n; (n = next_line(&at, f, 4)) >= 0;) {
			uint32_t gid;
			if (n == 4 && list_has(&f[3], user_name) &&
			    parse_id(f[2].text, f[2].size, &gid))
				add_group(&identity, gid);
		}
	}
	for (size_t i = 0; r == 0 && i < extra_groups->count; i++) {
		const char *name = extra_groups->items[i];
		uint32_t gid;
		if (parse_id(name, strlen(name), &gid) ||
		    find_group(strbuf_text(&group), name, &gid))
			add_group(&identity, gid);
		else
			r = err_set(err, ENOENT,
				    "group '%s' is not in the image's /etc/group; give a number",
				    name);
	}
	if (r < 0) {
		identity_clear(&identity);
		return r;
	}
	*ret_identity = identity;
	return 0;
}

uint32_t identity_highest_id(const struct strlist *layer_dirs, const char *user)
{
	/* Where the IDs are in a line. */
	static const struct {
		const char *path;
		int fields[2];
	} files[] = { { "/etc/passwd", { 2, 3 } }, { "/etc/group", { 2, 2 } } };
	struct database_field f[7];
	uint32_t highest = 0, id;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		read_database(layer_dirs, files[i].path, &text);
		const char *at = strbuf_text(&text);
		for (int n; (n = next_line(&at, f, 7)) >= 0;)
			for (int k = 0; k < 2; k++) {
				int field = files[i].fields[k];
				if (n > field && !field_is(&f[0], "nobody") &&
				    parse_id(f[field].text, f[field].size, &id) &&
				    id != OVERFLOW_ID && id > highest)
					highest = id;
			}
	}
	const char *colon = strchrnul(user ?: "", ':');
	if (user && parse_id(user, (size_t)(colon - user), &id) && id > highest)
		highest = id;
	if (user && *colon && parse_id(colon + 1, strlen(colon + 1), &id) && id > highest)
		highest = id;
	return highest;
}

void identity_clear(struct identity *identity)
{
	free(identity->groups);
	free(identity->home);
	free(identity->passwd_line);
	free(identity->group_line);
	*identity = (struct identity){ 0 };
}
