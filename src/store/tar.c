/* The tar reader; tar-pax.c and tar-sparse.c read two things that may stand in front of an entry's data. One entry is at
 * most: global pax header, pax header, GNU long name, GNU long link (each a header block and data, in any order, any
 * number of times), the header itself, GNU sparse continuation blocks, data, padding to 512 bytes. Everything before the
 * data is metadata and bounded by METADATA_MAX, as Go bounds it. The archive ends with two zero blocks or with the stream,
 * but never inside an entry. */
#include "store/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "store/tar-internal.h"

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

int tar_bad(const struct tar_reader *reader, struct err *err, const char *what)
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
			return done == 0 ? 0 : tar_bad(reader, err, "it ends within a block");
		size_t n = reader->piece_size < size - done ? reader->piece_size : size - done;
		memcpy((char *)data + done, reader->piece, n);
		take(reader, n);
		done += n;
	}
	return 1;
}

int tar_read_block(struct tar_reader *reader, uint8_t block[BLOCK], struct err *err)
{
	int r = read_exact(reader, block, BLOCK, err);

	return r == 0 ? tar_bad(reader, err, "it ends within an entry") : r;
}

static int skip(struct tar_reader *reader, uint64_t size, struct err *err)
{
	while (size > 0) {
		int r = fill(reader, err);
		if (r < 0)
			return r;
		if (r == 0)
			return tar_bad(reader, err, "it ends within the data of an entry");
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

int tar_parse_number(const uint8_t *field, size_t size, int64_t *ret_value)
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
	if (tar_parse_number(header + AT_CHECKSUM, 8, &claimed) < 0)
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
		return tar_bad(reader, err, "the metadata of an entry is too large");
	strbuf_reset(&reader->metadata);
	strbuf_reserve(&reader->metadata, (size_t)size);
	for (uint64_t left = size; left > 0;) {
		int r = fill(reader, err);
		if (r < 0)
			return r;
		if (r == 0)
			return tar_bad(reader, err, "it ends within the metadata of an entry");
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
		     tar_parse_number(header + AT_GNU_ATIME, 12, &number) < 0) ||
		    (header[AT_GNU_CTIME] &&
		     tar_parse_number(header + AT_GNU_CTIME, 12, &number) < 0))
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

/* ---- entries ---- */

static int parse_ids_and_time(struct tar_reader *reader, const uint8_t header[BLOCK],
			      struct err *err)
{
	const struct pax *local = &reader->local, *global = &reader->global;
	struct tar_entry *entry = &reader->entry;
	int64_t uid = 0, gid = 0, mode = 0, mtime = 0, major = 0, minor = 0;

	if (tar_parse_number(header + AT_MODE, 8, &mode) < 0 ||
	    tar_parse_number(header + AT_UID, 8, &uid) < 0 ||
	    tar_parse_number(header + AT_GID, 8, &gid) < 0 ||
	    tar_parse_number(header + AT_MTIME, 12, &mtime) < 0)
		return tar_bad(reader, err, "a header has a bad number");
	if ((entry->type == TAR_CHAR_DEVICE || entry->type == TAR_BLOCK_DEVICE) &&
	    (tar_parse_number(header + AT_MAJOR, 8, &major) < 0 ||
	     tar_parse_number(header + AT_MINOR, 8, &minor) < 0 || major < 0 || minor < 0 ||
	     major > UINT32_MAX || minor > UINT32_MAX))
		return tar_bad(reader, err, "a header has a bad device number");

	if ((local->set | global->set) & PAX_UID)
		uid = (int64_t)(local->set & PAX_UID ? local->uid : global->uid);
	if ((local->set | global->set) & PAX_GID)
		gid = (int64_t)(local->set & PAX_GID ? local->gid : global->gid);
	/* The last ID means "leave it" to chown(2). */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return tar_bad(reader, err, "an owner ID is out of range");

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
		return tar_bad(reader, err, "a name holds a NUL");

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
		return tar_bad(reader, err, "a file is too large");
	reader->stored_left = size;
	reader->padding = (unsigned)(-size & (BLOCK - 1));
	entry->size = size;
	if (entry->type == TAR_FILE) {
		r = tar_read_sparse(reader, header, err);
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
		return tar_bad(reader, err, "a lone zero block stands between entries");
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
		r = tar_parse_pax(reader, pax, err);
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
				return tar_bad(reader, err, "it ends within an entry");
			reader->at_end = true;
			return 0;
		}
		if (is_zero_block(header))
			return inside ? tar_bad(reader, err, "it ends within an entry")
				      : read_end(reader, err);
		if (!checksum_is_right(header))
			return tar_bad(reader, err,
				       reader->position == BLOCK ? "this is no tar archive"
								 : "a header has a wrong checksum");
		if (tar_parse_number(header + AT_SIZE, 12, &size) < 0 || size < 0)
			return tar_bad(reader, err, "a header has a bad size");
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
			return tar_bad(reader, err, "the metadata of an entry is too large");
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
		return tar_bad(reader, err, "it ends within the data of an entry");
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
