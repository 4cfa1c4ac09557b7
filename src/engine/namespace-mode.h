/* What --network, --pid, --ipc, --uts and --cgroupns say: whose namespace a container lives in. */
#pragma once

#include <stdbool.h>

#include "oci/runtime-config.h"

struct container_spec;
struct err;
struct strlist;

enum namespace_mode_kind {
	NAMESPACE_PRIVATE,   /* a new one; "" and NULL mean it too, and so do networks by name */
	NAMESPACE_SHAREABLE, /* a new one, IPC only: other containers may join it; its default */
	NAMESPACE_NONE,	     /* a new one, IPC only: without /dev/shm */
	NAMESPACE_HOST,
	NAMESPACE_CONTAINER, /* "container:NAME" */
	NAMESPACE_PATH,	     /* "ns:PATH" */
};

struct namespace_mode {
	enum namespace_mode_kind kind;
	const char *value; /* the container or the path, borrowed; else NULL */
};

/* The namespaces that have such an option, in the order in which they are looked at. */
extern const enum oci_namespace namespace_mode_list[];
#define NAMESPACE_MODE_COUNT 5

/* "pid", as options and messages say. */
const char *namespace_option_name(enum oci_namespace ns);

/* -EINVAL for a word that this option does not have, and for an empty name or path. */
int namespace_mode_parse(enum oci_namespace ns, const char *text, struct namespace_mode *ret_mode,
			 struct err *err);

/* What the spec says; a damaged record reads as private. */
struct namespace_mode namespace_mode_of(const struct container_spec *spec, enum oci_namespace ns);

/* Whether it is not the container's own. */
bool namespace_mode_is_shared(const struct container_spec *spec, enum oci_namespace ns);

/* The field of the spec. */
char **namespace_mode_field(struct container_spec *spec, enum oci_namespace ns);
