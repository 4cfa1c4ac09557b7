#include "engine/container-filter.h"

#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "engine/container-restart.h"
#include "engine/container.h"
#include "engine/health.h"
#include "engine/mount-spec.h"

enum filter_key {
	FILTER_ID,
	FILTER_NAME,
	FILTER_LABEL,
	FILTER_NOT_LABEL,
	FILTER_STATUS,
	FILTER_EXITED,
	FILTER_ANCESTOR,
	FILTER_BEFORE,
	FILTER_SINCE,
	FILTER_COMMAND,
	FILTER_VOLUME,
	FILTER_POD,
	FILTER_NETWORK,
	FILTER_HEALTH,
	FILTER_UNTIL,
	FILTER_RESTART_POLICY,
	FILTER_BOOT,
	FILTER_KEY_COUNT,
};

static const char *const key_names[] = {
	[FILTER_ID] = "id",
	[FILTER_NAME] = "name",
	[FILTER_LABEL] = "label",
	[FILTER_NOT_LABEL] = "label!",
	[FILTER_STATUS] = "status",
	[FILTER_EXITED] = "exited",
	[FILTER_ANCESTOR] = "ancestor",
	[FILTER_BEFORE] = "before",
	[FILTER_SINCE] = "since",
	[FILTER_COMMAND] = "command",
	[FILTER_VOLUME] = "volume",
	[FILTER_POD] = "pod",
	[FILTER_NETWORK] = "network",
	[FILTER_HEALTH] = "health",
	[FILTER_UNTIL] = "until",
	[FILTER_RESTART_POLICY] = "restart-policy",
	[FILTER_BOOT] = "should-start-on-boot",
};
_Static_assert(ARRAY_SIZE(key_names) == FILTER_KEY_COUNT, "every key has a name");

struct container_filter {
	struct strlist values[FILTER_KEY_COUNT];
	regex_t *names;			 /* one for each value of "name" */
	int64_t before_nsec, since_nsec; /* 0: not given */
	int64_t until_nsec;		 /* the latest of the values */
	const struct engine *engine;	 /* borrowed */
};

void container_filter_free(struct container_filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; filter->names && i < filter->values[FILTER_NAME].count; i++)
		regfree(&filter->names[i]);
	free(filter->names);
	for (int key = 0; key < FILTER_KEY_COUNT; key++)
		strlist_clear(&filter->values[key]);
	free(filter);
}

static int check_value(struct engine *engine, struct container_filter *filter, enum filter_key key,
		       const char *value, struct err *err)
{
	static const char *const states[] = { "created",     "running",	   "exited",	"paused",
					      "stopped",     "stopping",   "removing",	"unknown",
					      "initialized", "configured", "restarting" };

	if (key == FILTER_STATUS) {
		for (size_t i = 0; i < ARRAY_SIZE(states); i++)
			if (strcmp(value, states[i]) == 0)
				return 0;
		return err_set(err, EINVAL,
			       "'%s' is no container state; states are created, running, "
			       "restarting and exited",
			       value);
	}
	if (key == FILTER_BOOT && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(err, EINVAL,
			       "filter should-start-on-boot=%s: neither true nor false", value);
	if (key == FILTER_RESTART_POLICY) {
		const char *policy;
		int64_t retries;
		return restart_policy_parse(value, &policy, &retries, err);
	}
	if (key == FILTER_UNTIL) {
		int64_t usec;
		int r = timestamp_parse(value, timestamp_now_usec(), &usec, err);
		if (r < 0)
			return err_wrap(err, "filter until=%s", value);
		if (usec * 1000 > filter->until_nsec)
			filter->until_nsec = usec * 1000;
		return 0;
	}
	if (key == FILTER_EXITED) {
		int64_t unused;
		return number_parse(value, INT_MIN, INT_MAX, &unused) < 0
			       ? err_set(err, EINVAL, "exit code '%s' is no number", value)
			       : 0;
	}
	if (key == FILTER_BEFORE || key == FILTER_SINCE) {
		autocontainer struct container *other = NULL;
		int r = container_find(engine, value, 0, &other, err);
		if (r < 0)
			return r;
		*(key == FILTER_BEFORE ? &filter->before_nsec : &filter->since_nsec) =
			other->created_nsec;
	}
	return 0;
}

int container_filter_parse(struct engine *engine, const struct strlist *words,
			   struct container_filter **ret_filter, struct err *err)
{
	autocontainer_filter struct container_filter *filter = xcalloc(1, sizeof(*filter));

	filter->engine = engine;

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i], *equals = strchr(word, '=');
		size_t size = equals ? (size_t)(equals - word) : 0;
		int key;
		for (key = 0; key < FILTER_KEY_COUNT; key++)
			if (strlen(key_names[key]) == size &&
			    memcmp(key_names[key], word, size) == 0)
				break;
		if (!equals)
			return err_set(err, EINVAL, "invalid filter '%s'; write it as KEY=VALUE",
				       word);
		if (key == FILTER_KEY_COUNT)
			return err_set(
				err, EINVAL,
				"'%.*s' is an invalid filter; known are id, name, label, label!, "
				"status, exited, ancestor, before, since, until, command, volume, "
				"network, pod, health, restart-policy and should-start-on-boot",
				(int)size, word);
		int r = check_value(engine, filter, (enum filter_key)key, equals + 1, err);
		if (r < 0)
			return r;
		strlist_add(&filter->values[key], equals + 1);
	}
	const struct strlist *names = &filter->values[FILTER_NAME];
	regex_t *compiled = xcalloc(names->count, sizeof(*compiled));
	for (size_t i = 0; i < names->count; i++)
		if (regcomp(&compiled[i], names->items[i], REG_EXTENDED | REG_NOSUB) != 0) {
			while (i-- > 0)
				regfree(&compiled[i]);
			free(compiled);
			return err_set(err, EINVAL,
				       "filter name='%s' is no valid regular expression",
				       names->items[i + 1]);
		}
	filter->names = compiled;
	*ret_filter = take_ptr(&filter);
	return 0;
}

static bool label_matches(struct json_object *labels, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	autofree char *key = xstrndup(wanted, equals ? (size_t)(equals - wanted) : strlen(wanted));
	const char *value = json_get_string(labels, key, NULL);

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

static bool image_matches(const struct container *container, const char *wanted)
{
	const char *name = container->image_name ?: "", *id = container->image_id ?: "";
	size_t size = strlen(wanted);

	if (strcmp(name, wanted) == 0 || (size && strncmp(id, wanted, size) == 0))
		return true;
	/* "nginx" means docker.io/library/nginx:latest too. */
	for (const char *at = strstr(name, wanted); size && at; at = strstr(at + 1, wanted))
		if ((at == name || at[-1] == '/') &&
		    (!at[size] || at[size] == ':' || at[size] == '@'))
			return true;
	return false;
}

static bool volume_matches(const struct container_spec *spec, const char *wanted)
{
	struct err ignored;

	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		if (mount_spec_load(spec->mounts.items[i], &mount, &ignored) < 0)
			continue;
		bool same = strcmp(mount.destination, wanted) == 0 ||
			    (mount.source && strcmp(mount.source, wanted) == 0);
		mount_spec_clear(&mount);
		if (same)
			return true;
	}
	return false;
}

/* The program is looked at, not its arguments; a name without directory is enough. */
static bool runs_program(const struct container_spec *spec, const char *wanted)
{
	const struct strlist *words = spec->entrypoint.count ? &spec->entrypoint : &spec->command;
	const char *program = words->count ? words->items[0] : "", *slash = strrchr(program, '/');

	return strcmp(program, wanted) == 0 || (slash && strcmp(slash + 1, wanted) == 0);
}

/* "on-failure" matches whatever the number of its retries, "never" is called "no" too. */
static bool policy_matches(const struct container_spec *spec, const char *wanted)
{
	const char *policy = NULL;
	struct err ignored; /* it was checked before */
	int64_t retries = 0;

	(void)restart_policy_parse(wanted, &policy, &retries, &ignored);
	if (!policy || !spec || !spec->restart_policy)
		return !policy && spec && !spec->restart_policy;
	return strcmp(spec->restart_policy, policy) == 0 &&
	       (!retries || retries == spec->restart_retries);
}

static bool value_matches(const struct container_filter *filter, enum filter_key key, size_t index,
			  const struct container *container, struct json_object *labels,
			  const struct container_spec *spec)
{
	const char *wanted = filter->values[key].items[index];
	int64_t number;

	switch (key) {
	case FILTER_ID:
		return strncmp(container->id, wanted, strlen(wanted)) == 0;
	case FILTER_NAME:
		return regexec(&filter->names[index], container->name, 0, NULL, 0) == 0;
	case FILTER_LABEL:
		return label_matches(labels, wanted);
	case FILTER_NOT_LABEL:
		return !label_matches(labels, wanted);
	case FILTER_STATUS:
		return strcmp(container_status_name(container), wanted) == 0 ||
		       (strcmp(wanted, "stopped") == 0 && container->state == CONTAINER_EXITED);
	case FILTER_EXITED:
		return container->state == CONTAINER_EXITED &&
		       number_parse(wanted, INT_MIN, INT_MAX, &number) == 0 &&
		       container->exit_code == number;
	case FILTER_ANCESTOR:
		return image_matches(container, wanted);
	case FILTER_BEFORE:
		return container->created_nsec < filter->before_nsec;
	case FILTER_SINCE:
		return container->created_nsec > filter->since_nsec;
	case FILTER_UNTIL:
		return container->created_nsec < filter->until_nsec;
	case FILTER_COMMAND:
		return spec && runs_program(spec, wanted);
	case FILTER_POD:
		return false; /* davit has none so far */
	case FILTER_VOLUME:
		return spec && volume_matches(spec, wanted);
	case FILTER_NETWORK:
		return spec && spec->network_mode && strcmp(spec->network_mode, wanted) == 0;
	case FILTER_HEALTH: {
		autofree char *health = container->state == CONTAINER_RUNNING
						? health_status(filter->engine, container)
						: xstrdup("");
		return strcmp(*health ? health : "none", wanted) == 0;
	}
	case FILTER_RESTART_POLICY:
		return policy_matches(spec, wanted);
	case FILTER_BOOT:
		return (spec && container_starts_on_boot(container, spec)) ==
		       (strcmp(wanted, "true") == 0);
	case FILTER_KEY_COUNT:
		break;
	}
	return false;
}

bool container_filter_matches(const struct container_filter *filter,
			      const struct container *container)
{
	autojson struct json_object *labels = NULL;
	autocontainer_spec struct container_spec *spec = NULL;
	struct err ignored; /* what a damaged record lacks does not match */
	bool needs_spec =
		filter->values[FILTER_COMMAND].count || filter->values[FILTER_VOLUME].count ||
		filter->values[FILTER_NETWORK].count ||
		filter->values[FILTER_RESTART_POLICY].count || filter->values[FILTER_BOOT].count;

	if (container->labels)
		(void)json_parse(container->labels, strlen(container->labels), &labels, &ignored);
	if (needs_spec && container->spec_text)
		(void)container_spec_of(container, &spec, &ignored);
	for (int key = 0; key < FILTER_KEY_COUNT; key++) {
		size_t count = filter->values[key].count, matched = 0;
		for (size_t i = 0; i < count; i++)
			matched += value_matches(filter, (enum filter_key)key, i, container, labels,
						 spec);
		bool needs_all = key == FILTER_LABEL || key == FILTER_NOT_LABEL;
		if (count && (needs_all ? matched < count : matched == 0))
			return false;
	}
	return true;
}

bool container_filter_has_state(const struct container_filter *filter)
{
	return filter->values[FILTER_STATUS].count || filter->values[FILTER_EXITED].count;
}
