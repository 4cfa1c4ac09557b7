#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "store/extract.h"
#include "tar-build.h"

/* Each test unpacks into `root_fd`; `outside` beside it has to stay empty. */
static char place[128], outside[160];
static int place_fd, root_fd;
static struct strbuf tar;
static struct extract_stats stats;
static struct err err;

static int setup(void **state)
{
	(void)state;
	place_fd = make_place(place, sizeof(place));
	assert_int_equal(mkdirat(place_fd, "root", 0755), 0);
	assert_int_equal(mkdirat(place_fd, "outside", 0755), 0);
	snprintf(outside, sizeof(outside), "%s/outside", place);
	root_fd = openat(place_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tar = STRBUF_EMPTY;
	umask(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	/* Nothing was made outside, whatever the test did. */
	int removed = unlinkat(place_fd, "outside", AT_REMOVEDIR);
	strbuf_clear(&tar);
	close(root_fd);
	remove_place(place, place_fd);
	return removed;
}

static int extract_flagged(enum extract_flags flags)
{
	struct memory_source memory = { tar.data, tar.size, 0, 777 };
	struct tar_source source = { memory_next, &memory };
	struct extract_options options = { .flags = EXTRACT_IN_USERNS | flags };
	autotarreader struct tar_reader *reader =
		tar_reader_new(&source, TAR_READER_IGNORE_GLOBALS);

	err = (struct err){ 0 };
	return extract_tree(root_fd, reader, &options, &stats, &err);
}

static void extract(void)
{
	build_end(&tar);
	if (extract_flagged(0) < 0)
		fail_msg("%s", err.text);
}

static void extract_fails(int code, const char *words)
{
	build_end(&tar);
	assert_int_equal(extract_flagged(0), -code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static struct stat look(const char *path)
{
	struct stat st = { 0 };

	if (fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static bool is_there(const char *path)
{
	return faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_whiteout(const char *path)
{
	struct stat st = look(path);

	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static ssize_t xattr_of(const char *path, const char *name, char *value, size_t size)
{
	autofree char *full = xasprintf("%s/root/%s", place, path);

	return lgetxattr(full, name, value, size);
}

static bool is_opaque(const char *path)
{
	char value[8];

	return xattr_of(path, "user.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

static void expect_content(const char *path, const char *content)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (file_read(root_fd, path, &text, 1 << 20, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_text(&text), content);
}

/* ---- whiteouts ---- */

static void test_whiteout_becomes_device(void **state)
{
	(void)state;
	build_directory(&tar, "etc", 0755);
	build_file(&tar, "etc/.wh.passwd", "");
	build_file(&tar, ".wh.var", "");
	extract();
	assert_true(is_whiteout("etc/passwd"));
	assert_true(is_whiteout("var"));
	assert_false(is_there("etc/.wh.passwd"));
}

static void test_opaque_marks_directory(void **state)
{
	(void)state;
	build_directory(&tar, "etc", 0755);
	build_file(&tar, "etc/.wh..wh..opq", "");
	build_file(&tar, "etc/new", "x");
	build_file(&tar, "implied/.wh..wh..opq", "");
	build_directory(&tar, "plain", 0755);
	extract();
	assert_true(is_opaque("etc"));
	assert_true(is_opaque("implied"));
	assert_false(is_opaque("plain"));
	assert_true(is_there("etc/new"));
	assert_false(is_there("etc/.wh..wh..opq"));
}

static void test_whiteout_and_directory_make_opaque_in_any_order(void **state)
{
	(void)state;
	build_file(&tar, ".wh.first", "");
	build_directory(&tar, "first", 0700);
	build_file(&tar, "first/x", "");
	build_directory(&tar, "last", 0755);
	build_file(&tar, "last/x", "");
	build_file(&tar, ".wh.last", "");
	build_file(&tar, ".wh.implied", "");
	build_file(&tar, "implied/x", "");
	extract();
	assert_true(is_opaque("first"));
	assert_true(is_opaque("last"));
	assert_true(is_opaque("implied"));
	assert_true(is_there("first/x") && is_there("last/x") && is_there("implied/x"));
	assert_int_equal(look("first").st_mode & 07777, 0700);
}

static void test_whiteout_yields_to_file_in_any_order(void **state)
{
	(void)state;
	build_file(&tar, ".wh.first", "");
	build_file(&tar, "first", "1");
	build_file(&tar, "last", "2");
	build_file(&tar, ".wh.last", "");
	build_link(&tar, TAR_SYMLINK, "link", "nowhere");
	build_file(&tar, ".wh.link", "");
	extract();
	expect_content("first", "1");
	expect_content("last", "2");
	assert_true(S_ISLNK(look("link").st_mode));
}

static void test_whiteout_below_whiteout_is_nothing(void **state)
{
	(void)state;
	build_file(&tar, ".wh.foo", "");
	build_file(&tar, "foo/.wh.bar", "");
	build_file(&tar, "foo/baz/.wh..wh..opq", "");
	extract();
	assert_true(is_whiteout("foo"));
}

static void test_whiteout_of_nothing_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = { ".wh.",	".wh..",    ".wh...",
					     "a/.wh..", "a/.wh...", ".wh.x/y" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		strbuf_reset(&tar);
		build_file(&tar, names[i], "");
		extract_fails(EINVAL, "whiteout of nothing");
	}
}

static void test_aufs_metadata_is_ignored(void **state)
{
	(void)state;
	build_directory(&tar, ".wh..wh.plnk", 0755);
	build_file(&tar, ".wh..wh.plnk/1.2", "x");
	build_file(&tar, ".wh..wh.aufs", "");
	extract();
	assert_false(is_there(".wh..wh.plnk"));
	assert_false(is_there(".wh.plnk"));
}

/* ---- names that want out ---- */

static void test_dotdot_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = { "../outside/x", "a/../../outside/x", "..",
					     "./../outside/x" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		strbuf_reset(&tar);
		build_file(&tar, names[i], "");
		extract_fails(EXDEV, "leads out of the layer");
	}
}

static void test_names_are_cleaned(void **state)
{
	(void)state;
	build_file(&tar, "/absolute", "1");
	build_file(&tar, "./dot//double/./name", "2");
	build_file(&tar, "a/../b", "3");
	build_file(&tar, "/../../top", "4");
	extract();
	expect_content("absolute", "1");
	expect_content("dot/double/name", "2");
	expect_content("b", "3");
	expect_content("top", "4");
	assert_false(is_there("a"));
}

static void test_links_are_followed_inside_only(void **state)
{
	(void)state;
	/* The link says /tmp/…/outside; that is a directory below the layer's root. */
	build_link(&tar, TAR_SYMLINK, "absolute", outside);
	build_link(&tar, TAR_SYMLINK, "relative", "../../../../../../outside");
	build_directory(&tar, outside, 0755);
	build_directory(&tar, "outside", 0755);
	build_file(&tar, "absolute/x", "1");
	build_file(&tar, "relative/y", "2");
	extract();
	autofree char *x = path_join(outside + 1, "x");
	expect_content(x, "1");
	expect_content("outside/y", "2");
}

static void test_dangling_link_as_parent_is_refused(void **state)
{
	(void)state;
	build_link(&tar, TAR_SYMLINK, "link", outside);
	build_file(&tar, "link/x", "1");
	extract_fails(ENOTDIR, "leads to no directory");
}

static void test_file_as_parent_is_refused(void **state)
{
	(void)state;
	build_file(&tar, "file", "1");
	build_file(&tar, "file/x", "1");
	extract_fails(ENOTDIR, "not a directory");
}

static void test_last_component_is_never_followed(void **state)
{
	(void)state;
	autofree char *target = path_join(outside, "x");

	build_link(&tar, TAR_SYMLINK, "file", target);
	build_file(&tar, "file", "new");
	build_link(&tar, TAR_SYMLINK, "dir", outside);
	build_directory(&tar, "dir", 0700);
	build_file(&tar, "dir/x", "in");
	build_link(&tar, TAR_SYMLINK, "marked", outside);
	build_file(&tar, ".wh.marked", "");
	extract();
	expect_content("file", "new");
	expect_content("dir/x", "in");
	assert_true(S_ISDIR(look("dir").st_mode));
	assert_true(S_ISLNK(look("marked").st_mode));
}

static void test_replaced_parent_is_noticed(void **state)
{
	(void)state;
	build_directory(&tar, "a", 0755);
	build_file(&tar, "a/x", "1");
	build_link(&tar, TAR_SYMLINK, "a", outside);
	build_directory(&tar, outside, 0755);
	build_file(&tar, "a/y", "2");
	build_directory(&tar, "b", 0755);
	build_file(&tar, "b/x", "1");
	build_file(&tar, "b", "file");
	build_directory(&tar, "b", 0755);
	build_file(&tar, "b/y", "2");
	extract();
	assert_true(S_ISLNK(look("a").st_mode));
	autofree char *y = path_join(outside + 1, "y");
	expect_content(y, "2");
	assert_false(is_there("b/x"));
	expect_content("b/y", "2");
}

static void test_directory_metadata_does_not_follow_links(void **state)
{
	(void)state;
	build_directory(&tar, "a", 0711);
	build_link(&tar, TAR_SYMLINK, "a", outside);
	struct stat before, after;
	assert_int_equal(stat(outside, &before), 0);
	extract();
	assert_int_equal(stat(outside, &after), 0);
	assert_int_equal(before.st_mode, after.st_mode);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
}

/* ---- links ---- */

static void test_hard_links_share_an_inode(void **state)
{
	(void)state;
	build_file(&tar, "dir/one", "text");
	build_link(&tar, TAR_HARD_LINK, "two", "dir/one");
	build_link(&tar, TAR_HARD_LINK, "dir/three", "/dir/../dir/one");
	build_link(&tar, TAR_HARD_LINK, "two", "two");
	build_file(&tar, "four", "old");
	build_link(&tar, TAR_HARD_LINK, "four", "two");
	build_link(&tar, TAR_SYMLINK, "soft", "nowhere");
	build_link(&tar, TAR_HARD_LINK, "soft2", "soft");
	extract();
	assert_int_equal(look("dir/one").st_nlink, 4);
	assert_int_equal(look("dir/one").st_ino, look("four").st_ino);
	assert_int_equal(look("soft").st_ino, look("soft2").st_ino);
	expect_content("four", "text");
}

static void test_hard_link_to_outside_is_refused(void **state)
{
	(void)state;
	build_link(&tar, TAR_HARD_LINK, "link", "../outside");
	extract_fails(EXDEV, "out of the layer");
	strbuf_reset(&tar);
	build_link(&tar, TAR_HARD_LINK, "link", "");
	extract_fails(EXDEV, "out of the layer");
	strbuf_reset(&tar);
	build_link(&tar, TAR_HARD_LINK, "link", "/etc/passwd");
	extract_fails(EBADMSG, "hard link 'link'");
	strbuf_reset(&tar);
	build_directory(&tar, "etc", 0755);
	build_link(&tar, TAR_HARD_LINK, "link", "/etc/passwd");
	extract_fails(EBADMSG, "hard link 'link' to '/etc/passwd'");
	strbuf_reset(&tar);
	build_link(&tar, TAR_SYMLINK, "etc2", "/etc");
	build_link(&tar, TAR_HARD_LINK, "link", "etc2/passwd");
	extract_fails(EBADMSG, "hard link 'link'");
}

/* ---- replacing ---- */

static void test_later_entries_replace_earlier_ones(void **state)
{
	(void)state;
	build_file(&tar, "file", "first");
	build_file(&tar, "file", "2");
	build_file(&tar, "dir/x/y", "x");
	build_file(&tar, "dir", "now a file");
	build_file(&tar, "link", "x");
	build_link(&tar, TAR_SYMLINK, "link", "file");
	build_file(&tar, "tree/x", "x");
	build_link(&tar, TAR_SYMLINK, "tree", "file");
	build_file(&tar, "below", "x");
	build_directory(&tar, "below", 0755);
	build_directory(&tar, "merged", 0700);
	build_file(&tar, "merged/x", "x");
	build_directory(&tar, "merged", 0755);
	extract();
	expect_content("file", "2");
	expect_content("dir", "now a file");
	assert_true(S_ISLNK(look("link").st_mode));
	assert_true(S_ISLNK(look("tree").st_mode));
	assert_true(is_opaque("below"));
	assert_true(is_there("merged/x"));
	assert_false(is_opaque("merged"));
	assert_int_equal(look("merged").st_mode & 07777, 0755);
}

/* ---- metadata ---- */

static void test_modes_and_times_are_exact(void **state)
{
	(void)state;
	build_directory(&tar, "./", 0751);
	build_directory(&tar, "locked", 0);
	build_file(&tar, "locked/x", "1");
	build_directory(&tar, "read-only", 0555);
	build_file(&tar, "read-only/x", "1");
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_FILE,
					.path = "set-id",
					.mode = 06755,
					.mtime = { -2, 500000000 } },
		    "x");
	build_entry(
		&tar,
		(struct tar_entry){
			.type = TAR_DIRECTORY, .path = "sticky", .mode = 03777, .mtime = { 1, 1 } },
		NULL);
	build_file(&tar, "sticky/x", "1");
	build_directory(&tar, "sticky/dir", 0755);
	build_link(&tar, TAR_SYMLINK, "link", "x");
	build_entry(&tar,
		    (struct tar_entry){
			    .type = TAR_FIFO, .path = "fifo", .mode = 0620, .mtime = { 7, 7 } },
		    NULL);
	extract();
	assert_int_equal(look(".").st_mode & 07777, 0751);
	assert_int_equal(look(".").st_mtim.tv_nsec, 123456789);
	assert_int_equal(look("locked").st_mode & 07777, 0);
	assert_int_equal(look("locked").st_mtim.tv_sec, 1000000000);
	assert_int_equal(look("read-only").st_mode & 07777, 0555);
	assert_int_equal(look("set-id").st_mode & 07777, 06755);
	assert_int_equal(look("set-id").st_mtim.tv_sec, -2);
	assert_int_equal(look("set-id").st_mtim.tv_nsec, 500000000);
	assert_int_equal(look("sticky").st_mode & 07777, 03777);
	assert_int_equal(look("sticky").st_mtim.tv_nsec, 1);
	assert_int_equal(look("sticky/dir").st_mode & 07777, 0755);
	assert_int_equal(look("link").st_mtim.tv_sec, 1000000000);
	assert_true(S_ISFIFO(look("fifo").st_mode));
	assert_int_equal(look("fifo").st_mode & 07777, 0620);
	assert_int_equal(look("fifo").st_mtim.tv_sec, 7);
}

static void test_overlay_attributes_are_dropped(void **state)
{
	(void)state;
	static const struct tar_xattr xattrs[] = {
		{ "user.kept", "value\0with nul", 14 },
		{ "user.overlay.opaque", "y", 1 },
		{ "user.overlay.redirect", "/etc", 4 },
		{ "trusted.overlay.opaque", "y", 1 },
		{ "trusted.other", "x", 1 },
		{ "security.selinux", "label", 5 },
		{ "security.apparmor", "x", 1 },
	};
	char value[64];

	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_DIRECTORY,
					.path = "dir",
					.mode = 0755,
					.xattrs = xattrs,
					.xattr_count = ARRAY_SIZE(xattrs) },
		    NULL);
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_FILE,
					.path = "file",
					.mode = 04755,
					.xattrs = xattrs,
					.xattr_count = ARRAY_SIZE(xattrs) },
		    "x");
	extract();
	assert_int_equal(xattr_of("dir", "user.kept", value, sizeof(value)), 14);
	assert_int_equal(xattr_of("file", "user.kept", value, sizeof(value)), 14);
	assert_memory_equal(value, "value\0with nul", 14);
	for (size_t i = 1; i < ARRAY_SIZE(xattrs); i++) {
		assert_true(xattr_of("dir", xattrs[i].name, value, sizeof(value)) < 0);
		assert_true(xattr_of("file", xattrs[i].name, value, sizeof(value)) < 0);
	}
	assert_int_equal(look("file").st_mode & 07777, 04755);
	assert_int_equal(stats.skipped_xattrs, 12);
}

static void test_file_capabilities_are_bound_to_the_namespace(void **state)
{
	(void)state;
	/* VFS_CAP_REVISION_2, effective, CAP_NET_RAW */
	static const char capability[20] = { 1, 0, 0, 2, 0, 0x20 };
	static const struct tar_xattr xattrs[] = { { "security.capability", capability, 20 } };
	char value[64];

	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_FILE,
					.path = "ping",
					.mode = 0755,
					.xattrs = xattrs,
					.xattr_count = 1 },
		    "x");
	extract();
	assert_int_equal(xattr_of("ping", "security.capability", value, sizeof(value)), 20);
	assert_memory_equal(value, capability, 20);
}

static void test_default_acl_does_not_reach_the_layers_own_files(void **state)
{
	(void)state;
	/* Version 2; user::rwx, group::---, other::rwx. */
	static const unsigned char acl[28] = { 2,    0,	   0, 0, 1,    0,    7,	   0,	 0xff, 0xff,
					       0xff, 0xff, 4, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
					       0x20, 0,	   7, 0, 0xff, 0xff, 0xff, 0xff };
	static const struct tar_xattr xattrs[] = { { "system.posix_acl_default", acl,
						     sizeof(acl) } };
	char value[64];

	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_DIRECTORY,
					.path = "dir",
					.mode = 0755,
					.xattrs = xattrs,
					.xattr_count = 1 },
		    NULL);
	build_file(&tar, "dir/file", "x");
	extract();
	assert_int_equal(look("dir/file").st_mode & 0777, 0644);
	assert_int_equal(xattr_of("dir", "system.posix_acl_default", value, sizeof(value)), 28);
	assert_true(xattr_of("dir/file", "system.posix_acl_access", value, sizeof(value)) < 0);
}

static void test_owner_outside_of_the_mapping_is_named(void **state)
{
	(void)state;
	build_entry(
		&tar,
		(struct tar_entry){
			.type = TAR_FILE, .path = "file", .mode = 0644, .uid = 1234, .gid = 5678 },
		"x");
	extract_fails(EINVAL, "1234:5678");
	assert_non_null(strstr(err.text, "usermod --add-subuids"));
	assert_int_equal(unlinkat(root_fd, "file", 0), 0);
	assert_int_equal(extract_flagged(EXTRACT_IGNORE_OWNERS), 0);
	assert_int_equal(stats.changed_owners, 1);
	assert_int_equal(look("file").st_uid, 0);
}

static void test_devices_are_left_out_in_a_user_namespace(void **state)
{
	(void)state;
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_CHAR_DEVICE,
					.path = "dev/null",
					.mode = 0666,
					.device_major = 1,
					.device_minor = 3 },
		    NULL);
	build_entry(&tar,
		    (struct tar_entry){ .type = TAR_BLOCK_DEVICE,
					.path = "dev/sda",
					.mode = 0660,
					.device_major = 8 },
		    NULL);
	extract();
	assert_false(is_there("dev/null"));
	assert_int_equal(stats.skipped_devices, 2);
	assert_int_equal(look("dev").st_mode & 07777, 0755);
}

/* ---- sparse files ---- */

static void expect_sparse(const char *path)
{
	struct stat st = look(path);
	autoclose int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	char byte;

	assert_int_equal(st.st_size, 10 << 20);
	assert_true(st.st_blocks < 2048);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'A');
	assert_int_equal(pread(fd, &byte, 1, 511), 1);
	assert_int_equal(byte, 'A');
	assert_int_equal(pread(fd, &byte, 1, 512), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pread(fd, &byte, 1, 1 << 20), 1);
	assert_int_equal(byte, 'B');
	assert_int_equal(pread(fd, &byte, 1, (10 << 20) - 1), 1);
	assert_int_equal(byte, 0);
}

/* 512 'A' at 0 and 1000 'B' at 1 MiB, of 10 MiB. */
static void sparse_data(struct strbuf *data)
{
	for (int i = 0; i < 512; i++)
		strbuf_addc(data, 'A');
	for (int i = 0; i < 1000; i++)
		strbuf_addc(data, 'B');
}

static void test_sparse_files_keep_their_holes(void **state)
{
	(void)state;
	autostrbuf struct strbuf data = STRBUF_EMPTY, with_map = STRBUF_EMPTY;

	sparse_data(&data);
	build_pax(&tar, 'x',
		  "GNU.sparse.size=10485760\nGNU.sparse.numblocks=2\nGNU.sparse.offset=0\n"
		  "GNU.sparse.numbytes=512\nGNU.sparse.offset=1048576\nGNU.sparse.numbytes=1000\n");
	build_raw(&tar, "pax-0.0", '0', USTAR, data.data, data.size);
	build_pax(&tar, 'x',
		  "GNU.sparse.size=10485760\nGNU.sparse.numblocks=2\n"
		  "GNU.sparse.map=0,512,1048576,1000\nGNU.sparse.name=pax-0.1\n");
	build_raw(&tar, "GNUSparseFile.1/pax-0.1", '0', USTAR, data.data, data.size);
	strbuf_adds(&with_map, "2\n0\n512\n1048576\n1000\n");
	while (with_map.size < 512)
		strbuf_addc(&with_map, '\0');
	strbuf_add(&with_map, data.data, data.size);
	build_pax(&tar, 'x',
		  "GNU.sparse.major=1\nGNU.sparse.minor=0\nGNU.sparse.name=pax-1.0\n"
		  "GNU.sparse.realsize=10485760\n");
	build_raw(&tar, "GNUSparseFile.1/pax-1.0", '0', USTAR, with_map.data, with_map.size);
	size_t at = tar.size;
	build_raw(&tar, "gnu", 'S', GNU, data.data, data.size);
	memcpy(tar.data + at + 386, "00000000000\00000000001000", 23);
	memcpy(tar.data + at + 410, "00004000000\00000000001750", 23);
	memcpy(tar.data + at + 483, "00050000000", 11);
	build_sum(&tar, at);
	build_file(&tar, "after", "still in step");
	extract();
	expect_sparse("pax-0.0");
	expect_sparse("pax-0.1");
	expect_sparse("pax-1.0");
	expect_sparse("gnu");
	expect_content("after", "still in step");
	assert_int_equal(stats.content_bytes, 4 * 1512 + 13);
}

static void test_file_of_one_hole_has_its_size(void **state)
{
	(void)state;
	build_pax(&tar, 'x', "GNU.sparse.size=10485760\nGNU.sparse.map=10485760,0\n");
	build_raw(&tar, "hole", '0', USTAR, "", 0);
	extract();
	assert_int_equal(look("hole").st_size, 10 << 20);
	assert_true(look("hole").st_blocks < 64);
}

/* ---- long and deep ---- */

static void test_deep_trees_are_made_and_removed(void **state)
{
	(void)state;
	autostrbuf struct strbuf path = STRBUF_EMPTY;
	struct rlimit few = { 256, 256 };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < 1900; i++)
		strbuf_adds(&path, "d/");
	strbuf_adds(&path, "file");
	build_file(&tar, path.data, "deep");
	extract();
	expect_content(path.data, "deep");
	/* teardown() removes it. */
}

static void test_path_that_is_too_long_is_refused(void **state)
{
	(void)state;
	autostrbuf struct strbuf path = STRBUF_EMPTY;

	for (int i = 0; i < 3000; i++)
		strbuf_adds(&path, "d/");
	build_file(&tar, path.data, NULL);
	extract_fails(ENAMETOOLONG, "too long");
	strbuf_reset(&tar);
	strbuf_reset(&path);
	for (int i = 0; i < 300; i++)
		strbuf_adds(&path, "d");
	build_file(&tar, path.data, NULL);
	extract_fails(ENAMETOOLONG, "too long");
}

static void test_root_must_be_a_directory(void **state)
{
	(void)state;
	build_link(&tar, TAR_SYMLINK, "./", outside);
	extract_fails(EINVAL, "root of the layer");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whiteout_becomes_device),
		TEST(test_opaque_marks_directory),
		TEST(test_whiteout_and_directory_make_opaque_in_any_order),
		TEST(test_whiteout_yields_to_file_in_any_order),
		TEST(test_whiteout_below_whiteout_is_nothing),
		TEST(test_whiteout_of_nothing_is_refused),
		TEST(test_aufs_metadata_is_ignored),
		TEST(test_dotdot_is_refused),
		TEST(test_names_are_cleaned),
		TEST(test_links_are_followed_inside_only),
		TEST(test_dangling_link_as_parent_is_refused),
		TEST(test_file_as_parent_is_refused),
		TEST(test_last_component_is_never_followed),
		TEST(test_replaced_parent_is_noticed),
		TEST(test_directory_metadata_does_not_follow_links),
		TEST(test_hard_links_share_an_inode),
		TEST(test_hard_link_to_outside_is_refused),
		TEST(test_later_entries_replace_earlier_ones),
		TEST(test_modes_and_times_are_exact),
		TEST(test_overlay_attributes_are_dropped),
		TEST(test_file_capabilities_are_bound_to_the_namespace),
		TEST(test_default_acl_does_not_reach_the_layers_own_files),
		TEST(test_owner_outside_of_the_mapping_is_named),
		TEST(test_devices_are_left_out_in_a_user_namespace),
		TEST(test_sparse_files_keep_their_holes),
		TEST(test_file_of_one_hole_has_its_size),
		TEST(test_deep_trees_are_made_and_removed),
		TEST(test_path_that_is_too_long_is_refused),
		TEST(test_root_must_be_a_directory),
	};

	become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
