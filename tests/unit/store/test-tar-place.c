#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/tar-place.h"
#include "tar-build.h"

/* Each test builds an archive and puts it into `in_fd`; `out_fd` is beside it, and nothing may get there. */
static char place[128];
static int place_fd, in_fd, out_fd;
static struct strbuf tar;
static struct tar_place_stats stats;
static struct err err;

static int setup(void **state)
{
	(void)state;
	umask(0);
	place_fd = make_place(place, sizeof(place));
	assert_int_equal(mkdirat(place_fd, "in", 0755), 0);
	assert_int_equal(mkdirat(place_fd, "out", 0755), 0);
	in_fd = openat(place_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out_fd = openat(place_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tar = STRBUF_EMPTY;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_clear(&tar);
	close(in_fd);
	close(out_fd);
	remove_place(place, place_fd);
	return 0;
}

static int unpack_part(size_t size, enum tar_place_flags flags, const char *name)
{
	const struct tar_place_options options = {
		.flags = flags | TAR_PLACE_SET_OWNER,
		.uid = getuid(),
		.gid = getgid(),
		.name = name,
	};
	struct memory_source memory = { tar.data, size, 0, 4096 };
	struct tar_source source = { memory_next, &memory };
	autotarreader struct tar_reader *reader = tar_reader_new(&source, 0);

	int r = tar_place(in_fd, reader, &options, &stats, &err);
	strbuf_reset(&tar);
	return r;
}

static int unpack(enum tar_place_flags flags, const char *name)
{
	build_end(&tar);
	return unpack_part(tar.size, flags, name);
}

static bool is_there(int fd, const char *path)
{
	return faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_content(const char *path, const char *text)
{
	autostrbuf struct strbuf content = STRBUF_EMPTY;

	assert_int_equal(file_read(in_fd, path, &content, 100, &err), 0);
	assert_string_equal(strbuf_text(&content), text);
}

static void assert_nothing_outside(void)
{
	assert_int_equal(unlinkat(place_fd, "out", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(place_fd, "out", 0755), 0);
}

static void test_the_root_gets_the_name_that_is_wanted(void **state)
{
	(void)state;
	build_directory(&tar, ".", 0751);
	build_file(&tar, "./file", "text");
	build_link(&tar, TAR_HARD_LINK, "./hard", "./file");
	assert_int_equal(unpack(0, "new"), 0);
	assert_content("new/hard", "text");
	struct stat st;
	assert_int_equal(fstatat(in_fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);

	build_file(&tar, ".", "alone");
	assert_int_equal(unpack(0, "name"), 0);
	assert_content("name", "alone");
}

static void test_without_a_name_the_directory_stays_as_it_is(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(fstat(in_fd, &before), 0);
	build_directory(&tar, "./", 0700);
	build_file(&tar, ".wh.file", "no whiteout");
	assert_int_equal(unpack(0, NULL), 0);
	assert_content(".wh.file", "no whiteout");
	assert_int_equal(fstat(in_fd, &after), 0);
	assert_int_equal(before.st_mode, after.st_mode);
}

static void test_files_are_replaced_and_directories_joined(void **state)
{
	(void)state;
	build_directory(&tar, "dir", 0755);
	build_file(&tar, "dir/old", "old");
	build_file(&tar, "dir/same", "old");
	assert_int_equal(unpack(0, NULL), 0);
	build_directory(&tar, "dir", 0700);
	build_file(&tar, "dir/same", "new");
	assert_int_equal(unpack(0, NULL), 0);
	assert_content("dir/old", "old");
	assert_content("dir/same", "new");
}

static void test_kinds_take_each_others_place_only_when_they_may(void **state)
{
	(void)state;
	build_directory(&tar, "a", 0755);
	build_file(&tar, "a/below", "x");
	build_file(&tar, "b", "x");
	assert_int_equal(unpack(0, NULL), 0);
	build_file(&tar, "a", "file");
	assert_int_equal(unpack(0, NULL), -EEXIST);
	build_directory(&tar, "b", 0755);
	assert_int_equal(unpack(0, NULL), -EEXIST);
	assert_content("a/below", "x");
	build_file(&tar, "a", "file");
	build_directory(&tar, "b", 0755);
	build_file(&tar, "b/below", "y");
	assert_int_equal(unpack(TAR_PLACE_REPLACE_KINDS, NULL), 0);
	assert_content("a", "file");
	assert_content("b/below", "y");
}

static void test_no_name_leads_out(void **state)
{
	static const char *const names[] = { "../out/x", "a/../../out/x", "/../out/x", ".." };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		build_file(&tar, names[i], "x");
		assert_int_equal(unpack(TAR_PLACE_FOLLOW_LINKS, NULL), -EXDEV);
	}
	build_file(&tar, "x", "x");
	build_link(&tar, TAR_HARD_LINK, "y", "../out/x");
	assert_int_equal(unpack(0, NULL), -EXDEV);
	assert_nothing_outside();
}

static void test_no_link_leads_out(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("../out", in_fd, "there"), 0);
	build_file(&tar, "there/x", "x");
	assert_true(unpack(0, NULL) < 0);
	/* One of the archive itself, which a directory listed twice could send. */
	build_link(&tar, TAR_SYMLINK, "./a", "../../out");
	build_file(&tar, "./a/x", "x");
	assert_true(unpack(0, "new") < 0);
	build_directory(&tar, ".", 0755);
	build_link(&tar, TAR_SYMLINK, "./b", place);
	build_directory(&tar, "./b", 0755);
	build_file(&tar, "./b/x", "x");
	assert_true(unpack(0, "other") < 0);
	build_link(&tar, TAR_SYMLINK, "c", "../out/x");
	build_file(&tar, "c", "x");
	assert_int_equal(unpack(0, NULL), 0);
	assert_content("c", "x");
	assert_nothing_outside();
	assert_false(is_there(place_fd, "x"));
}

static void test_links_are_followed_where_that_is_wanted(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(in_fd, "real", 0755), 0);
	assert_int_equal(symlinkat("real", in_fd, "link"), 0);
	build_file(&tar, "link/x", "x");
	assert_int_equal(unpack(TAR_PLACE_FOLLOW_LINKS, NULL), 0);
	assert_content("real/x", "x");
}

static void test_missing_directories_are_made(void **state)
{
	(void)state;
	build_file(&tar, "a/b/c", "x");
	build_file(&tar, "a/d", "y");
	assert_int_equal(unpack(0, NULL), 0);
	assert_content("a/b/c", "x");
	assert_content("a/d", "y");
}

static void test_a_file_that_is_not_whole_goes(void **state)
{
	char text[2048];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	build_file(&tar, "whole", "x");
	build_file(&tar, "torn", text);
	assert_int_equal(unpack_part(tar.size - 1024, 0, NULL), -EBADMSG);
	assert_int_equal(stats.entries, 2);
	assert_content("whole", "x");
	assert_false(is_there(in_fd, "torn"));
}

static void test_devices_are_left_out(void **state)
{
	(void)state;
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_CHAR_DEVICE,
					.path = "null",
					.mode = 0666,
					.device_major = 1,
					.device_minor = 3 },
		    NULL);
	build_entry(&tar, (struct tar_entry){ .type = TAR_FIFO, .path = "fifo", .mode = 0600 },
		    NULL);
	assert_int_equal(unpack(TAR_PLACE_SKIP_DEVICES, NULL), 0);
	assert_int_equal(stats.skipped_devices, 1);
	assert_false(is_there(in_fd, "null"));
	assert_true(is_there(in_fd, "fifo"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_root_gets_the_name_that_is_wanted),
		TEST(test_without_a_name_the_directory_stays_as_it_is),
		TEST(test_files_are_replaced_and_directories_joined),
		TEST(test_kinds_take_each_others_place_only_when_they_may),
		TEST(test_no_name_leads_out),
		TEST(test_no_link_leads_out),
		TEST(test_links_are_followed_where_that_is_wanted),
		TEST(test_missing_directories_are_made),
		TEST(test_a_file_that_is_not_whole_goes),
		TEST(test_devices_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
