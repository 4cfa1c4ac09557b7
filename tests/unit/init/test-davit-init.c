/* davit-init, whose path is the first argument. Being PID 1 needs no privileges to try: it is a
 * subreaper here. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *init_path;

static pid_t start(int out_fd, const char *command, const char *argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		dup2(out_fd, STDOUT_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execl(init_path, "davit-init", "--", command, "-c", argument, NULL);
		_exit(99);
	}
	return pid;
}

static int exit_code_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_status_is_the_commands(void **state)
{
	assert_int_equal(exit_code_of(start(1, "/bin/sh", "exit 0")), 0);
	assert_int_equal(exit_code_of(start(1, "sh", "exit 42")), 42);
	assert_int_equal(exit_code_of(start(1, "/bin/sh", "kill -9 $$")), 128 + SIGKILL);
	assert_int_equal(exit_code_of(start(1, "/nonexistent", "")), 127);
	assert_int_equal(exit_code_of(start(1, "/etc/passwd", "")), 126);
}

static void test_signals_are_passed_on(void **state)
{
	static const int numbers[] = {
		SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int out[2];
		char text[128];

		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		snprintf(text, sizeof(text), "trap 'exit 9' %d; echo; while :; do sleep 0.01; done",
			 numbers[i]);
		pid_t pid = start(out[1], "/bin/sh", text);
		close(out[1]);
		assert_int_equal(read(out[0], text, 1), 1); /* the trap is set */
		kill(pid, numbers[i]);
		assert_int_equal(exit_code_of(pid), 9);
		close(out[0]);
	}
}

static void test_orphans_are_reaped(void **state)
{
	int out[2];
	char text[64] = "";

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	/* The orphan is adopted by our init; when it has ended its /proc entry must be gone, not a
	 * zombie's. */
	pid_t pid =
		start(out[1], "/bin/sh",
		      "p=$(sh -c 'sleep 0.05 >/dev/null & echo $!'); i=0;"
		      "while [ -e /proc/$p ] && [ $i -lt 500 ]; do sleep 0.01; i=$((i+1)); done;"
		      "[ -e /proc/$p ] && echo zombie || echo reaped");
	close(out[1]);
	assert_int_equal(exit_code_of(pid), 0);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "reaped\n");
	close(out[0]);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_is_the_commands),
		cmocka_unit_test(test_signals_are_passed_on),
		cmocka_unit_test(test_orphans_are_reaped),
	};

	if (argc != 2)
		return 2;
	init_path = argv[1];
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
