/* What the journal is told, and what it tells. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/journal-read.h"
#include "monitor/journal.h"

static void expect_datagram(int fd, const char *expect, size_t size)
{
	char got[65536];

	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	assert_int_equal(n, size);
	assert_memory_equal(got, expect, size);
}

static void test_an_entry_a_line_with_every_byte(void **state)
{
	static const char first[] = "A=1\nB=two\nPRIORITY=6\nMESSAGE\n\3\0\0\0\0\0\0\0\1\xff"
				    "x\n";
	static const char second[] = "A=1\nB=two\nPRIORITY=6\nMESSAGE\n\0\0\0\0\0\0\0\0\n";
	static const char third[] = "A=1\nB=two\nPRIORITY=6\nCONTAINER_PARTIAL_MESSAGE="
				    "true\nMESSAGE\n\3\0\0\0\0\0\0\0end\n";
	static const char error[] = "A=1\nB=two\nPRIORITY=3\nMESSAGE\n\4\0\0\0\0\0\0\0oops\n";
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	struct journal journal = { .fd = fds[0], .fields = { "A=1", "B=two" }, .field_count = 2 };
	journal_add(&journal, CONTAINER_STDOUT, "\1\xffx\n\nend", 8);
	journal_add(&journal, CONTAINER_STDERR, "oops\n", 5);
	expect_datagram(fds[1], first, sizeof(first) - 1);
	expect_datagram(fds[1], second, sizeof(second) - 1);
	expect_datagram(fds[1], third, sizeof(third) - 1);
	expect_datagram(fds[1], error, sizeof(error) - 1);
	close(fds[0]);
	close(fds[1]);
}

static void test_what_no_datagram_holds_goes_as_a_sealed_file(void **state)
{
	enum { SIZE = 32000 };
	static char line[SIZE];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };
	int fds[2], small = 1, file;
	char name[] = "PRIORITY=6\nMESSAGE\n", got[sizeof(name)] = "";

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	memset(line, 'x', SIZE - 1);
	line[SIZE - 1] = '\n';
	struct journal journal = { .fd = fds[0] };
	journal_add(&journal, CONTAINER_STDOUT, line, SIZE);
	assert_int_equal(recvmsg(fds[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 0);
	assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
	memcpy(&file, CMSG_DATA(&control.header), sizeof(file));
	assert_int_equal(fcntl(file, F_GET_SEALS),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	assert_int_equal(pread(file, got, sizeof(name) - 1, 0), sizeof(name) - 1);
	assert_string_equal(got, name);
	assert_int_equal(lseek(file, 0, SEEK_END), (sizeof(name) - 1) + 8 + (SIZE - 1) + 1);
	close(file);
	close(fds[0]);
	close(fds[1]);
}

static void test_entries_of_the_export_format(void **state)
{
	static const char text[] =
		"__CURSOR=x\n__REALTIME_TIMESTAMP=1700000000123456\nPRIORITY=3\nMESSAGE=a=b\n\n"
		"__REALTIME_TIMESTAMP=2\nMESSAGE\n\4\0\0\0\0\0\0\0\1\n\n\2\nCONTAINER_PARTIAL_"
		"MESSAGE=true\n\n";
	const size_t size = sizeof(text) - 1;
	struct journal_entry entry;

	ssize_t first = journal_entry_parse(text, size, &entry);
	assert_true(first > 0);
	assert_int_equal(entry.usec, INT64_C(1700000000123456));
	assert_int_equal(entry.priority, 3);
	assert_int_equal(entry.size, 3);
	assert_memory_equal(entry.message, "a=b", 3);
	assert_false(entry.is_partial);
	assert_int_equal(journal_entry_parse(text + first, size - (size_t)first, &entry),
			 (ssize_t)size - first);
	assert_int_equal(entry.size, 4);
	assert_memory_equal(entry.message, "\1\n\n\2", 4);
	assert_true(entry.is_partial);
	assert_int_equal(entry.priority, 6);
	/* As long as some is missing there is none. */
	for (size_t part = 0; part < (size_t)first; part++)
		assert_int_equal(journal_entry_parse(text, part, &entry), 0);
	for (size_t part = (size_t)first; part < size; part++)
		assert_int_equal(journal_entry_parse(text + first, part - (size_t)first, &entry),
				 0);
}

static void test_what_is_no_export_is_refused(void **state)
{
	static const char huge[] = "MESSAGE\n\377\377\377\377\377\377\377\177x";
	static const char no_end[] = "MESSAGE\n\1\0\0\0\0\0\0\0xy\n";
	struct journal_entry entry;

	assert_int_equal(journal_entry_parse(huge, sizeof(huge) - 1, &entry), -1);
	assert_int_equal(journal_entry_parse(no_end, sizeof(no_end) - 1, &entry), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_entry_a_line_with_every_byte),
		cmocka_unit_test(test_what_no_datagram_holds_goes_as_a_sealed_file),
		cmocka_unit_test(test_entries_of_the_export_format),
		cmocka_unit_test(test_what_is_no_export_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
