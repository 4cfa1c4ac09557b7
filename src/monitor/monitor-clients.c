/* Those who are attached to a container: what it says goes to them, what they send goes to it. */
#include "monitor/monitor-clients.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "monitor/remove-directory.h"

enum {
	/* how long a client that came later may hold the container */
	STALL_SECONDS = 1,
};

ssize_t send_packet(int fd, const void *packet, size_t size)
{
	ssize_t n;

	do
		n = send(fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool is_full(int code)
{
	return code == EAGAIN || code == ENOBUFS || code == ENOMEM;
}

void client_drop(struct client *client)
{
	close_fd(&client->fd);
	client->owes = client->is_behind_in_spill = client->is_taken_due = client->has_input =
		false;
	client->skipped = 0;
}

void client_tell_exit(struct monitor *m, struct client *client)
{
	struct {
		char type;
		struct monitor_exit exit;
	} __attribute__((packed)) packet = {
		.type = MONITOR_EXIT,
		.exit = { .wait_status = m->wait_status,
			  .oom_killed = m->is_oom_killed,
			  .you_clean_up = client->is_first },
	};

	if (client->fd < 0 || client->is_told || client->is_behind_in_spill || client->skipped)
		return;
	if (send_packet(client->fd, &packet, sizeof(packet)) >= 0)
		client->is_told = true;
	else if (!is_full(errno))
		client_drop(client);
}

/* Keep a packet for clients that cannot take it now. */
static void spill(struct monitor *m, const char *packet, size_t size)
{
	uint32_t header = (uint32_t)size;

	if (m->spill_fd < 0)
		m->spill_fd = memfd_create("davit-monitor output", MFD_CLOEXEC);
	if (m->spill_fd >= 0 &&
	    pwrite(m->spill_fd, &header, sizeof(header), m->spill_size) == sizeof(header) &&
	    pwrite(m->spill_fd, packet, size, m->spill_size + (off_t)sizeof(header)) ==
		    (ssize_t)size)
		m->spill_size += (off_t)(sizeof(header) + size);
	/* No memory: these bytes are in the log, and nowhere else. */
}

/* Send what was kept for it until it is full or has all. */
static void client_unspill(struct monitor *m, struct client *client)
{
	while (client->spill_at < m->spill_size) {
		uint32_t size;

		if (pread(m->spill_fd, &size, sizeof(size), client->spill_at) != sizeof(size) ||
		    pread(m->spill_fd, m->input, size, client->spill_at + (off_t)sizeof(size)) !=
			    (ssize_t)size)
			break;
		if (send_packet(client->fd, m->input, size) < 0) {
			if (!is_full(errno))
				client_drop(client);
			return;
		}
		client->spill_at += (off_t)(sizeof(size) + size);
	}
	client->is_behind_in_spill = false;
}

void clients_deliver(struct monitor *m, bool keep)
{
	off_t spill_at = m->spill_size;
	bool is_kept = false;

	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		if (client->fd < 0 || client->is_mute)
			continue;
		if (client->skipped) {
			client->skipped += m->chunk_size - 1;
			continue;
		}
		if (!client->is_behind_in_spill) {
			if (send_packet(client->fd, m->chunk, m->chunk_size) >= 0)
				continue;
			if (!is_full(errno)) {
				client_drop(client);
				continue;
			}
			if (!keep) {
				client->owes = true;
				client->since_msec = now_msec();
				continue;
			}
			client->is_behind_in_spill = true;
			client->spill_at = spill_at;
		}
		if (!is_kept)
			spill(m, m->chunk, m->chunk_size);
		is_kept = true;
	}
}

/* The container has this client's input, or does not want any. */
static void client_tell_taken(struct client *client)
{
	const char packet = MONITOR_STDIN_TAKEN;

	if (client->fd < 0)
		return;
	client->is_taken_due = send_packet(client->fd, &packet, 1) < 0;
	if (client->is_taken_due && !is_full(errno))
		client_drop(client);
}

static void client_retry(struct monitor *m, struct client *client)
{
	if (client->is_taken_due)
		client_tell_taken(client);
	if (client->fd < 0)
		return;
	if (client->owes) {
		if (send_packet(client->fd, m->chunk, m->chunk_size) >= 0)
			client->owes = false;
		else if (!is_full(errno))
			client_drop(client);
	} else if (client->skipped) {
		char packet[1 + sizeof(uint64_t)] = { MONITOR_SKIPPED };

		memcpy(packet + 1, &client->skipped, sizeof(client->skipped));
		if (send_packet(client->fd, packet, sizeof(packet)) >= 0)
			client->skipped = 0;
		else if (!is_full(errno))
			client_drop(client);
	} else if (client->is_behind_in_spill) {
		client_unspill(m, client);
	}
}

void client_add(struct monitor *m, int fd, bool is_first)
{
	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		if (client->fd >= 0)
			continue;
		*client = (struct client){ .fd = fd, .is_first = is_first };
		if (m->input_from == client)
			m->input_from = NULL; /* that was who had this place before */
		return;
	}
	close(fd);
}

void clients_accept(struct monitor *m)
{
	int fd;

	while ((fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		client_add(m, fd, false);
}

bool clients_hold(const struct monitor *m)
{
	for (int i = 0; i < CLIENTS; i++)
		if (m->clients[i].owes)
			return true;
	return false;
}

void clients_stop_holding(struct monitor *m)
{
	if (!clients_hold(m))
		return;
	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		if (!client->owes)
			continue;
		client->owes = false;
		client->is_behind_in_spill = true;
		client->spill_at = 0;
	}
	spill(m, m->chunk, m->chunk_size);
}

int64_t client_stalls_at(const struct client *client)
{
	return client->since_msec + STALL_SECONDS * 1000;
}

void clients_skip_stalled(struct monitor *m)
{
	int64_t now = now_msec();

	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++)
		if (client->owes && !client->is_first && now >= client_stalls_at(client)) {
			client->owes = false;
			client->skipped = m->chunk_size - 1;
		}
}

/* ---- input ---- */

void input_done(struct monitor *m)
{
	m->input_at = m->input_end = 0;
	for (int i = 0; i < CLIENTS; i++)
		m->clients[i].has_input = false;
	if (m->input_from)
		client_tell_taken(m->input_from);
	m->input_from = NULL;
}

void stdin_close(struct monitor *m, bool tell)
{
	const char packet = MONITOR_STDIN_CLOSED;

	input_done(m);
	if (m->is_console || m->stdin_fd < 0)
		return;
	close_fd(&m->stdin_fd);
	for (int i = 0; tell && i < CLIENTS; i++)
		if (m->clients[i].fd >= 0)
			(void)send_packet(m->clients[i].fd, &packet,
					  1); /* it saves work, no more */
}

void stdin_write(struct monitor *m)
{
	while (m->input_at < m->input_end) {
		ssize_t n = write(m->stdin_fd, m->input + m->input_at, m->input_end - m->input_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			stdin_close(m, true);
			return;
		}
		m->input_at += (size_t)n;
	}
	input_done(m);
}

/* Paths, each with its zero byte; one that was cut off is left to others. */
static void remove_left(const char *paths, size_t size)
{
	for (const char *at = paths, *end; (end = memchr(at, '\0', size)); at = end + 1) {
		size -= (size_t)(end + 1 - at);
		remove_directory(at);
	}
}

static void set_health(struct monitor *m, const struct client *client, const char *payload)
{
	const char packet = MONITOR_HEALTH;
	struct monitor_health health;

	memcpy(&health, payload, sizeof(health));
	m->check_every_msec = m->cleanup ? health.every_msec : 0;
	m->check_at_msec = now_msec() + (health.is_due ? 0 : m->check_every_msec);
	m->is_check_set = m->check_pid != 0;
	(void)send_packet(client->fd, &packet, 1); /* who does not hear it says so */
}

static void client_read(struct monitor *m, struct client *client)
{
	struct monitor_resize resize;
	char small[1024], *packet = m->input;
	ssize_t n;

	if (m->input_at < m->input_end) {
		/* The buffer is taken. Input has to wait, everything else is short and gets
		 * through. */
		n = recv(client->fd, small, 1, MSG_DONTWAIT | MSG_PEEK);
		client->has_input =
			n == 1 && (small[0] == MONITOR_STDIN || small[0] == MONITOR_STDIN_EOF);
		if (client->has_input)
			return;
		packet = small;
		n = recv(client->fd, small, sizeof(small), MSG_DONTWAIT);
	} else {
		m->is_touched = true;
		n = recv(client->fd, m->input, MONITOR_PACKET_MAX, MSG_DONTWAIT);
	}
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			client_drop(client);
		return;
	}
	switch (packet[0]) {
	case MONITOR_STDIN:
		m->input_from = client;
		if (m->stdin_fd < 0 || m->has_ended) {
			input_done(m);
			break;
		}
		m->input_at = 1;
		m->input_end = (size_t)n;
		stdin_write(m);
		break;
	case MONITOR_STDIN_EOF:
		stdin_close(m, false);
		break;
	case MONITOR_OUTPUT_CLOSED:
		/* What it writes from now on fails, as it would without us between it and the
		 * reader. */
		if (client->is_first && !m->is_console && !m->has_ended && n == 2)
			close_fd(&m->output_fds[packet[1] == MONITOR_STDERR]);
		break;
	case MONITOR_RESIZE:
		if (!m->is_console || m->output_fds[0] < 0 || (size_t)n != 1 + sizeof(resize))
			break;
		memcpy(&resize, packet + 1, sizeof(resize));
		(void)ioctl(m->output_fds[0], TIOCSWINSZ,
			    &(struct winsize){ .ws_row = resize.rows, .ws_col = resize.columns });
		break;
	case MONITOR_MUTE:
		client->is_mute = true;
		client->owes = client->is_behind_in_spill = false;
		client->skipped = 0;
		break;
	case MONITOR_HEALTH:
		if ((size_t)n == 1 + sizeof(struct monitor_health))
			set_health(m, client, packet + 1);
		break;
	case MONITOR_CLEANED:
		if (!client->is_first || !m->has_ended)
			break;
		m->is_cleaned = true;
		remove_left(packet + 1, (size_t)n - 1);
		break;
	default:
		break; /* from a newer davit */
	}
}

void client_handle(struct monitor *m, struct client *client, short events)
{
	if (events & POLLOUT)
		client_retry(m, client);
	if (client->fd < 0)
		return;
	if (events & POLLIN)
		client_read(m, client);
	else if (events & (POLLHUP | POLLERR))
		client_drop(client);
}
