/* What davit and its helper davit-registry say to each other, over one stream socket.
 *
 * A frame is two native 32-bit sizes, a JSON object of the first size and raw bytes of the second
 * (a manifest; else none). Both ends check the sizes before they believe them. Requests carry an
 * "id" that their answers repeat.
 *
 *   davit → helper, "op":
 *     hello     retry, retry_delay_usec, user_agent, log_level, certs_dirs[], cert_dir,
 *               downloads (whether there is a directory for them); comes first
 *     manifest  endpoints[], name (for messages), what (tag or digest)  → manifest | failed
 *     memory    endpoints[], name, digest, size                         → memory | failed
 *     blob      endpoints[], name, digest, size            → progress…, then done | failed
 *     tags      endpoints[], name, what (query)                         → tags | failed
 *     login     endpoints[1]                                            → login | failed
 *     cancel    id of a blob
 *   an endpoint: domain, path, insecure, user, password, identity_token
 *
 *   helper → davit, "event":
 *     manifest  media_type, digest, endpoint (index) + bytes
 *     memory    + bytes
 *     tags      next (query for more, absent at the end), endpoint (index) + bytes (JSON)
 *     progress  bytes        done  bytes        login
 *     failed    code (errno), text */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;
struct strbuf;

#define PROTOCOL_JSON_MAX    ((size_t)1024 * 1024)
#define PROTOCOL_PAYLOAD_MAX ((size_t)4 * 1024 * 1024)

/* The descriptors that the helper is born with. */
enum { PROTOCOL_FD_SOCKET = 0, PROTOCOL_FD_DOWNLOADS = 3 };

struct protocol_frame {
	struct json_object *message; /* owned */
	const char *payload;	     /* inside the buffer it was taken from */
	size_t payload_size;
};

/* Append a frame to `out`. */
void protocol_append(struct strbuf *out, struct json_object *message, const void *payload,
		     size_t payload_size);

/* Look for a whole frame at *at inside `in`. Returns 1 and moves *at behind it, 0 when more bytes
 * are needed, -EPROTO when this can be no frame. */
int protocol_take(const struct strbuf *in, size_t *at, struct protocol_frame *ret_frame,
		  struct err *err);
