/* What the files of the tar reader share: tar.c, tar-pax.c and tar-sparse.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/strbuf.h"
#include "store/tar.h"

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

/* -EBADMSG, with the place. */
int tar_bad(const struct tar_reader *reader, struct err *err, const char *what);

/* The next block; the stream may not end there. */
int tar_read_block(struct tar_reader *reader, uint8_t block[BLOCK], struct err *err);

/* Of a header: octal with spaces or NULs around it, or base-256. An empty field is 0. */
int tar_parse_number(const uint8_t *field, size_t size, int64_t *ret_value);
/* Of a record: all of the text is one decimal number below 2^63. */
int tar_parse_decimal(const char *text, size_t size, uint64_t *ret_value);

/* The records in reader->metadata. They are "LENGTH KEY=VALUE\n", the length counting all of it. Keys lose their "=" in
 * place. */
int tar_parse_pax(struct tar_reader *reader, struct pax *pax, struct err *err);

void tar_add_extent(struct tar_reader *reader, uint64_t offset, uint64_t size);
/* The map of the entry, if it is a sparse file; its data may begin with it. */
int tar_read_sparse(struct tar_reader *reader, const uint8_t header[BLOCK], struct err *err);
