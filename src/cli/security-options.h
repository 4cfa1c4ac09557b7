/* --security-opt, and what else says how much a container may do. */
#pragma once

struct container_spec;
struct err;
struct oci_image_config;

/* One of its words into the spec. What cannot be on this host is told now, not at the start. */
int security_option_apply(const char *text, struct container_spec *spec, struct err *err);

/* --seccomp-policy: with "image" a filter that the image brings as a label takes the place of any other. */
void security_apply_policy(const char *policy, const struct oci_image_config *image,
			   struct container_spec *spec);

/* --gpus: -ENOTSUP with what can be done instead. */
int security_refuse_gpus(const char *gpus, struct err *err);
