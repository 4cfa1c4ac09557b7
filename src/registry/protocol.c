#include "registry/protocol.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/strbuf.h"

void protocol_append(struct strbuf *out, struct json_object *message, const void *payload,
		     size_t payload_size)
{
	const char *text = json_text(message);
	uint32_t sizes[2] = { (uint32_t)strlen(text), (uint32_t)payload_size };

	assert(sizes[0] <= PROTOCOL_JSON_MAX && payload_size <= PROTOCOL_PAYLOAD_MAX);
	strbuf_add(out, sizes, sizeof(sizes));
	strbuf_add(out, text, sizes[0]);
	strbuf_add(out, payload, payload_size);
}

int protocol_take(const struct strbuf *in, size_t *at, struct protocol_frame *ret_frame,
		  struct err *err)
{
	struct protocol_frame frame = { 0 };
	uint32_t sizes[2];

	if (in->size - *at < sizeof(sizes))
		return 0;
	memcpy(sizes, in->data + *at, sizeof(sizes));
	if (sizes[0] > PROTOCOL_JSON_MAX || sizes[1] > PROTOCOL_PAYLOAD_MAX)
		return err_set(err, EPROTO, "a frame of %u and %u bytes", sizes[0], sizes[1]);
	size_t whole = sizeof(sizes) + sizes[0] + sizes[1];
	if (in->size - *at < whole)
		return 0;
	const char *text = in->data + *at + sizeof(sizes);
	if (json_parse(text, sizes[0], &frame.message, err) < 0)
		return err_set(err, EPROTO, "a frame that is no JSON");
	frame.payload = text + sizes[0];
	frame.payload_size = sizes[1];
	*at += whole;
	*ret_frame = frame;
	return 1;
}
