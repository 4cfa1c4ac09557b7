/* davit-registry: fetches from registries for davit, and can do nothing else.
 *
 * Started by registry/client.c with a socket to its parent and the directory to download into. It
 * reads one greeting, puts up its walls, and then turns one loop over its socket and libcurl's
 * transfers until the parent is gone. It reads no configuration but the certificates of certs.d and
 * the system: what to fetch, from where and as whom comes over the socket, so no secret shows in
 * arguments or environment. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "registry/program/confine.h"
#include "registry/program/job.h"
#include "registry/protocol.h"

/* What looking up names and checking certificates reads. */
static const char *const read_paths[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/protocols",
	"/etc/ld.so.cache",
	"/etc/ssl",
	"/etc/pki",
	"/etc/ca-certificates",
	"/etc/crypto-policies",
	"/etc/localtime",
	"/run/systemd/resolve",
	"/usr/lib",
	"/usr/lib32",
	"/usr/lib64",
	"/usr/local/lib",
	"/lib",
	"/lib64",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/usr/share/zoneinfo",
	"/dev/null",
	"/dev/urandom",
	"/dev/random",
	"/proc/sys",
	"/sys/devices/system/cpu",
};

struct program {
	struct jobs jobs;
	struct strbuf in, out;
	size_t out_done; /* bytes of `out` that are written */
	char *user_agent;
};

/* Read what is there. Returns 0 when the parent is gone. */
static int receive(struct strbuf *in, int flags)
{
	strbuf_reserve(in, 65536);
	ssize_t n =
		recv(PROTOCOL_FD_SOCKET, in->data + in->size, in->capacity - in->size - 1, flags);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return 0;
	in->size += (size_t)n;
	in->data[in->size] = '\0';
	return 1;
}

static int send_output(struct program *program)
{
	while (program->out_done < program->out.size) {
		ssize_t n =
			send(PROTOCOL_FD_SOCKET, program->out.data + program->out_done,
			     program->out.size - program->out_done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : 0;
		program->out_done += (size_t)n;
	}
	strbuf_reset(&program->out);
	program->out_done = 0;
	return 1;
}

static void drop_taken(struct strbuf *in, size_t taken)
{
	memmove(in->data, in->data + taken, in->size - taken);
	in->size -= taken;
	explicit_bzero(in->data + in->size, taken); /* passwords were in it */
}

static int handle_requests(struct program *program, struct err *err)
{
	size_t at = 0;

	for (;;) {
		struct protocol_frame frame;
		int r = protocol_take(&program->in, &at, &frame, err);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		if (strcmp(json_get_string(frame.message, "op", ""), "cancel") == 0)
			jobs_cancel(&program->jobs, (unsigned)json_get_int(frame.message, "id", 0));
		else
			jobs_add(&program->jobs, frame.message);
		json_object_put(frame.message);
	}
	if (at)
		drop_taken(&program->in, at);
	return 0;
}

/* Block for the first frame. */
static int read_greeting(struct program *program, struct json_object **ret_hello, struct err *err)
{
	struct protocol_frame frame;
	size_t at = 0;
	int r;

	while ((r = protocol_take(&program->in, &at, &frame, err)) == 0)
		if (!receive(&program->in, 0))
			return err_set(err, EPROTO, "the parent said nothing");
	if (r < 0)
		return r;
	drop_taken(&program->in, at);
	*ret_hello = frame.message;
	return 0;
}

/* Go programs honour the upper-case form, libcurl does not. */
static void settle_proxies(void)
{
	static const char *const names[][2] = {
		{ "http_proxy", "HTTP_PROXY" },
		{ "https_proxy", "HTTPS_PROXY" },
		{ "no_proxy", "NO_PROXY" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *upper = getenv(names[i][1]);
		if (upper && !getenv(names[i][0]) && !getenv("REQUEST_METHOD"))
			(void)setenv(names[i][0], upper, 0);
	}
}

static int set_up(struct program *program, struct err *err)
{
	autojson struct json_object *hello = NULL;
	autostrlist struct strlist readable = STRLIST_EMPTY;
	struct jobs *jobs = &program->jobs;

	int r = read_greeting(program, &hello, err);
	if (r < 0)
		return r;
	log_set_level((enum log_level)json_get_int(hello, "log_level", LOG_LEVEL_WARN));
	jobs->out = &program->out;
	jobs->downloads_fd = PROTOCOL_FD_DOWNLOADS;
	if (!json_get_bool(hello, "downloads", false)) {
		jobs->downloads_fd = -1;
		(void)close(PROTOCOL_FD_DOWNLOADS); /* if it leaked to our parent */
	}
	jobs->retry = (int)json_get_int(hello, "retry", 3);
	jobs->retry_delay_usec = json_get_int(hello, "retry_delay_usec", 2000000);
	json_get_strlist(hello, "certs_dirs", &jobs->session.certs_dirs);
	jobs->session.cert_dir = xstrdup(json_get_string(hello, "cert_dir", NULL));
	program->user_agent = xstrdup(json_get_string(hello, "user_agent", "davit/" DAVIT_VERSION));
	jobs->transport.user_agent = program->user_agent;
	jobs->transport.ca_file = getenv("SSL_CERT_FILE");
	jobs->transport.ca_directory = getenv("SSL_CERT_DIR");
	settle_proxies();

	for (size_t i = 0; i < ARRAY_SIZE(read_paths); i++)
		strlist_add(&readable, read_paths[i]);
	strlist_extend(&readable, &jobs->session.certs_dirs);
	if (jobs->session.cert_dir)
		strlist_add(&readable, jobs->session.cert_dir);
	if (jobs->transport.ca_file)
		strlist_add(&readable, jobs->transport.ca_file);
	if (jobs->transport.ca_directory)
		strlist_add(&readable, jobs->transport.ca_directory);

	/* While files can still be opened: libcrypto and its settings. */
	char digest[DIGEST_TEXT_SIZE];
	r = sha256_digest("", 0, digest, err);
	if (r < 0)
		return r;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ENOMEM, "start libcurl");
	jobs->transport.multi = curl_multi_init();
	if (!jobs->transport.multi)
		return err_set(err, ENOMEM, "start libcurl");
	r = confine(jobs->downloads_fd, &readable, err);
	return r < 0 ? err_wrap(err, "confine davit-registry") : 0;
}

static void collect_transfers(struct program *program)
{
	CURLM *multi = program->jobs.transport.multi;
	int left;

	for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
		struct transfer *transfer = NULL;
		CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		jobs_transfer_ended(&program->jobs, transfer, result);
	}
}

/* Returns when the parent is gone, or with an error when it talks nonsense. */
static int run(struct program *program, struct err *err)
{
	for (;;) {
		int running;
		int r = handle_requests(program, err);
		if (r < 0)
			return r;
		curl_multi_perform(program->jobs.transport.multi, &running);
		collect_transfers(program);
		int timeout_msec = jobs_step(&program->jobs);
		if (!send_output(program))
			return 0;

		struct curl_waitfd parent = {
			.fd = PROTOCOL_FD_SOCKET,
			.events = CURL_WAIT_POLLIN | (program->out.size ? CURL_WAIT_POLLOUT : 0),
		};
		curl_multi_poll(program->jobs.transport.multi, &parent, 1, timeout_msec, NULL);
		if (parent.revents && !receive(&program->in, MSG_DONTWAIT))
			return 0;
	}
}

int main(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct program program = { 0 };
	struct err err = { 0 };

	/* Interrupts from the terminal are for the parent to handle; when it ends, so do we. */
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	(void)close_range(PROTOCOL_FD_DOWNLOADS + 1, ~0U, 0); /* whatever leaked to our parent */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* the socket's end tells the same, later */
	if (set_up(&program, &err) < 0) {
		log_write(LOG_LEVEL_ERROR, "davit-registry: %s", err.text);
		return 125;
	}
	if (run(&program, &err) < 0) {
		log_write(LOG_LEVEL_ERROR, "davit-registry: %s", err.text);
		return 125;
	}
	return 0;
}
