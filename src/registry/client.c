/* Requests go out at once; answers come as they like. Reading a frame either completes the request
 * that is being waited for, or becomes an event in a queue, in which the progress of a blob is kept
 * once, so the queue stays as short as there are blobs. */
#include "registry/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "config.h"
#include "oci/reference.h"
#include "registry/auth.h"
#include "registry/paths.h"
#include "registry/protocol.h"
#include "registry/registries.h"

#define TAG_PAGES_MAX 1000

struct registry_client {
	pid_t helper;
	int fd;
	int wake_fd; /* an eventfd that is set while events wait in the queue, and */
	int poll_fd; /* an epoll of both: what the caller waits for */
	bool is_woken;
	unsigned last_id;
	struct strbuf in;
	struct registry_event *events; /* what next_event() has not yet given away */
	size_t event_count;
	unsigned *cancelled; /* blobs of which nothing is to be told any more */
	size_t cancelled_count;

	const struct registries *registries;
	const struct registry_paths *paths;
	char *authfile, *user, *password;
	enum registry_tls tls;

	char *served_repository; /* whose manifest came last, and from where: */
	char *served_domain, *served_path;
};

/* ---- the helper ---- */

static int spawn_helper(const char *program, int socket_fd, int download_dir_fd, pid_t *ret_pid,
			struct err *err)
{
	char *argv[] = { "davit-registry", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;

	/* Out of the way of the numbers they will get. */
	autoclose int high_socket = fcntl(socket_fd, F_DUPFD_CLOEXEC, 10);
	autoclose int high_directory =
		download_dir_fd < 0 ? -1 : fcntl(download_dir_fd, F_DUPFD_CLOEXEC, 10);
	if (high_socket < 0 || (high_directory < 0 && download_dir_fd >= 0))
		return err_errno(err, "start '%s'", program);

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, high_socket, PROTOCOL_FD_SOCKET);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (high_directory >= 0)
		posix_spawn_file_actions_adddup2(&actions, high_directory, PROTOCOL_FD_DOWNLOADS);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int r = posix_spawn(ret_pid, program, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (r != 0)
		return err_set(err, r, "start '%s': %s", program, strerror(r));
	return 0;
}

/* Frames that came while something else was waited for are in our queue, not in the socket: the
 * caller's poll() has to see them too. */
static int open_poll(struct registry_client *client, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN };

	client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	client->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (client->wake_fd < 0 || client->poll_fd < 0 ||
	    epoll_ctl(client->poll_fd, EPOLL_CTL_ADD, client->wake_fd, &event) < 0 ||
	    epoll_ctl(client->poll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
		return err_errno(err, "wait for davit-registry");
	return 0;
}

static void update_wake(struct registry_client *client)
{
	eventfd_t value;

	if (client->is_woken == (client->event_count > 0))
		return;
	client->is_woken = !client->is_woken;
	if (client->is_woken)
		(void)eventfd_write(client->wake_fd, 1); /* cannot fail from 0 */
	else
		(void)eventfd_read(client->wake_fd, &value);
}

static int wait_for_socket(const struct registry_client *client, short events, int timeout_msec)
{
	struct pollfd poll_fd = { .fd = client->fd, .events = events };
	int r;

	while ((r = poll(&poll_fd, 1, timeout_msec)) < 0 && errno == EINTR)
		if (timeout_msec > 0)
			break; /* the caller's clock decides */
	return r < 0 ? (errno == EINTR ? 0 : -errno) : r;
}

static int helper_is_gone(struct err *err)
{
	return err_set(err, EPIPE, "davit-registry has ended unexpectedly");
}

static int send_request(struct registry_client *client, struct json_object *request,
			struct err *err)
{
	autostrbuf struct strbuf frame = STRBUF_EMPTY;
	int r = 0;

	protocol_append(&frame, request, NULL, 0);
	for (size_t done = 0; r >= 0 && done < frame.size;) {
		ssize_t n = send(client->fd, frame.data + done, frame.size - done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			(void)wait_for_socket(client, POLLOUT, -1);
		else if (errno != EINTR)
			r = helper_is_gone(err);
	}
	explicit_bzero(frame.data, frame.size); /* it may hold passwords */
	return r;
}

static int send_hello(struct registry_client *client, const struct registry_options *options,
		      bool downloads, struct err *err)
{
	autojson struct json_object *hello = json_object_new_object();

	json_add_string(hello, "op", "hello");
	json_add_bool(hello, "downloads", downloads);
	json_add_int(hello, "retry", options->retry >= 0 ? options->retry : 3);
	json_add_int(hello, "retry_delay_usec",
		     options->retry_delay_usec >= 0 ? options->retry_delay_usec : 2000000);
	json_add_string(hello, "user_agent",
			options->user_agent ? options->user_agent : "davit/" DAVIT_VERSION);
	json_add_int(hello, "log_level", log_level());
	json_add_strlist(hello, "certs_dirs", &client->paths->certs_dirs);
	json_add_string(hello, "cert_dir", options->cert_dir);
	return send_request(client, hello, err);
}

int registry_client_open(int download_dir_fd, const struct registries *registries,
			 const struct registry_paths *paths, const struct registry_options *options,
			 struct registry_client **ret_client, struct err *err)
{
	autoregistryclient struct registry_client *client = xcalloc(1, sizeof(*client));
	int fds[2];

	client->fd = client->wake_fd = client->poll_fd = -1;
	client->registries = registries;
	client->paths = paths;
	client->authfile = xstrdup(options->authfile);
	client->user = xstrdup(options->user);
	client->password = xstrdup(options->password);
	client->tls = options->tls;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_errno(err, "socket for davit-registry");
	client->fd = fds[0];
	autoclose int theirs = fds[1];
	int r = open_poll(client, err);
	if (r < 0)
		return r;
	r = spawn_helper(options->program, theirs, download_dir_fd, &client->helper, err);
	if (r < 0)
		return r;
	r = send_hello(client, options, download_dir_fd >= 0, err);
	if (r < 0)
		return r;
	*ret_client = take_ptr(&client);
	return 0;
}

void registry_client_close(struct registry_client *client)
{
	if (!client)
		return;
	fd_close(&client->fd);
	fd_close(&client->wake_fd);
	fd_close(&client->poll_fd);
	if (client->helper > 0) {
		(void)kill(client->helper, SIGKILL); /* what it has written is written */
		while (waitpid(client->helper, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (client->in.data)
		strbuf_clear(&client->in);
	if (client->password)
		explicit_bzero(client->password, strlen(client->password));
	free(client->events);
	free(client->cancelled);
	free(client->authfile);
	free(client->user);
	free(client->password);
	free(client->served_repository);
	free(client->served_domain);
	free(client->served_path);
	free(client);
}

/* ---- answers ---- */

/* An answer that is being waited for. */
struct answer {
	unsigned id;
	bool complete;
	struct json_object *message; /* owned */
	struct strbuf payload;
};

static void answer_clear(struct answer *answer)
{
	json_object_put(answer->message);
	strbuf_clear(&answer->payload);
}
#define autoanswer __attribute__((cleanup(answer_clear)))

static void read_failure(struct json_object *message, struct err *err)
{
	int code = (int)json_get_int(message, "code", EIO);

	err_set(err, code > 0 ? code : EIO, "%s", json_get_string(message, "text", "failed"));
}

static void queue_event(struct registry_client *client, struct json_object *message)
{
	const char *kind = json_get_string(message, "event", "");
	struct registry_event event = {
		.blob = (unsigned)json_get_int(message, "id", 0),
		.bytes = json_get_int(message, "bytes", 0),
	};

	for (size_t i = 0; i < client->cancelled_count; i++)
		if (client->cancelled[i] == event.blob)
			return;
	if (strcmp(kind, "progress") == 0)
		event.kind = REGISTRY_BLOB_PROGRESS;
	else if (strcmp(kind, "done") == 0)
		event.kind = REGISTRY_BLOB_DONE;
	else if (strcmp(kind, "failed") == 0)
		event.kind = REGISTRY_BLOB_FAILED;
	else
		return;
	if (event.kind == REGISTRY_BLOB_FAILED)
		read_failure(message, &event.err);
	/* Newer progress takes the place of older. */
	for (size_t i = 0; i < client->event_count; i++) {
		if (client->events[i].blob == event.blob &&
		    client->events[i].kind == REGISTRY_BLOB_PROGRESS &&
		    event.kind == REGISTRY_BLOB_PROGRESS) {
			client->events[i] = event;
			return;
		}
	}
	client->events =
		xreallocarray(client->events, client->event_count + 1, sizeof(*client->events));
	client->events[client->event_count++] = event;
}

/* Hand out the whole frames that have come. */
static int dispatch(struct registry_client *client, struct answer *answer, struct err *err)
{
	size_t at = 0;
	int r;

	for (;;) {
		struct protocol_frame frame;
		r = protocol_take(&client->in, &at, &frame, err);
		if (r <= 0)
			break;
		if (answer && json_get_int(frame.message, "id", 0) == answer->id) {
			answer->complete = true;
			answer->message = frame.message;
			strbuf_add(&answer->payload, frame.payload, frame.payload_size);
		} else {
			queue_event(client, frame.message);
			json_object_put(frame.message);
		}
	}
	if (at) {
		memmove(client->in.data, client->in.data + at, client->in.size - at);
		client->in.size -= at;
	}
	return r < 0 ? err_wrap(err, "davit-registry") : 0;
}

/* Take in what the helper has said so far. */
static int receive(struct registry_client *client, struct answer *answer, struct err *err)
{
	for (;;) {
		strbuf_reserve(&client->in, 65536);
		ssize_t n = recv(client->fd, client->in.data + client->in.size,
				 client->in.capacity - client->in.size - 1, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return helper_is_gone(err);
		client->in.size += (size_t)n;
		int r = dispatch(client, answer, err);
		if (r < 0)
			return r;
	}
}

/* Send a request and wait for its answer; "failed" becomes the error. */
static int ask(struct registry_client *client, struct json_object *request, struct answer *answer,
	       struct err *err)
{
	answer->id = ++client->last_id;
	json_add_int(request, "id", answer->id);
	int r = send_request(client, request, err);
	while (r >= 0 && !answer->complete) {
		r = wait_for_socket(client, POLLIN, -1);
		if (r < 0)
			return err_set(err, -r, "wait for davit-registry: %s", strerror(-r));
		r = receive(client, answer, err);
		if (r < 0 && answer->complete)
			r = 0; /* it ended after it had answered; the next request will tell */
	}
	update_wake(client);
	if (r < 0)
		return r;
	if (strcmp(json_get_string(answer->message, "event", ""), "failed") == 0) {
		read_failure(answer->message, err);
		return -err->code;
	}
	return 0;
}

/* ---- requests ---- */

static int find_credentials(const struct registry_client *client,
			    const struct registry_endpoint *endpoint, struct credentials *ret,
			    struct err *err)
{
	if (client->user) {
		ret->user = xstrdup(client->user);
		ret->password = xstrdup(client->password ? client->password : "");
		return 0;
	}
	autofree char *key = endpoint->path[0]
				     ? xasprintf("%s/%s", endpoint->domain, endpoint->path)
				     : xstrdup(endpoint->domain);
	return auth_find(client->paths, client->authfile, client->registries, key, ret, err);
}

static bool is_insecure(const struct registry_client *client, bool configured)
{
	switch (client->tls) {
	case REGISTRY_TLS_VERIFY:
		return false;
	case REGISTRY_TLS_NO_VERIFY:
		return true;
	default:
		return configured;
	}
}

static struct json_object *endpoint_json(const struct registry_client *client,
					 const struct registry_endpoint *endpoint,
					 const struct credentials *credentials)
{
	struct json_object *item = json_object_new_object();

	json_add_string(item, "domain", endpoint->domain);
	json_add_string(item, "path", endpoint->path);
	json_add_bool(item, "insecure", is_insecure(client, endpoint->insecure));
	json_add_string(item, "user", credentials->user);
	json_add_string(item, "password", credentials->password);
	json_add_string(item, "identity_token", credentials->identity_token);
	return item;
}

/* Blobs are asked for where their manifest came from; a mirror may have one without the other, so
 * the other places stay behind it. */
static void serving_first(const struct registry_client *client, const char *repository,
			  struct registry_endpoints *endpoints)
{
	if (!client->served_repository || strcmp(client->served_repository, repository) != 0)
		return;
	for (size_t i = 1; i < endpoints->count; i++) {
		struct registry_endpoint found = endpoints->items[i];
		if (strcmp(found.domain, client->served_domain) == 0 &&
		    strcmp(found.path, client->served_path) == 0) {
			memmove(endpoints->items + 1, endpoints->items, i * sizeof(found));
			endpoints->items[0] = found;
			return;
		}
	}
}

/* A request about something in the repository of `reference`. */
static int new_request(struct registry_client *client, const char *op,
		       const struct reference *reference, struct registry_endpoints *ret_endpoints,
		       struct json_object **ret_request, struct err *err)
{
	autojson struct json_object *request = json_object_new_object();
	autoendpoints struct registry_endpoints endpoints = { 0 };
	autofree char *repository = reference_repository(reference);
	struct json_object *array = json_object_new_array();

	json_object_object_add(request, "endpoints", array);
	json_add_string(request, "op", op);
	if (reference_is_short(reference))
		return err_set(err, EINVAL, "'%s' names no registry", repository);
	int r = registries_endpoints(client->registries, reference, &endpoints, err);
	if (r < 0)
		return r;
	serving_first(client, repository, &endpoints);
	for (size_t i = 0; i < endpoints.count; i++) {
		autocredentials struct credentials credentials = CREDENTIALS_EMPTY;
		r = find_credentials(client, &endpoints.items[i], &credentials, err);
		if (r < 0)
			return r;
		json_object_array_add(array,
				      endpoint_json(client, &endpoints.items[i], &credentials));
	}
	*ret_endpoints = endpoints;
	endpoints = (struct registry_endpoints){ 0 };
	*ret_request = take_ptr(&request);
	return 0;
}

void registry_manifest_clear(struct registry_manifest *manifest)
{
	free(manifest->data);
	free(manifest->media_type);
	free(manifest->location);
	*manifest = (struct registry_manifest){ 0 };
}

static void remember_served(struct registry_client *client, const struct reference *reference,
			    const struct registry_endpoint *endpoint)
{
	free(client->served_repository);
	free(client->served_domain);
	free(client->served_path);
	client->served_repository = reference_repository(reference);
	client->served_domain = xstrdup(endpoint->domain);
	client->served_path = xstrdup(endpoint->path);
}

/* The helper has checked this already. But it is the helper that strangers speak to: what decides
 * which layers are right is not believed on its word. */
static int check_digest(const struct answer *answer, const char *expected, struct err *err)
{
	char digest[DIGEST_TEXT_SIZE];

	int r = sha256_digest(strbuf_text(&answer->payload), answer->payload.size, digest, err);
	if (r < 0)
		return r;
	if (strcmp(digest, expected) != 0)
		return err_set(err, EBADMSG, "davit-registry: %s was altered: its digest is %s",
			       expected, digest);
	return 0;
}

int registry_client_get_manifest(struct registry_client *client, const struct reference *reference,
				 struct registry_manifest *ret_manifest, struct err *err)
{
	autoanswer struct answer answer = { 0 };
	autojson struct json_object *request = NULL;
	autoendpoints struct registry_endpoints endpoints = { 0 };
	autofree char *name = reference_print(reference);

	int r = new_request(client, "manifest", reference, &endpoints, &request, err);
	if (r < 0)
		return r;
	json_add_string(request, "name", name);
	json_add_string(request, "what",
			reference->digest ? reference->digest
			: reference->tag  ? reference->tag
					  : "latest");
	r = ask(client, request, &answer, err);
	if (r < 0)
		return r;
	int64_t served = json_get_int(answer.message, "endpoint", -1);
	const char *digest = json_get_string(answer.message, "digest", "");
	if (served < 0 || (size_t)served >= endpoints.count || !reference_digest_is_valid(digest))
		return err_set(err, EPROTO, "davit-registry: an answer that makes no sense");
	r = check_digest(&answer, reference->digest ? reference->digest : digest, err);
	if (r < 0)
		return r;
	const struct registry_endpoint *endpoint = &endpoints.items[served];
	remember_served(client, reference, endpoint);

	struct registry_manifest manifest = { .size = answer.payload.size };
	manifest.data = strbuf_take(&answer.payload);
	manifest.media_type = xstrdup(json_get_string(answer.message, "media_type", NULL));
	manifest.location = xasprintf("%s/%s", endpoint->domain, endpoint->path);
	strncat(manifest.digest, digest, sizeof(manifest.digest) - 1);
	*ret_manifest = manifest;
	return 0;
}

/* One page of the list; *ret_next is NULL at the end. */
static int get_tags_page(struct registry_client *client, const struct reference *reference,
			 const char *query, struct strlist *tags, char **ret_next, struct err *err)
{
	autoanswer struct answer answer = { 0 };
	autojson struct json_object *request = NULL, *root = NULL;
	autoendpoints struct registry_endpoints endpoints = { 0 };
	autofree char *repository = reference_repository(reference);

	int r = new_request(client, "tags", reference, &endpoints, &request, err);
	if (r < 0)
		return r;
	json_add_string(request, "name", repository);
	json_add_string(request, "what", query);
	r = ask(client, request, &answer, err);
	if (r < 0)
		return r;
	int64_t served = json_get_int(answer.message, "endpoint", -1);
	if (served >= 0 && (size_t)served < endpoints.count) /* which has the other pages too */
		remember_served(client, reference, &endpoints.items[served]);
	r = json_parse(strbuf_text(&answer.payload), answer.payload.size, &root, err);
	if (r < 0)
		return err_wrap(err, "tags of '%s'", repository);
	json_get_strlist(root, "tags", tags);
	*ret_next = xstrdup(json_get_string(answer.message, "next", NULL));
	return 0;
}

int registry_client_list_tags(struct registry_client *client, const struct reference *reference,
			      struct strlist *tags, struct err *err)
{
	autofree char *query = xstrdup("");

	for (int page = 0; query; page++) {
		char *next = NULL;
		int r = get_tags_page(client, reference, query, tags, &next, err);
		if (r < 0)
			return r;
		bool in_circles = next && strcmp(next, query) == 0;
		free(query);
		query = next;
		if (in_circles || page >= TAG_PAGES_MAX) {
			autofree char *repository = reference_repository(reference);
			return err_set(err, EFBIG, "tags of '%s': a list without end", repository);
		}
	}
	return 0;
}

static int new_blob_request(struct registry_client *client, const char *op,
			    const struct reference *reference, const char *digest,
			    int64_t size_bytes, struct json_object **ret_request, struct err *err)
{
	autoendpoints struct registry_endpoints endpoints = { 0 };
	autofree char *repository = reference_repository(reference);

	if (!reference_digest_is_valid(digest))
		return err_set(err, EINVAL, "'%.100s' is no digest of a blob", digest);
	if (size_bytes < 0)
		return err_set(err, EINVAL, "blob %s of negative size", digest);
	int r = new_request(client, op, reference, &endpoints, ret_request, err);
	if (r < 0)
		return r;
	json_add_string(*ret_request, "name", repository);
	json_add_string(*ret_request, "digest", digest);
	json_add_int(*ret_request, "size", size_bytes);
	return 0;
}

int registry_client_get_blob(struct registry_client *client, const struct reference *reference,
			     const char *digest, int64_t size_bytes, struct strbuf *data,
			     struct err *err)
{
	autoanswer struct answer answer = { 0 };
	autojson struct json_object *request = NULL;

	if (size_bytes > (int64_t)REGISTRY_MANIFEST_MAX)
		return err_set(err, EFBIG,
			       "blob %s of %lld bytes is larger than the %zu MiB "
			       "allowed for a configuration",
			       digest, (long long)size_bytes, REGISTRY_MANIFEST_MAX >> 20);
	int r = new_blob_request(client, "memory", reference, digest, size_bytes, &request, err);
	if (r < 0)
		return r;
	r = ask(client, request, &answer, err);
	if (r < 0)
		return r;
	r = check_digest(&answer, digest, err);
	if (r < 0)
		return r;
	strbuf_add(data, answer.payload.data, answer.payload.size);
	return 0;
}

int registry_client_start_blob(struct registry_client *client, const struct reference *reference,
			       const char *digest, int64_t size_bytes, unsigned *ret_blob,
			       struct err *err)
{
	autojson struct json_object *request = NULL;

	int r = new_blob_request(client, "blob", reference, digest, size_bytes, &request, err);
	if (r < 0)
		return r;
	json_add_int(request, "id", ++client->last_id);
	r = send_request(client, request, err);
	if (r < 0)
		return r;
	*ret_blob = client->last_id;
	return 0;
}

void registry_client_cancel_blob(struct registry_client *client, unsigned blob)
{
	autojson struct json_object *request = json_object_new_object();
	struct err ignored = { 0 };
	size_t kept = 0;

	json_add_string(request, "op", "cancel");
	json_add_int(request, "id", blob);
	(void)send_request(client, request, &ignored); /* a helper that is gone fetches nothing */
	client->cancelled = xreallocarray(client->cancelled, client->cancelled_count + 1,
					  sizeof(*client->cancelled));
	client->cancelled[client->cancelled_count++] = blob;
	for (size_t i = 0; i < client->event_count; i++)
		if (client->events[i].blob != blob)
			client->events[kept++] = client->events[i];
	client->event_count = kept;
	update_wake(client);
}

void registry_blob_name(const char *digest, char name[REGISTRY_BLOB_NAME_SIZE])
{
	const char *colon = strchr(digest, ':');

	name[0] = '\0';
	strncat(name, "sha256-", REGISTRY_BLOB_NAME_SIZE - 1);
	strncat(name, colon ? colon + 1 : digest, SHA256_HEX_SIZE - 1);
	strncat(name, ".partial", REGISTRY_BLOB_NAME_SIZE - 1 - strlen(name));
}

int registry_client_fd(const struct registry_client *client)
{
	return client->poll_fd;
}

int registry_client_next_event(struct registry_client *client, int timeout_msec,
			       struct registry_event *ret_event, struct err *err)
{
	int64_t deadline_usec = clock_now_usec() + (int64_t)timeout_msec * 1000;

	while (client->event_count == 0) {
		int wait_msec = -1;
		if (timeout_msec >= 0) {
			int64_t left = (deadline_usec - clock_now_usec() + 999) / 1000;
			wait_msec = left > 0 ? (int)left : 0;
		}
		int ready = wait_for_socket(client, POLLIN, wait_msec);
		if (ready < 0)
			return err_set(err, -ready, "wait for davit-registry: %s",
				       strerror(-ready));
		if (ready > 0) {
			int r = receive(client, NULL, err);
			if (r < 0 && client->event_count == 0)
				return r;
		}
		if (ready == 0 && wait_msec == 0)
			break;
	}
	if (client->event_count == 0)
		return 0;
	*ret_event = client->events[0];
	client->event_count--;
	memmove(client->events, client->events + 1, client->event_count * sizeof(*client->events));
	update_wake(client);
	return 1;
}

int registry_client_check_login(struct registry_client *client, const char *registry,
				const char *user, const char *password, struct err *err)
{
	autoanswer struct answer answer = { 0 };
	autojson struct json_object *request = json_object_new_object();
	autofree char *domain = xstrndup(registry, strcspn(registry, "/"));
	autoendpoints struct registry_endpoints endpoints = { 0 };
	struct json_object *array = json_object_new_array();
	/* A name below it, so that the settings of the registry apply. */
	struct reference probe = { .domain = domain,
				   .path = registry[strlen(domain)]
						   ? (char *)registry + strlen(domain) + 1
						   : "x" };

	json_object_object_add(request, "endpoints", array);
	json_add_string(request, "op", "login");
	int r = registries_endpoints(client->registries, &probe, &endpoints, err);
	if (r < 0)
		return r;
	/* Mirrors come first, and their passwords are another matter. */
	struct registry_endpoint endpoint = {
		.domain = domain,
		.path = "",
		.insecure = endpoints.items[endpoints.count - 1].insecure
	};
	struct credentials credentials = { .user = (char *)user, .password = (char *)password };
	json_object_array_add(array, endpoint_json(client, &endpoint, &credentials));
	r = ask(client, request, &answer, err);
	if (r == -EACCES)
		return err_set(err, EACCES,
			       "logging in to '%s': invalid user name or password; check both",
			       domain);
	return r;
}
