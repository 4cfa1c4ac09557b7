/* The tar reader: every byte it hands out is touched, every promise of its header checked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	const uint8_t *data;
	size_t size, at, step;
};

static ssize_t next_piece(void *arg, const void **ret_data, struct err *err)
{
	struct pieces *pieces = arg;
	size_t left = pieces->size - pieces->at;
	size_t n = left < pieces->step ? left : pieces->step;

	(void)err;
	*ret_data = pieces->data + pieces->at;
	pieces->at += n;
	return (ssize_t)n;
}

/* What looks like a header gets a right checksum: no fuzzer would guess one. */
static void fix_checksums(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 512 <= size; at += 512) {
		uint8_t *header = data + at;
		unsigned sum = 0;
		if (memcmp(header + 257, "ustar", 5) != 0)
			continue;
		memset(header + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += header[i];
		for (int i = 5; i >= 0; i--, sum >>= 3)
			header[148 + i] = (uint8_t)('0' + (sum & 7));
		header[154] = '\0';
	}
}

static volatile size_t seen;

static void check_data(struct tar_reader *reader, const struct tar_entry *entry)
{
	const void *data;
	uint64_t offset, end = 0;
	struct err err;
	ssize_t n;

	while ((n = tar_reader_data(reader, &data, &offset, &err)) > 0) {
		if (offset < end || offset > entry->size || (uint64_t)n > entry->size - offset)
			abort();
		end = offset + (uint64_t)n;
		for (ssize_t i = 0; i < n; i++)
			seen += ((const uint8_t *)data)[i];
	}
	if (n == 0 && !entry->extents && end != entry->size)
		abort();
}

static void check_entry(const struct tar_entry *entry)
{
	seen += strlen(entry->path) + strlen(entry->link);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		seen += strlen(entry->xattrs[i].name);
		for (size_t j = 0; j < entry->xattrs[i].size; j++)
			seen += ((const uint8_t *)entry->xattrs[i].value)[j];
	}
	if (entry->mode & ~07777u || entry->uid == UINT32_MAX || entry->gid == UINT32_MAX ||
	    entry->mtime.tv_nsec < 0 || entry->mtime.tv_nsec >= 1000000000 ||
	    (entry->type != TAR_FILE && entry->size != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint8_t *copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	fix_checksums(copy, size - 1);

	/* The first byte chooses how; an odd one also leaves data unread. */
	struct pieces pieces = { copy, size - 1, 0, data[0] & 0x80 ? 7 : 4096 };
	struct tar_source source = { next_piece, &pieces };
	struct tar_reader *reader =
		tar_reader_new(&source, data[0] & 2 ? TAR_READER_IGNORE_GLOBALS : 0);
	const struct tar_entry *entry;
	struct err err = { 0 };
	int r;
	while ((r = tar_reader_next(reader, &entry, &err)) > 0) {
		check_entry(entry);
		if (!(data[0] & 1))
			check_data(reader, entry);
	}
	if (r == 0)
		r = tar_reader_drain(reader, &err);
	if (r < 0 && (err.code != -r || !err.text[0]))
		abort();
	tar_reader_free(reader);
	free(copy);
	return 0;
}
