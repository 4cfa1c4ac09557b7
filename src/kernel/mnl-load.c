#include "kernel/mnl-load.h"

#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* What of the library is used: result, name, parameters, arguments. */
#define FUNCTIONS(X)                                                                               \
	X(struct mnl_socket *, mnl_socket_open2, (int bus, int flags), (bus, flags))               \
	X(struct mnl_socket *, mnl_socket_fdopen, (int fd), (fd))                                  \
	X(int, mnl_socket_close, (struct mnl_socket * nl), (nl))                                   \
	X(int, mnl_socket_get_fd, (const struct mnl_socket *nl), (nl))                             \
	X(ssize_t, mnl_socket_sendto, (const struct mnl_socket *nl, const void *req, size_t size), \
	  (nl, req, size))                                                                         \
	X(ssize_t, mnl_socket_recvfrom, (const struct mnl_socket *nl, void *buf, size_t size),     \
	  (nl, buf, size))                                                                         \
	X(struct nlmsghdr *, mnl_nlmsg_put_header, (void *buf), (buf))                             \
	X(void *, mnl_nlmsg_put_extra_header, (struct nlmsghdr * nlh, size_t size), (nlh, size))   \
	X(bool, mnl_nlmsg_ok, (const struct nlmsghdr *nlh, int size), (nlh, size))                 \
	X(struct nlmsghdr *, mnl_nlmsg_next, (const struct nlmsghdr *nlh, int *size), (nlh, size)) \
	X(void *, mnl_nlmsg_get_payload, (const struct nlmsghdr *nlh), (nlh))                      \
	X(void *, mnl_nlmsg_get_payload_offset, (const struct nlmsghdr *nlh, size_t offset),       \
	  (nlh, offset))                                                                           \
	X(void *, mnl_nlmsg_get_payload_tail, (const struct nlmsghdr *nlh), (nlh))                 \
	X(uint16_t, mnl_attr_get_type, (const struct nlattr *attr), (attr))                        \
	X(uint16_t, mnl_attr_get_payload_len, (const struct nlattr *attr), (attr))                 \
	X(void *, mnl_attr_get_payload, (const struct nlattr *attr), (attr))                       \
	X(uint32_t, mnl_attr_get_u32, (const struct nlattr *attr), (attr))                         \
	X(void, mnl_attr_put,                                                                      \
	  (struct nlmsghdr * nlh, uint16_t type, size_t size, const void *data),                   \
	  (nlh, type, size, data))                                                                 \
	X(void, mnl_attr_put_u8, (struct nlmsghdr * nlh, uint16_t type, uint8_t data),             \
	  (nlh, type, data))                                                                       \
	X(void, mnl_attr_put_u32, (struct nlmsghdr * nlh, uint16_t type, uint32_t data),           \
	  (nlh, type, data))                                                                       \
	X(void, mnl_attr_put_strz, (struct nlmsghdr * nlh, uint16_t type, const char *data),       \
	  (nlh, type, data))                                                                       \
	X(struct nlattr *, mnl_attr_nest_start, (struct nlmsghdr * nlh, uint16_t type),            \
	  (nlh, type))                                                                             \
	X(void, mnl_attr_nest_end, (struct nlmsghdr * nlh, struct nlattr * start), (nlh, start))   \
	X(bool, mnl_attr_ok, (const struct nlattr *attr, int size), (attr, size))                  \
	X(struct nlattr *, mnl_attr_next, (const struct nlattr *attr), (attr))                     \
	X(int, mnl_cb_run,                                                                         \
	  (const void *buf, size_t size, unsigned sequence, unsigned port, mnl_cb_t each,          \
	   void *arg),                                                                             \
	  (buf, size, sequence, port, each, arg))

#define POINTER(result, name, parameters, arguments) result(*name) parameters;
static struct {
	FUNCTIONS(POINTER)
} mnl;

#define FORWARD(result, name, parameters, arguments)                                               \
	result name parameters                                                                     \
	{                                                                                          \
		return mnl.name arguments;                                                         \
	}
FUNCTIONS(FORWARD)

int mnl_load(struct err *err)
{
#define SYMBOL(result, name, parameters, arguments) { #name, &mnl.name },
	const struct {
		const char *name;
		void *at;
	} symbols[] = { FUNCTIONS(SYMBOL) };

	if (mnl.mnl_cb_run) /* the last one */
		return 0;
	void *library = dlopen("libmnl.so.0", RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return err_set(err, ENOENT, "cannot load libmnl.so.0; install the package libmnl0");
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			return err_set(err, ENOENT, "libmnl.so.0 lacks %s", symbols[i].name);
		memcpy(symbols[i].at, &symbol, sizeof(symbol));
	}
	return 0;
}
