/* gzip and zstd as they come from a registry, in pieces of a size that the first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	const uint8_t *data;
	size_t size, at, step;
};

static ssize_t read_piece(void *arg, void *data, size_t size, struct err *err)
{
	struct pieces *pieces = arg;
	size_t n = pieces->size - pieces->at;

	(void)err;
	n = n < pieces->step ? n : pieces->step;
	n = n < size ? n : size;
	memcpy(data, pieces->data + pieces->at, n);
	pieces->at += n;
	return (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct pieces pieces = { data + 1, size - 1, 0, (size_t)data[0] + 1 };
	struct byte_source source = { read_piece, &pieces };
	struct decompressor *decompressor = decompressor_new(&source);
	size_t step = (size_t)(data[0] & 15) * 257 + 1, total = 0;
	uint8_t *out = malloc(step);
	struct err err = { 0 };
	ssize_t n;

	while ((n = decompressor_read(decompressor, out, step, &err)) > 0 && total < 1 << 20) {
		if ((size_t)n > step)
			abort();
		total += (size_t)n;
	}
	if (n < 0 && (err.code != -n || !err.text[0]))
		abort();
	free(out);
	decompressor_free(decompressor);
	return 0;
}
