#include "engine/container-users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/container-spec.h"
#include "engine/identity.h"

#define FILE_LIMIT	     (4 << 20)
#define DEFAULT_PASSWD_ENTRY "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh"
#define DEFAULT_GROUP_ENTRY  "$GROUPNAME:x:$GID:$USERLIST"

struct word {
	const char *name, *value;
};

/* Each "$NAME" of these words is replaced; a longer name comes before one that it begins with. */
static char *fill_in(const char *text, const struct word *words, size_t count)
{
	struct strbuf line = STRBUF_EMPTY;

	while (*text) {
		size_t i = 0;
		while (*text == '$' && i < count &&
		       strncmp(text + 1, words[i].name, strlen(words[i].name)) != 0)
			i++;
		if (*text == '$' && i < count) {
			strbuf_adds(&line, words[i].value);
			text += 1 + strlen(words[i].name);
		} else {
			strbuf_addc(&line, *text++);
		}
	}
	return strbuf_take(&line);
}

static bool image_has(const struct strlist *layer_dirs, const char *path)
{
	autoclose int fd = layers_open_file(layer_dirs, path);

	return fd >= 0;
}

/* The field of a line that is separated by colons, counted from 0; NULL if there is none. */
static char *field_of(const char *line, int number)
{
	for (; number > 0; number--) {
		line = strchr(line, ':');
		if (!line)
			return NULL;
		line++;
	}
	return xstrndup(line, strcspn(line, ":\n"));
}

/* The host's line of the process's own user, when it is one of those. */
static const char *own_host_line(const struct container_spec *spec, const char *uid)
{
	for (size_t i = 0; i < spec->host_users.count; i++) {
		autofree char *number = field_of(spec->host_users.items[i], 2);
		if (number && strcmp(number, uid) == 0)
			return spec->host_users.items[i];
	}
	return NULL;
}

static void plan_passwd(const struct container_spec *spec, const char *uid, const char *gid,
			struct identity *identity)
{
	const struct word words[] = {
		{ "USERNAME", spec->user_name ?: uid },
		{ "UID", uid },
		{ "GID", gid },
		{ "NAME", "container user" },
		{ "HOME", spec->workdir ?: "/" },
	};

	const char *line = spec->passwd_entry ?: own_host_line(spec, uid);
	identity->passwd_line = fill_in(line ?: DEFAULT_PASSWD_ENTRY, words, ARRAY_SIZE(words));
	char *home = field_of(identity->passwd_line, 5);
	if (home && *home == '/') {
		free(identity->home);
		identity->home = home;
	} else {
		free(home);
	}
}

static bool has_line(const char *text, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (strncmp(at, name, size) == 0 && at[size] == ':')
			return true;
	return false;
}

/* Those of the host, but for names that the image has. */
static void add_host_users(const struct strlist *layer_dirs, const struct container_spec *spec,
			   struct identity *identity)
{
	autostrbuf struct strbuf image = STRBUF_EMPTY, lines = STRBUF_EMPTY;
	autoclose int fd = layers_open_file(layer_dirs, "/etc/passwd");

	if (fd < 0 || fd_read_all(fd, &image, FILE_LIMIT) < 0)
		return; /* as with the process's own user */
	if (identity->passwd_line)
		strbuf_adds(&lines, identity->passwd_line);
	for (size_t i = 0; i < spec->host_users.count; i++) {
		const char *line = spec->host_users.items[i];
		autofree char *name = field_of(line, 0);
		if (has_line(strbuf_text(&image), name) || has_line(strbuf_text(&lines), name))
			continue;
		strbuf_addf(&lines, "%s%s", lines.size ? "\n" : "", line);
	}
	if (!lines.size)
		return;
	free(identity->passwd_line);
	identity->passwd_line = strbuf_take(&lines);
}

void container_users_plan(const struct strlist *layer_dirs, const struct container_spec *spec,
			  struct identity *identity)
{
	char uid[16], gid[16];

	if (spec->no_passwd)
		return;
	snprintf(uid, sizeof(uid), "%u", identity->uid);
	snprintf(gid, sizeof(gid), "%u", identity->gid);
	if (!identity->is_listed && image_has(layer_dirs, "/etc/passwd"))
		plan_passwd(spec, uid, gid, identity);
	if (!identity->group_is_listed && image_has(layer_dirs, "/etc/group")) {
		autofree char *user =
			identity->passwd_line ? field_of(identity->passwd_line, 0) : xstrdup("");
		const struct word words[] = { { "GROUPNAME", spec->user_name ?: gid },
					      { "GID", gid },
					      { "USERLIST", user } };
		identity->group_line =
			fill_in(spec->group_entry ?: DEFAULT_GROUP_ENTRY, words, ARRAY_SIZE(words));
	}
	if (spec->host_users.count)
		add_host_users(layer_dirs, spec, identity);
}

static int write_file(const struct strlist *layer_dirs, const char *path, const char *line,
		      const char *run_dir, const char *name, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autofree char *copy = path_join(run_dir, name);

	if (!line)
		return 0;
	autoclose int fd = layers_open_file(layer_dirs, path);
	if (fd < 0 || fd_read_all(fd, &text, FILE_LIMIT) < 0)
		return err_set(err, EIO,
			       "the image's %s cannot be read; give --passwd=false to "
			       "leave it as it is",
			       path);
	if (text.size && text.data[text.size - 1] != '\n')
		strbuf_addc(&text, '\n');
	strbuf_adds(&text, line);
	strbuf_addc(&text, '\n');
	return file_write(AT_FDCWD, copy, text.data, text.size, 0644, 0, err);
}

int container_users_write(const struct strlist *layer_dirs, const struct identity *identity,
			  const char *run_dir, struct err *err)
{
	int r = write_file(layer_dirs, "/etc/passwd", identity->passwd_line, run_dir, "passwd",
			   err);

	return r < 0 ? r
		     : write_file(layer_dirs, "/etc/group", identity->group_line, run_dir, "group",
				  err);
}
