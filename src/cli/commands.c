#include "cli/commands.h"

#include <string.h>

#include "base/mem.h"

#define DECLARE(name) extern const struct command command_##name;
COMMANDS(DECLARE)

#define POINTER(name) &command_##name,
const struct command *const commands[] = { COMMANDS(POINTER) NULL };

const struct command_group command_groups[] = {
	{ "container", "Manage containers" },
	{ "healthcheck", "Manage health checks" },
	{ "image", "Manage images" },
	{ "secret", "Manage secrets" },
	{ "system", "Manage davit itself" },
	{ "volume", "Manage volumes" },
	{ NULL, NULL },
};

#define FIELD(f) offsetof(struct cli_globals, f)
const struct option_spec global_options[] = {
	{ "cgroup-manager", 0, OPTION_CHOICE, FIELD(cgroup_manager), "MANAGER",
	  "Who makes control groups", .choices = "cgroupfs|systemd" },
	{ "events-backend", 0, OPTION_CHOICE, FIELD(events_backend), "BACKEND",
	  "Where events are recorded", .choices = "file|none" },
	{ "help", 'h', OPTION_FLAG, FIELD(help), NULL, "Show help and end" },
	{ "log-level", 0, OPTION_CHOICE, FIELD(log_level), "LEVEL", "How much to tell on the way",
	  .choices = "debug|info|warn|error|trace|warning|fatal|panic", .initial = "warn" },
	{ "root", 0, OPTION_STRING, FIELD(root), "DIR",
	  "Where images, containers and volumes are kept", .complete = COMPLETE_FILES },
	{ "runroot", 0, OPTION_STRING, FIELD(runroot), "DIR",
	  "Where the state of running containers is kept; a tmpfs", .complete = COMPLETE_FILES },
	{ "storage-driver", 0, OPTION_CHOICE, FIELD(storage_driver), "DRIVER",
	  "How layers become a root file system", .choices = "overlay" },
	{ "timing", 0, OPTION_FLAG, FIELD(timing), NULL,
	  "Tell on standard error where the time went" },
	{ "version", 'v', OPTION_FLAG, FIELD(version), NULL, "Show the version and end",
	  OPTION_TOP_ONLY },
	OPTION_END,
};

const struct command_group *command_group_find(const char *name)
{
	for (const struct command_group *group = command_groups; group->name; group++)
		if (strcmp(group->name, name) == 0)
			return group;
	return NULL;
}

const char *command_next_name(const char **at, size_t *ret_size)
{
	const char *name = *at;

	if (!*name)
		return NULL;
	*ret_size = strcspn(name, "|");
	*at = name + *ret_size + (name[*ret_size] == '|');
	return name;
}

/* How many words of argv the name has, 0 when they are not its words. */
static int match_words(const char *name, size_t size, int argc, char **argv)
{
	for (int used = 0; used < argc; used++) {
		size_t word = strlen(argv[used]);

		if (word > size || memcmp(name, argv[used], word) != 0)
			return 0;
		if (word == size)
			return used + 1;
		if (name[word] != ' ')
			return 0;
		name += word + 1;
		size -= word + 1;
	}
	return 0;
}

const struct command *command_find(int argc, char **argv, int *ret_used)
{
	const struct command *best = NULL;

	*ret_used = 0;
	for (const struct command *const *at = commands; *at; at++) {
		const char *names = (*at)->names, *name;
		size_t size;

		while ((name = command_next_name(&names, &size))) {
			int used = match_words(name, size, argc, argv);

			if (used > *ret_used) {
				best = *at;
				*ret_used = used;
			}
		}
	}
	return best;
}

char *command_name_in(const struct command *command, const char *group)
{
	const char *names = command->names, *name;
	size_t group_size = group ? strlen(group) : 0, size;

	while ((name = command_next_name(&names, &size))) {
		const char *space = memchr(name, ' ', size);

		if (!group && !space)
			return xstrndup(name, size);
		if (group && space && (size_t)(space - name) == group_size &&
		    memcmp(name, group, group_size) == 0)
			return xstrndup(space + 1, size - group_size - 1);
	}
	return NULL;
}

bool command_group_has_members(const struct command_group *group)
{
	for (const struct command *const *at = commands; *at; at++) {
		autofree char *name = command_name_in(*at, group->name);

		if (name && !((*at)->traits & COMMAND_HIDDEN))
			return true;
	}
	return false;
}
