/* --security-opt */
#pragma once

struct container_spec;
struct err;

/* One of its words into the spec. What cannot be on this host is told now, not at the start. */
int security_option_apply(const char *text, struct container_spec *spec, struct err *err);
