#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"

static char directory[] = "/tmp/davit-test-database-XXXXXX";
static char *path;

static int setup(void **state)
{
	(void)state;
	strcpy(strrchr(directory, '-'), "-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	path = path_join(directory, "davit.db");
	return 0;
}

static int teardown(void **state)
{
	struct err err = { 0 };

	(void)state;
	free(path);
	return file_remove_tree(AT_FDCWD, directory, &err);
}

static struct database *open_database(void)
{
	struct database *db = NULL;
	struct err err = { 0 };

	if (database_open(path, &db, &err) < 0)
		fail_msg("%s", err.text);
	return db;
}

static void run(struct database *db, const char *sql)
{
	struct err err = { 0 };

	if (database_execute(db, sql, &err) < 0)
		fail_msg("%s", err.text);
}

static int64_t number(struct database *db, const char *sql)
{
	autostatement struct statement *stmt = NULL;
	struct err err = { 0 };

	assert_int_equal(database_prepare(db, sql, &stmt, &err), 0);
	assert_int_equal(statement_step(stmt, &err), 1);
	return statement_int(stmt, 0);
}

#define INSERT_VOLUME "INSERT INTO volumes(name, driver, created_nsec) VALUES(?, 'local', ?)"

static void test_rows_outlive_the_connection(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct database *db = open_database();
	struct statement *stmt;

	assert_int_equal(database_prepare(db, INSERT_VOLUME, &stmt, &err), 0);
	statement_bind_text(stmt, 1, "data");
	statement_bind_int(stmt, 2, INT64_MAX);
	assert_int_equal(statement_run(stmt, &err), 0);
	statement_release(stmt);
	database_close(db);

	db = open_database();
	assert_int_equal(number(db, "SELECT created_nsec FROM volumes"), INT64_MAX);
	assert_int_equal(number(db, "SELECT options IS NULL FROM volumes"), 1);
	database_close(db);

	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_a_key_twice_is_eexist(void **state)
{
	(void)state;
	struct err err = { 0 };
	autodatabase struct database *db = open_database();
	autostatement struct statement *stmt = NULL;

	assert_int_equal(database_prepare(db, INSERT_VOLUME, &stmt, &err), 0);
	statement_bind_text(stmt, 1, "data");
	statement_bind_int(stmt, 2, 1);
	assert_int_equal(statement_run(stmt, &err), 0);
	assert_int_equal(statement_run(stmt, &err), -EEXIST);
}

static void test_a_missing_parent_is_enoent(void **state)
{
	(void)state;
	struct err err = { 0 };
	autodatabase struct database *db = open_database();

	assert_int_equal(
		database_execute(db, "INSERT INTO image_names VALUES('a:latest','1','x')", &err),
		-ENOENT);
}

static void test_a_scope_left_without_commit_rolls_back(void **state)
{
	(void)state;
	struct err err = { 0 };
	autodatabase struct database *db = open_database();
	{
		assert_int_equal(database_begin(db, &err), 0);
		autorollback struct database *transaction = db;
		run(db, "INSERT INTO volumes(name, driver, created_nsec) VALUES('a', 'local', 1)");
	}
	assert_int_equal(number(db, "SELECT count(*) FROM volumes"), 0);
	{
		assert_int_equal(database_begin(db, &err), 0);
		autorollback struct database *transaction = db;
		run(db, "INSERT INTO volumes(name, driver, created_nsec) VALUES('a', 'local', 1)");
		assert_int_equal(database_commit(db, &err), 0);
	}
	assert_int_equal(number(db, "SELECT count(*) FROM volumes"), 1);
}

static void test_a_query_inside_the_same_query(void **state)
{
	(void)state;
	struct err err = { 0 };
	autodatabase struct database *db = open_database();
	autostatement struct statement *outer = NULL, *inner = NULL;

	assert_int_equal(database_prepare(db, "SELECT count FROM checkpoints", &outer, &err), 0);
	assert_int_equal(statement_step(outer, &err), 1);
	assert_int_equal(database_prepare(db, "SELECT count FROM checkpoints", &inner, &err), 0);
	assert_ptr_not_equal(outer, inner);
	assert_int_equal(statement_step(inner, &err), 1);
	assert_int_equal(statement_step(outer, &err), 0);
}

static void test_a_newer_version_is_refused(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct database *db = open_database();

	run(db, "PRAGMA user_version=4711");
	database_close(db);
	db = NULL;
	assert_int_equal(database_open(path, &db, &err), -EPROTO);
	assert_non_null(strstr(err.text, "4711"));
	assert_null(db);
}

static void test_a_foreign_file_is_refused_and_kept(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct database *db = NULL;
	char junk[8192];

	memset(junk, 'j', sizeof(junk));
	assert_int_equal(file_write(AT_FDCWD, path, junk, sizeof(junk), 0600, 0, &err), 0);
	assert_int_equal(database_open(path, &db, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, path));
}

static void test_a_missing_directory_is_named(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct database *db = NULL;

	assert_int_equal(database_open("/nonexistent/davit.db", &db, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/davit.db"));
}

/* A child writes pairs of rows, a transaction each, and is killed at some moment. */
static void test_a_kill_in_the_middle_keeps_transactions_whole(void **state)
{
	(void)state;
	struct err err = { 0 };

	database_close(open_database());
	for (int round = 0; round < 10; round++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct database *db = NULL;
			if (database_open(path, &db, &err) < 0)
				_exit(1);
			for (int i = 0;; i++) {
				autofree char *sql = xasprintf(
					"INSERT INTO volumes(name, driver, created_nsec) "
					"VALUES('%d-%d-a', 'local', 1), ('%d-%d-b', 'local', 1)",
					round, i, round, i);
				if (database_begin(db, &err) < 0 ||
				    database_execute(db, sql, &err) < 0 ||
				    database_commit(db, &err) < 0)
					_exit(1);
			}
		}
		usleep(3000 + 1000 * (useconds_t)round);
		assert_int_equal(kill(pid, SIGKILL), 0);
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));

		autodatabase struct database *db = open_database();
		assert_int_equal(number(db, "SELECT count(*) % 2 FROM volumes"), 0);
		autostatement struct statement *stmt = NULL;
		assert_int_equal(database_prepare(db, "PRAGMA integrity_check", &stmt, &err), 0);
		assert_int_equal(statement_step(stmt, &err), 1);
		assert_string_equal(statement_text(stmt, 0), "ok");
	}
	autodatabase struct database *db = open_database();
	assert_true(number(db, "SELECT count(*) FROM volumes") > 0);
}

/* Everybody at once, on a file that is not there yet. */
static void test_many_may_make_the_file_at_once(void **state)
{
	(void)state;
	enum { CHILDREN = 8 };
	pid_t pids[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct database *db = NULL;
			struct err err = { 0 };
			autofree char *sql = xasprintf("INSERT INTO volumes(name, driver, "
						       "created_nsec) VALUES('%d', 'local', 1)",
						       i);
			if (database_open(path, &db, &err) < 0 ||
			    database_execute(db, sql, &err) < 0) {
				fprintf(stderr, "%s\n", err.text);
				_exit(1);
			}
			database_close(db);
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	autodatabase struct database *db = open_database();
	assert_int_equal(number(db, "SELECT count(*) FROM volumes"), CHILDREN);
}

static void test_a_long_log_is_folded_when_left(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *log_path = xasprintf("%s-wal", path);
	struct stat st;

	for (int i = 0; i < 300; i++) {
		struct database *db = open_database();
		autofree char *sql = xasprintf("INSERT INTO volumes(name, driver, created_nsec) "
					       "VALUES('volume-number-%d', 'local', 1)",
					       i);
		assert_int_equal(database_execute(db, sql, &err), 0);
		database_close(db);
		assert_int_equal(stat(log_path, &st), 0);
		assert_true(st.st_size < 300 * 1024);
	}
	autodatabase struct database *db = open_database();
	assert_true(number(db, "SELECT count FROM checkpoints") > 0);
	assert_int_equal(number(db, "SELECT count(*) FROM volumes"), 300);
}

/* ---- the index of the log ---- */

static void write_at(const char *suffix, const char *bytes, size_t size, off_t offset)
{
	autofree char *name = xasprintf("%s%s", path, suffix);
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, offset), size);
	close(fd);
}

/* Rows "0" to "2", each in the log by a frame of its own, while the file has all before them. */
static void fill_log(void)
{
	for (int i = -1; i < 3; i++) {
		struct database *db = open_database();
		autofree char *sql = xasprintf("INSERT INTO volumes(name, driver, created_nsec) "
					       "VALUES('%d', 'local', 1)",
					       i);
		run(db, i < 0 ? "PRAGMA wal_checkpoint(TRUNCATE)" : sql);
		database_close(db);
	}
}

static int64_t count_rows(void)
{
	autodatabase struct database *db = open_database();

	return number(db, "SELECT count(*) FROM volumes");
}

/* Whoever reads the log finds it broken at its first frame. The pages in it are as they were. */
static void break_first_frame(void)
{
	write_at("-wal", "????????", 8, 32 + 16);
}

static void test_the_log_is_not_read_again_by_the_next(void **state)
{
	(void)state;
	fill_log();
	break_first_frame();
	assert_int_equal(count_rows(), 3);
}

static void test_the_index_of_another_boot_is_not_used(void **state)
{
	(void)state;
	fill_log();
	write_at("-shm", "another", 7, 32768);
	assert_int_equal(count_rows(), 3);
	break_first_frame();
	write_at("-shm", "another", 7, 32768);
	assert_int_equal(count_rows(), 0);
}

static void test_an_index_half_written_is_not_used(void **state)
{
	(void)state;
	fill_log();
	write_at("-shm", "\377\377", 2, 16); /* more frames, in the first header only */
	assert_int_equal(count_rows(), 3);
}

static void test_a_log_that_was_removed_takes_its_rows_along(void **state)
{
	(void)state;
	autofree char *log_path = xasprintf("%s-wal", path);

	fill_log();
	assert_int_equal(unlink(log_path), 0);
	assert_int_equal(count_rows(), 0);
	fill_log();
	assert_int_equal(count_rows(), 3);
}

static void test_an_older_log_brings_its_rows_back(void **state)
{
	(void)state;
	struct err err = { 0 };
	autofree char *log_path = xasprintf("%s-wal", path);
	autostrbuf struct strbuf log = STRBUF_EMPTY;
	struct database *db;

	fill_log();
	assert_int_equal(file_read(AT_FDCWD, log_path, &log, 1 << 20, &err), 0);
	db = open_database();
	run(db, "DELETE FROM volumes");
	database_close(db);
	assert_int_equal(file_write(AT_FDCWD, log_path, log.data, log.size, 0600, 0, &err), 0);
	assert_int_equal(count_rows(), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_rows_outlive_the_connection),
		TEST(test_a_key_twice_is_eexist),
		TEST(test_a_missing_parent_is_enoent),
		TEST(test_a_scope_left_without_commit_rolls_back),
		TEST(test_a_query_inside_the_same_query),
		TEST(test_a_newer_version_is_refused),
		TEST(test_a_foreign_file_is_refused_and_kept),
		TEST(test_a_missing_directory_is_named),
		TEST(test_a_kill_in_the_middle_keeps_transactions_whole),
		TEST(test_many_may_make_the_file_at_once),
		TEST(test_a_long_log_is_folded_when_left),
		TEST(test_the_log_is_not_read_again_by_the_next),
		TEST(test_the_index_of_another_boot_is_not_used),
		TEST(test_an_index_half_written_is_not_used),
		TEST(test_a_log_that_was_removed_takes_its_rows_along),
		TEST(test_an_older_log_brings_its_rows_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
