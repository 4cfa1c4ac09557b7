#include "kernel/systemd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define UNIT "davit-abc.scope"

static void put_u32(struct strbuf *out, uint32_t value)
{
	while (out->size % 4)
		strbuf_addc(out, '\0');
	strbuf_add(out, &value, sizeof(value));
}

static void put_string(struct strbuf *out, const char *text)
{
	put_u32(out, (uint32_t)strlen(text));
	strbuf_add(out, text, strlen(text) + 1);
}

static void pad(struct strbuf *out)
{
	while (out->size % 8)
		strbuf_addc(out, '\0');
}

/* A message as systemd would send it: one header field and a body. */
static void make_message(struct strbuf *out, char type, char field, const char *field_type,
			 const void *field_value, const struct strbuf *body)
{
	autostrbuf struct strbuf call = STRBUF_EMPTY;
	const struct systemd_scope scope = { .unit = UNIT, .description = "x", .pid = 1 };

	systemd_scope_message(&scope, 1, &call); /* for the byte order */
	const char fixed[] = { call.data[0], type, 0, 1 };
	strbuf_add(out, fixed, sizeof(fixed));
	put_u32(out, body ? (uint32_t)body->size : 0);
	put_u32(out, 77);
	put_u32(out, 0);
	size_t start = out->size;
	strbuf_addc(out, field);
	strbuf_addc(out, 1);
	strbuf_add(out, field_type, 2);
	if (*field_type == 'u')
		put_u32(out, *(const uint32_t *)field_value);
	else
		put_string(out, field_value);
	if (type == 3) {
		uint32_t serial = 1;
		pad(out);
		strbuf_add(out, "\x05\x01u", 4);
		put_u32(out, serial);
	}
	uint32_t length = (uint32_t)(out->size - start);
	memcpy(out->data + 12, &length, 4);
	pad(out);
	if (body)
		strbuf_add(out, body->data, body->size);
}

static enum systemd_event read_it(const struct strbuf *message, struct err *err)
{
	assert_int_equal(systemd_message_size(message->data), message->size);
	return systemd_read_message(message->data, message->size, UNIT, 1, err);
}

static void job_removed(struct strbuf *body, const char *unit, const char *result)
{
	put_u32(body, 7);
	put_string(body, "/org/freedesktop/systemd1/job/7");
	put_string(body, unit);
	put_string(body, result);
}

static void test_the_call_says_what_it_is(void **state)
{
	autostrbuf struct strbuf message = STRBUF_EMPTY;
	const struct systemd_scope scope = {
		.unit = UNIT,
		.slice = "machine.slice",
		.description = "a container",
		.pid = 4711,
	};
	static const char *const words[] = { "StartTransientUnit", "ssa(sv)a(sa(sv))", UNIT,
					     "machine.slice",	   "Delegate",	       "PIDs" };

	(void)state;
	systemd_scope_message(&scope, 1, &message);
	assert_int_equal(systemd_message_size(message.data), message.size);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!memmem(message.data, message.size, words[i], strlen(words[i]) + 1))
			fail_msg("no '%s' in the message", words[i]);
}

static void test_answers_are_told_apart(void **state)
{
	autostrbuf struct strbuf accepted = STRBUF_EMPTY, done = STRBUF_EMPTY, other = STRBUF_EMPTY,
				 failed = STRBUF_EMPTY, exists = STRBUF_EMPTY, body = STRBUF_EMPTY;
	const uint32_t ours = 1, anothers = 2;
	struct err err = { 0 };

	(void)state;
	make_message(&accepted, 2, 5, "u", &ours, NULL);
	assert_int_equal(read_it(&accepted, &err), SYSTEMD_ACCEPTED);
	strbuf_reset(&accepted);
	make_message(&accepted, 2, 5, "u", &anothers, NULL);
	assert_int_equal(read_it(&accepted, &err), SYSTEMD_OTHER);

	job_removed(&body, UNIT, "done");
	make_message(&done, 4, 3, "s", "JobRemoved", &body);
	assert_int_equal(read_it(&done, &err), SYSTEMD_DONE);
	strbuf_reset(&body);
	job_removed(&body, "davit-other.scope", "done");
	make_message(&other, 4, 3, "s", "JobRemoved", &body);
	assert_int_equal(read_it(&other, &err), SYSTEMD_OTHER);
	strbuf_reset(&body);
	job_removed(&body, UNIT, "failed");
	make_message(&failed, 4, 3, "s", "JobRemoved", &body);
	assert_int_equal(read_it(&failed, &err), SYSTEMD_FAILED);
	assert_non_null(strstr(err.text, "failed"));

	strbuf_reset(&body);
	put_string(&body, "it is there");
	make_message(&exists, 3, 4, "s", "org.freedesktop.systemd1.UnitExists", &body);
	assert_int_equal(read_it(&exists, &err), SYSTEMD_EXISTS);
	strbuf_reset(&exists);
	make_message(&exists, 3, 4, "s", "org.freedesktop.DBus.Error.AccessDenied", &body);
	assert_int_equal(read_it(&exists, &err), SYSTEMD_FAILED);
	assert_non_null(strstr(err.text, "it is there"));
}

/* Whatever is cut off or changed: no read beyond the end, which the sanitizers would see. */
static void test_damaged_messages_are_survived(void **state)
{
	autostrbuf struct strbuf body = STRBUF_EMPTY, message = STRBUF_EMPTY;
	struct err err;

	(void)state;
	job_removed(&body, UNIT, "done");
	make_message(&message, 4, 3, "s", "JobRemoved", &body);
	for (size_t size = 16; size < message.size; size++) {
		autofree char *cut = xmemdup(message.data, size);
		assert_int_not_equal(systemd_read_message(cut, size, UNIT, 1, &err), SYSTEMD_DONE);
	}
	for (size_t at = 1; at < message.size; at++) {
		autofree char *copy = xmemdup(message.data, message.size);
		for (int flip = 1; flip < 256; flip <<= 1) {
			copy[at] = (char)(message.data[at] ^ flip);
			(void)systemd_read_message(copy, message.size, UNIT, 1, &err);
		}
	}
	message.data[0] = 'x';
	assert_int_equal(systemd_message_size(message.data), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_call_says_what_it_is),
		cmocka_unit_test(test_answers_are_told_apart),
		cmocka_unit_test(test_damaged_messages_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
