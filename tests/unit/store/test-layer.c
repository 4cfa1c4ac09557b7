#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <zlib.h>

#include "store/layer.h"
#include "tar-build.h"

static char place[128];
static int store_fd;

static int setup(void **state)
{
	(void)state;
	store_fd = make_place(place, sizeof(place));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	remove_place(place, store_fd);
	return 0;
}

static struct layer_options options_here(void)
{
	return (struct layer_options){ .flags = LAYER_IN_USERNS, .min_free_bytes = 1 };
}

static int blob_of(const void *data, size_t size)
{
	int fd = openat(store_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, size), 0);
	return fd;
}

static void gzip(struct strbuf *out, const void *data, size_t size)
{
	z_stream z = { 0 };
	char buffer[65536];

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)data;
	z.avail_in = (uInt)size;
	int r;
	do {
		z.next_out = (Bytef *)buffer;
		z.avail_out = sizeof(buffer);
		r = deflate(&z, Z_FINISH);
		strbuf_add(out, buffer, sizeof(buffer) - z.avail_out);
	} while (r == Z_OK);
	assert_int_equal(r, Z_STREAM_END);
	deflateEnd(&z);
}

static void small_archive(struct strbuf *tar)
{
	build_directory(tar, "etc/", 0755);
	build_file(tar, "etc/hostname", "davit\n");
	build_link(tar, TAR_SYMLINK, "etc/name", "hostname");
	build_end(tar);
}

static int count_in_layers(void)
{
	int fd = openat(store_fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
	if (fd < 0)
		return 0;
	DIR *dir = fdopendir(fd);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void test_unpacks_gzip_and_tells_digests(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY, gz = STRBUF_EMPTY, text = STRBUF_EMPTY;
	char digest[DIGEST_TEXT_SIZE], diff_id[DIGEST_TEXT_SIZE];
	struct layer_options options = options_here();
	struct layer_result result;
	struct err err;

	small_archive(&tar);
	gzip(&gz, tar.data, tar.size);
	assert_int_equal(sha256_digest(gz.data, gz.size, digest, &err), 0);
	assert_int_equal(sha256_digest(tar.data, tar.size, diff_id, &err), 0);
	autoclose int fd = blob_of(gz.data, gz.size);
	struct layer_source source = { .fd = fd,
				       .growth_fd = -1,
				       .digest = digest,
				       .diff_id = diff_id,
				       .size_bytes = gz.size };

	assert_false(layer_exists(store_fd, diff_id));
	assert_int_equal(layer_unpack(store_fd, &source, &options, &result, &err), 0);
	assert_string_equal(result.digest, digest);
	assert_string_equal(result.diff_id, diff_id);
	assert_int_equal(result.tar_bytes, tar.size);
	assert_int_equal(result.blob_bytes, gz.size);
	assert_int_equal(result.content_bytes, 6);
	assert_int_equal(result.entries, 3);
	assert_false(result.existed);
	assert_true(layer_exists(store_fd, diff_id));

	autofree char *path = layer_path(diff_id);
	autofree char *file = path_join(path, "etc/hostname");
	assert_int_equal(file_read(store_fd, file, &text, 100, &err), 0);
	assert_string_equal(strbuf_text(&text), "davit\n");

	assert_int_equal(layer_unpack(store_fd, &source, &options, &result, &err), 0);
	assert_true(result.existed);
	assert_int_equal(layer_remove(store_fd, diff_id, &err), 0);
	assert_false(layer_exists(store_fd, diff_id));
	assert_int_equal(layer_remove(store_fd, diff_id, &err), 0);
	assert_int_equal(count_in_layers(), 0);
}

static void expect_failure(const struct layer_source *source, const struct layer_options *options,
			   int code, const char *words)
{
	struct layer_result result;
	struct err err = { 0 };

	assert_int_equal(layer_unpack(store_fd, source, options, &result, &err), -code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
	assert_int_equal(count_in_layers(), 0);
}

static void test_wrong_digests_leave_nothing(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	static const char wrong[] =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct layer_options options = options_here();

	small_archive(&tar);
	autoclose int fd = blob_of(tar.data, tar.size);
	struct layer_source source = { .fd = fd, .growth_fd = -1, .digest = wrong };
	expect_failure(&source, &options, EBADMSG, "digest");
	source = (struct layer_source){ .fd = fd, .growth_fd = -1, .diff_id = wrong };
	expect_failure(&source, &options, EBADMSG, "diff ID");
	source = (struct layer_source){ .fd = fd, .growth_fd = -1, .size_bytes = tar.size + 1 };
	expect_failure(&source, &options, EBADMSG, "bytes");
	source = (struct layer_source){ .fd = fd, .growth_fd = -1, .size_bytes = tar.size - 1 };
	expect_failure(&source, &options, EBADMSG, "bytes");
	source = (struct layer_source){ .fd = fd, .growth_fd = -1, .diff_id = "sha256:../../x" };
	expect_failure(&source, &options, EINVAL, "diff ID");
}

static void test_truncation_anywhere_is_noticed(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY, gz = STRBUF_EMPTY;
	struct layer_options options = options_here();

	small_archive(&tar);
	gzip(&gz, tar.data, tar.size);
	for (size_t size = 1; size < gz.size; size++) {
		autoclose int fd = blob_of(gz.data, size);
		struct layer_source source = { .fd = fd, .growth_fd = -1 };
		struct layer_result result;
		struct err err;
		assert_int_equal(layer_unpack(store_fd, &source, &options, &result, &err),
				 -EBADMSG);
		assert_int_equal(count_in_layers(), 0);
	}
}

static void test_bomb_is_stopped(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	struct layer_options options = options_here();

	small_archive(&tar);
	autoclose int fd = blob_of(tar.data, tar.size);
	struct layer_source source = { .fd = fd, .growth_fd = -1 };
	options.max_tar_bytes = 1000;
	expect_failure(&source, &options, EFBIG, "unpacks to more");
}

static void test_disk_is_not_filled(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	struct layer_options options = options_here();
	autofree char *data = xmalloc((17 << 20) + 1);

	memset(data, 'x', 17 << 20);
	data[17 << 20] = '\0';
	build_file(&tar, "big", data);
	build_end(&tar);
	autoclose int fd = blob_of(tar.data, tar.size);
	struct layer_source source = { .fd = fd, .growth_fd = -1 };
	options.min_free_bytes = UINT64_MAX;
	expect_failure(&source, &options, ENOSPC, "left free");
}

/* ---- growing blobs ---- */

struct download {
	int fd, pipe_fd;
	const struct strbuf *data;
	bool abort;
};

static void *download_main(void *arg)
{
	struct download *download = arg;
	size_t size = download->data->size, step = size / 7 + 1;

	for (size_t done = 0; done < size;) {
		size_t n = done + step < size ? step : size - done;
		if (download->abort && done + n == size)
			break;
		assert_int_equal(pwrite(download->fd, download->data->data + done, n, (off_t)done),
				 (int)n);
		done += n;
		struct layer_growth growth = { .size_bytes = done, .is_complete = done == size };
		assert_int_equal(write(download->pipe_fd, &growth, sizeof(growth)), sizeof(growth));
		usleep(2000);
	}
	close(download->pipe_fd);
	return NULL;
}

static int unpack_download(const struct strbuf *gz, bool abort, struct err *err)
{
	struct layer_options options = options_here();
	struct layer_result result;
	pthread_t thread;
	int pipe_fds[2];
	autoclose int fd = blob_of("", 0);

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	struct download download = { fd, pipe_fds[1], gz, abort };
	assert_int_equal(pthread_create(&thread, NULL, download_main, &download), 0);
	struct layer_source source = { .fd = fd, .growth_fd = pipe_fds[0], .size_bytes = gz->size };
	int r = layer_unpack(store_fd, &source, &options, &result, err);
	pthread_join(thread, NULL);
	close(pipe_fds[0]);
	return r;
}

static void test_unpacks_while_downloading(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY, gz = STRBUF_EMPTY;
	struct err err;

	small_archive(&tar);
	gzip(&gz, tar.data, tar.size);
	assert_int_equal(unpack_download(&gz, false, &err), 0);
	assert_int_equal(count_in_layers(), 1);
}

static void test_aborted_download_leaves_nothing(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY, gz = STRBUF_EMPTY;
	struct err err;

	small_archive(&tar);
	gzip(&gz, tar.data, tar.size);
	assert_int_equal(unpack_download(&gz, true, &err), -ECANCELED);
	assert_non_null(strstr(err.text, "aborted"));
	assert_int_equal(count_in_layers(), 0);
}

static void test_bad_archive_does_not_wait_for_its_download(void **state)
{
	(void)state;
	struct layer_options options = options_here();
	struct layer_result result;
	int pipe_fds[2];
	char garbage[1024];
	struct err err;

	memset(garbage, 'x', sizeof(garbage));
	autoclose int fd = blob_of(garbage, sizeof(garbage));
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	struct layer_growth growth = { .size_bytes = sizeof(garbage) };
	assert_int_equal(write(pipe_fds[1], &growth, sizeof(growth)), sizeof(growth));
	struct layer_source source = { .fd = fd, .growth_fd = pipe_fds[0] };
	alarm(30);
	/* Fills no buffer, so only the reader's wait can end: by the end of the pipe. */
	close(pipe_fds[1]);
	assert_true(layer_unpack(store_fd, &source, &options, &result, &err) < 0);
	alarm(0);
	close(pipe_fds[0]);
	assert_int_equal(count_in_layers(), 0);
}

/* ---- leftovers ---- */

static void test_sweep_takes_leftovers_and_spares_what_is_in_use(void **state)
{
	(void)state;
	struct err err;

	assert_int_equal(layer_sweep(store_fd, &err), 0);
	assert_int_equal(mkdirat(store_fd, "layers", 0700), 0);
	assert_int_equal(mkdirat(store_fd, "layers/tmp-dead", 0700), 0);
	assert_int_equal(mkdirat(store_fd, "layers/tmp-dead/diff", 0), 0);
	assert_int_equal(mkdirat(store_fd, "layers/tmp-live", 0700), 0);
	assert_int_equal(mkdirat(store_fd, "layers/0123", 0700), 0);
	autoclose int live = openat(store_fd, "layers/tmp-live", O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(live, LOCK_EX), 0);
	assert_int_equal(layer_sweep(store_fd, &err), 1);
	assert_int_equal(count_in_layers(), 2);
	fd_close(&live);
	assert_int_equal(layer_sweep(store_fd, &err), 1);
	assert_int_equal(count_in_layers(), 1);
}

static void test_killed_unpack_is_swept(void **state)
{
	(void)state;
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	struct err err;
	int pipe_fds[2], ready[2];

	build_file(&tar, "file", "some");
	autoclose int fd = blob_of(tar.data, tar.size);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct layer_source source = { .fd = fd, .growth_fd = pipe_fds[0] };
		struct layer_options options = options_here();
		struct layer_result result;
		close(ready[0]);
		(void)layer_unpack(store_fd, &source, &options, &result, &err);
		_exit(0);
	}
	close(ready[1]);
	while (count_in_layers() == 0)
		usleep(1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(layer_sweep(store_fd, &err), 1);
	assert_int_equal(count_in_layers(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unpacks_gzip_and_tells_digests, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_wrong_digests_leave_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncation_anywhere_is_noticed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_bomb_is_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_is_not_filled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unpacks_while_downloading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aborted_download_leaves_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_bad_archive_does_not_wait_for_its_download,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_sweep_takes_leftovers_and_spares_what_is_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_unpack_is_swept, setup, teardown),
	};

	become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
