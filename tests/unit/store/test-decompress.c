#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "store/decompress.h"

/* Hands out `data` in pieces of `step` bytes. */
struct pieces {
	const char *data;
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

static int unpack(const struct strbuf *in, size_t step, size_t out_step, struct strbuf *out,
		  struct err *err)
{
	struct pieces pieces = { in->data, in->size, 0, step };
	struct byte_source source = { read_piece, &pieces };
	autodecompressor struct decompressor *decompressor = decompressor_new(&source);

	for (;;) {
		strbuf_reserve(out, out_step);
		ssize_t n = decompressor_read(decompressor, out->data + out->size, out_step, err);
		if (n <= 0)
			return (int)n;
		out->size += (size_t)n;
		assert_true((size_t)n <= out_step);
	}
}

static void gzip(struct strbuf *out, const void *data, size_t size)
{
	z_stream z = { 0 };
	char buffer[65536];
	int r;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)data;
	z.avail_in = (uInt)size;
	do {
		z.next_out = (Bytef *)buffer;
		z.avail_out = sizeof(buffer);
		r = deflate(&z, Z_FINISH);
		strbuf_add(out, buffer, sizeof(buffer) - z.avail_out);
	} while (r == Z_OK);
	assert_int_equal(r, Z_STREAM_END);
	deflateEnd(&z);
}

static void zstd(struct strbuf *out, const void *data, size_t size)
{
	size_t bound = ZSTD_compressBound(size);

	strbuf_reserve(out, bound);
	size_t n = ZSTD_compress(out->data + out->size, bound, data, size, 3);
	assert_false(ZSTD_isError(n));
	out->size += n;
}

static void sample(struct strbuf *data, size_t size)
{
	uint32_t seed = 1;

	while (data->size < size) {
		seed = seed * 1664525 + 1013904223;
		if (seed >> 30)
			strbuf_addf(data, "line %u of the sample\n", (unsigned)(seed >> 24));
		else
			strbuf_add(data, &seed, sizeof(seed));
	}
}

static void expect_same(const struct strbuf *in, const struct strbuf *data)
{
	static const size_t steps[][2] = {
		{ 1, 65536 }, { 7, 1 }, { 1000, 3000 }, { 1 << 20, 1 << 20 }
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		autostrbuf struct strbuf out = STRBUF_EMPTY;
		struct err err = { 0 };
		if (unpack(in, steps[i][0], steps[i][1], &out, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(out.size, data->size);
		if (data->size)
			assert_memory_equal(out.data, data->data, data->size);
	}
}

static void test_gzip_zstd_and_plain_come_out_the_same(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 511, 32768, 300000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		autostrbuf struct strbuf data = STRBUF_EMPTY, gz = STRBUF_EMPTY, zst = STRBUF_EMPTY;
		sample(&data, sizes[i]);
		gzip(&gz, data.data, data.size);
		zstd(&zst, data.data, data.size);
		expect_same(&data, &data);
		expect_same(&gz, &data);
		expect_same(&zst, &data);
	}
}

static void test_many_members_and_frames_are_one_stream(void **state)
{
	(void)state;
	autostrbuf struct strbuf data = STRBUF_EMPTY, gz = STRBUF_EMPTY, zst = STRBUF_EMPTY;
	static const char skippable[] = "\x50\x2a\x4d\x18\x04\0\0\0skip";

	sample(&data, 20000);
	strbuf_add(&zst, skippable, 12);
	for (size_t at = 0; at < data.size;) {
		size_t n = data.size - at < 97 ? data.size - at : 97;
		gzip(&gz, data.data + at, n);
		gzip(&gz, "", 0);
		zstd(&zst, data.data + at, n);
		at += n;
	}
	strbuf_add(&zst, skippable, 12);
	expect_same(&gz, &data);
	expect_same(&zst, &data);
}

static void test_nothing_gives_nothing(void **state)
{
	(void)state;
	autostrbuf struct strbuf empty = STRBUF_EMPTY, gz = STRBUF_EMPTY, zst = STRBUF_EMPTY;

	strbuf_reserve(&empty, 1);
	gzip(&gz, "", 0);
	zstd(&zst, "", 0);
	expect_same(&empty, &empty);
	expect_same(&gz, &empty);
	expect_same(&zst, &empty);
}

static void expect_bad(const struct strbuf *in)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(unpack(in, 4096, 4096, &out, &err), -EBADMSG);
	assert_true(err.text[0] != '\0');
}

static void test_truncation_at_every_byte_is_noticed(void **state)
{
	(void)state;
	autostrbuf struct strbuf data = STRBUF_EMPTY, gz = STRBUF_EMPTY, zst = STRBUF_EMPTY;

	sample(&data, 2000);
	gzip(&gz, data.data, data.size);
	gzip(&gz, data.data, data.size);
	zstd(&zst, data.data, data.size);
	size_t member = gz.size / 2;
	for (size_t size = 3; size < gz.size; size++) {
		struct strbuf part = { gz.data, size, 0 };
		if (size != member)
			expect_bad(&part);
	}
	for (size_t size = 4; size < zst.size; size++) {
		struct strbuf part = { zst.data, size, 0 };
		expect_bad(&part);
	}
}

static void test_damage_is_noticed(void **state)
{
	(void)state;
	autostrbuf struct strbuf data = STRBUF_EMPTY, gz = STRBUF_EMPTY;

	sample(&data, 2000);
	gzip(&gz, data.data, data.size);
	for (size_t at = 10; at < gz.size; at++) {
		gz.data[at] ^= 0x10;
		expect_bad(&gz);
		gz.data[at] ^= 0x10;
	}
	strbuf_adds(&gz, "garbage behind");
	expect_bad(&gz);
}

static void test_foreign_formats_are_named(void **state)
{
	(void)state;
	struct strbuf xz = { "\xfd"
			     "7zXZ\0\0\0",
			     8, 0 };
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct err err;

	assert_int_equal(unpack(&xz, 1, 100, &out, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "gzip or zstd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip_zstd_and_plain_come_out_the_same),
		cmocka_unit_test(test_many_members_and_frames_are_one_stream),
		cmocka_unit_test(test_nothing_gives_nothing),
		cmocka_unit_test(test_truncation_at_every_byte_is_noticed),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_foreign_formats_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
