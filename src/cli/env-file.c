#include "cli/env-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "cli/command.h"
#include "engine/engine.h"

#define TEXT_FILE_LIMIT (1 << 20)

/* KEY takes over the caller's value, KEY* those of all that begin so. */
static void take_callers(const struct engine *engine, const char *key, struct strlist *env)
{
	size_t size = strlen(key);

	if (key[size - 1] != '*') {
		if (engine_getenv(engine, key))
			strlist_env_set(env, key, engine_getenv(engine, key));
		return;
	}
	for (size_t i = 0; i < engine->environment.count; i++) {
		const char *pair = engine->environment.items[i], *equals = strchr(pair, '=');
		if (!equals || strncmp(pair, key, size - 1) != 0)
			continue;
		autofree char *name = xstrndup(pair, (size_t)(equals - pair));
		strlist_env_set(env, name, equals + 1);
	}
}

int env_file_read(struct cli *cli, const char *path, struct strlist *env, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autostrlist struct strlist lines = STRLIST_EMPTY;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = file_read(AT_FDCWD, path, &text, TEXT_FILE_LIMIT, err);
	if (r < 0)
		return r;
	strlist_split(&lines, strbuf_text(&text), '\n');
	for (size_t i = 0; i < lines.count; i++) {
		char *line = lines.items[i] + strspn(lines.items[i], " \t");
		size_t size = strlen(line);
		if (size && line[size - 1] == '\r')
			line[--size] = '\0';
		if (!*line || *line == '#')
			continue;
		char *equals = strchr(line, '=');
		if (equals == line)
			return err_set(err, EINVAL, "'%s', line %zu: a variable without a name",
				       path, i + 1);
		if (equals) {
			*equals = '\0';
			strlist_env_set(env, line, equals + 1);
		} else {
			take_callers(engine, line, env);
		}
	}
	return 0;
}

void env_merge(struct strlist *env, const struct strlist *more)
{
	for (size_t i = 0; i < more->count; i++) {
		const char *equals = strchr(more->items[i], '=');
		if (!equals)
			continue;
		autofree char *key = xstrndup(more->items[i], (size_t)(equals - more->items[i]));
		strlist_env_set(env, key, equals + 1);
	}
}
