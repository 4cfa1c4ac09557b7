/* Decompression of layers as a stream: gzip (any number of members), zstd (any number of frames),
 * or neither. The format is told by the first bytes, because media types lie. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
	COMPRESSION_UNSUPPORTED, /* known, and not ours: xz, bzip2, lz4 */
};

/* What these first bytes begin. So many are enough; fewer are taken for what they are. */
#define COMPRESSION_MAGIC_SIZE 6
enum compression compression_detect(const void *data, size_t size);
const char *compression_name(enum compression compression); /* "gzip" */

/* Where the compressed bytes come from: fills `data` with up to `size` bytes, waiting for at least
 * one. Returns how many, 0 at the end, -errno. */
struct byte_source {
	ssize_t (*read)(void *arg, void *data, size_t size, struct err *err);
	void *arg;
};

struct decompressor;

struct decompressor *decompressor_new(const struct byte_source *source);
void decompressor_free(struct decompressor *decompressor);

/* Fill `data` with up to `size` unpacked bytes. Less than `size` comes only at the end; 0 is the
 * end, which is reported only after the source's end was seen and all checksums were right.
 * -EBADMSG for damaged or truncated data, -EOPNOTSUPP for a format that is not ours, or what the
 * source returned. */
ssize_t decompressor_read(struct decompressor *decompressor, void *data, size_t size,
			  struct err *err);

static inline void decompressor_free_auto(struct decompressor **at)
{
	decompressor_free(*at);
}
#define autodecompressor __attribute__((cleanup(decompressor_free_auto)))
