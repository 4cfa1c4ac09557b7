/* The words of seccomp profiles. Shared by the files seccomp-*.c only; what others may ask is in seccomp-profile.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Architectures of one machine share a line in what the kernel can run. */
struct seccomp_architecture {
	const char *name;
	uint32_t token;
	uint32_t
		machine; /* the native one among those that run on one machine; 0: known, so that profiles may name it */
	const char *go_name;
};

const struct seccomp_architecture *seccomp_architecture_from_name(const char *name);
/* The one at `index` among those that run on the machine; NULL behind the last. */
const struct seccomp_architecture *seccomp_architecture_of_machine(uint32_t machine, size_t index);
uint32_t seccomp_native_machine(void);
const char *seccomp_machine_name(uint32_t machine); /* as Go calls it */

/* `code`: what actions return that take an error. -EINVAL: there is no such word. */
int seccomp_action_from_name(const char *name, uint32_t code, uint32_t *ret_action);
int seccomp_comparison_from_name(const char *name);
int seccomp_flag_from_name(const char *name);
