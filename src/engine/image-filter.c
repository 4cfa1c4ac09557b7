#include "engine/image-filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "oci/image-config.h"

enum filter_key {
	FILTER_AFTER,
	FILTER_BEFORE,
	FILTER_CONTAINERS,
	FILTER_DANGLING,
	FILTER_DIGEST,
	FILTER_ID,
	FILTER_INTERMEDIATE,
	FILTER_LABEL,
	FILTER_NOT_LABEL,
	FILTER_MANIFEST,
	FILTER_READONLY,
	FILTER_REFERENCE,
	FILTER_UNTIL,
	FILTER_COUNT,
};

static const struct {
	const char *word;
	enum filter_key key;
} filter_words[] = {
	{ "after", FILTER_AFTER },
	{ "before", FILTER_BEFORE },
	{ "containers", FILTER_CONTAINERS },
	{ "dangling", FILTER_DANGLING },
	{ "digest", FILTER_DIGEST },
	{ "id", FILTER_ID },
	{ "intermediate", FILTER_INTERMEDIATE },
	{ "label", FILTER_LABEL },
	{ "label!", FILTER_NOT_LABEL },
	{ "manifest", FILTER_MANIFEST },
	{ "readonly", FILTER_READONLY },
	{ "reference", FILTER_REFERENCE },
	{ "since", FILTER_AFTER },
	{ "until", FILTER_UNTIL },
};

struct condition {
	enum filter_key key;
	char *value;
	bool flag; /* of dangling, containers, … */
	bool is_impossible;
	int64_t nsec; /* of before, after, until */
};

struct image_filter {
	struct condition *conditions;
	size_t count;
};

void image_filter_free(struct image_filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < filter->count; i++)
		free(filter->conditions[i].value);
	free(filter->conditions);
	free(filter);
}

static int parse_flag(const char *word, const char *value, bool *ret_flag, struct err *err)
{
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*ret_flag = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*ret_flag = false;
	else
		return err_set(err, EINVAL, "filter '%s=%s': the value must be true or false", word,
			       value);
	return 0;
}

static int parse_condition(struct engine *engine, const char *word, const char *value,
			   struct condition *condition, struct err *err)
{
	autoimage struct image *image = NULL;
	int64_t usec;
	int r;

	switch (condition->key) {
	case FILTER_AFTER:
	case FILTER_BEFORE:
		r = image_resolve(engine, value, &image, err);
		if (r < 0)
			return err_wrap(err, "filter '%s=%s'", word, value);
		condition->nsec = image->created_nsec;
		return 0;
	case FILTER_UNTIL:
		r = timestamp_parse(value, timestamp_now_usec(), &usec, err);
		if (r < 0)
			return err_wrap(err, "filter '%s=%s'", word, value);
		condition->nsec = usec * 1000;
		return 0;
	case FILTER_CONTAINERS:
		/* Containers of other programs: nobody else works in this storage. */
		if (strcmp(value, "external") == 0) {
			condition->is_impossible = true;
			return 0;
		}
		return parse_flag(word, value, &condition->flag, err);
	case FILTER_DANGLING:
	case FILTER_INTERMEDIATE:
	case FILTER_MANIFEST:
	case FILTER_READONLY:
		return parse_flag(word, value, &condition->flag, err);
	default:
		return 0;
	}
}

int image_filter_parse(struct engine *engine, const struct strlist *words,
		       struct image_filter **ret_filter, struct err *err)
{
	autoimage_filter struct image_filter *filter = xcalloc(1, sizeof(*filter));

	filter->conditions = xcalloc(words->count + 1, sizeof(*filter->conditions));
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i], *equals = strchr(word, '=');
		size_t size = equals ? (size_t)(equals - word) : strlen(word);
		struct condition *condition = &filter->conditions[filter->count];
		bool is_known = false;

		if (!equals)
			return err_set(err, EINVAL,
				       "invalid filter '%s': it must be of the form KEY=VALUE",
				       word);
		if (equals > word && equals[-1] == '!' && strncmp(word, "label!", 6) != 0)
			return err_set(err, EINVAL, "filter '%s': only label can be negated", word);
		for (size_t j = 0; j < ARRAY_SIZE(filter_words); j++) {
			if (strlen(filter_words[j].word) == size &&
			    strncmp(filter_words[j].word, word, size) == 0) {
				condition->key = filter_words[j].key;
				is_known = true;
			}
		}
		if (!is_known)
			return err_set(err, EINVAL,
				       "unsupported image filter '%.*s'; known are after, before, "
				       "containers, dangling, digest, id, intermediate, label, "
				       "manifest, readonly, reference, since, until",
				       (int)size, word);
		condition->value = xstrdup(equals + 1);
		filter->count++;
		autofree char *key = xstrndup(word, size);
		int r = parse_condition(engine, key, equals + 1, condition, err);
		if (r < 0)
			return r;
	}
	*ret_filter = take_ptr(&filter);
	return 0;
}

bool image_name_matches(const char *name, const char *pattern)
{
	autofree char *repository = NULL, *tag = NULL, *digest = NULL;
	const char *slash = strrchr(pattern, '/');
	bool has_tag = strchr(slash ? slash : pattern, ':') || strchr(pattern, '@');
	const char *at = name;

	image_name_split(name, &repository, &tag, &digest);
	if (!has_tag)
		at = repository;
	/* The pattern may leave out components in front: "nginx" matches docker.io/library/nginx.
	 */
	for (;;) {
		if (fnmatch(pattern, at, 0) == 0)
			return true;
		at = strchr(at, '/');
		if (!at)
			return false;
		at++;
	}
}

static bool matches_any_name(const struct image *image, const char *pattern)
{
	for (size_t i = 0; i < image->names.count; i++)
		if (image_name_matches(image->names.items[i], pattern))
			return true;
	for (size_t i = 0; i < image->digests.count; i++)
		if (image_name_matches(image->digests.items[i], pattern))
			return true;
	return false;
}

static bool has_digest(const struct image *image, const char *value)
{
	if (strncmp(image->manifest_digest, value, strlen(value)) == 0)
		return true;
	for (size_t i = 0; i < image->digests.count; i++) {
		const char *digest = strchr(image->digests.items[i], '@');
		if (digest && strncmp(digest + 1, value, strlen(value)) == 0)
			return true;
	}
	return false;
}

static bool condition_holds(const struct condition *condition, const struct image *image)
{
	const char *value = condition->value;

	switch (condition->key) {
	case FILTER_AFTER:
		return image->created_nsec > condition->nsec;
	case FILTER_BEFORE:
	case FILTER_UNTIL:
		return image->created_nsec < condition->nsec;
	case FILTER_CONTAINERS:
		return !condition->is_impossible && condition->flag == (image->container_count > 0);
	case FILTER_DANGLING:
		return condition->flag == (image->names.count == 0);
	case FILTER_DIGEST:
		return has_digest(image, value);
	case FILTER_ID:
		if (strncmp(value, "sha256:", 7) == 0)
			value += 7;
		return strncmp(image->id, value, strlen(value)) == 0;
	case FILTER_INTERMEDIATE: /* there are none of these */
	case FILTER_MANIFEST:
	case FILTER_READONLY:
		return !condition->flag;
	case FILTER_LABEL:
		return labels_match(&image->config->labels, value);
	case FILTER_NOT_LABEL:
		return !labels_match(&image->config->labels, value);
	case FILTER_REFERENCE:
		return matches_any_name(image, value);
	case FILTER_COUNT:
		break;
	}
	return false;
}

int image_filter_matches(struct engine *engine, const struct image_filter *filter,
			 struct image *image, struct err *err)
{
	bool is_asked[FILTER_COUNT] = { false }, is_met[FILTER_COUNT] = { false };

	for (size_t i = 0; i < filter->count; i++) {
		const struct condition *condition = &filter->conditions[i];
		bool is_label =
			condition->key == FILTER_LABEL || condition->key == FILTER_NOT_LABEL;
		struct store *store;
		if (is_label) {
			int r = engine_store(engine, &store, err);
			if (r >= 0)
				r = image_load_config(store, image, err);
			if (r < 0) { /* it has no labels then, and hides no others */
				log_warn("%s; see 'davit system check'", err->text);
				return 0;
			}
		}
		bool holds = condition_holds(condition, image);
		if (is_label && !holds)
			return 0;
		is_asked[condition->key] = true;
		is_met[condition->key] |= holds;
	}
	for (size_t key = 0; key < FILTER_COUNT; key++)
		if (is_asked[key] && !is_met[key])
			return 0;
	return 1;
}
