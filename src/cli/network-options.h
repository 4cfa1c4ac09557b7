/* Whose namespaces and which network: the part of `run` and `create` that is about them. */
#pragma once

struct container_args;
struct container_spec;
struct engine;
struct err;
struct oci_image_config;

/* --network, and what /etc/hosts, /etc/resolv.conf and /etc/hostname say. */
int network_options_apply(struct engine *engine, const struct container_args *args,
			  struct container_spec *spec, struct err *err);

/* --pid, --ipc, --uts, --cgroupns and --requires. Other containers are looked up here, for the
 * network's mode too. */
int namespace_options_apply(struct engine *engine, const struct container_args *args,
			    struct container_spec *spec, struct err *err);

/* -p, -P, --expose and what the image exposes. Host ports are chosen and found to be free. */
int network_options_apply_ports(const struct container_args *args,
				const struct oci_image_config *image, struct container_spec *spec,
				struct err *err);
