#pragma once

struct err;
struct oci_runtime_config;
struct plan_input;

/* The devices of containers.conf and --device, or all of the host's with --privileged. Those that every container has
 * are made by the runtime. */
int plan_devices(const struct plan_input *input, struct oci_runtime_config *config,
		 struct err *err);
