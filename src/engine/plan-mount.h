/* One mount that the user asked for, as the runtime is told about it. */
#pragma once

#include <stddef.h>

struct err;
struct mount_spec;
struct oci_runtime_config;
struct plan_input;

/* @number: its place in the spec, which names its directories below the container's: overlay-NUMBER/upper, work */
int plan_user_mount(const struct plan_input *input, const struct mount_spec *mount, size_t number,
		    struct oci_runtime_config *config, struct err *err);
