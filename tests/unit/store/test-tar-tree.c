#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/strlist.h"
#include "kernel/id-map.h"
#include "store/extract.h"
#include "store/tar-tree.h"
#include "tar-build.h"

/* Each test fills `from_fd`, writes it as an archive and unpacks that into `to_fd`. */
static char place[128];
static int place_fd, from_fd, to_fd;
static struct strbuf tar;
static struct tar_tree_stats stats;
static struct err err;

static int setup(void **state)
{
	(void)state;
	umask(0);
	place_fd = make_place(place, sizeof(place));
	assert_int_equal(mkdirat(place_fd, "from", 0755), 0);
	assert_int_equal(mkdirat(place_fd, "to", 0755), 0);
	from_fd = openat(place_fd, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to_fd = openat(place_fd, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tar = STRBUF_EMPTY;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_clear(&tar);
	close(from_fd);
	close(to_fd);
	remove_place(place, place_fd);
	return 0;
}

static void put_file(const char *path, const char *text)
{
	assert_int_equal(file_write(from_fd, path, text, strlen(text), 0644, 0, &err), 0);
}

static void put_time(const char *path, time_t seconds, long nanoseconds)
{
	struct timespec times[2] = { { 1, 1 }, { seconds, nanoseconds } };

	assert_int_equal(utimensat(from_fd, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void put_xattr(const char *path, const char *name, const char *value)
{
	autoclose int fd = openat(from_fd, path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsetxattr(fd, name, value, strlen(value), 0), 0);
}

static int write_tree(const struct tar_tree_options *options)
{
	struct tar_sink sink = { .write = build_write, .arg = &tar };
	autotarwriter struct tar_writer *writer = tar_writer_new(&sink);
	autotartree struct tar_tree *tree = tar_tree_new(writer, options);

	strbuf_reset(&tar);
	int r = tar_tree_add_content(tree, from_fd, "", &err);
	if (r == 0)
		r = tar_writer_finish(writer, &err);
	stats = *tar_tree_stats(tree);
	return r;
}

static void round_trip(enum tar_tree_flags flags)
{
	struct tar_tree_options options = { .flags = flags };
	struct extract_options extract_options = { .flags = EXTRACT_IN_USERNS };
	struct extract_stats ignored;

	if (write_tree(&options) < 0)
		fail_msg("%s", err.text);
	struct memory_source memory = { tar.data, tar.size, 0, 4096 };
	struct tar_source source = { memory_next, &memory };
	autotarreader struct tar_reader *reader =
		tar_reader_new(&source, TAR_READER_IGNORE_GLOBALS);
	if (extract_tree(to_fd, reader, &extract_options, &ignored, &err) < 0)
		fail_msg("%s", err.text);
}

static struct stat look(int fd, const char *path)
{
	struct stat st = { 0 };

	if (fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static bool is_there(const char *path)
{
	return faccessat(to_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void expect_same(const char *path)
{
	struct stat from = look(from_fd, path), to = look(to_fd, path);

	assert_int_equal(from.st_mode, to.st_mode);
	assert_int_equal(from.st_uid, to.st_uid);
	assert_int_equal(from.st_gid, to.st_gid);
	assert_int_equal(from.st_mtim.tv_sec, to.st_mtim.tv_sec);
	assert_int_equal(from.st_mtim.tv_nsec, to.st_mtim.tv_nsec);
	if (!S_ISDIR(from.st_mode)) {
		assert_int_equal(from.st_size, to.st_size);
		assert_int_equal(from.st_nlink, to.st_nlink);
	}
	if (S_ISREG(from.st_mode)) {
		autostrbuf struct strbuf a = STRBUF_EMPTY, b = STRBUF_EMPTY;
		assert_int_equal(file_read(from_fd, path, &a, 1 << 26, &err), 0);
		assert_int_equal(file_read(to_fd, path, &b, 1 << 26, &err), 0);
		assert_int_equal(a.size, b.size);
		assert_memory_equal(strbuf_text(&a), strbuf_text(&b), a.size);
	}
}

static ssize_t xattr_of(const char *path, const char *name, char *value, size_t size)
{
	autofree char *full = xasprintf("%s/to/%s", place, path);

	return lgetxattr(full, name, value, size);
}

/* ---- round trips ---- */

static void test_modes_times_and_content_survive(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(from_fd, "dir", 0700), 0);
	assert_int_equal(mkdirat(from_fd, "dir/sticky", 0777), 0);
	assert_int_equal(fchmodat(from_fd, "dir/sticky", 01777, 0), 0);
	put_file("dir/empty", "");
	put_file("dir/text", "some text\n");
	assert_int_equal(fchmodat(from_fd, "dir/text", 04751, 0), 0);
	put_file("ä b\nc", "odd name");
	put_time("dir/text", 1234567890, 123456789);
	put_time("dir/empty", -5, 500000000);
	put_time("dir/sticky", 99, 0);
	put_time("dir", 1000000000, 1);
	round_trip(0);
	expect_same("dir");
	expect_same("dir/sticky");
	expect_same("dir/empty");
	expect_same("dir/text");
	expect_same("ä b\nc");
	assert_int_equal(stats.entries, 5);
}

static void test_links_and_pipes_survive(void **state)
{
	(void)state;
	put_file("a", "content");
	assert_int_equal(linkat(from_fd, "a", from_fd, "b", 0), 0);
	assert_int_equal(mkdirat(from_fd, "d", 0755), 0);
	assert_int_equal(linkat(from_fd, "a", from_fd, "d/c", 0), 0);
	assert_int_equal(symlinkat("/nowhere/at all", from_fd, "s"), 0);
	assert_int_equal(linkat(from_fd, "s", from_fd, "s2", 0), 0);
	assert_int_equal(mkfifoat(from_fd, "pipe", 0620), 0);
	put_time("s", 77, 7);
	round_trip(0);
	expect_same("a");
	expect_same("d/c");
	expect_same("s");
	expect_same("s2");
	expect_same("pipe");
	assert_int_equal(look(to_fd, "a").st_ino, look(to_fd, "b").st_ino);
	assert_int_equal(look(to_fd, "a").st_ino, look(to_fd, "d/c").st_ino);
}

static void test_long_names_and_deep_directories_survive(void **state)
{
	(void)state;
	char name[256], path[300];
	struct strbuf deep = STRBUF_EMPTY;

	memset(name, 'n', 255);
	name[255] = '\0';
	assert_int_equal(mkdirat(from_fd, name, 0755), 0);
	snprintf(path, sizeof(path), "%s/f", name);
	put_file(path, "x");
	assert_int_equal(symlinkat(path, from_fd, "long"), 0);
	for (int i = 0; i < 300; i++) {
		strbuf_adds(&deep, i ? "/dir" : "dir");
		assert_int_equal(mkdirat(from_fd, deep.data, 0755), 0);
	}
	round_trip(0);
	expect_same(path);
	expect_same("long");
	expect_same(deep.data);
	strbuf_clear(&deep);
}

static void test_attributes_survive(void **state)
{
	(void)state;
	/* What the kernel calls revision 2: cap_net_raw, effective. */
	static const char capability[20] = { 1, 0, 0, 2, 0, 0x20 };
	char value[64];

	put_file("f", "x");
	assert_int_equal(mkdirat(from_fd, "d", 0755), 0);
	put_xattr("f", "user.mime", "text/plain");
	put_xattr("d", "user.note", "a directory");
	autoclose int fd = openat(from_fd, "f", O_RDONLY | O_CLOEXEC);
	bool has_capability =
		fsetxattr(fd, "security.capability", capability, sizeof(capability), 0) == 0;
	round_trip(0);
	assert_int_equal(xattr_of("f", "user.mime", value, sizeof(value)), 10);
	assert_memory_equal(value, "text/plain", 10);
	assert_int_equal(xattr_of("d", "user.note", value, sizeof(value)), 11);
	if (has_capability) {
		assert_int_equal(xattr_of("f", "security.capability", value, sizeof(value)), 20);
		assert_memory_equal(value, capability, 20);
	}
}

/* The other process never rests; whatever the archive has is what the attribute once was. */
static void test_attributes_that_change_are_old_or_new(void **state)
{
	(void)state;
	static char large[2000];
	struct tar_tree_options options = { 0 };
	const struct tar_entry *entry;

	memset(large, 'v', sizeof(large));
	put_file("f", "");
	put_xattr("f", "user.busy", "");
	pid_t writer = fork();
	if (writer == 0) {
		int fd = openat(from_fd, "f", O_RDONLY | O_CLOEXEC);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0;; i++)
			(void)fsetxattr(fd, "user.busy", large, i % 2 * sizeof(large), 0);
	}
	for (int i = 0; i < 200; i++) {
		if (write_tree(&options) < 0)
			fail_msg("%s", err.text);
		struct memory_source memory = { tar.data, tar.size, 0, 4096 };
		struct tar_source source = { memory_next, &memory };
		autotarreader struct tar_reader *reader = tar_reader_new(&source, 0);
		assert_int_equal(tar_reader_next(reader, &entry, &err), 1);
		assert_int_equal(entry->xattr_count, 1);
		size_t size = entry->xattrs[0].size;
		assert_true(size == 0 || size == sizeof(large));
		assert_memory_equal(entry->xattrs[0].value, large, size);
	}
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
}

static void test_holes_survive_and_cost_nothing(void **state)
{
	(void)state;
	static const char long_name[] = "a-directory-with-a-name-that-fills-much-of-a-header/"
					"another-one-with-an-even-longer-name-than-the-first-had/"
					"and-the-file-itself-which-is-sparse";
	autoclose int fd = openat(from_fd, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, 5 << 20), 6);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
	autoclose int hole = openat(from_fd, "hole", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(hole, 8 << 20), 0);
	autofree char *directory =
		xstrndup(long_name, (size_t)(strrchr(long_name, '/') - long_name));
	assert_true(file_make_dirs(from_fd, directory, 0755, &err) >= 0);
	assert_int_equal(linkat(from_fd, "hole", from_fd, "hole2", 0), 0);
	assert_int_equal(renameat(from_fd, "hole", from_fd, long_name), 0);
	if (look(from_fd, "sparse").st_blocks > 1024)
		skip(); /* this file system has no holes */
	round_trip(0);
	expect_same("sparse");
	expect_same("hole2");
	expect_same(long_name);
	assert_true(tar.size < 64 << 10);
	assert_int_equal(look(to_fd, "sparse").st_blocks, look(from_fd, "sparse").st_blocks);
}

static void test_sockets_are_left_out(void **state)
{
	(void)state;
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_true(snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/from/socket",
			     place) < 108);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	put_file("z", "z");
	round_trip(0);
	expect_same("z");
	assert_false(is_there("socket"));
	assert_int_equal(stats.skipped_sockets, 1);
}

static void test_equal_trees_give_equal_archives(void **state)
{
	(void)state;
	autostrbuf struct strbuf first = STRBUF_EMPTY;
	struct tar_tree_options options = { 0 };

	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%d", i * 37 % 100);
		put_file(name, name);
		put_time(name, 5, 5);
	}
	assert_int_equal(write_tree(&options), 0);
	first = tar;
	tar = STRBUF_EMPTY;
	assert_int_equal(write_tree(&options), 0);
	assert_int_equal(first.size, tar.size);
	assert_memory_equal(first.data, tar.data, tar.size);
}

/* ---- layers ---- */

static void test_whiteouts_are_those_of_layers(void **state)
{
	(void)state;
	static const char *const expected[] = { ".wh.gone\n", "d/.wh..wh..opq\n", "d/.wh.old\n",
						"plain\n" };
	char names[1024] = "";

	assert_int_equal(mkdirat(from_fd, "d", 0755), 0);
	put_xattr("d", "user.overlay.opaque", "y");
	put_xattr("d", "user.overlay.impure", "y");
	put_file("plain", "p");
	put_xattr("plain", "user.overlay.origin", "o");
	assert_int_equal(mknodat(from_fd, "gone", S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(linkat(from_fd, "gone", from_fd, "d/old", 0), 0);
	round_trip(TAR_TREE_LAYER);
	struct memory_source memory = { tar.data, tar.size, 0, 4096 };
	struct tar_source source = { memory_next, &memory };
	autotarreader struct tar_reader *reader = tar_reader_new(&source, 0);
	const struct tar_entry *entry;
	while (tar_reader_next(reader, &entry, &err) > 0) {
		assert_int_equal(entry->xattr_count, 0);
		strcat(strcat(names, entry->path), "\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		if (!strstr(names, expected[i]))
			fail_msg("'%s' is not in:\n%s", expected[i], names);
	/* And back they are overlayfs's. */
	assert_true(S_ISCHR(look(to_fd, "gone").st_mode));
	assert_true(S_ISCHR(look(to_fd, "d/old").st_mode));
	char value[4];
	assert_int_equal(xattr_of("d", "user.overlay.opaque", value, sizeof(value)), 1);
}

static void test_whiteouts_by_attribute_are_whiteouts(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(from_fd, "d", 0755), 0);
	put_xattr("d", "user.overlay.opaque", "x");
	put_file("d/gone", "");
	put_xattr("d/gone", "user.overlay.whiteout", "");
	put_file("d/stays", "");
	round_trip(TAR_TREE_LAYER);
	assert_true(S_ISCHR(look(to_fd, "d/gone").st_mode));
	expect_same("d/stays");
	char value[4];
	assert_int_equal(xattr_of("d", "user.overlay.opaque", value, sizeof(value)), -1);
}

static void test_half_a_directory_is_refused(void **state)
{
	(void)state;
	struct tar_tree_options options = { .flags = TAR_TREE_LAYER };

	assert_int_equal(mkdirat(from_fd, "moved", 0755), 0);
	put_xattr("moved", "user.overlay.redirect", "elsewhere");
	assert_int_equal(write_tree(&options), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "/moved"));
}

/* ---- choices ---- */

static void test_owners_go_through_the_maps(void **state)
{
	(void)state;
	struct id_extent extent = { 1000, 0, 1 }, other = { 0, 7, 1 };
	struct id_map map = { &extent, 1 }, narrow = { &other, 1 };
	struct tar_tree_options options = { .uid_map = &map, .gid_map = &map };
	const struct tar_entry *entry;

	put_file("f", "x");
	assert_int_equal(write_tree(&options), 0);
	struct memory_source memory = { tar.data, tar.size, 0, 4096 };
	struct tar_source source = { memory_next, &memory };
	autotarreader struct tar_reader *reader = tar_reader_new(&source, 0);
	assert_int_equal(tar_reader_next(reader, &entry, &err), 1);
	assert_int_equal(entry->uid, 1000);
	assert_int_equal(entry->gid, 1000);
	options.uid_map = &narrow;
	assert_int_equal(write_tree(&options), -EOVERFLOW);
	assert_non_null(strstr(err.text, "'/f'"));
}

static void test_what_is_excluded_is_left_out(void **state)
{
	(void)state;
	autostrlist struct strlist excluded = STRLIST_EMPTY;
	struct tar_tree_options options = { .excluded = &excluded };

	strlist_add(&excluded, "d/x");
	strlist_add(&excluded, "e");
	assert_int_equal(mkdirat(from_fd, "d", 0755), 0);
	assert_int_equal(mkdirat(from_fd, "e", 0755), 0);
	put_file("d/x", "x");
	put_file("d/y", "y");
	put_file("e/z", "z");
	assert_int_equal(write_tree(&options), 0);
	assert_int_equal(stats.entries, 2);
}

static void test_large_files_go_by_the_kernel(void **state)
{
	(void)state;
	size_t size = 3 << 20;
	autofree char *data = xmalloc(size);
	autostrbuf struct strbuf copy = STRBUF_EMPTY;
	struct tar_tree_options options = { 0 };

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 7 + i / 1000);
	assert_int_equal(file_write(from_fd, "large", data, size, 0644, 0, &err), 0);
	put_file("small", "small");
	put_file("zeros", "");
	assert_int_equal(write_tree(&options), 0);
	autoclose int fd = openat(place_fd, "tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(tar_tree_write(from_fd, &options, fd, NULL, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, &copy, 16 << 20), 0);
	assert_int_equal(copy.size, tar.size);
	assert_memory_equal(copy.data, tar.data, tar.size);
}

/* Whoever opens the pipe is told of by inotify; a process exchanges it with a file all the time. */
static void test_what_takes_the_place_of_a_file_is_not_opened(void **state)
{
	(void)state;
	struct tar_tree_options options = { 0 };
	char event[4096];

	put_file("file", "text");
	assert_int_equal(mkfifoat(from_fd, "pipe", 0644), 0);
	autoclose int watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	autofree char *path = xasprintf("/proc/self/fd/%d/pipe", from_fd);
	assert_true(inotify_add_watch(watch_fd, path, IN_OPEN) >= 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (renameat2(from_fd, "file", from_fd, "pipe", RENAME_EXCHANGE) == 0)
			;
		_exit(0);
	}
	bool is_opened = false;
	for (int i = 0; i < 2000 && !is_opened; i++) {
		assert_int_equal(write_tree(&options), 0);
		is_opened = read(watch_fd, event, sizeof(event)) > 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(is_opened);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_modes_times_and_content_survive),
		TEST(test_links_and_pipes_survive),
		TEST(test_long_names_and_deep_directories_survive),
		TEST(test_attributes_survive),
		TEST(test_attributes_that_change_are_old_or_new),
		TEST(test_holes_survive_and_cost_nothing),
		TEST(test_sockets_are_left_out),
		TEST(test_equal_trees_give_equal_archives),
		TEST(test_whiteouts_are_those_of_layers),
		TEST(test_whiteouts_by_attribute_are_whiteouts),
		TEST(test_half_a_directory_is_refused),
		TEST(test_owners_go_through_the_maps),
		TEST(test_what_is_excluded_is_left_out),
		TEST(test_large_files_go_by_the_kernel),
		TEST(test_what_takes_the_place_of_a_file_is_not_opened),
	};

	become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
