/* The tar writer. What fits into ustar is written as ustar; the rest goes into a pax header in
 * front, its records sorted, so that equal entries always give equal bytes. User and group names
 * are left out: numbers are what layers mean. */
#include "store/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define BLOCK	     512
#define ID_MAX	     07777777
#define SIZE_MAX_TAR UINT64_C(077777777777)
#define COPY_SIZE    (256 << 10)

struct record {
	char *key; /* owned */
	const void *value;
	size_t size;
	char *owned; /* what `value` points to, if it was made here */
};

struct tar_writer {
	struct tar_sink sink;
	uint64_t data_left; /* of the current file */
	unsigned padding;
	struct record *records;
	size_t record_count;
	struct strbuf path, pax, map;
	void *buffer; /* for tar_writer_copy(); NULL until it is needed */
};

struct tar_writer *tar_writer_new(const struct tar_sink *sink)
{
	struct tar_writer *writer = xcalloc(1, sizeof(*writer));

	writer->sink = *sink;
	return writer;
}

static void clear_records(struct tar_writer *writer)
{
	for (size_t i = 0; i < writer->record_count; i++) {
		free(writer->records[i].key);
		free(writer->records[i].owned);
	}
	writer->record_count = 0;
}

void tar_writer_free(struct tar_writer *writer)
{
	if (!writer)
		return;
	clear_records(writer);
	free(writer->records);
	strbuf_clear(&writer->path);
	strbuf_clear(&writer->pax);
	strbuf_clear(&writer->map);
	free(writer->buffer);
	free(writer);
}

static int put(struct tar_writer *writer, const void *data, size_t size, struct err *err)
{
	return size ? writer->sink.write(writer->sink.arg, data, size, err) : 0;
}

static int put_padding(struct tar_writer *writer, size_t size, struct err *err)
{
	static const uint8_t zeros[2 * BLOCK];

	return put(writer, zeros, size, err);
}

/* ---- pax ---- */

/* Owns key and `owned`; borrows `value` until the entry was begun. */
static void add_record(struct tar_writer *writer, char *key, const void *value, size_t size,
		       char *owned)
{
	writer->records =
		xreallocarray(writer->records, writer->record_count + 1, sizeof(*writer->records));
	writer->records[writer->record_count++] = (struct record){ key, value, size, owned };
}

static void add_text(struct tar_writer *writer, const char *key, const char *value)
{
	add_record(writer, xstrdup(key), value, strlen(value), NULL);
}

static void add_made_text(struct tar_writer *writer, const char *key, char *value)
{
	add_record(writer, xstrdup(key), value, strlen(value), value);
}

static char *time_text(const struct timespec *time)
{
	int64_t seconds = time->tv_sec;
	long nanoseconds = time->tv_nsec;
	bool negative = seconds < 0;

	/* -1.5 is kept as -2 s + 500000000 ns, but written with its sign in front. */
	if (negative && nanoseconds > 0) {
		seconds++;
		nanoseconds = 1000000000 - nanoseconds;
	}
	uint64_t magnitude = negative ? -(uint64_t)seconds : (uint64_t)seconds;
	char *text = xasprintf("%s%" PRIu64 ".%09ld", negative ? "-" : "", magnitude, nanoseconds);
	size_t size = strlen(text);
	while (text[size - 1] == '0')
		text[--size] = '\0';
	if (text[size - 1] == '.')
		text[--size] = '\0';
	return text;
}

static int compare_records(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->key, ((const struct record *)b)->key);
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static void append_record(struct strbuf *pax, const struct record *record)
{
	size_t rest = strlen(record->key) + record->size + 3, length = rest, digits;

	do {
		digits = (size_t)snprintf(NULL, 0, "%zu", length);
		length = rest + digits;
	} while ((size_t)snprintf(NULL, 0, "%zu", length) != digits);
	strbuf_addf(pax, "%zu %s=", length, record->key);
	strbuf_add(pax, record->value, record->size);
	strbuf_addc(pax, '\n');
}

/* ---- headers ---- */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void put_octal(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
	field[size - 1] = '\0';
}

/* A field that is full has no NUL behind its text. */
static void put_text(char *field, size_t room, const char *text, size_t size)
{
	memcpy(field, text, size < room ? size : room);
}

/* Where to cut a path so that both parts fit; NULL if there is no such place. */
static const char *split_path(const char *path, size_t size)
{
	size_t from = size > 101 ? size - 101 : 1;

	for (size_t i = from; i < size && i <= 155; i++)
		if (path[i] == '/' && i + 1 < size)
			return path + i;
	return NULL;
}

static void finish_header(char header[BLOCK])
{
	unsigned sum = 0;

	memcpy(header + 257, "ustar\00000", 8);
	memset(header + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	put_octal(header + 148, 7, sum);
}

static int put_pax(struct tar_writer *writer, struct err *err)
{
	char header[BLOCK] = { 0 };

	if (writer->record_count == 0)
		return 0;
	qsort(writer->records, writer->record_count, sizeof(*writer->records), compare_records);
	strbuf_reset(&writer->pax);
	for (size_t i = 0; i < writer->record_count; i++)
		append_record(&writer->pax, &writer->records[i]);
	if (writer->pax.size > 1 << 20)
		return err_set(err, E2BIG, "the attributes of '%.200s' are too large for tar",
			       strbuf_text(&writer->path));
	put_text(header, 100, "PaxHeaders.0/entry", 18);
	put_octal(header + 100, 8, 0644);
	put_octal(header + 108, 8, 0);
	put_octal(header + 116, 8, 0);
	put_octal(header + 124, 12, writer->pax.size);
	put_octal(header + 136, 12, 0);
	header[156] = 'x';
	finish_header(header);
	int r = put(writer, header, BLOCK, err);
	if (r >= 0)
		r = put(writer, writer->pax.data, writer->pax.size, err);
	return r < 0 ? r : put_padding(writer, -writer->pax.size & (BLOCK - 1), err);
}

static void set_names(struct tar_writer *writer, char header[BLOCK], const struct tar_entry *entry)
{
	const char *path = strbuf_text(&writer->path);
	size_t size = writer->path.size, link_size = strlen(entry->link);
	const char *slash = size > 100 ? split_path(path, size) : NULL;

	if (is_ascii(path) && size <= 100) {
		put_text(header, 100, path, size);
	} else if (is_ascii(path) && slash) {
		put_text(header + 345, 155, path, (size_t)(slash - path));
		put_text(header, 100, slash + 1, size - (size_t)(slash - path) - 1);
	} else {
		add_text(writer, "path", path);
		put_text(header, 100, path, size); /* for who does not know pax */
	}
	if (link_size > 100 || !is_ascii(entry->link))
		add_text(writer, "linkpath", entry->link);
	put_text(header + 157, 100, entry->link, link_size);
}

static void set_number(struct tar_writer *writer, char *field, size_t field_size, uint64_t value,
		       uint64_t max, const char *key)
{
	if (value > max)
		add_made_text(writer, key, xasprintf("%" PRIu64, value));
	put_octal(field, field_size, value > max ? 0 : value);
}

/* A sparse file in the format 1.0: the map in front of the data, padded, and the real name and size
 * in the pax header. Who does not know it sees a file of a telling name. Returns the size of map and
 * data. See the manual of GNU tar, "Storing Sparse Files". */
static uint64_t set_sparse(struct tar_writer *writer, const struct tar_entry *entry)
{
	uint64_t size = 0;

	strbuf_reset(&writer->map);
	strbuf_addf(&writer->map, "%zu\n", entry->extent_count);
	for (size_t i = 0; i < entry->extent_count; i++) {
		strbuf_addf(&writer->map, "%" PRIu64 "\n%" PRIu64 "\n", entry->extents[i].offset,
			    entry->extents[i].size);
		size += entry->extents[i].size;
	}
	while (writer->map.size % BLOCK)
		strbuf_addc(&writer->map, '\0');
	add_text(writer, "GNU.sparse.major", "1");
	add_text(writer, "GNU.sparse.minor", "0");
	add_made_text(writer, "GNU.sparse.name", xstrdup(strbuf_text(&writer->path)));
	add_made_text(writer, "GNU.sparse.realsize", xasprintf("%" PRIu64, entry->size));
	strbuf_reset(&writer->path);
	strbuf_adds(&writer->path, "GNUSparseFile.0/file");
	return size + writer->map.size;
}

int tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err)
{
	static const char types[] = {
		[TAR_FILE] = '0',	 [TAR_HARD_LINK] = '1',	   [TAR_SYMLINK] = '2',
		[TAR_CHAR_DEVICE] = '3', [TAR_BLOCK_DEVICE] = '4', [TAR_DIRECTORY] = '5',
		[TAR_FIFO] = '6',
	};
	char header[BLOCK] = { 0 };
	uint64_t size = entry->type == TAR_FILE ? entry->size : 0;
	bool is_device = entry->type == TAR_CHAR_DEVICE || entry->type == TAR_BLOCK_DEVICE;

	if (writer->data_left > 0)
		return err_set(err, EINVAL, "a file in the archive lacks data");
	int r = put_padding(writer, writer->padding, err);
	if (r < 0)
		return r;
	writer->padding = 0;
	if (is_device && (entry->device_major > ID_MAX || entry->device_minor > ID_MAX))
		return err_set(err, EOVERFLOW, "the device number of '%.200s' is too large for tar",
			       entry->path);

	clear_records(writer);
	strbuf_reset(&writer->path);
	strbuf_adds(&writer->path, entry->path);
	size_t path_size = writer->path.size;
	if (entry->type == TAR_DIRECTORY &&
	    (path_size == 0 || writer->path.data[path_size - 1] != '/'))
		strbuf_addc(&writer->path, '/');

	bool is_sparse = entry->type == TAR_FILE && entry->extents;
	if (is_sparse)
		size = set_sparse(writer, entry);
	set_names(writer, header, entry);
	put_octal(header + 100, 8, entry->mode & 07777);
	set_number(writer, header + 108, 8, entry->uid, ID_MAX, "uid");
	set_number(writer, header + 116, 8, entry->gid, ID_MAX, "gid");
	set_number(writer, header + 124, 12, size, SIZE_MAX_TAR, "size");
	bool time_fits = entry->mtime.tv_sec >= 0 &&
			 (uint64_t)entry->mtime.tv_sec <= SIZE_MAX_TAR && entry->mtime.tv_nsec == 0;
	if (!time_fits)
		add_made_text(writer, "mtime", time_text(&entry->mtime));
	put_octal(header + 136, 12,
		  entry->mtime.tv_sec >= 0 && (uint64_t)entry->mtime.tv_sec <= SIZE_MAX_TAR
			  ? (uint64_t)entry->mtime.tv_sec
			  : 0);
	header[156] = types[entry->type];
	if (is_device) {
		put_octal(header + 329, 8, entry->device_major);
		put_octal(header + 337, 8, entry->device_minor);
	}
	for (size_t i = 0; i < entry->xattr_count; i++)
		add_record(writer, xasprintf("SCHILY.xattr.%s", entry->xattrs[i].name),
			   entry->xattrs[i].value, entry->xattrs[i].size, NULL);
	finish_header(header);
	r = put_pax(writer, err);
	if (r >= 0)
		r = put(writer, header, BLOCK, err);
	if (r >= 0 && is_sparse)
		r = put(writer, writer->map.data, writer->map.size, err);
	if (r < 0)
		return r;
	writer->data_left = is_sparse ? size - writer->map.size : size;
	writer->padding = (unsigned)(-size & (BLOCK - 1));
	return 0;
}

int tar_writer_data(struct tar_writer *writer, const void *data, size_t size, struct err *err)
{
	if (size > writer->data_left)
		return err_set(err, EINVAL, "a file in the archive has more data than announced");
	writer->data_left -= size;
	return put(writer, data, size, err);
}

static int put_zeros(struct tar_writer *writer, uint64_t size, struct err *err)
{
	int r = 0;

	memset(writer->buffer, 0, COPY_SIZE);
	for (uint64_t n; r >= 0 && size > 0; size -= n) {
		n = size < COPY_SIZE ? size : COPY_SIZE;
		r = put(writer, writer->buffer, (size_t)n, err);
	}
	return r;
}

/* A piece of a file by way of our memory. Returns how much, 0 at its end. */
static ssize_t copy_piece(struct tar_writer *writer, int fd, uint64_t offset, uint64_t size,
			  struct err *err)
{
	ssize_t n;

	do
		n = pread(fd, writer->buffer, size < COPY_SIZE ? (size_t)size : COPY_SIZE,
			  (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "read '%.200s'", strbuf_text(&writer->path));
	int r = put(writer, writer->buffer, (size_t)n, err);
	return r < 0 ? r : n;
}

int tar_writer_copy(struct tar_writer *writer, int fd, uint64_t offset, uint64_t size,
		    uint64_t *ret_missing, struct err *err)
{
	bool by_sink = writer->sink.copy;

	if (size > writer->data_left)
		return err_set(err, EINVAL, "a file in the archive has more data than announced");
	writer->data_left -= size;
	if (!writer->buffer)
		writer->buffer = xmalloc(COPY_SIZE);
	while (size > 0) {
		ssize_t n = by_sink ? writer->sink.copy(writer->sink.arg, fd, offset, size, err)
				    : copy_piece(writer, fd, offset, size, err);
		if (n == -EOPNOTSUPP && by_sink) {
			by_sink = false;
			continue;
		}
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	if (ret_missing)
		*ret_missing = size;
	return put_zeros(writer, size, err);
}

int tar_writer_finish(struct tar_writer *writer, struct err *err)
{
	if (writer->data_left > 0)
		return err_set(err, EINVAL, "a file in the archive lacks data");
	int r = put_padding(writer, writer->padding, err);
	writer->padding = 0;
	return r < 0 ? r : put_padding(writer, 2 * BLOCK, err);
}

int tar_sink_write_fd(void *fd_pointer, const void *data, size_t size, struct err *err)
{
	int r = fd_write_all(*(int *)fd_pointer, data, size);

	if (r < 0) {
		errno = -r;
		return err_errno(err, "write tar archive");
	}
	return 0;
}
