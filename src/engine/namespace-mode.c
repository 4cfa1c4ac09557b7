#include "engine/namespace-mode.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"

const enum oci_namespace namespace_mode_list[NAMESPACE_MODE_COUNT] = {
	OCI_NS_NETWORK, OCI_NS_PID, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_CGROUP,
};

static const struct {
	const char *option;
	const char *words; /* for messages */
	size_t field;
} rows[OCI_NS_COUNT] = {
	[OCI_NS_NETWORK] = { "network", NULL, offsetof(struct container_spec, network_mode) },
	[OCI_NS_PID] = { "pid", "private, host, container:NAME or ns:PATH",
			 offsetof(struct container_spec, pid_mode) },
	[OCI_NS_IPC] = { "ipc", "private, shareable, none, host, container:NAME or ns:PATH",
			 offsetof(struct container_spec, ipc_mode) },
	[OCI_NS_UTS] = { "uts", "private, host, container:NAME or ns:PATH",
			 offsetof(struct container_spec, uts_mode) },
	[OCI_NS_CGROUP] = { "cgroupns", "private, host, container:NAME or ns:PATH",
			    offsetof(struct container_spec, cgroupns_mode) },
};

const char *namespace_option_name(enum oci_namespace ns)
{
	return rows[ns].option;
}

int namespace_mode_parse(enum oci_namespace ns, const char *text, struct namespace_mode *ret_mode,
			 struct err *err)
{
	static const struct {
		const char *word;
		enum namespace_mode_kind kind;
		bool ipc_only;
	} words[] = {
		{ "private", NAMESPACE_PRIVATE, false },
		{ "host", NAMESPACE_HOST, false },
		{ "shareable", NAMESPACE_SHAREABLE, true },
		{ "none", NAMESPACE_NONE, true },
	};
	struct namespace_mode mode = { .kind = NAMESPACE_PRIVATE };
	const char *prefix = NULL;

	if (text && strncmp(text, "container:", 10) == 0) {
		mode = (struct namespace_mode){ NAMESPACE_CONTAINER, text + 10 };
		prefix = "container:NAME";
	} else if (text && strncmp(text, "ns:", 3) == 0) {
		mode = (struct namespace_mode){ NAMESPACE_PATH, text + 3 };
		prefix = "ns:PATH";
	} else if (text && *text) {
		size_t row = 0;
		while (row < ARRAY_SIZE(words) && (strcmp(words[row].word, text) != 0 ||
						   (words[row].ipc_only && ns != OCI_NS_IPC)))
			row++;
		if (row < ARRAY_SIZE(words))
			mode.kind = words[row].kind;
		else if (ns != OCI_NS_NETWORK) /* that has names */
			return err_set(err, EINVAL, "unknown mode '%s' of --%s; it is %s", text,
				       rows[ns].option, rows[ns].words);
	}
	if (prefix && !*mode.value)
		return err_set(err, EINVAL, "--%s '%s' names nothing; write it as %s",
			       rows[ns].option, text, prefix);
	*ret_mode = mode;
	return 0;
}

char **namespace_mode_field(struct container_spec *spec, enum oci_namespace ns)
{
	return (char **)((char *)spec + rows[ns].field);
}

struct namespace_mode namespace_mode_of(const struct container_spec *spec, enum oci_namespace ns)
{
	struct namespace_mode mode = { .kind = NAMESPACE_PRIVATE };
	const char *text = *(char *const *)((const char *)spec + rows[ns].field);
	struct err ignored; /* checked when the container was made */

	(void)namespace_mode_parse(ns, text, &mode, &ignored);
	return mode;
}

bool namespace_mode_is_shared(const struct container_spec *spec, enum oci_namespace ns)
{
	switch (namespace_mode_of(spec, ns).kind) {
	case NAMESPACE_HOST:
	case NAMESPACE_CONTAINER:
	case NAMESPACE_PATH:
		return true;
	case NAMESPACE_PRIVATE:
	case NAMESPACE_SHAREABLE:
	case NAMESPACE_NONE:
		break;
	}
	return false;
}
