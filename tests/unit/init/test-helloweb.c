/* helloweb, whose path is the first argument, on a port of the loopback interface. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;
static unsigned port;
static pid_t server;

/* A port that is free now; it stays so for the moment that matters. */
static unsigned free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	bind(fd, (struct sockaddr *)&address, size);
	getsockname(fd, (struct sockaddr *)&address, &size);
	close(fd);
	return ntohs(address.sin_port);
}

static int set_up(void **state)
{
	int out[2];
	char text[128] = "", expect[128];

	port = free_port();
	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	server = fork();
	if (server == 0) {
		char number[16];
		snprintf(number, sizeof(number), "%u", port);
		dup2(out[1], STDOUT_FILENO);
		execl(program, "helloweb", number, NULL);
		_exit(99);
	}
	close(out[1]);
	ssize_t n = read(out[0], text, sizeof(text) - 1);
	close(out[0]);
	snprintf(expect, sizeof(expect), "helloweb: listening on port %u\n", port);
	return n > 0 && strcmp(text, expect) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	int status;

	kill(server, SIGTERM);
	return waitpid(server, &status, 0) == server && WIFEXITED(status) &&
			       WEXITSTATUS(status) == 0
		       ? 0
		       : -1;
}

static int connect_to(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The whole answer; borrowed until the next call. */
static const char *ask(const char *request)
{
	static char answer[8192];
	size_t size = 0;
	ssize_t n;
	int fd = connect_to();

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	while ((n = read(fd, answer + size, sizeof(answer) - 1 - size)) > 0)
		size += (size_t)n;
	answer[size] = '\0';
	close(fd);
	return answer;
}

static const char *body(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void test_it_greets(void **state)
{
	assert_string_equal(body(ask("GET /bob HTTP/1.1\r\nHost: x\r\n\r\n")), "Hey, bob!\n");
	assert_string_equal(body(ask("GET /a%20b?c=d HTTP/1.1\r\n\r\n")), "Hey, a b!\n");
	assert_string_equal(body(ask("GET / HTTP/1.0\r\n\r\n")), "Hey, you!\n");
	assert_string_equal(body(ask("GET /%0d%0ax%1b%00 HTTP/1.1\r\n\r\n")), "Hey, ?"
									      "?x?"
									      "?!\n");
	assert_string_equal(body(ask("HEAD /bob HTTP/1.1\r\n\r\n")), "");
}

static void test_wrong_requests_are_refused(void **state)
{
	char request[8200];

	assert_non_null(strstr(ask("GET /%4 HTTP/1.1\r\n\r\n"), "400 Bad Request"));
	assert_non_null(strstr(ask("GET /% HTTP/1.1\r\n\r\n"), "400 Bad Request"));
	assert_non_null(strstr(ask("GET nothing HTTP/1.1\r\n\r\n"), "400 Bad Request"));
	assert_non_null(strstr(ask("\r\n\r\n"), "400 Bad Request"));
	assert_non_null(strstr(ask("PUT /x HTTP/1.1\r\n\r\n"), "405 Method Not Allowed"));
	memset(request, 'a', sizeof(request));
	memcpy(request, "GET /", 5);
	memcpy(request + 400, " HTTP/1.1\r\n\r\n", 14);
	assert_non_null(strstr(ask(request), "414 URI Too Long"));
	memset(request, 'a', sizeof(request));
	memcpy(request, "GET /", 5);
	request[sizeof(request) - 1] = '\0';
	assert_non_null(strstr(ask(request), "431 "));
}

static void test_idle_clients_do_not_keep_others_out(void **state)
{
	int fds[300];

	for (int i = 0; i < 300; i++)
		fds[i] = connect_to();
	assert_string_equal(body(ask("GET /bob HTTP/1.1\r\n\r\n")), "Hey, bob!\n");
	for (int i = 0; i < 300; i++)
		close(fds[i]);
	assert_string_equal(body(ask("GET /bob HTTP/1.1\r\n\r\n")), "Hey, bob!\n");
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_greets),
		cmocka_unit_test(test_wrong_requests_are_refused),
		cmocka_unit_test(test_idle_clients_do_not_keep_others_out),
	};

	if (argc != 2)
		return 2;
	program = argv[1];
	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
