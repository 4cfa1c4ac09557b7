/* helloweb: the web server in davit's built-in image.
 *
 *	helloweb [PORT]
 *
 * Answers GET /NAME with "Hey, NAME!" on PORT (else $PORT, else 88) of all addresses. It is the
 * only thing in its image, so it is static and runs as PID 1: it has handlers for the signals that
 * shall end it. One process with one poll(2) loop and a fixed table of connections; each gets one
 * answer and is closed. When the table is full, or a client takes too long, the oldest connection
 * makes room: a slow client costs only itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS = 128,
	REQUEST_BYTES = 4096,
	NAME_BYTES = 256,
	PATIENCE_SECONDS = 10,
};

struct connection {
	int fd; /* -1: free */
	time_t since;
	size_t request_size; /* of `text` while reading */
	size_t answer_size, answer_sent;
	int is_answering; /* `text` is the answer now */
	int is_lingering; /* answered; reads until the client closes, or it might lose the answer */
	char text[REQUEST_BYTES];
};

static struct connection connections[CONNECTIONS];

static void on_end(int number)
{
	(void)number;
	_exit(0);
}

static time_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void connection_close(struct connection *c)
{
	close(c->fd);
	c->fd = -1;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode the path behind its '/', up to a space, '?' or '#'. Control characters become '?', so that
 * nothing in a name can act on the terminal it is shown on. Returns 0, or the HTTP status of what
 * is wrong. */
static int decode_name(const char *path, char name[NAME_BYTES])
{
	size_t size = 0;

	for (; *path && !strchr(" ?#\r\n", *path); path++) {
		unsigned char byte = (unsigned char)*path;

		if (byte == '%') {
			int high = hex_value(path[1]), low = high < 0 ? -1 : hex_value(path[2]);
			if (low < 0)
				return 400;
			byte = (unsigned char)(high << 4 | low);
			path += 2;
		}
		if (size + 1 >= NAME_BYTES)
			return 414;
		name[size++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
	}
	name[size] = '\0';
	return 0;
}

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "200 OK";
	case 405:
		return "405 Method Not Allowed";
	case 414:
		return "414 URI Too Long";
	case 431:
		return "431 Request Header Fields Too Large";
	default:
		return "400 Bad Request";
	}
}

/* Turn the request in c->text into the answer in the same place. */
static void answer(struct connection *c, int status)
{
	char name[NAME_BYTES] = "", body[NAME_BYTES + 64];
	int is_head = strncmp(c->text, "HEAD ", 5) == 0;

	if (status == 200) {
		const char *space = strchr(c->text, ' ');

		if (strncmp(c->text, "GET ", 4) != 0 && !is_head)
			status = space ? 405 : 400;
		else if (space[1] != '/')
			status = 400;
		else
			status = decode_name(space + 2, name) ?: 200;
	}
	int body_size = status == 200
				? snprintf(body, sizeof(body), "Hey, %s!\n", *name ? name : "you")
				: snprintf(body, sizeof(body), "%s\n", status_text(status));

	c->answer_size =
		(size_t)snprintf(c->text, sizeof(c->text),
				 "HTTP/1.1 %s\r\n"
				 "Content-Type: text/plain; charset=utf-8\r\n"
				 "X-Content-Type-Options: nosniff\r\n"
				 "Content-Length: %d\r\n"
				 "%s"
				 "Connection: close\r\n\r\n%s",
				 status_text(status), body_size,
				 status == 405 ? "Allow: GET, HEAD\r\n" : "", is_head ? "" : body);
	c->answer_sent = 0;
	c->is_answering = 1;
}

/* Read what is there; answer once the head of the request is complete. */
static void connection_read(struct connection *c)
{
	ssize_t n =
		recv(c->fd, c->text + c->request_size, sizeof(c->text) - 1 - c->request_size, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c);
		return;
	}
	/* A NUL would end our string searches early: it has no place in a request. */
	if (memchr(c->text + c->request_size, '\0', (size_t)n)) {
		c->text[0] = '\0';
		answer(c, 400);
		return;
	}
	c->request_size += (size_t)n;
	c->text[c->request_size] = '\0';
	if (strstr(c->text, "\r\n\r\n") || strstr(c->text, "\n\n"))
		answer(c, 200);
	else if (c->request_size == sizeof(c->text) - 1)
		answer(c, 431);
}

static void connection_write(struct connection *c)
{
	ssize_t n = send(c->fd, c->text + c->answer_sent, c->answer_size - c->answer_sent,
			 MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_close(c);
		return;
	}
	c->answer_sent += (size_t)n;
	if (c->answer_sent == c->answer_size) {
		shutdown(c->fd, SHUT_WR);
		c->is_answering = 0;
		c->is_lingering = 1;
	}
}

/* Closing with unread bytes resets the connection, which can take the answer back from a client
 * that has not read it yet. */
static void connection_linger(struct connection *c)
{
	char ignored[1024];
	ssize_t n = recv(c->fd, ignored, sizeof(ignored), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_close(c);
}

static void accept_connection(int listen_fd)
{
	struct connection *place = NULL;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return; /* the client has given up, or we are out of descriptors: the next one may
			   do better */
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &connections[i];

		if (c->fd < 0) {
			place = c;
			break;
		}
		if (!place || c->since < place->since)
			place = c;
	}
	if (place->fd >= 0)
		connection_close(place);
	place->fd = fd;
	place->since = now_seconds();
	place->request_size = 0;
	place->is_answering = place->is_lingering = 0;
	connection_read(place); /* the request is mostly there already */
	if (place->fd >= 0 && place->is_answering)
		connection_write(place);
}

static int listen_on(unsigned port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int on = 1, off = 0;

	/* One socket for both families; a host without IPv6 gets the older one. */
	for (int family = AF_INET6;; family = AF_INET) {
		int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd >= 0) {
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
			if (family == AF_INET6)
				setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
			int bound = family == AF_INET6
					    ? bind(fd, (struct sockaddr *)&any6, sizeof(any6))
					    : bind(fd, (struct sockaddr *)&any4, sizeof(any4));
			if (bound == 0 && listen(fd, SOMAXCONN) == 0)
				return fd;
			int code = errno;
			close(fd);
			errno = code;
		}
		if (family == AF_INET)
			return -1;
	}
}

static unsigned parse_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && port <= 65535 ? (unsigned)port : 0;
}

/* sigaction(2) as signal(3) has it. */
static void handle_signal(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(number, &action, NULL);
}

int main(int argc, char *argv[])
{
	const char *text = argc > 1 ? argv[1] : getenv("PORT");
	unsigned port = parse_port(text && *text ? text : "88");
	struct pollfd polls[CONNECTIONS + 1];

	if (!port || argc > 2) {
		fprintf(stderr, "usage: helloweb [PORT]\n");
		return 2;
	}
	handle_signal(SIGTERM, on_end);
	handle_signal(SIGINT, on_end);
	handle_signal(SIGHUP, on_end);
	handle_signal(SIGPIPE, SIG_IGN);
	int listen_fd = listen_on(port);
	if (listen_fd < 0) {
		fprintf(stderr, "helloweb: listen on port %u: %s\n", port, strerror(errno));
		return 1;
	}
	printf("helloweb: listening on port %u\n", port);
	fflush(stdout);
	for (int i = 0; i < CONNECTIONS; i++)
		connections[i].fd = -1;

	for (;;) {
		int open_count = 0;

		polls[CONNECTIONS] = (struct pollfd){ .fd = listen_fd, .events = POLLIN };
		for (int i = 0; i < CONNECTIONS; i++) {
			struct connection *c = &connections[i];

			polls[i] = (struct pollfd){ .fd = c->fd,
						    .events = c->is_answering ? POLLOUT : POLLIN };
			open_count += c->fd >= 0;
		}
		if (poll(polls, CONNECTIONS + 1, open_count ? PATIENCE_SECONDS * 1000 : -1) < 0)
			continue;
		time_t now = open_count ? now_seconds() : 0;
		for (int i = 0; i < CONNECTIONS; i++) {
			struct connection *c = &connections[i];

			if (c->fd < 0)
				continue;
			if (polls[i].revents) {
				if (c->is_lingering)
					connection_linger(c);
				else if (c->is_answering)
					connection_write(c);
				else
					connection_read(c);
			}
			if (c->fd >= 0 && now - c->since > PATIENCE_SECONDS)
				connection_close(c);
		}
		if (polls[CONNECTIONS].revents)
			accept_connection(listen_fd);
	}
}
