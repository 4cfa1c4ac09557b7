#include "kernel/nftables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"
#include "kernel/mnl-load.h"
#include "base/strbuf.h"

#define MESSAGE_BYTES 1024 /* more than any one change */
#define ANSWER_BYTES  32768
/* The comment's place in an element's user data; the numbering is that of libnftnl, which nft(8)
 * reads it with. */
#define USERDATA_COMMENT     0
#define USERDATA_COMMENT_MAX 127

struct nftables {
	struct mnl_socket *socket;
	bool leave_open;
	uint32_t sequence;
	uint32_t first_sequence; /* of the batch: that of its opening message */
	size_t queued_changes;
	struct strbuf queue;
	char answer[ANSWER_BYTES] __attribute__((aligned(8)));
};

int nftables_open(struct nftables **ret_nftables, struct err *err)
{
	int r = mnl_load(err);
	if (r < 0)
		return r;
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!socket)
		return err_errno(err, "open nftables socket");
	struct nftables *nftables = xcalloc(1, sizeof(*nftables));
	nftables->socket = socket;
	nftables->sequence = 1;
	*ret_nftables = nftables;
	return 0;
}

void nftables_leave_open(struct nftables *nftables)
{
	nftables->leave_open = true;
}

void nftables_free(struct nftables *nftables)
{
	if (!nftables)
		return;
	if (nftables->leave_open)
		free(nftables->socket);
	else
		mnl_socket_close(nftables->socket);
	strbuf_clear(&nftables->queue);
	free(nftables);
}

static struct nlmsghdr *start_message(struct nftables *nftables, char *buffer, uint8_t family,
				      uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++nftables->sequence;
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return message;
}

static int ask(struct nftables *nftables, struct nlmsghdr *message, mnl_cb_t each, void *arg)
{
	if (mnl_socket_sendto(nftables->socket, message, message->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t size = mnl_socket_recvfrom(nftables->socket, nftables->answer,
						   sizeof(nftables->answer));
		if (size < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		int more = mnl_cb_run(nftables->answer, (size_t)size, message->nlmsg_seq, 0, each,
				      arg);
		if (more < 0)
			return -errno;
		if (more == MNL_CB_STOP)
			return 0;
	}
}

static int take_policy(const struct nlmsghdr *message, void *arg)
{
	const struct nlattr *attribute;
	int *policy = arg;

	mnl_attr_for_each(attribute, message,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attribute) ==
						       NFTA_CHAIN_POLICY) *policy =
		(int)ntohl(mnl_attr_get_u32(attribute));
	return MNL_CB_OK;
}

/* 0, -ENOENT or another error; *ret_policy is left alone when the chain has none. */
static int ask_chain(struct nftables *nftables, uint8_t family, const char *table,
		     const char *chain, int *ret_policy)
{
	char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message =
		start_message(nftables, buffer, family, NFT_MSG_GETCHAIN, NLM_F_ACK);

	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain);
	return ask(nftables, message, take_policy, ret_policy);
}

int nftables_has_chain(struct nftables *nftables, uint8_t family, const char *table,
		       const char *chain, struct err *err)
{
	int policy, result = ask_chain(nftables, family, table, chain, &policy);

	if (result == -ENOENT)
		return 0;
	if (result < 0)
		return err_set(err, -result, "ask for nftables chain '%s': %s", chain,
			       strerror(-result));
	return 1;
}

int nftables_chain_policy(struct nftables *nftables, uint8_t family, const char *table,
			  const char *chain, struct err *err)
{
	int policy = -ENOENT, result = ask_chain(nftables, family, table, chain, &policy);

	if (result == 0)
		result = policy;
	if (result < 0)
		return err_set(err, -result, "ask for nftables chain '%s': %s", chain,
			       strerror(-result));
	return result;
}

/* -- changes ------------------------------------------------------------------------------------
 */

static void queue_bytes(struct nftables *nftables, const struct nlmsghdr *message)
{
	static const char padding[NLMSG_ALIGNTO];
	size_t size = message->nlmsg_len;

	strbuf_add(&nftables->queue, message, size);
	strbuf_add(&nftables->queue, padding, NLMSG_ALIGN(size) - size);
}

static void queue_edge(struct nftables *nftables, uint16_t type)
{
	char buffer[64] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = ++nftables->sequence;
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	queue_bytes(nftables, message);
}

static void put_value(struct nlmsghdr *message, uint16_t type, const void *data, size_t size)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	mnl_attr_put(message, NFTA_DATA_VALUE, size, data);
	mnl_attr_nest_end(message, nest);
}

static void put_comment(struct nlmsghdr *message, const char *comment)
{
	unsigned char userdata[2 + USERDATA_COMMENT_MAX + 1];
	size_t size = strnlen(comment, USERDATA_COMMENT_MAX);

	userdata[0] = USERDATA_COMMENT;
	userdata[1] = (unsigned char)(size + 1);
	memcpy(userdata + 2, comment, size);
	userdata[2 + size] = '\0';
	mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, size + 3, userdata);
}

static void queue_element(struct nftables *nftables, uint16_t type, uint16_t flags, uint8_t family,
			  const char *table, const char *set,
			  const struct nftables_element *element)
{
	char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));

	if (!nftables->queued_changes) {
		queue_edge(nftables, NFNL_MSG_BATCH_BEGIN);
		nftables->first_sequence = nftables->sequence;
	}
	struct nlmsghdr *message =
		start_message(nftables, buffer, family, type, (uint16_t)(flags | NLM_F_ACK));
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *one = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	put_value(message, NFTA_SET_ELEM_KEY, element->key, element->key_size);
	if (element->data)
		put_value(message, NFTA_SET_ELEM_DATA, element->data, element->data_size);
	if (element->comment)
		put_comment(message, element->comment);
	mnl_attr_nest_end(message, one);
	mnl_attr_nest_end(message, list);
	queue_bytes(nftables, message);
	nftables->queued_changes++;
}

void nftables_add_element(struct nftables *nftables, uint8_t family, const char *table,
			  const char *set, const struct nftables_element *element)
{
	queue_element(nftables, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, family, table, set,
		      element);
}

void nftables_delete_element(struct nftables *nftables, uint8_t family, const char *table,
			     const char *set, const struct nftables_element *element)
{
	struct nftables_element key_only = { .key = element->key, .key_size = element->key_size };

	queue_element(nftables, NFT_MSG_DELSETELEM, 0, family, table, set, &key_only);
}

/* One failure can hide behind many acknowledgements, and with a large batch these may not all fit
 * into the socket's buffer: both ends get as much room as the batch may need. */
static void make_room(struct nftables *nftables)
{
	int size = (int)nftables->queue.size * 2 + 65536, fd = mnl_socket_get_fd(nftables->socket);

	if (nftables->queue.size < 65536)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	size *= 8;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
}

int nftables_commit(struct nftables *nftables, size_t *ret_failed, struct err *err)
{
	size_t waiting = nftables->queued_changes, failed = SIZE_MAX;
	int error = 0;

	if (!waiting)
		return 0;
	queue_edge(nftables, NFNL_MSG_BATCH_END);
	make_room(nftables);
	ssize_t sent =
		mnl_socket_sendto(nftables->socket, nftables->queue.data, nftables->queue.size);
	strbuf_reset(&nftables->queue);
	nftables->queued_changes = 0;
	if (sent < 0)
		return err_errno(err, "send nftables changes");

	while (waiting > 0) {
		ssize_t size = mnl_socket_recvfrom(nftables->socket, nftables->answer,
						   sizeof(nftables->answer));
		if (size < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, "receive nftables answer");
		}
		int rest = (int)size;
		for (struct nlmsghdr *message = (struct nlmsghdr *)nftables->answer;
		     mnl_nlmsg_ok(message, rest); message = mnl_nlmsg_next(message, &rest)) {
			if (message->nlmsg_type != NLMSG_ERROR ||
			    message->nlmsg_seq < nftables->first_sequence)
				continue;
			const struct nlmsgerr *ack = mnl_nlmsg_get_payload(message);
			uint32_t change = message->nlmsg_seq - nftables->first_sequence;
			/* An answer to the opening message: the batch was refused as a whole. */
			waiting = change ? waiting - 1 : 0;
			if (ack->error && !error) {
				error = -ack->error;
				failed = change ? change - 1 : SIZE_MAX;
			}
			if (!waiting)
				break;
		}
	}
	if (!error)
		return 0;
	if (ret_failed)
		*ret_failed = failed;
	return err_set(err, error, "change nftables map: %s", strerror(error));
}

/* -- reading ------------------------------------------------------------------------------------
 */

struct each_element {
	int (*each)(void *arg, const struct nftables_element *element);
	void *arg;
	int result;
};

static void take_value(const struct nlattr *nest, const void **ret_data, size_t *ret_size)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest)
	{
		if (mnl_attr_get_type(attribute) == NFTA_DATA_VALUE) {
			*ret_data = mnl_attr_get_payload(attribute);
			*ret_size = mnl_attr_get_payload_len(attribute);
		}
	}
}

static void take_comment(const struct nlattr *attribute, char text[USERDATA_COMMENT_MAX + 1])
{
	const unsigned char *at = mnl_attr_get_payload(attribute);
	size_t size = mnl_attr_get_payload_len(attribute);

	while (size >= 2 && size >= 2U + at[1]) {
		if (at[0] == USERDATA_COMMENT && at[1] <= USERDATA_COMMENT_MAX) {
			memcpy(text, at + 2, at[1]);
			text[at[1]] = '\0';
			return;
		}
		size -= 2U + at[1];
		at += 2U + at[1];
	}
}

static void take_element(const struct nlattr *nest, struct each_element *state)
{
	struct nftables_element element = { 0 };
	char comment[USERDATA_COMMENT_MAX + 1] = "";
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest)
	{
		switch (mnl_attr_get_type(attribute)) {
		case NFTA_SET_ELEM_KEY:
			take_value(attribute, &element.key, &element.key_size);
			break;
		case NFTA_SET_ELEM_DATA:
			take_value(attribute, &element.data, &element.data_size);
			break;
		case NFTA_SET_ELEM_USERDATA:
			take_comment(attribute, comment);
			element.comment = comment;
			break;
		}
	}
	if (element.key)
		state->result = state->each(state->arg, &element);
}

static int take_elements(const struct nlmsghdr *message, void *arg)
{
	struct each_element *state = arg;
	const struct nlattr *attribute, *nest;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(nest, attribute) if (!state->result)
			take_element(nest, state);
	}
	return MNL_CB_OK;
}

int nftables_each_element(struct nftables *nftables, uint8_t family, const char *table,
			  const char *set,
			  int (*each)(void *arg, const struct nftables_element *element), void *arg,
			  struct err *err)
{
	char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct each_element state = { .each = each, .arg = arg };
	struct nlmsghdr *message =
		start_message(nftables, buffer, family, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	int result = ask(nftables, message, take_elements, &state);
	if (result < 0)
		return err_set(err, -result, "list nftables set '%s': %s", set, strerror(-result));
	return state.result;
}
