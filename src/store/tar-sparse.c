/* The four ways in which GNU tar has written sparse files: in the header and blocks behind it, in pax records (two of
 * them, which tar-pax.c reads), and as lines in front of the data. */
#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/tar-internal.h"

void tar_add_extent(struct tar_reader *reader, uint64_t offset, uint64_t size)
{
	if (reader->extent_count == reader->extent_capacity) {
		reader->extent_capacity =
			reader->extent_capacity ? 2 * reader->extent_capacity : 64;
		reader->extents = xreallocarray(reader->extents, reader->extent_capacity,
						sizeof(*reader->extents));
	}
	reader->extents[reader->extent_count++] = (struct tar_extent){ offset, size };
}

static int add_gnu_extents(struct tar_reader *reader, const uint8_t *at, int count, bool *ret_ended)
{
	*ret_ended = false;
	for (int i = 0; i < count; i++, at += 24) {
		int64_t offset = 0, size = 0;
		if (at[0] == 0) {
			*ret_ended = true;
			return 0;
		}
		if (tar_parse_number(at, 12, &offset) < 0 ||
		    tar_parse_number(at + 12, 12, &size) < 0 || offset < 0 || size < 0)
			return -EINVAL;
		tar_add_extent(reader, (uint64_t)offset, (uint64_t)size);
	}
	return 0;
}

/* The old GNU form: four extents in the header, 21 in each block that follows. */
static int read_gnu_sparse(struct tar_reader *reader, const uint8_t header[BLOCK],
			   uint64_t *ret_size, struct err *err)
{
	uint8_t block[BLOCK];
	int64_t size = 0;
	bool ended = false, more = header[AT_GNU_EXTENDED] != 0;

	if (tar_parse_number(header + AT_GNU_REALSIZE, 12, &size) < 0 || size < 0 ||
	    add_gnu_extents(reader, header + AT_GNU_SPARSE, 4, &ended) < 0)
		return tar_bad(reader, err, "a sparse map is wrong");
	for (int blocks = 0; more; blocks++) {
		if (blocks == METADATA_MAX / BLOCK)
			return tar_bad(reader, err, "a sparse map is too large");
		int r = tar_read_block(reader, block, err);
		if (r < 0)
			return r;
		if (!ended && add_gnu_extents(reader, block, 21, &ended) < 0)
			return tar_bad(reader, err, "a sparse map is wrong");
		more = block[504] != 0;
	}
	*ret_size = (uint64_t)size;
	return 0;
}

/* Reads the decimal lines of a version 1.0 map, which stands in front of the data. */
struct map_lines {
	uint8_t block[BLOCK];
	size_t used; /* of the block */
	int blocks;
};

static int next_map_number(struct tar_reader *reader, struct map_lines *lines, uint64_t *ret_number,
			   struct err *err)
{
	char text[20];

	for (size_t size = 0;;) {
		if (lines->used == BLOCK) {
			if (++lines->blocks > METADATA_MAX / BLOCK)
				return tar_bad(reader, err, "a sparse map is too large");
			if (reader->stored_left < BLOCK)
				return tar_bad(reader, err, "a sparse map is incomplete");
			int r = tar_read_block(reader, lines->block, err);
			if (r < 0)
				return r;
			reader->stored_left -= BLOCK;
			lines->used = 0;
		}
		char c = (char)lines->block[lines->used++];
		if (c == '\n') {
			if (tar_parse_decimal(text, size, ret_number) < 0)
				return tar_bad(reader, err, "a sparse map is wrong");
			return 0;
		}
		if (size == sizeof(text))
			return tar_bad(reader, err, "a sparse map is wrong");
		text[size++] = c;
	}
}

static int read_pax_sparse_1_0(struct tar_reader *reader, struct err *err)
{
	struct map_lines lines = { .used = BLOCK };
	uint64_t count = 0, offset = 0, size = 0;
	int r = next_map_number(reader, &lines, &count, err);

	reader->extent_count = 0;
	for (uint64_t i = 0; r >= 0 && i < count; i++) {
		r = next_map_number(reader, &lines, &offset, err);
		if (r >= 0)
			r = next_map_number(reader, &lines, &size, err);
		if (r >= 0)
			tar_add_extent(reader, offset, size);
	}
	return r;
}

/* Ascending, inside the file, and together exactly what is stored. */
static int check_extents(struct tar_reader *reader, uint64_t file_size, struct err *err)
{
	uint64_t end = 0, sum = 0;

	for (size_t i = 0; i < reader->extent_count; i++) {
		const struct tar_extent *extent = &reader->extents[i];
		if (extent->offset < end || extent->offset > file_size ||
		    extent->size > file_size - extent->offset)
			return tar_bad(reader, err, "a sparse map does not fit its file");
		end = extent->offset + extent->size;
		sum += extent->size;
	}
	if (sum != reader->stored_left)
		return tar_bad(reader, err, "a sparse map does not fit its data");
	return 0;
}

int tar_read_sparse(struct tar_reader *reader, const uint8_t header[BLOCK], struct err *err)
{
	const struct pax *pax = &reader->local;
	uint64_t size = 0;
	int r;

	if (header[AT_TYPE] == 'S') {
		r = read_gnu_sparse(reader, header, &size, err);
		if (r < 0)
			return r;
	} else if (pax->set & PAX_SPARSE) {
		if (!(pax->set & PAX_SPARSE_SIZE))
			return tar_bad(reader, err, "a sparse file has no size");
		size = pax->sparse_size;
		if (pax->sparse_major == 1 && pax->sparse_minor == 0)
			r = read_pax_sparse_1_0(reader, err);
		else if (pax->sparse_major == 0 && pax->sparse_minor <= 1)
			r = 0;
		else
			return tar_bad(reader, err, "a sparse file has an unknown version");
		if (r < 0)
			return r;
	} else {
		return 0;
	}
	if (size > INT64_MAX)
		return tar_bad(reader, err, "a sparse file is too large");
	r = check_extents(reader, size, err);
	if (r < 0)
		return r;
	reader->entry.size = size;
	if (reader->extent_count == 0) /* all hole; say so by an empty extent */
		tar_add_extent(reader, size, 0);
	reader->entry.extents = reader->extents;
	reader->entry.extent_count = reader->extent_count;
	return 0;
}
