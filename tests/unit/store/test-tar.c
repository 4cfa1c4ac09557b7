#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>

#include "tar-build.h"

static struct err err;

/* A listing, one line an entry, of all that the reader says. */
static int list_in_steps(const struct strbuf *tar, size_t step, enum tar_reader_flags flags,
			 struct strbuf *out)
{
	struct memory_source memory = { tar->data, tar->size, 0, step };
	struct tar_source source = { memory_next, &memory };
	autotarreader struct tar_reader *reader = tar_reader_new(&source, flags);
	const struct tar_entry *entry;
	const void *data;
	uint64_t offset;
	ssize_t n;
	int r;

	err = (struct err){ 0 };
	while ((r = tar_reader_next(reader, &entry, &err)) > 0) {
		strbuf_addf(out, "%d %s", (int)entry->type, entry->path);
		if (*entry->link)
			strbuf_addf(out, " -> %s", entry->link);
		strbuf_addf(out, " %o %u:%u %" PRId64 ".%09ld %" PRIu64, entry->mode, entry->uid,
			    entry->gid, (int64_t)entry->mtime.tv_sec, entry->mtime.tv_nsec,
			    entry->size);
		if (entry->device_major || entry->device_minor)
			strbuf_addf(out, " %u,%u", entry->device_major, entry->device_minor);
		for (size_t i = 0; i < entry->xattr_count; i++)
			strbuf_addf(out, " %s=%.*s", entry->xattrs[i].name,
				    (int)entry->xattrs[i].size,
				    (const char *)entry->xattrs[i].value);
		uint64_t expected = 0;
		while ((n = tar_reader_data(reader, &data, &offset, &err)) > 0) {
			if (!entry->extents)
				assert_int_equal(offset, expected);
			expected += (uint64_t)n;
			strbuf_addf(out, " %.*s@%" PRIu64, (int)n, (const char *)data, offset);
		}
		if (n < 0)
			return (int)n;
		strbuf_addc(out, '\n');
	}
	if (r == 0) {
		r = tar_reader_drain(reader, &err);
		assert_int_equal(memory.at, memory.size);
	}
	return r;
}

static void expect_list(const struct strbuf *tar, const char *lines)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	if (list_in_steps(tar, 1 << 20, 0, &out) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_text(&out), lines);
}

static void expect_bad(const struct strbuf *tar, const char *words)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	assert_int_equal(list_in_steps(tar, 1000, 0, &out), -EBADMSG);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

/* ---- writing and reading back ---- */

static void test_what_is_written_is_read(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY, expected = STRBUF_EMPTY;
	static const struct tar_xattr xattrs[] = { { "user.b", "two\n=2", 6 },
						   { "user.a", "", 0 } };
	char path[600] = "";

	/* Every length around those where ustar, its prefix and pax take turns. */
	for (int size = 95; size < 300; size++) {
		memset(path, 'p', (size_t)size);
		path[size] = '\0';
		if (size % 3 == 0)
			for (int i = 20; i < size - 1; i += 21)
				path[i] = '/';
		build_file(&tar, path, "x");
		strbuf_addf(&expected, "0 %s 644 0:0 1000000000.000000000 1 x@0\n", path);
		build_link(&tar, TAR_SYMLINK, "l", path);
		strbuf_addf(&expected, "2 l -> %s 777 0:0 1000000000.000000000 0\n", path);
	}
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_FILE,
					.path = "schön/ümläut",
					.mode = 06755,
					.uid = 4000000000,
					.gid = 2097152,
					.mtime = { -1, 500000000 },
					.xattrs = xattrs,
					.xattr_count = 2 },
		    "text");
	strbuf_adds(&expected, "0 schön/ümläut 6755 4000000000:2097152 -1.500000000 4 user.a= "
			       "user.b=two\n=2 text@0\n");
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_CHAR_DEVICE,
					.path = "dev",
					.mode = 0600,
					.device_major = 259,
					.device_minor = 1048575,
					.mtime = { 8589934592, 1 } },
		    NULL);
	strbuf_adds(&expected, "3 dev 600 0:0 8589934592.000000001 0 259,1048575\n");
	build_directory(&tar, "dir", 01777);
	strbuf_adds(&expected, "5 dir/ 1777 0:0 1000000000.123456789 0\n");
	build_link(&tar, TAR_HARD_LINK, "hard", "dir/x");
	strbuf_adds(&expected, "1 hard -> dir/x 777 0:0 1000000000.000000000 0\n");
	build_entry(&tar, (struct tar_entry){ .type = TAR_FIFO, .path = "fifo", .mode = 0600 },
		    NULL);
	strbuf_adds(&expected, "6 fifo 600 0:0 0.000000000 0\n");
	build_end(&tar);
	expect_list(&tar, expected.data);

	/* And however it is cut into pieces. */
	for (size_t step = 1; step < 1500; step += step < 3 ? 1 : 509) {
		autostrbuf struct strbuf out = STRBUF_EMPTY;
		assert_int_equal(list_in_steps(&tar, step, 0, &out), 0);
	}
}

static void test_writing_is_deterministic(void **state)
{
	(void)state;
	static const struct tar_xattr one[] = { { "user.a", "1", 1 }, { "user.b", "2", 1 } };
	static const struct tar_xattr two[] = { { "user.b", "2", 1 }, { "user.a", "1", 1 } };
	autostrbuf struct strbuf a = STRBUF_EMPTY, b = STRBUF_EMPTY;
	struct tar_entry entry = {
		.type = TAR_FILE, .path = "x", .mtime = { 1, 1 }, .xattr_count = 2
	};

	entry.xattrs = one;
	build_entry(&a, entry, "x");
	entry.xattrs = two;
	build_entry(&b, entry, "x");
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
}

static void test_writer_minds_the_announced_size(void **state)
{
	(void)state;
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct tar_sink sink = { build_write, &out };
	autotarwriter struct tar_writer *writer = tar_writer_new(&sink);
	struct tar_entry entry = { .type = TAR_FILE, .path = "x", .link = "", .size = 2 };

	assert_int_equal(tar_writer_entry(writer, &entry, &err), 0);
	assert_int_equal(tar_writer_data(writer, "abc", 3, &err), -EINVAL);
	assert_int_equal(tar_writer_data(writer, "a", 1, &err), 0);
	assert_int_equal(tar_writer_finish(writer, &err), -EINVAL);
	assert_int_equal(tar_writer_entry(writer, &entry, &err), -EINVAL);
	assert_int_equal(tar_writer_data(writer, "b", 1, &err), 0);
	assert_int_equal(tar_writer_finish(writer, &err), 0);
	assert_int_equal(out.size, 4 * 512);
}

/* ---- formats ---- */

static void test_gnu_long_names(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;

	build_raw(&tar, "././@LongLink", 'L', GNU, "a/long/name", 12);
	build_raw(&tar, "././@LongLink", 'K', GNU, "a/long/target", 14);
	build_raw(&tar, "short", '2', GNU, NULL, 0);
	build_raw(&tar, "next", '0', GNU, "x", 1);
	expect_list(&tar, "2 a/long/name -> a/long/target 644 0:0 1.000000000 0\n"
			  "0 next 644 0:0 1.000000000 1 x@0\n");
}

static void test_pax_overrides_the_header(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;

	build_pax(&tar, 'x',
		  "path=long\nuid=1000\ngid=2000\nmtime=1.000000005\nsize=3\n"
		  "SCHILY.xattr.user.x=\nhdrcharset=BINARY\n");
	build_raw(&tar, "short", '0', USTAR, NULL, 0);
	strbuf_add(&tar, "abc", 3);
	strbuf_reserve(&tar, 509);
	memset(tar.data + tar.size, 0, 509);
	tar.size += 509;
	build_pax(&tar, 'x', "path=\n");
	build_raw(&tar, "next", '0', USTAR, NULL, 0);
	expect_list(&tar, "0 long 644 1000:2000 1.000000005 3 user.x= abc@0\n"
			  "0 next 644 0:0 1.000000000 0\n");
}

static void test_pax_times(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;

	build_pax(&tar, 'x', "mtime=5\n");
	build_raw(&tar, "a", '0', USTAR, NULL, 0);
	build_pax(&tar, 'x', "mtime=5.\n");
	build_raw(&tar, "b", '0', USTAR, NULL, 0);
	build_pax(&tar, 'x', "mtime=-5.1234567899999999\n");
	build_raw(&tar, "c", '0', USTAR, NULL, 0);
	expect_list(&tar, "0 a 644 0:0 5.000000000 0\n"
			  "0 b 644 0:0 5.000000000 0\n"
			  "0 c 644 0:0 -6.876543211 0\n");
}

static void test_global_headers_apply_unless_ignored(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY, out = STRBUF_EMPTY;

	build_pax(&tar, 'g', "uid=17\n");
	build_raw(&tar, "a", '0', USTAR, NULL, 0);
	build_pax(&tar, 'x', "uid=18\n");
	build_raw(&tar, "b", '0', USTAR, NULL, 0);
	build_raw(&tar, "c", '0', USTAR, NULL, 0);
	build_pax(&tar, 'g', "uid=19\n");
	expect_list(&tar, "0 a 644 17:0 1.000000000 0\n0 b 644 18:0 1.000000000 0\n"
			  "0 c 644 17:0 1.000000000 0\n");
	assert_int_equal(list_in_steps(&tar, 100, TAR_READER_IGNORE_GLOBALS, &out), 0);
	assert_string_equal(out.data, "0 a 644 0:0 1.000000000 0\n0 b 644 18:0 1.000000000 0\n"
				      "0 c 644 0:0 1.000000000 0\n");
}

static void test_base256_numbers(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;

	build_raw(&tar, "a", '0', GNU, NULL, 0);
	memcpy(tar.data + 108, "\x80\0\0\0\xff\xff\xff\xfe", 8);
	memcpy(tar.data + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	build_sum(&tar, 0);
	expect_list(&tar, "0 a 644 4294967294:0 -2.000000000 0\n");
	memcpy(tar.data + 108, "\x80\0\0\0\xff\xff\xff\xff", 8);
	build_sum(&tar, 0);
	expect_bad(&tar, "owner ID");
	memcpy(tar.data + 108, "0000000", 8);
	memcpy(tar.data + 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	build_sum(&tar, 0);
	expect_bad(&tar, "bad size");
	memcpy(tar.data + 124, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
	build_sum(&tar, 0);
	expect_bad(&tar, "bad size");
	memcpy(tar.data + 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	build_sum(&tar, 0);
	expect_bad(&tar, "");
}

static void test_old_formats(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;

	/* V7: no magic, directories by their slash. */
	build_raw(&tar, "dir/", '\0', "\0\0\0\0\0\0\0\0", NULL, 0);
	build_raw(&tar, "file", '\0', "\0\0\0\0\0\0\0\0", "x", 1);
	/* GNU: what would be a prefix is a time. */
	size_t at = tar.size;
	build_raw(&tar, "gnu", '0', GNU, NULL, 0);
	memcpy(tar.data + at + 345, "12345670123", 12);
	build_sum(&tar, at);
	/* Go before 1.8 wrote a prefix there. */
	at = tar.size;
	build_raw(&tar, "go", '0', GNU, NULL, 0);
	memcpy(tar.data + at + 345, "some/prefix", 12);
	build_sum(&tar, at);
	/* Old writers gave hard links the size of their target, without its data. */
	at = tar.size;
	build_raw(&tar, "hard", '1', USTAR, NULL, 1000);
	memcpy(tar.data + at + 157, "file", 5);
	build_sum(&tar, at);
	build_raw(&tar, "label", 'V', GNU, NULL, 0);
	build_raw(&tar, "contiguous", '7', USTAR, "y", 1);
	expect_list(&tar, "5 dir/ 644 0:0 1.000000000 0\n0 file 644 0:0 1.000000000 1 x@0\n"
			  "0 gnu 644 0:0 1.000000000 0\n0 some/prefix/go 644 0:0 1.000000000 0\n"
			  "1 hard -> file 644 0:0 1.000000000 0\n"
			  "0 contiguous 644 0:0 1.000000000 1 y@0\n");
}

static void test_end_of_archive(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	const char *line = "0 a 644 0:0 1.000000000 1 x@0\n";

	build_raw(&tar, "a", '0', USTAR, "x", 1);
	expect_list(&tar, line); /* without any end */
	size_t end = tar.size;
	build_end(&tar);
	strbuf_adds(&tar, "whatever follows");
	expect_list(&tar, line);
	tar.size = end + 512; /* one block */
	expect_list(&tar, line);
	build_raw(&tar, "b", '0', USTAR, "x", 1);
	expect_bad(&tar, "lone zero block");
	tar.size = 0;
	expect_list(&tar, "");
}

/* ---- what is refused ---- */

static void test_truncation_is_noticed_at_every_byte(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	static const struct tar_xattr xattrs[] = { { "user.a", "value", 5 } };

	build_entry(&tar,
		    (struct tar_entry){
			    .type = TAR_FILE, .path = "x", .xattrs = xattrs, .xattr_count = 1 },
		    "some data");
	size_t first = tar.size;
	build_raw(&tar, "././@LongLink", 'L', GNU, "a/long/name", 12);
	build_raw(&tar, "short", '0', GNU, "more", 4);
	size_t second = tar.size;
	build_end(&tar);
	for (size_t size = 1; size < tar.size; size++) {
		autostrbuf struct strbuf out = STRBUF_EMPTY;
		struct strbuf part = { tar.data, size, 0 };
		bool is_whole = size == first || size == second || size == second + 512;
		int r = list_in_steps(&part, 300, 0, &out);
		/* The padding of the last file is not missed. */
		if (r != (is_whole ? 0 : -EBADMSG))
			fail_msg("%zu bytes: %d", size, r);
	}
}

static void test_huge_metadata_is_refused(void **state)
{
	(void)state;
	static const char types[] = "xgLK";
	autofree char *data = xcalloc(1, (1 << 20) + 1);

	for (const char *type = types; *type; type++) {
		autostrbuf struct strbuf tar = STRBUF_EMPTY;
		build_raw(&tar, "huge", *type, GNU, NULL, (1 << 20) + 1);
		expect_bad(&tar, "too large");
		strbuf_reset(&tar);
		build_raw(&tar, "huge", *type, GNU, NULL, (size_t)077777777777);
		expect_bad(&tar, "too large");
	}
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	memset(data, 'x', 1 << 20);
	for (int i = 0; i < 5; i++)
		build_raw(&tar, "again", 'L', GNU, data, 1 << 20);
	build_raw(&tar, "x", '0', GNU, NULL, 0);
	expect_bad(&tar, "too large");
}

static void test_bad_pax_records_are_refused(void **state)
{
	(void)state;
	static const char *const wrong_lengths[] = {
		"0 a=b\n", "5 a=b\n", "7 a=b\n", "-6 a=b\n", "6 a=bX", "99999999999999999999 a=b\n",
		"x",	   " ",	      "6",
	};
	static const char *const wrong_keys[] = { "ab\n", "=ab\n" };
	static const char *const wrong_values[] = {
		"uid=-100\n",
		"uid=1x00\n",
		"mtime=5x\n",
		"mtime=\x01\n",
		"mtime=.5\n",
		"size=99999999999999999999\n",
		"GNU.sparse.offset=0\nGNU.sparse.offset=0\n",
		"GNU.sparse.map=1,2,3\n",
		"GNU.sparse.map=1,,3\n",
		"GNU.sparse.numbytes=1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong_lengths); i++) {
		autostrbuf struct strbuf tar = STRBUF_EMPTY;
		build_raw(&tar, "pax", 'x', USTAR, wrong_lengths[i], strlen(wrong_lengths[i]));
		expect_bad(&tar, "wrong length");
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong_keys); i++) {
		autostrbuf struct strbuf tar = STRBUF_EMPTY;
		build_pax(&tar, 'x', wrong_keys[i]);
		expect_bad(&tar, "no key");
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong_values); i++) {
		autostrbuf struct strbuf tar = STRBUF_EMPTY;
		build_pax(&tar, 'x', wrong_values[i]);
		expect_bad(&tar, "bad value");
	}
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	build_pax(&tar, 'x', "GNU.sparse.offset=0\n");
	expect_bad(&tar, "incomplete");
	strbuf_reset(&tar);
	build_pax(&tar, 'x', "uid=99999999999\n");
	build_raw(&tar, "x", '0', USTAR, NULL, 0);
	expect_bad(&tar, "owner ID");
}

static void test_bad_sparse_maps_are_refused(void **state)
{
	(void)state;
	static const char *const records[][2] = {
		{ "GNU.sparse.size=10\nGNU.sparse.map=0,5,4,5\n", "fit its file" },
		{ "GNU.sparse.size=10\nGNU.sparse.map=8,10,0,0\n", "fit its file" },
		{ "GNU.sparse.size=9999\nGNU.sparse.map=0,9223\n", "fit its data" },
		{ "GNU.sparse.size=99\nGNU.sparse.map=0,2\n", "fit its data" },
		{ "GNU.sparse.map=0,10\n", "has no size" },
		{ "GNU.sparse.major=2\nGNU.sparse.size=10\n", "unknown version" },
	};
	/* Version 1.0: the map stands in the data. */
	static const char *const maps[] = { "1\n0\n",	   "99999999999999999999999\n",
					    "a\n",	   "2\n0\n1\n",
					    "1\n0\n600\n", "\n" };

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		autostrbuf struct strbuf tar = STRBUF_EMPTY;
		build_pax(&tar, 'x', records[i][0]);
		build_raw(&tar, "x", '0', USTAR, "0123456789", 10);
		expect_bad(&tar, records[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		autostrbuf struct strbuf tar = STRBUF_EMPTY;
		char data[512] = { 0 };
		memcpy(data, maps[i], strlen(maps[i]));
		build_pax(&tar, 'x',
			  "GNU.sparse.major=1\nGNU.sparse.minor=0\nGNU.sparse.realsize=100\n");
		build_raw(&tar, "x", '0', USTAR, data, sizeof(data));
		expect_bad(&tar, "sparse map");
	}
}

static void test_garbage_is_no_archive(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;

	for (int i = 0; i < 1024; i++)
		strbuf_addc(&tar, 'x');
	expect_bad(&tar, "no tar archive");
	strbuf_reset(&tar);
	build_raw(&tar, "a", '0', USTAR, NULL, 0);
	build_raw(&tar, "b", '0', USTAR, NULL, 0);
	tar.data[512] = 'B';
	expect_bad(&tar, "checksum");
	tar.data[512] = 'b';
	tar.data[512 + 156] = 'Q';
	build_sum(&tar, 512);
	expect_bad(&tar, "unknown type");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_writing_is_deterministic),
		cmocka_unit_test(test_writer_minds_the_announced_size),
		cmocka_unit_test(test_gnu_long_names),
		cmocka_unit_test(test_pax_overrides_the_header),
		cmocka_unit_test(test_pax_times),
		cmocka_unit_test(test_global_headers_apply_unless_ignored),
		cmocka_unit_test(test_base256_numbers),
		cmocka_unit_test(test_old_formats),
		cmocka_unit_test(test_end_of_archive),
		cmocka_unit_test(test_truncation_is_noticed_at_every_byte),
		cmocka_unit_test(test_huge_metadata_is_refused),
		cmocka_unit_test(test_bad_pax_records_are_refused),
		cmocka_unit_test(test_bad_sparse_maps_are_refused),
		cmocka_unit_test(test_garbage_is_no_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
