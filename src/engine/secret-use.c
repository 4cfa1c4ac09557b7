#include "engine/secret-use.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strlist.h"

#define DEFAULT_MODE 0444

/* The stored form has the ID too. */
static const char *const keys[] = { "type", "target", "uid", "gid", "mode", "source", "id" };
enum key { KEY_TYPE, KEY_TARGET, KEY_UID, KEY_GID, KEY_MODE, KEY_SOURCE, KEY_ID, KEY_COUNT };
_Static_assert(ARRAY_SIZE(keys) == KEY_COUNT, "every key has a name");

void secret_use_clear(struct secret_use *use)
{
	free(take_ptr(&use->name));
	free(take_ptr(&use->id));
	free(take_ptr(&use->target));
}

static int set_number(const char *text, const char *key, const char *value, uint32_t *ret_number,
		      struct err *err)
{
	int64_t number;

	if (number_parse(value, 0, UINT32_MAX - 1, &number) < 0)
		return err_set(err, EINVAL, "--secret '%s': %s '%s' is no ID", text, key, value);
	*ret_number = (uint32_t)number;
	return 0;
}

static int set_mode(const char *text, const char *value, uint32_t *ret_mode, struct err *err)
{
	char *end;
	unsigned long mode = strtoul(value, &end, 8);

	if (!*value || *end || mode > 07777 || value[0] == '-' || value[0] == '+')
		return err_set(err, EINVAL,
			       "--secret '%s': mode '%s' is no octal number such as 0400", text,
			       value);
	*ret_mode = (uint32_t)mode;
	return 0;
}

static void set_text(char **at, const char *value)
{
	free(*at);
	*at = xstrdup(value);
}

/* 1: it is about a file. */
static int set(const char *text, enum key key, const char *value, struct secret_use *use,
	       struct err *err)
{
	switch (key) {
	case KEY_TYPE:
		use->is_env = strcmp(value, "env") == 0;
		if (!use->is_env && strcmp(value, "mount") != 0)
			return err_set(err, EINVAL, "--secret '%s': type '%s' is not mount or env",
				       text, value);
		return 0;
	case KEY_TARGET:
		set_text(&use->target, value);
		return 0;
	case KEY_SOURCE:
		set_text(&use->name, value);
		return 0;
	case KEY_ID:
		set_text(&use->id, value);
		return 0;
	case KEY_UID:
		return set_number(text, "uid", value, &use->uid, err) ?: 1;
	case KEY_GID:
		return set_number(text, "gid", value, &use->gid, err) ?: 1;
	case KEY_MODE:
		return set_mode(text, value, &use->mode, err) ?: 1;
	case KEY_COUNT:
		break;
	}
	return 0;
}

static enum key key_of(const char *word, size_t size, bool is_stored)
{
	for (int key = 0; key < (is_stored ? KEY_COUNT : KEY_ID); key++)
		if (strlen(keys[key]) == size && memcmp(keys[key], word, size) == 0)
			return (enum key)key;
	return KEY_COUNT;
}

/* Where it points to has to be a place of its own. */
static bool is_path(const char *target)
{
	autostrlist struct strlist parts = STRLIST_EMPTY;

	strlist_split(&parts, target + (*target == '/'), '/');
	for (size_t i = 0; i < parts.count; i++)
		if (!*parts.items[i] || strcmp(parts.items[i], ".") == 0 ||
		    strcmp(parts.items[i], "..") == 0)
			return false;
	return parts.count > 0;
}

static int complete(const char *text, bool has_file_words, struct secret_use *use, struct err *err)
{
	static const char below[] = SECRETS_TARGET "/";

	if (!use->name || !*use->name)
		return err_set(err, EINVAL, "--secret '%s' names no secret; begin it with its name",
			       text);
	if (use->is_env && has_file_words)
		return err_set(
			err, EINVAL,
			"--secret '%s': uid, gid and mode are of files, and not of variables; "
			"leave them or type=env out",
			text);
	if (!use->target || !*use->target)
		set_text(&use->target, use->name);
	if (use->is_env)
		return strchr(use->target, '=')
			       ? err_set(err, EINVAL,
					 "--secret '%s': target '%s' is no name of a variable",
					 text, use->target)
			       : 0;
	if (!is_path(use->target))
		return err_set(err, EINVAL,
			       "--secret '%s': target '%s' is not allowed; it is a file's path "
			       "without '.' and '..'",
			       text, use->target);
	if (strncmp(use->target, below, strlen(below)) == 0) {
		autofree char *whole = take_ptr(&use->target);
		use->target = xstrdup(whole + strlen(below));
	}
	return 0;
}

static int parse(const char *text, bool is_stored, struct secret_use *ret_use, struct err *err)
{
	autostrlist struct strlist words = STRLIST_EMPTY;
	struct secret_use use = { .mode = DEFAULT_MODE };
	bool has_file_words = false;
	int r = 0;

	strlist_split(&words, text, ',');
	for (size_t i = 0; r >= 0 && i < words.count; i++) {
		const char *word = words.items[i], *equals = strchr(word, '=');
		if (i == 0 && !equals) {
			use.name = xstrdup(word);
			continue;
		}
		enum key key =
			equals ? key_of(word, (size_t)(equals - word), is_stored) : KEY_COUNT;
		if (key == KEY_COUNT)
			r = err_set(
				err, EINVAL,
				"--secret '%s': '%s' is not known; behind the name it has type=, "
				"target=, uid=, gid= and mode=",
				text, word);
		else
			r = set(text, key, equals + 1, &use, err);
		has_file_words |= r > 0;
	}
	if (r >= 0)
		r = complete(text, has_file_words && !is_stored, &use, err);
	if (r < 0) {
		secret_use_clear(&use);
		return r;
	}
	*ret_use = use;
	return 0;
}

int secret_use_parse(const char *text, struct secret_use *ret_use, struct err *err)
{
	return parse(text, false, ret_use, err);
}

int secret_use_load(const char *stored, struct secret_use *ret_use, struct err *err)
{
	return parse(stored, true, ret_use, err);
}

char *secret_use_store(const struct secret_use *use)
{
	return xasprintf("source=%s,id=%s,type=%s,target=%s,uid=%u,gid=%u,mode=%o", use->name,
			 use->id, use->is_env ? "env" : "mount", use->target, use->uid, use->gid,
			 use->mode);
}
