/* Pax records: what tar has learned to say since 1988 about the entry that follows. See pax(1), "pax Header Block". */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/posix-acl.h"
#include "store/tar-internal.h"

int tar_parse_decimal(const char *text, size_t size, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (size == 0)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (value > (INT64_MAX - 9) / 10)
			return -EOVERFLOW;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_value = value;
	return 0;
}

/* "SECONDS[.FRACTION]", maybe negative; digits behind nanoseconds are cut off. */
static int parse_time(const char *text, size_t size, struct timespec *ret_time)
{
	bool negative = size > 0 && text[0] == '-';
	const char *at = text + negative, *end = text + size;
	const char *point = memchr(at, '.', (size_t)(end - at));
	uint64_t seconds = 0;
	long nanoseconds = 0, unit = 100000000;

	if (tar_parse_decimal(at, (size_t)((point ? point : end) - at), &seconds) < 0)
		return -EINVAL;
	for (const char *p = point ? point + 1 : end; p < end; p++, unit /= 10) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		nanoseconds += (*p - '0') * unit;
	}
	ret_time->tv_sec = negative ? -(time_t)seconds : (time_t)seconds;
	ret_time->tv_nsec = nanoseconds;
	if (negative && nanoseconds > 0) {
		ret_time->tv_sec--;
		ret_time->tv_nsec = 1000000000 - nanoseconds;
	}
	return 0;
}

static int parse_sparse_map(struct tar_reader *reader, const char *text, size_t size)
{
	const char *end = text + size;
	uint64_t pair[2];

	reader->extent_count = 0;
	for (int i = 0; text < end; i ^= 1) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		if (tar_parse_decimal(text, (size_t)((comma ? comma : end) - text), &pair[i]) < 0)
			return -EINVAL;
		if (i == 1)
			tar_add_extent(reader, pair[0], pair[1]);
		else if (!comma)
			return -EINVAL; /* an offset without its size */
		text = comma ? comma + 1 : end;
	}
	return 0;
}

static int pax_sparse(struct tar_reader *reader, const char *key, const char *value, size_t size)
{
	struct pax *pax = &reader->local;
	uint64_t number = 0;

	if (!strcmp(key, "name")) {
		strbuf_reset(&pax->sparse_name);
		strbuf_add(&pax->sparse_name, value, size);
		pax->set |= PAX_SPARSE_NAME;
		return 0;
	}
	pax->set |= PAX_SPARSE;
	if (!strcmp(key, "map"))
		return parse_sparse_map(reader, value, size);
	if (tar_parse_decimal(value, size, &number) < 0)
		return -EINVAL;
	if (!strcmp(key, "major")) {
		pax->sparse_major = number;
	} else if (!strcmp(key, "minor")) {
		pax->sparse_minor = number;
	} else if (!strcmp(key, "size") || !strcmp(key, "realsize")) {
		pax->sparse_size = number;
		pax->set |= PAX_SPARSE_SIZE;
	} else if (!strcmp(key, "offset")) {
		if (reader->extent_is_open)
			return -EINVAL;
		tar_add_extent(reader, number, 0);
		reader->extent_is_open = true;
	} else if (!strcmp(key, "numbytes")) {
		if (!reader->extent_is_open)
			return -EINVAL;
		reader->extents[reader->extent_count - 1].size = number;
		reader->extent_is_open = false;
	}
	return 0;
}

bool tar_xattr_is_portable(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       posix_acl_is_name(name);
}

static void add_xattr(struct tar_reader *reader, const char *name, const char *value, size_t size)
{
	/* The buffer may move while it grows; pointers into it are made when all is known. */
	if (reader->xattr_count == reader->xattr_capacity) {
		reader->xattr_capacity = reader->xattr_capacity ? 2 * reader->xattr_capacity : 8;
		reader->xattrs = xreallocarray(reader->xattrs, reader->xattr_capacity,
					       sizeof(*reader->xattrs));
	}
	reader->xattrs[reader->xattr_count++] = (struct tar_xattr){ .size = size };
	strbuf_add(&reader->xattr_bytes, name, strlen(name) + 1);
	strbuf_add(&reader->xattr_bytes, value, size);
}

static int pax_text(struct pax *pax, enum pax_set which, struct strbuf *text, const char *value,
		    size_t size)
{
	if (memchr(value, '\0', size))
		return -EINVAL;
	strbuf_reset(text);
	strbuf_add(text, value, size);
	pax->set |= which;
	return 0;
}

static int pax_number(struct pax *pax, enum pax_set which, uint64_t *number, const char *value,
		      size_t size)
{
	pax->set |= which;
	return tar_parse_decimal(value, size, number);
}

static int pax_record(struct tar_reader *reader, struct pax *pax, const char *key,
		      const char *value, size_t size)
{
	static const char xattr_prefix[] = "SCHILY.xattr.", sparse_prefix[] = "GNU.sparse.";

	if (!strncmp(key, xattr_prefix, sizeof(xattr_prefix) - 1)) {
		if (pax == &reader->local && key[sizeof(xattr_prefix) - 1])
			add_xattr(reader, key + sizeof(xattr_prefix) - 1, value, size);
		return 0;
	}
	if (size == 0) /* POSIX: as if the record were not there; the header's own value counts */
		return 0;
	if (!strncmp(key, sparse_prefix, sizeof(sparse_prefix) - 1))
		return pax == &reader->local
			       ? pax_sparse(reader, key + sizeof(sparse_prefix) - 1, value, size)
			       : 0;
	if (!strcmp(key, "path"))
		return pax_text(pax, PAX_PATH, &pax->path, value, size);
	if (!strcmp(key, "linkpath"))
		return pax_text(pax, PAX_LINK, &pax->link, value, size);
	if (!strcmp(key, "size"))
		return pax_number(pax, PAX_SIZE, &pax->size, value, size);
	if (!strcmp(key, "uid"))
		return pax_number(pax, PAX_UID, &pax->uid, value, size);
	if (!strcmp(key, "gid"))
		return pax_number(pax, PAX_GID, &pax->gid, value, size);
	if (!strcmp(key, "mtime")) {
		pax->set |= PAX_MTIME;
		return parse_time(value, size, &pax->mtime);
	}
	return 0;
}

int tar_parse_pax(struct tar_reader *reader, struct pax *pax, struct err *err)
{
	char *at = reader->metadata.data, *end = at + reader->metadata.size;

	while (at < end) {
		uint64_t length = 0;
		char *space = memchr(at, ' ', (size_t)(end - at));
		if (!space || tar_parse_decimal(at, (size_t)(space - at), &length) < 0 ||
		    length > (size_t)(end - at) || length < (size_t)(space - at) + 4 ||
		    at[length - 1] != '\n')
			return tar_bad(reader, err, "a pax record has a wrong length");
		char *key = space + 1, *last = at + length - 1;
		char *equals = memchr(key, '=', (size_t)(last - key));
		if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
			return tar_bad(reader, err, "a pax record has no key");
		*equals = '\0';
		if (pax_record(reader, pax, key, equals + 1, (size_t)(last - equals - 1)) < 0)
			return tar_bad(reader, err, "a pax record has a bad value");
		at += length;
	}
	if (reader->extent_is_open)
		return tar_bad(reader, err, "a sparse map is incomplete");
	return 0;
}
