/* Reading events: filters, the past, and what comes. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "store/event-log.h"

enum filter_key {
	FILTER_CONTAINER,
	FILTER_EVENT,
	FILTER_IMAGE,
	FILTER_LABEL,
	FILTER_POD,
	FILTER_TYPE,
	FILTER_VOLUME,
	FILTER_KEY_COUNT,
};

static const char *const key_names[] = {
	[FILTER_CONTAINER] = "container", [FILTER_EVENT] = "event", [FILTER_IMAGE] = "image",
	[FILTER_LABEL] = "label",	  [FILTER_POD] = "pod",	    [FILTER_TYPE] = "type",
	[FILTER_VOLUME] = "volume",
};
_Static_assert(ARRAY_SIZE(key_names) == FILTER_KEY_COUNT, "every key has a name");

static const char *const types[] = { "container", "image",  "network", "pod",
				     "secret",	  "system", "volume" };

struct event_filter {
	struct strlist values[FILTER_KEY_COUNT];
};

void event_filter_free(struct event_filter *filter)
{
	if (!filter)
		return;
	for (int key = 0; key < FILTER_KEY_COUNT; key++)
		strlist_clear(&filter->values[key]);
	free(filter);
}

static int find_key(const char *word, size_t size)
{
	if (size == 6 && memcmp(word, "status", 6) == 0)
		return FILTER_EVENT;
	for (int key = 0; key < FILTER_KEY_COUNT; key++)
		if (strlen(key_names[key]) == size && memcmp(key_names[key], word, size) == 0)
			return key;
	return -1;
}

static int check_type(const char *value, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], value) == 0)
			return 0;
	return err_set(err, EINVAL,
		       "filter type=%s: types are container, image, network, pod, secret, system "
		       "and volume",
		       value);
}

int event_filter_parse(const struct strlist *words, struct event_filter **ret_filter,
		       struct err *err)
{
	autoevent_filter struct event_filter *filter = xcalloc(1, sizeof(*filter));

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i], *equals = strchr(word, '=');
		if (!equals)
			return err_set(err, EINVAL, "invalid filter '%s'; write it as KEY=VALUE",
				       word);
		int key = find_key(word, (size_t)(equals - word));
		if (key < 0)
			return err_set(
				err, EINVAL,
				"'%.*s' is an invalid filter; known are container, event, image, "
				"label, pod, type and volume",
				(int)(equals - word), word);
		const char *value = equals + 1;
		int r = key == FILTER_TYPE ? check_type(value, err) : 0;
		if (r < 0)
			return r;
		if (key == FILTER_EVENT && strcmp(value, "die") == 0)
			value = "died"; /* docker's word */
		strlist_add(&filter->values[key], value);
	}
	*ret_filter = take_ptr(&filter);
	return 0;
}

static bool label_matches(struct json_object *labels, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	autofree char *key = xstrndup(wanted, strcspn(wanted, "="));
	const char *value = json_get_string(labels, key, NULL);

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

/* By name, or by the beginning of an ID. */
static bool object_matches(struct json_object *event, const char *type, const char *wanted)
{
	const char *id = json_get_string(event, "ID", "");

	return strcmp(json_get_string(event, "Type", ""), type) == 0 &&
	       (strcmp(json_get_string(event, "Name", ""), wanted) == 0 ||
		(*wanted && strncmp(id, wanted, strlen(wanted)) == 0));
}

static bool value_matches(struct json_object *event, enum filter_key key, const char *wanted)
{
	switch (key) {
	case FILTER_EVENT:
		return strcmp(json_get_string(event, "Status", ""), wanted) == 0;
	case FILTER_LABEL:
		return label_matches(json_get(event, "Attributes"), wanted);
	case FILTER_TYPE:
		return strcmp(json_get_string(event, "Type", ""), wanted) == 0;
	case FILTER_IMAGE:
		/* What happened to containers of the image, too. */
		return object_matches(event, "image", wanted) ||
		       strcmp(json_get_string(event, "Image", ""), wanted) == 0;
	case FILTER_CONTAINER:
	case FILTER_POD:
	case FILTER_VOLUME:
		return object_matches(event, key_names[key], wanted);
	case FILTER_KEY_COUNT:
		break;
	}
	return false;
}

static bool filter_matches(const struct event_filter *filter, struct json_object *event)
{
	for (int key = 0; filter && key < FILTER_KEY_COUNT; key++) {
		const struct strlist *values = &filter->values[key];
		size_t matched = 0;
		for (size_t i = 0; i < values->count; i++)
			matched += value_matches(event, (enum filter_key)key, values->items[i]);
		if (values->count && matched < (key == FILTER_LABEL ? values->count : 1))
			return false;
	}
	return true;
}

/* The end of a container is told before its record is changed. Whoever was killed in between made somebody else tell it
 * again, with the same time to the nanosecond. */
#define DEATHS 1024

struct deaths {
	uint64_t seen[DEATHS];
	size_t next;
};

static bool is_told_again(struct deaths *deaths, struct json_object *event)
{
	if (strcmp(json_get_string(event, "Status", ""), "died") != 0)
		return false;
	autofree char *start = xstrndup(json_get_string(event, "ID", "0"), 16);
	uint64_t key = strtoull(start, NULL, 16) ^ (uint64_t)json_get_int(event, "time_nsec", 0);
	for (size_t i = 0; i < DEATHS; i++)
		if (deaths->seen[i] == key)
			return true;
	deaths->seen[deaths->next++ % DEATHS] = key;
	return false;
}

/* "2024-01-02 15:04:05.123456789 +0100 CET" and "2024-01-02T15:04:05.123456789+01:00", as Go prints local times. */
static void add_times(struct json_object *event, int64_t nsec)
{
	time_t seconds = (time_t)(nsec / 1000000000);
	char date[64], zone[16], word[32], fraction[16] = "";
	struct tm tm;

	if (nsec < 0 || !localtime_r(&seconds, &tm))
		return;
	int digits = 9;
	int64_t rest = nsec % 1000000000;
	for (; rest && rest % 10 == 0; rest /= 10)
		digits--;
	if (rest)
		snprintf(fraction, sizeof(fraction), ".%0*lld", digits, (long long)rest);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	strftime(word, sizeof(word), "%Z", &tm);
	autofree char *people = xasprintf("%s%s %s %s", date, fraction, zone, word);
	date[strlen("2024-01-02")] = 'T';
	autofree char *programs = strcmp(zone, "+0000") == 0 ? xasprintf("%s%sZ", date, fraction)
							     : xasprintf("%s%s%.3s:%.2s", date,
									 fraction, zone, zone + 3);
	json_add_string(event, "Time", people);
	json_add_string(event, "time", programs);
}

struct reading {
	const struct event_query *query;
	struct event_reader *reader;
	struct deaths deaths;
	int (*tell)(struct json_object *event, void *arg, struct err *err);
	void *arg;
};

static int tell_line(struct reading *reading, const char *line, size_t size, struct err *err)
{
	const struct event_query *query = reading->query;
	autojson struct json_object *event = NULL;
	struct err ignored; /* what is torn is no event */

	if (json_parse(line, size, &event, &ignored) < 0 || !json_get(event, "Status")) {
		log_debug("%zu bytes of the event log are no event", size);
		return 0;
	}
	int64_t time_nsec = json_get_int(event, "time_nsec", 0);
	if (is_told_again(&reading->deaths, event) ||
	    (query->since_nsec && time_nsec < query->since_nsec) ||
	    (query->until_nsec && time_nsec > query->until_nsec) ||
	    !filter_matches(query->filter, event))
		return 0;
	add_times(event, time_nsec);
	return reading->tell(event, reading->arg, err);
}

/* All that is there now. */
static int tell_present(struct reading *reading, struct err *err)
{
	uint64_t missed = event_reader_missed(reading->reader);
	const char *line;
	size_t size;
	int r;

	while ((r = event_reader_next(reading->reader, &line, &size, err)) > 0) {
		r = tell_line(reading, line, size, err);
		if (r < 0)
			return r;
	}
	if (event_reader_missed(reading->reader) > missed)
		log_warn("events were not read for so long that some are gone; make "
			 "events_logfile_max_size in containers.conf larger");
	return r;
}

/* 1: there may be more; 0: it is over. */
static int await_more(struct reading *reading, struct err *err)
{
	const struct event_query *query = reading->query;
	int timeout_msec = -1;

	if (!query->follows)
		return 0;
	if (query->until_nsec) {
		int64_t left = query->until_nsec - timestamp_now_nsec();
		if (left <= 0)
			return 0;
		left = left / 1000000 + 1;
		timeout_msec = left > INT32_MAX ? INT32_MAX : (int)left;
	}
	int r = reading->tell(NULL, reading->arg, err);
	if (r < 0)
		return r;
	struct pollfd polls[2] = { { event_reader_fd(reading->reader), POLLIN, 0 },
				   { query->output_fd, 0, 0 } };
	if (poll(polls, 2, timeout_msec) < 0 && errno != EINTR)
		return err_errno(err, "wait for events");
	if (polls[1].revents)
		return 0;
	r = polls[0].revents ? event_reader_heard(reading->reader, err) : 0;
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int event_query_run(struct engine *engine, const struct event_query *query,
		    int (*tell)(struct json_object *event, void *arg, struct err *err), void *arg,
		    struct err *err)
{
	autoevent_reader struct event_reader *reader = NULL;
	autofree char *directory = path_join(engine->root, "events");
	autofree struct reading *reading = xcalloc(1, sizeof(*reading));

	struct store *store;

	/* It makes the directory of everything as it has to be, and refuses one that is somebody else's. */
	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = event_reader_open(directory,
				      (query->follows ? EVENT_READER_FOLLOW : 0) |
					      (query->wants_past ? 0 : EVENT_READER_NEWS),
				      &reader, err);
	if (r < 0)
		return r;
	*reading = (struct reading){ .query = query, .reader = reader, .tell = tell, .arg = arg };
	do {
		r = tell_present(reading, err);
		if (r == 0)
			r = await_more(reading, err);
	} while (r > 0);
	return r;
}
