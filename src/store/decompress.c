#include "store/decompress.h"

#include <dlfcn.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <string.h>
#include <zstd.h>

#include "base/err.h"
#include "base/mem.h"

#define INPUT_SIZE (256 << 10)
#define MAGIC_SIZE 6

/* The part of libisal used here. It is loaded, not linked: only what unpacks pays for it. */
static struct {
	void (*init)(struct inflate_state *state);
	int (*inflate)(struct inflate_state *state);
} isal;

struct decompressor {
	struct byte_source source;
	bool is_known; /* the format was looked at */
	enum compression compression;
	bool source_ended;
	bool in_stream; /* inside a gzip member or a zstd frame */
	bool ended;
	struct inflate_state *inflate;
	ZSTD_DStream *zstd;
	uint8_t *input;
	size_t input_at, input_end;
};

enum compression compression_detect(const void *data, size_t size)
{
	static const struct {
		uint8_t size;
		uint8_t magic[MAGIC_SIZE];
		enum compression compression;
	} magics[] = {
		{ 3, { 0x1f, 0x8b, 0x08 }, COMPRESSION_GZIP },
		{ 4, { 0x28, 0xb5, 0x2f, 0xfd }, COMPRESSION_ZSTD },
		{ 6, { 0xfd, '7', 'z', 'X', 'Z', 0 }, COMPRESSION_UNSUPPORTED },
		{ 3, { 'B', 'Z', 'h' }, COMPRESSION_UNSUPPORTED },
		{ 4, { 0x04, 0x22, 0x4d, 0x18 }, COMPRESSION_UNSUPPORTED },
	};
	const uint8_t *bytes = data;

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (size >= magics[i].size && !memcmp(bytes, magics[i].magic, magics[i].size))
			return magics[i].compression;
	/* A zstd stream may begin with a skippable frame. */
	if (size >= 4 && (bytes[0] & 0xf0) == 0x50 && !memcmp(bytes + 1, "\x2a\x4d\x18", 3))
		return COMPRESSION_ZSTD;
	return COMPRESSION_NONE;
}

const char *compression_name(enum compression compression)
{
	static const char *const names[] = {
		[COMPRESSION_NONE] = "none",
		[COMPRESSION_GZIP] = "gzip",
		[COMPRESSION_ZSTD] = "zstd",
		[COMPRESSION_UNSUPPORTED] = "unsupported",
	};

	return names[compression];
}

static int load_isal(struct err *err)
{
	static const struct {
		const char *name;
		void *at;
	} symbols[] = { { "isal_inflate_init", &isal.init }, { "isal_inflate", &isal.inflate } };

	if (isal.inflate)
		return 0;
	void *library = dlopen("libisal.so.2", RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return err_set(err, ENOENT,
			       "cannot load libisal.so.2; install the package libisal2");
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			return err_set(err, ENOENT, "libisal.so.2 lacks %s", symbols[i].name);
		memcpy(symbols[i].at, &symbol, sizeof(symbol));
	}
	return 0;
}

struct decompressor *decompressor_new(const struct byte_source *source)
{
	struct decompressor *decompressor = xcalloc(1, sizeof(*decompressor));

	decompressor->source = *source;
	decompressor->input = xmalloc(INPUT_SIZE);
	return decompressor;
}

void decompressor_free(struct decompressor *decompressor)
{
	if (!decompressor)
		return;
	free(decompressor->inflate);
	ZSTD_freeDStream(decompressor->zstd);
	free(decompressor->input);
	free(decompressor);
}

/* Get more input behind what is left. Returns what the source returned. */
static ssize_t refill(struct decompressor *decompressor, struct err *err)
{
	if (decompressor->source_ended)
		return 0;
	size_t left = decompressor->input_end - decompressor->input_at;
	memmove(decompressor->input, decompressor->input + decompressor->input_at, left);
	decompressor->input_at = 0;
	decompressor->input_end = left;
	ssize_t n = decompressor->source.read(decompressor->source.arg,
					      decompressor->input + decompressor->input_end,
					      INPUT_SIZE - decompressor->input_end, err);
	if (n == 0)
		decompressor->source_ended = true;
	if (n > 0)
		decompressor->input_end += (size_t)n;
	return n;
}

static int detect(struct decompressor *decompressor, struct err *err)
{
	int r;

	while (decompressor->input_end < MAGIC_SIZE && !decompressor->source_ended) {
		ssize_t n = refill(decompressor, err);
		if (n < 0)
			return (int)n;
	}
	decompressor->compression =
		compression_detect(decompressor->input, decompressor->input_end);
	decompressor->is_known = true;
	switch (decompressor->compression) {
	case COMPRESSION_UNSUPPORTED:
		return err_set(err, EOPNOTSUPP,
			       "this compression is not supported; use gzip or zstd");
	case COMPRESSION_GZIP:
		r = load_isal(err);
		if (r < 0)
			return r;
		decompressor->inflate = xmalloc(sizeof(*decompressor->inflate));
		break;
	case COMPRESSION_ZSTD:
		decompressor->zstd = ZSTD_createDStream();
		if (!decompressor->zstd)
			return err_set(err, ENOMEM, "start zstd");
		break;
	case COMPRESSION_NONE:
		break;
	}
	return 0;
}

static int truncated(const struct decompressor *decompressor, struct err *err)
{
	return err_set(err, EBADMSG, "bad %s data: it ends too early",
		       compression_name(decompressor->compression));
}

/* ---- one step of each format: some output, or -EAGAIN for "give me more input" ---- */

static ssize_t step_none(struct decompressor *decompressor, void *data, size_t size,
			 struct err *err)
{
	size_t left = decompressor->input_end - decompressor->input_at;
	size_t n = left < size ? left : size;

	if (left == 0) { /* past the bytes that told the format nothing needs to be copied */
		ssize_t direct = decompressor->source_ended
					 ? 0
					 : decompressor->source.read(decompressor->source.arg, data,
								     size, err);
		if (direct == 0)
			decompressor->source_ended = true;
		return direct == 0 ? -EAGAIN : direct;
	}
	memcpy(data, decompressor->input + decompressor->input_at, n);
	decompressor->input_at += n;
	return (ssize_t)n;
}

static ssize_t step_gzip(struct decompressor *decompressor, void *data, size_t size,
			 struct err *err)
{
	struct inflate_state *inflate = decompressor->inflate;
	size_t left = decompressor->input_end - decompressor->input_at;

	if (!decompressor->in_stream) {
		if (left == 0)
			return -EAGAIN;
		isal.init(inflate);
		inflate->crc_flag = ISAL_GZIP; /* header and trailer too */
		decompressor->in_stream = true;
	}
	inflate->next_in = decompressor->input + decompressor->input_at;
	inflate->avail_in = (uint32_t)left;
	inflate->next_out = data;
	inflate->avail_out = (uint32_t)size;
	int r = isal.inflate(inflate);
	decompressor->input_at = decompressor->input_end - inflate->avail_in;
	if (r == ISAL_INCORRECT_CHECKSUM)
		return err_set(err, EBADMSG, "bad gzip data: wrong checksum");
	if (r < 0)
		return err_set(err, EBADMSG, "bad gzip data");
	if (inflate->block_state == ISAL_BLOCK_FINISH)
		decompressor->in_stream = false;
	size_t n = size - inflate->avail_out;
	if (n > 0 || !decompressor->in_stream)
		return (ssize_t)n;
	return -EAGAIN;
}

static ssize_t step_zstd(struct decompressor *decompressor, void *data, size_t size,
			 struct err *err)
{
	ZSTD_outBuffer out = { data, size, 0 };
	ZSTD_inBuffer in = { decompressor->input + decompressor->input_at,
			     decompressor->input_end - decompressor->input_at, 0 };

	if (!decompressor->in_stream && in.size == 0)
		return -EAGAIN;
	size_t r = ZSTD_decompressStream(decompressor->zstd, &out, &in);
	decompressor->input_at += in.pos;
	if (ZSTD_isError(r))
		return err_set(err, EBADMSG, "bad zstd data: %s", ZSTD_getErrorName(r));
	decompressor->in_stream = r != 0;
	if (out.pos > 0 || r == 0)
		return (ssize_t)out.pos;
	return -EAGAIN;
}

static ssize_t step(struct decompressor *decompressor, void *data, size_t size, struct err *err)
{
	switch (decompressor->compression) {
	case COMPRESSION_GZIP:
		return step_gzip(decompressor, data, size, err);
	case COMPRESSION_ZSTD:
		return step_zstd(decompressor, data, size, err);
	default:
		return step_none(decompressor, data, size, err);
	}
}

ssize_t decompressor_read(struct decompressor *decompressor, void *data, size_t size,
			  struct err *err)
{
	size_t done = 0;

	if (!decompressor->is_known) {
		int r = detect(decompressor, err);
		if (r < 0)
			return r;
	}
	while (done < size && !decompressor->ended) {
		size_t room = size - done < INT32_MAX ? size - done : INT32_MAX;
		ssize_t n = step(decompressor, (char *)data + done, room, err);
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		if (n != -EAGAIN)
			return n;
		/* What is left is too little to go on with; both libraries keep it themselves. */
		n = refill(decompressor, err);
		if (n < 0)
			return n;
		if (n == 0) {
			if (decompressor->in_stream ||
			    decompressor->input_at < decompressor->input_end)
				return truncated(decompressor, err);
			decompressor->ended = true;
		}
	}
	return (ssize_t)done;
}
