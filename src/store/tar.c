/* The tar reader. One entry is at most: global pax header, pax header, GNU long name, GNU long
 * link (each a header block and data, in any order, any number of times), the header itself, GNU
 * sparse continuation blocks, data, padding to 512 bytes. Everything before the data is metadata
 * and bounded by METADATA_MAX, as Go bounds it. The archive ends with two zero blocks or with the
 * stream, but never inside an entry. */
#include "store/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define BLOCK	     512
#define METADATA_MAX (1 << 20)

/* Byte ranges of a header block. */
#define AT_NAME	    0
#define AT_MODE	    100
#define AT_UID	    108
#define AT_GID	    116
#define AT_SIZE	    124
#define AT_MTIME    136
#define AT_CHECKSUM 148
#define AT_TYPE	    156
#define AT_LINK	    157
#define AT_MAGIC    257
#define AT_MAJOR    329
#define AT_MINOR    337
#define AT_PREFIX   345
#define AT_TRAILER  508
/* GNU's use of the same bytes. */
#define AT_GNU_ATIME	345
#define AT_GNU_CTIME	357
#define AT_GNU_SPARSE	386
#define AT_GNU_EXTENDED 482
#define AT_GNU_REALSIZE 483

enum pax_set {
	PAX_PATH = 1 << 0,
	PAX_LINK = 1 << 1,
	PAX_SIZE = 1 << 2,
	PAX_UID = 1 << 3,
	PAX_GID = 1 << 4,
	PAX_MTIME = 1 << 5,
	PAX_SPARSE = 1 << 6, /* any record of GNU.sparse.* that makes a file sparse */
	PAX_SPARSE_NAME = 1 << 7,
	PAX_SPARSE_SIZE = 1 << 8,
};

struct pax {
	unsigned set;
	struct strbuf path, link, sparse_name;
	uint64_t size, uid, gid, sparse_size;
	uint64_t sparse_major, sparse_minor;
	struct timespec mtime;
};

struct tar_reader {
	struct tar_source source;
	enum tar_reader_flags flags;
	const uint8_t *piece; /* the rest of what the source gave last */
	size_t piece_size;
	uint64_t position; /* bytes taken so far: names the place of an error */
	bool at_end;

	struct pax global, local;
	struct strbuf path, link, metadata;
	struct strbuf xattr_bytes; /* name NUL value, for each of `xattrs` */
	struct tar_xattr *xattrs;
	size_t xattr_count, xattr_capacity;
	struct tar_extent *extents;
	size_t extent_count, extent_capacity;
	bool extent_is_open; /* a GNU.sparse.offset waits for its numbytes */

	struct tar_entry entry;
	uint64_t stored_left; /* data bytes of the entry that were not handed out yet */
	unsigned padding;     /* behind them */
	size_t extent_index;
	uint64_t extent_done;
};

static void pax_clear(struct pax *pax)
{
	strbuf_clear(&pax->path);
	strbuf_clear(&pax->link);
	strbuf_clear(&pax->sparse_name);
}

struct tar_reader *tar_reader_new(const struct tar_source *source, enum tar_reader_flags flags)
{
	struct tar_reader *reader = xcalloc(1, sizeof(*reader));

	reader->source = *source;
	reader->flags = flags;
	return reader;
}

void tar_reader_free(struct tar_reader *reader)
{
	if (!reader)
		return;
	pax_clear(&reader->global);
	pax_clear(&reader->local);
	strbuf_clear(&reader->path);
	strbuf_clear(&reader->link);
	strbuf_clear(&reader->metadata);
	strbuf_clear(&reader->xattr_bytes);
	free(reader->xattrs);
	free(reader->extents);
	free(reader);
}

static int bad(const struct tar_reader *reader, struct err *err, const char *what)
{
	return err_set(err, EBADMSG, "bad tar archive: %s near byte %" PRIu64, what,
		       reader->position);
}

/* ---- bytes ---- */

/* Have at least one byte in `piece`. Returns 1, 0 at the end, -errno. */
static int fill(struct tar_reader *reader, struct err *err)
{
	const void *data = NULL;

	if (reader->piece_size > 0)
		return 1;
	ssize_t n = reader->source.next(reader->source.arg, &data, err);
	if (n <= 0)
		return (int)n;
	reader->piece = data;
	reader->piece_size = (size_t)n;
	return 1;
}

static void take(struct tar_reader *reader, size_t size)
{
	reader->piece += size;
	reader->piece_size -= size;
	reader->position += size;
}

/* Copy `size` bytes out. Returns 1, 0 if the stream ends before the first of them. */
static int read_exact(struct tar_reader *reader, void *data, size_t size, struct err *err)
{
	for (size_t done = 0; done < size;) {
		int r = fill(reader, err);
		if (r < 0)
			return r;
		if (r == 0)
			return done == 0 ? 0 : bad(reader, err, "it ends within a block");
		size_t n = reader->piece_size < size - done ? reader->piece_size : size - done;
		memcpy((char *)data + done, reader->piece, n);
		take(reader, n);
		done += n;
	}
	return 1;
}

static int read_block(struct tar_reader *reader, uint8_t block[BLOCK], struct err *err)
{
	int r = read_exact(reader, block, BLOCK, err);

	return r == 0 ? bad(reader, err, "it ends within an entry") : r;
}

static int skip(struct tar_reader *reader, uint64_t size, struct err *err)
{
	while (size > 0) {
		int r = fill(reader, err);
		if (r < 0)
			return r;
		if (r == 0)
			return bad(reader, err, "it ends within the data of an entry");
		size_t n = reader->piece_size < size ? reader->piece_size : (size_t)size;
		take(reader, n);
		size -= n;
	}
	return 0;
}

/* ---- numbers ---- */

static int parse_base256(const uint8_t *field, size_t size, int64_t *ret_value)
{
	uint8_t invert = field[0] & 0x40 ? 0xff : 0;
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++) {
		uint8_t c = field[i] ^ invert;
		if (i == 0)
			c &= 0x7f;
		if (value >> 55)
			return -EOVERFLOW;
		value = value << 8 | c;
	}
	*ret_value = invert ? -(int64_t)value - 1 : (int64_t)value;
	return 0;
}

/* Octal with spaces or NULs around it, or base-256. An empty field is 0. */
static int parse_number(const uint8_t *field, size_t size, int64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	if (field[0] & 0x80)
		return parse_base256(field, size, ret_value);
	while (i < size && (field[i] == ' ' || field[i] == '\0'))
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 60)
			return -EOVERFLOW;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	if (i < size && field[i] != ' ' && field[i] != '\0')
		return -EINVAL;
	*ret_value = (int64_t)value;
	return 0;
}

/* All of the text is one decimal number below 2^63. */
static int parse_decimal(const char *text, size_t size, uint64_t *ret_value)
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

	if (parse_decimal(at, (size_t)((point ? point : end) - at), &seconds) < 0)
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

/* ---- pax records ---- */

static void add_extent(struct tar_reader *reader, uint64_t offset, uint64_t size)
{
	if (reader->extent_count == reader->extent_capacity) {
		reader->extent_capacity =
			reader->extent_capacity ? 2 * reader->extent_capacity : 64;
		reader->extents = xreallocarray(reader->extents, reader->extent_capacity,
						sizeof(*reader->extents));
	}
	reader->extents[reader->extent_count++] = (struct tar_extent){ offset, size };
}

static int parse_sparse_map(struct tar_reader *reader, const char *text, size_t size)
{
	const char *end = text + size;
	uint64_t pair[2];

	reader->extent_count = 0;
	for (int i = 0; text < end; i ^= 1) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		if (parse_decimal(text, (size_t)((comma ? comma : end) - text), &pair[i]) < 0)
			return -EINVAL;
		if (i == 1)
			add_extent(reader, pair[0], pair[1]);
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
	if (parse_decimal(value, size, &number) < 0)
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
		add_extent(reader, number, 0);
		reader->extent_is_open = true;
	} else if (!strcmp(key, "numbytes")) {
		if (!reader->extent_is_open)
			return -EINVAL;
		reader->extents[reader->extent_count - 1].size = number;
		reader->extent_is_open = false;
	}
	return 0;
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
	return parse_decimal(value, size, number);
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

/* Records are "LENGTH KEY=VALUE\n", the length counting all of it. Keys lose their "=" in place. */
static int parse_pax(struct tar_reader *reader, struct pax *pax, struct err *err)
{
	char *at = reader->metadata.data, *end = at + reader->metadata.size;

	while (at < end) {
		uint64_t length = 0;
		char *space = memchr(at, ' ', (size_t)(end - at));
		if (!space || parse_decimal(at, (size_t)(space - at), &length) < 0 ||
		    length > (size_t)(end - at) || length < (size_t)(space - at) + 4 ||
		    at[length - 1] != '\n')
			return bad(reader, err, "a pax record has a wrong length");
		char *key = space + 1, *last = at + length - 1;
		char *equals = memchr(key, '=', (size_t)(last - key));
		if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
			return bad(reader, err, "a pax record has no key");
		*equals = '\0';
		if (pax_record(reader, pax, key, equals + 1, (size_t)(last - equals - 1)) < 0)
			return bad(reader, err, "a pax record has a bad value");
		at += length;
	}
	if (reader->extent_is_open)
		return bad(reader, err, "a sparse map is incomplete");
	return 0;
}

/* ---- headers ---- */

static bool checksum_is_right(const uint8_t header[BLOCK])
{
	int64_t claimed = 0;
	/* The field itself counts as spaces. Some old writers summed signed characters. */
	int64_t sum = 8 * ' ', signed_sum = 8 * ' ';

	for (int i = 0; i < BLOCK; i++) {
		if (i >= AT_CHECKSUM && i < AT_CHECKSUM + 8)
			continue;
		sum += header[i];
		signed_sum += (int8_t)header[i];
	}
	if (parse_number(header + AT_CHECKSUM, 8, &claimed) < 0)
		return false;
	return claimed == sum || claimed == signed_sum;
}

static bool is_zero_block(const uint8_t block[BLOCK])
{
	return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

static void set_field_text(struct strbuf *text, const uint8_t *field, size_t size)
{
	strbuf_reset(text);
	strbuf_add(text, field, strnlen((const char *)field, size));
}

/* The data of a metadata entry, into reader->metadata. */
static int read_metadata(struct tar_reader *reader, uint64_t size, struct err *err)
{
	if (size > METADATA_MAX)
		return bad(reader, err, "the metadata of an entry is too large");
	strbuf_reset(&reader->metadata);
	strbuf_reserve(&reader->metadata, (size_t)size);
	for (uint64_t left = size; left > 0;) {
		int r = fill(reader, err);
		if (r < 0)
			return r;
		if (r == 0)
			return bad(reader, err, "it ends within the metadata of an entry");
		size_t n = reader->piece_size < left ? reader->piece_size : (size_t)left;
		strbuf_add(&reader->metadata, reader->piece, n);
		take(reader, n);
		left -= n;
	}
	return skip(reader, -size & (BLOCK - 1), err);
}

/* The path of the header itself: name, and prefix where this format has one. */
static void header_path(struct strbuf *path, const uint8_t header[BLOCK])
{
	size_t prefix_size = 0;
	int64_t number;

	if (!memcmp(header + AT_MAGIC, "ustar\0", 6)) {
		prefix_size = memcmp(header + AT_TRAILER, "tar\0", 4) ? 155 : 131;
	} else if (!memcmp(header + AT_MAGIC, "ustar  \0", 8)) {
		/* GNU has times there. Go before 1.8 wrote prefixes all the same. */
		if ((header[AT_GNU_ATIME] &&
		     parse_number(header + AT_GNU_ATIME, 12, &number) < 0) ||
		    (header[AT_GNU_CTIME] && parse_number(header + AT_GNU_CTIME, 12, &number) < 0))
			prefix_size = 155;
	}
	strbuf_reset(path);
	if (prefix_size && header[AT_PREFIX]) {
		set_field_text(path, header + AT_PREFIX, prefix_size);
		strbuf_addc(path, '/');
	}
	strbuf_add(path, header + AT_NAME, strnlen((const char *)header + AT_NAME, 100));
}

static int map_type(struct tar_reader *reader, const uint8_t header[BLOCK], enum tar_type *ret_type,
		    struct err *err)
{
	const struct strbuf *path = &reader->path;

	switch (header[AT_TYPE]) {
	case '\0': /* before POSIX, directories were files with a slash */
		*ret_type = path->size > 0 && path->data[path->size - 1] == '/' ? TAR_DIRECTORY
										: TAR_FILE;
		return 0;
	case '0':
	case '7':
	case 'S':
		*ret_type = TAR_FILE;
		return 0;
	case '1':
		*ret_type = TAR_HARD_LINK;
		return 0;
	case '2':
		*ret_type = TAR_SYMLINK;
		return 0;
	case '3':
		*ret_type = TAR_CHAR_DEVICE;
		return 0;
	case '4':
		*ret_type = TAR_BLOCK_DEVICE;
		return 0;
	case '5':
		*ret_type = TAR_DIRECTORY;
		return 0;
	case '6':
		*ret_type = TAR_FIFO;
		return 0;
	}
	return err_set(err, EBADMSG, "bad tar archive: '%s' has the unknown type 0x%02x",
		       strbuf_text(path), header[AT_TYPE]);
}

/* ---- sparse files ---- */

static int add_gnu_extents(struct tar_reader *reader, const uint8_t *at, int count, bool *ret_ended)
{
	*ret_ended = false;
	for (int i = 0; i < count; i++, at += 24) {
		int64_t offset = 0, size = 0;
		if (at[0] == 0) {
			*ret_ended = true;
			return 0;
		}
		if (parse_number(at, 12, &offset) < 0 || parse_number(at + 12, 12, &size) < 0 ||
		    offset < 0 || size < 0)
			return -EINVAL;
		add_extent(reader, (uint64_t)offset, (uint64_t)size);
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

	if (parse_number(header + AT_GNU_REALSIZE, 12, &size) < 0 || size < 0 ||
	    add_gnu_extents(reader, header + AT_GNU_SPARSE, 4, &ended) < 0)
		return bad(reader, err, "a sparse map is wrong");
	for (int blocks = 0; more; blocks++) {
		if (blocks == METADATA_MAX / BLOCK)
			return bad(reader, err, "a sparse map is too large");
		int r = read_block(reader, block, err);
		if (r < 0)
			return r;
		if (!ended && add_gnu_extents(reader, block, 21, &ended) < 0)
			return bad(reader, err, "a sparse map is wrong");
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
				return bad(reader, err, "a sparse map is too large");
			if (reader->stored_left < BLOCK)
				return bad(reader, err, "a sparse map is incomplete");
			int r = read_block(reader, lines->block, err);
			if (r < 0)
				return r;
			reader->stored_left -= BLOCK;
			lines->used = 0;
		}
		char c = (char)lines->block[lines->used++];
		if (c == '\n') {
			if (parse_decimal(text, size, ret_number) < 0)
				return bad(reader, err, "a sparse map is wrong");
			return 0;
		}
		if (size == sizeof(text))
			return bad(reader, err, "a sparse map is wrong");
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
			add_extent(reader, offset, size);
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
			return bad(reader, err, "a sparse map does not fit its file");
		end = extent->offset + extent->size;
		sum += extent->size;
	}
	if (sum != reader->stored_left)
		return bad(reader, err, "a sparse map does not fit its data");
	return 0;
}

static int read_sparse(struct tar_reader *reader, const uint8_t header[BLOCK], struct err *err)
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
			return bad(reader, err, "a sparse file has no size");
		size = pax->sparse_size;
		if (pax->sparse_major == 1 && pax->sparse_minor == 0)
			r = read_pax_sparse_1_0(reader, err);
		else if (pax->sparse_major == 0 && pax->sparse_minor <= 1)
			r = 0;
		else
			return bad(reader, err, "a sparse file has an unknown version");
		if (r < 0)
			return r;
	} else {
		return 0;
	}
	if (size > INT64_MAX)
		return bad(reader, err, "a sparse file is too large");
	r = check_extents(reader, size, err);
	if (r < 0)
		return r;
	reader->entry.size = size;
	if (reader->extent_count == 0) /* all hole; say so by an empty extent */
		add_extent(reader, size, 0);
	reader->entry.extents = reader->extents;
	reader->entry.extent_count = reader->extent_count;
	return 0;
}

/* ---- entries ---- */

static int parse_ids_and_time(struct tar_reader *reader, const uint8_t header[BLOCK],
			      struct err *err)
{
	const struct pax *local = &reader->local, *global = &reader->global;
	struct tar_entry *entry = &reader->entry;
	int64_t uid = 0, gid = 0, mode = 0, mtime = 0, major = 0, minor = 0;

	if (parse_number(header + AT_MODE, 8, &mode) < 0 ||
	    parse_number(header + AT_UID, 8, &uid) < 0 ||
	    parse_number(header + AT_GID, 8, &gid) < 0 ||
	    parse_number(header + AT_MTIME, 12, &mtime) < 0)
		return bad(reader, err, "a header has a bad number");
	if ((entry->type == TAR_CHAR_DEVICE || entry->type == TAR_BLOCK_DEVICE) &&
	    (parse_number(header + AT_MAJOR, 8, &major) < 0 ||
	     parse_number(header + AT_MINOR, 8, &minor) < 0 || major < 0 || minor < 0 ||
	     major > UINT32_MAX || minor > UINT32_MAX))
		return bad(reader, err, "a header has a bad device number");

	if ((local->set | global->set) & PAX_UID)
		uid = (int64_t)(local->set & PAX_UID ? local->uid : global->uid);
	if ((local->set | global->set) & PAX_GID)
		gid = (int64_t)(local->set & PAX_GID ? local->gid : global->gid);
	/* The last ID means "leave it" to chown(2). */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return bad(reader, err, "an owner ID is out of range");

	entry->mode = (mode_t)mode & 07777;
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	entry->device_major = (unsigned)major;
	entry->device_minor = (unsigned)minor;
	entry->mtime = (struct timespec){ .tv_sec = (time_t)mtime };
	if ((local->set | global->set) & PAX_MTIME)
		entry->mtime = local->set & PAX_MTIME ? local->mtime : global->mtime;
	return 0;
}

static void point_xattrs(struct tar_reader *reader)
{
	const char *at = strbuf_text(&reader->xattr_bytes);

	for (size_t i = 0; i < reader->xattr_count; i++) {
		struct tar_xattr *xattr = &reader->xattrs[i];
		xattr->name = at;
		xattr->value = at + strlen(at) + 1;
		at = (const char *)xattr->value + xattr->size;
	}
	reader->entry.xattrs = reader->xattr_count ? reader->xattrs : NULL;
	reader->entry.xattr_count = reader->xattr_count;
}

/* The header of the entry itself, after all that was said about it in front. */
static int finish_entry(struct tar_reader *reader, const uint8_t header[BLOCK], uint64_t size,
			bool has_gnu_path, bool has_gnu_link, struct err *err)
{
	const struct pax *local = &reader->local, *global = &reader->global;
	struct tar_entry *entry = &reader->entry;

	if (!has_gnu_path)
		header_path(&reader->path, header);
	if (!has_gnu_link)
		set_field_text(&reader->link, header + AT_LINK, 100);
	const struct strbuf *path = local->set & PAX_PATH    ? &local->path
				    : global->set & PAX_PATH ? &global->path
							     : &reader->path;
	const struct strbuf *link = local->set & PAX_LINK    ? &local->link
				    : global->set & PAX_LINK ? &global->link
							     : &reader->link;
	if (local->set & PAX_SPARSE_NAME)
		path = &local->sparse_name;
	if (path != &reader->path) {
		strbuf_reset(&reader->path);
		strbuf_add(&reader->path, path->data, path->size);
	}
	if (memchr(strbuf_text(&reader->path), '\0', reader->path.size))
		return bad(reader, err, "a name holds a NUL");

	int r = map_type(reader, header, &entry->type, err);
	if (r >= 0)
		r = parse_ids_and_time(reader, header, err);
	if (r < 0)
		return r;
	entry->path = strbuf_text(&reader->path);
	bool is_link = entry->type == TAR_HARD_LINK || entry->type == TAR_SYMLINK;
	entry->link = is_link ? strbuf_text(link) : "";

	/* Links, devices and directories have no data, whatever their size says: old writers put
	 * the size of a link's target there. */
	if ((local->set | global->set) & PAX_SIZE)
		size = local->set & PAX_SIZE ? local->size : global->size;
	if (entry->type != TAR_FILE)
		size = 0;
	if (size > INT64_MAX - BLOCK)
		return bad(reader, err, "a file is too large");
	reader->stored_left = size;
	reader->padding = (unsigned)(-size & (BLOCK - 1));
	entry->size = size;
	if (entry->type == TAR_FILE) {
		r = read_sparse(reader, header, err);
		if (r < 0)
			return r;
	}
	point_xattrs(reader);
	return 1;
}

static void begin_entry(struct tar_reader *reader)
{
	reader->local.set = 0;
	reader->local.sparse_major = reader->local.sparse_minor = 0;
	strbuf_reset(&reader->xattr_bytes);
	reader->xattr_count = 0;
	reader->extent_count = reader->extent_index = 0;
	reader->extent_done = 0;
	reader->extent_is_open = false;
	reader->entry = (struct tar_entry){ .path = "", .link = "" };
}

/* Two zero blocks, or one and the end of the stream, are the end of the archive. */
static int read_end(struct tar_reader *reader, struct err *err)
{
	uint8_t block[BLOCK];
	int r = read_exact(reader, block, BLOCK, err);

	if (r < 0)
		return r;
	if (r > 0 && !is_zero_block(block))
		return bad(reader, err, "a lone zero block stands between entries");
	reader->at_end = true;
	return 0;
}

/* What is said about the entry in front of its own header. Returns 1 if that was such a thing. */
static int read_prologue(struct tar_reader *reader, uint8_t type, uint64_t size, bool *has_path,
			 bool *has_link, struct err *err)
{
	struct pax *pax = NULL;
	int r;

	switch (type) {
	case 'x':
		pax = &reader->local;
		break;
	case 'g':
		pax = &reader->global;
		break;
	case 'L':
	case 'K':
		break;
	case 'V': /* the label of a GNU volume */
		r = skip(reader, size, err);
		if (r >= 0)
			r = skip(reader, -size & (BLOCK - 1), err);
		return r < 0 ? r : 1;
	default:
		return 0;
	}
	r = read_metadata(reader, size, err);
	if (r < 0)
		return r;
	if (pax) {
		unsigned keep = pax->set;
		r = parse_pax(reader, pax, err);
		if (type == 'g' && (reader->flags & TAR_READER_IGNORE_GLOBALS))
			pax->set = keep;
	} else {
		struct strbuf *text = type == 'L' ? &reader->path : &reader->link;
		set_field_text(text, (const uint8_t *)strbuf_text(&reader->metadata),
			       reader->metadata.size);
		*(type == 'L' ? has_path : has_link) = true;
	}
	return r < 0 ? r : 1;
}

int tar_reader_next(struct tar_reader *reader, const struct tar_entry **ret_entry, struct err *err)
{
	bool has_path = false, has_link = false, inside = false;
	uint8_t header[BLOCK];
	uint64_t metadata_bytes = 0;
	int64_t size = 0;

	if (reader->at_end)
		return 0;
	int r = skip(reader, reader->stored_left, err);
	if (r >= 0)
		r = skip(reader, reader->padding, err);
	if (r < 0)
		return r;
	reader->stored_left = reader->padding = 0;
	begin_entry(reader);
	for (;;) {
		r = read_exact(reader, header, BLOCK, err);
		if (r < 0)
			return r;
		if (r == 0) {
			if (inside)
				return bad(reader, err, "it ends within an entry");
			reader->at_end = true;
			return 0;
		}
		if (is_zero_block(header))
			return inside ? bad(reader, err, "it ends within an entry")
				      : read_end(reader, err);
		if (!checksum_is_right(header))
			return bad(reader, err,
				   reader->position == BLOCK ? "this is no tar header"
							     : "a header has a wrong checksum");
		if (parse_number(header + AT_SIZE, 12, &size) < 0 || size < 0)
			return bad(reader, err, "a header has a bad size");
		r = read_prologue(reader, header[AT_TYPE], (uint64_t)size, &has_path, &has_link,
				  err);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		/* Any number of prologues may be repeated for one entry; together they are bounded
		 * too. A global header and a label stand alone. */
		inside = header[AT_TYPE] != 'g' && header[AT_TYPE] != 'V';
		metadata_bytes += BLOCK + (uint64_t)size;
		if (header[AT_TYPE] != 'V' && metadata_bytes > 4 * METADATA_MAX)
			return bad(reader, err, "the metadata of an entry is too large");
	}
	r = finish_entry(reader, header, (uint64_t)size, has_path, has_link, err);
	if (r > 0)
		*ret_entry = &reader->entry;
	return r;
}

ssize_t tar_reader_data(struct tar_reader *reader, const void **ret_data, uint64_t *ret_offset,
			struct err *err)
{
	const struct tar_entry *entry = &reader->entry;
	uint64_t limit = reader->stored_left;
	uint64_t offset = entry->size - reader->stored_left;

	if (reader->stored_left == 0)
		return 0;
	if (entry->extents) {
		/* The sizes add up to what is stored, so there is an extent with bytes left. */
		while (reader->extent_done == entry->extents[reader->extent_index].size) {
			reader->extent_index++;
			reader->extent_done = 0;
		}
		const struct tar_extent *extent = &entry->extents[reader->extent_index];
		offset = extent->offset + reader->extent_done;
		limit = extent->size - reader->extent_done;
	}
	int r = fill(reader, err);
	if (r < 0)
		return r;
	if (r == 0)
		return bad(reader, err, "it ends within the data of an entry");
	size_t n = reader->piece_size < limit ? reader->piece_size : (size_t)limit;
	*ret_data = reader->piece;
	*ret_offset = offset;
	take(reader, n);
	reader->stored_left -= n;
	reader->extent_done += n;
	return (ssize_t)n;
}

int tar_reader_drain(struct tar_reader *reader, struct err *err)
{
	for (;;) {
		int r = fill(reader, err);
		if (r <= 0)
			return r;
		take(reader, reader->piece_size);
	}
}

/* ---- archives in a descriptor ---- */

struct tar_fd_source {
	int fd;
	uint8_t data[256 << 10];
};

static ssize_t fd_source_next(void *arg, const void **ret_data, struct err *err)
{
	struct tar_fd_source *source = arg;

	for (;;) {
		ssize_t n = read(source->fd, source->data, sizeof(source->data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "read tar archive");
		*ret_data = source->data;
		return n;
	}
}

struct tar_fd_source *tar_fd_source_new(int fd, struct tar_source *ret_source)
{
	struct tar_fd_source *source = xmalloc(sizeof(*source));

	source->fd = fd;
	*ret_source = (struct tar_source){ .next = fd_source_next, .arg = source };
	return source;
}

void tar_fd_source_free(struct tar_fd_source *source)
{
	free(source);
}
