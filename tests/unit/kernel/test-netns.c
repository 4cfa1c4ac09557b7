#include "kernel/netns.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void test_the_draft_is_another_namespace_and_we_stay_in_ours(void **state)
{
	(void)state;
	struct netns_draft *draft;
	struct stat before, after, made;
	struct err err;

	need_root();
	assert_int_equal(stat("/proc/self/ns/net", &before), 0);
	assert_int_equal(netns_draft_begin(&draft, &err), 0);
	int fd = netns_draft_finish(draft);
	assert_true(fd >= 0);
	netns_draft_free(draft);
	assert_int_equal(fstat(fd, &made), 0);
	assert_int_equal(stat("/proc/self/ns/net", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_not_equal(made.st_ino, before.st_ino);
	close(fd);
}

static void test_its_loopback_interface_is_up(void **state)
{
	(void)state;
	struct netns_draft *draft;
	struct err err;
	int status;

	need_root();
	assert_int_equal(netns_draft_begin(&draft, &err), 0);
	int fd = netns_draft_finish(draft);
	netns_draft_free(draft);
	pid_t pid = fork();
	if (pid == 0) {
		struct ifreq request = { .ifr_name = "lo" };
		int r = setns(fd, CLONE_NEWNET);
		int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
		_exit(r < 0 || ioctl(socket_fd, SIOCGIFFLAGS, &request) < 0 ||
		      !(request.ifr_flags & IFF_UP));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

static void test_a_draft_that_nobody_wants_leaves_no_descriptor(void **state)
{
	(void)state;
	struct netns_draft *draft;
	struct err err;

	int before = dup(0);
	close(before);
	assert_int_equal(netns_draft_begin(&draft, &err), 0);
	netns_draft_free(draft);
	netns_draft_free(NULL);
	int after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void test_who_may_not_make_one_is_told(void **state)
{
	(void)state;
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		struct netns_draft *draft;
		struct err err;
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(netns_draft_begin(&draft, &err) < 0 || netns_draft_finish(draft) != -EPERM);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (geteuid() == 0)
		assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_draft_is_another_namespace_and_we_stay_in_ours),
		cmocka_unit_test(test_its_loopback_interface_is_up),
		cmocka_unit_test(test_a_draft_that_nobody_wants_leaves_no_descriptor),
		cmocka_unit_test(test_who_may_not_make_one_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
