/* A D-Bus client for one call. systemd listens for direct connections beside the bus: the socket
 * "private", where no bus daemon stands in between, no name is asked for, and its signals come
 * without subscribing. So the whole conversation is
 *
 *	us       \0 AUTH EXTERNAL <uid>  BEGIN  StartTransientUnit
 *	systemd  OK <guid>               job "/org/freedesktop/systemd1/job/7"
 *	systemd  … JobRemoved(7, …, unit, "done")
 *
 * and libsystemd, which costs as much at start as the whole of davit, is not needed for it. What
 * comes from the socket comes from systemd; it is still read with every length checked. Messages
 * are in our byte order, as the other end is on this machine, and so are its answers. */
#include "kernel/systemd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define TIMEOUT_SEC	  30 /* for each answer */
#define MAX_MESSAGE_BYTES (1 << 20)
#define FIXED_HEADER	  16 /* up to and with the length of the header fields */

enum message_type { METHOD_CALL = 1, METHOD_RETURN, ERROR_REPLY, SIGNAL };

enum header_field {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR_NAME,
	FIELD_REPLY_SERIAL,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE,
};

static char byte_order(void)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B';
}

/* ---- writing ---- */

static void align(struct strbuf *message, size_t to)
{
	while (message->size % to)
		strbuf_addc(message, '\0');
}

static void put_u32(struct strbuf *message, uint32_t value)
{
	align(message, 4);
	strbuf_add(message, &value, sizeof(value));
}

static void put_u64(struct strbuf *message, uint64_t value)
{
	align(message, 8);
	strbuf_add(message, &value, sizeof(value));
}

static void put_string(struct strbuf *message, const char *text)
{
	put_u32(message, (uint32_t)strlen(text));
	strbuf_add(message, text, strlen(text) + 1);
}

static void put_signature(struct strbuf *message, const char *signature)
{
	strbuf_addc(message, (char)strlen(signature));
	strbuf_add(message, signature, strlen(signature) + 1);
}

/* Lengths of arrays are known at their end only; what aligns the first element does not count. */
static size_t begin_array(struct strbuf *message, size_t element_alignment, size_t *ret_length_at)
{
	align(message, 4);
	*ret_length_at = message->size;
	put_u32(message, 0);
	align(message, element_alignment);
	return message->size;
}

static void end_array(struct strbuf *message, size_t length_at, size_t start)
{
	uint32_t length = (uint32_t)(message->size - start);

	memcpy(message->data + length_at, &length, sizeof(length));
}

static void put_header_string(struct strbuf *message, enum header_field field, const char *type,
			      const char *text)
{
	align(message, 8);
	strbuf_addc(message, (char)field);
	put_signature(message, type);
	if (*type == 'g')
		put_signature(message, text);
	else
		put_string(message, text);
}

static void begin_property(struct strbuf *body, const char *name, const char *type)
{
	align(body, 8);
	put_string(body, name);
	put_signature(body, type);
}

static void put_string_property(struct strbuf *body, const char *name, const char *value)
{
	begin_property(body, name, "s");
	put_string(body, value);
}

/* ssa(sv)a(sa(sv)): name, mode, properties, auxiliary units. */
static void put_body(struct strbuf *body, const struct systemd_scope *scope)
{
	size_t properties_at, pids_at, aux_at;

	put_string(body, scope->unit);
	put_string(body, "fail");
	size_t properties = begin_array(body, 8, &properties_at);
	put_string_property(body, "Description", scope->description);
	if (scope->slice)
		put_string_property(body, "Slice", scope->slice);
	put_string_property(body, "CollectMode", "inactive-or-failed");
	begin_property(body, "Delegate", "b");
	put_u32(body, 1);
	/* The limits are those of the group below. */
	begin_property(body, "TasksMax", "t");
	put_u64(body, UINT64_MAX);
	begin_property(body, "PIDs", "au");
	size_t pids = begin_array(body, 4, &pids_at);
	put_u32(body, (uint32_t)scope->pid);
	end_array(body, pids_at, pids);
	end_array(body, properties_at, properties);
	size_t aux = begin_array(body, 8, &aux_at);
	end_array(body, aux_at, aux);
}

static void put_call(struct strbuf *message, uint32_t serial, const char *member,
		     const char *signature, const struct strbuf *body)
{
	size_t fields_at;
	const char fixed[] = { byte_order(), METHOD_CALL, 0 /* flags */, 1 /* version */ };
	strbuf_add(message, fixed, sizeof(fixed));
	put_u32(message, (uint32_t)body->size);
	put_u32(message, serial);
	size_t fields = begin_array(message, 8, &fields_at);
	put_header_string(message, FIELD_PATH, "o", "/org/freedesktop/systemd1");
	put_header_string(message, FIELD_INTERFACE, "s", "org.freedesktop.systemd1.Manager");
	put_header_string(message, FIELD_MEMBER, "s", member);
	put_header_string(message, FIELD_DESTINATION, "s", "org.freedesktop.systemd1");
	put_header_string(message, FIELD_SIGNATURE, "g", signature);
	end_array(message, fields_at, fields);
	align(message, 8);
	strbuf_add(message, body->data, body->size);
}

void systemd_scope_message(const struct systemd_scope *scope, uint32_t serial,
			   struct strbuf *message)
{
	autostrbuf struct strbuf body = STRBUF_EMPTY;

	put_body(&body, scope);
	put_call(message, serial, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body);
}

/* ---- reading ---- */

struct reader {
	const char *data;
	size_t at, size;
	bool is_bad;
};

static void skip_to(struct reader *reader, size_t alignment)
{
	reader->at = (reader->at + alignment - 1) / alignment * alignment;
}

static uint32_t get_u32(struct reader *reader)
{
	uint32_t value = 0;

	skip_to(reader, 4);
	if (reader->at > reader->size || reader->size - reader->at < sizeof(value)) {
		reader->is_bad = true;
		return 0;
	}
	memcpy(&value, reader->data + reader->at, sizeof(value));
	reader->at += sizeof(value);
	return value;
}

/* `length` bytes and a NUL; "" when they are not there. */
static const char *get_bytes(struct reader *reader, size_t length)
{
	const char *text = reader->data + reader->at;

	if (reader->is_bad || reader->at > reader->size || reader->size - reader->at <= length ||
	    text[length] != '\0') {
		reader->is_bad = true;
		return "";
	}
	reader->at += length + 1;
	return text;
}

static const char *get_string(struct reader *reader)
{
	uint32_t length = get_u32(reader);

	return get_bytes(reader, length);
}

static const char *get_signature(struct reader *reader)
{
	if (reader->at >= reader->size) {
		reader->is_bad = true;
		return "";
	}
	size_t length = (unsigned char)reader->data[reader->at++];
	return get_bytes(reader, length);
}

ssize_t systemd_message_size(const void *header)
{
	const char *bytes = header;
	uint32_t body, fields;

	memcpy(&body, bytes + 4, sizeof(body));
	memcpy(&fields, bytes + 12, sizeof(fields));
	if (bytes[0] != byte_order() || bytes[3] != 1 || body > MAX_MESSAGE_BYTES ||
	    fields > MAX_MESSAGE_BYTES)
		return -EBADMSG;
	return (ssize_t)(FIXED_HEADER + (fields + 7U) / 8 * 8 + body);
}

struct message {
	enum message_type type;
	uint32_t reply_serial;
	const char *member, *error_name;
	struct reader body;
};

static int read_header(const char *data, size_t size, struct message *message)
{
	struct reader reader = { .data = data, .at = 12, .size = size };
	uint32_t fields = get_u32(&reader);
	size_t end = FIXED_HEADER + (size_t)fields;

	*message = (struct message){
		.type = (enum message_type)data[1],
		.member = "",
		.error_name = "",
	};
	if (end > size)
		return -EBADMSG;
	for (skip_to(&reader, 8); reader.at < end && !reader.is_bad; skip_to(&reader, 8)) {
		char field = data[reader.at++];
		const char *type = get_signature(&reader);
		if (strcmp(type, "u") == 0) {
			uint32_t value = get_u32(&reader);
			if (field == FIELD_REPLY_SERIAL)
				message->reply_serial = value;
			continue;
		}
		const char *text =
			strcmp(type, "g") == 0 ? get_signature(&reader) : get_string(&reader);
		if (field == FIELD_MEMBER)
			message->member = text;
		else if (field == FIELD_ERROR_NAME)
			message->error_name = text;
	}
	message->body = reader;
	message->body.at = (end + 7) / 8 * 8;
	return reader.is_bad ? -EBADMSG : 0;
}

static enum systemd_event read_signal(struct message *message, const char *unit, struct err *err)
{
	struct reader *body = &message->body;

	if (strcmp(message->member, "JobRemoved") != 0)
		return SYSTEMD_OTHER;
	(void)get_u32(body);
	(void)get_string(body);
	if (strcmp(get_string(body), unit) != 0)
		return SYSTEMD_OTHER;
	const char *result = get_string(body);
	if (strcmp(result, "done") == 0)
		return SYSTEMD_DONE;
	(void)err_set(err, EIO, "systemd could not start '%s': %s", unit, result);
	return SYSTEMD_FAILED;
}

enum systemd_event systemd_read_message(const void *data, size_t size, const char *unit,
					uint32_t serial, struct err *err)
{
	struct message message;

	if (read_header(data, size, &message) < 0) {
		(void)err_set(err, EBADMSG, "systemd sent what is no message");
		return SYSTEMD_FAILED;
	}
	if (message.type == SIGNAL)
		return read_signal(&message, unit, err);
	if (message.reply_serial != serial)
		return SYSTEMD_OTHER;
	if (message.type == METHOD_RETURN)
		return SYSTEMD_ACCEPTED;
	if (strcmp(message.error_name, "org.freedesktop.systemd1.UnitExists") == 0)
		return SYSTEMD_EXISTS;
	const char *text = get_string(&message.body);
	(void)err_set(err, EIO, "systemd refuses this for '%s': %s", unit,
		      *text ? text : message.error_name);
	return SYSTEMD_FAILED;
}

/* ---- the conversation ---- */

char *systemd_private_socket(uid_t uid, const char *runtime_dir)
{
	if (uid != 0 && (!runtime_dir || runtime_dir[0] != '/'))
		return NULL;
	char *path = uid == 0 ? xstrdup("/run/systemd/private")
			      : xasprintf("%s/systemd/private", runtime_dir);
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static int connect_to(const char *path, struct err *err)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_SEC };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG, "connect to systemd at '%s'", path);
	memcpy(address.sun_path, path, strlen(path));
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_errno(err, "connect to systemd at '%s'", path);
	return take_fd(&fd);
}

/* As systemd sees us, who may be in a user namespace. */
static unsigned own_uid(void)
{
	unsigned inside, outside, size, uid = (unsigned)geteuid();
	FILE *map = fopen("/proc/self/uid_map", "re");

	while (map && fscanf(map, "%u %u %u", &inside, &outside, &size) == 3)
		if (uid >= inside && uid - inside < size) {
			uid = outside + (uid - inside);
			break;
		}
	if (map)
		(void)fclose(map);
	return uid;
}

/* The identity in hexadecimal digits of its decimal digits. */
static void add_authentication(struct strbuf *out)
{
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", own_uid());
	strbuf_addc(out, '\0');
	strbuf_adds(out, "AUTH EXTERNAL ");
	for (const char *digit = uid; *digit; digit++)
		strbuf_addf(out, "%02x", *digit);
	strbuf_adds(out, "\r\nBEGIN\r\n");
}

static int receive(int fd, void *data, size_t size, struct err *err)
{
	for (size_t got = 0; got < size;) {
		ssize_t n = recv(fd, (char *)data + got, size - got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return err_set(err, ETIMEDOUT, "systemd does not answer");
		if (n < 0)
			return err_errno(err, "hear from systemd");
		if (n == 0)
			return err_set(err, EPIPE, "systemd has ended the connection");
		got += (size_t)n;
	}
	return 0;
}

/* One line of the answer to our authentication; what follows it is left alone. */
static int receive_welcome(int fd, struct err *err)
{
	char line[128];
	size_t size = 0;

	while (size < sizeof(line) - 1) {
		int r = receive(fd, line + size, 1, err);
		if (r < 0)
			return r;
		if (line[size++] == '\n')
			break;
	}
	line[size] = '\0';
	return strncmp(line, "OK ", 3) == 0
		       ? 0
		       : err_set(err, EACCES, "systemd does not accept user %u", own_uid());
}

static int send_all(int fd, const struct strbuf *out, struct err *err)
{
	for (size_t sent = 0; sent < out->size;) {
		ssize_t n = send(fd, out->data + sent, out->size - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "talk to systemd");
		sent += (size_t)n;
	}
	return 0;
}

static int receive_event(int fd, const char *unit, uint32_t serial, enum systemd_event *ret_event,
			 struct err *err)
{
	char header[FIXED_HEADER];

	int r = receive(fd, header, sizeof(header), err);
	if (r < 0)
		return r;
	ssize_t size = systemd_message_size(header);
	if (size < 0)
		return err_set(err, EBADMSG, "systemd sent what is no message");
	autofree char *message = xmalloc((size_t)size);
	memcpy(message, header, sizeof(header));
	r = receive(fd, message + sizeof(header), (size_t)size - sizeof(header), err);
	if (r == 0)
		*ret_event = systemd_read_message(message, (size_t)size, unit, serial, err);
	return r;
}

enum { SERIAL = 1 };

/* Send the one call, and listen until it has come to something: at least to this. */
static int converse(const char *socket_path, const struct strbuf *call, const char *unit,
		    enum systemd_event until, struct err *err)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	enum systemd_event event = SYSTEMD_OTHER;

	autoclose int fd = connect_to(socket_path, err);
	if (fd < 0)
		return fd;
	add_authentication(&out);
	strbuf_add(&out, call->data, call->size);
	int r = send_all(fd, &out, err);
	if (r == 0)
		r = receive_welcome(fd, err);
	while (r == 0 && event < until)
		r = receive_event(fd, unit, SERIAL, &event, err);
	if (r < 0)
		return r;
	if (event == SYSTEMD_EXISTS)
		return err_set(err, EEXIST, "systemd has a unit '%s' already", unit);
	return event == SYSTEMD_FAILED ? -err->code : 0;
}

int systemd_start_scope(const char *socket_path, const struct systemd_scope *scope, struct err *err)
{
	autostrbuf struct strbuf call = STRBUF_EMPTY;

	systemd_scope_message(scope, SERIAL, &call);
	return converse(socket_path, &call, scope->unit, SYSTEMD_DONE, err);
}

int systemd_attach(const char *socket_path, const char *unit, const char *subgroup, pid_t pid,
		   struct err *err)
{
	autostrbuf struct strbuf call = STRBUF_EMPTY, body = STRBUF_EMPTY;
	size_t pids_at;

	put_string(&body, unit);
	put_string(&body, subgroup);
	size_t pids = begin_array(&body, 4, &pids_at);
	put_u32(&body, (uint32_t)pid);
	end_array(&body, pids_at, pids);
	put_call(&call, SERIAL, "AttachProcessesToUnit", "ssau", &body);
	return converse(socket_path, &call, unit, SYSTEMD_ACCEPTED, err);
}
