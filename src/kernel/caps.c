#include "kernel/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

/* By number, from linux/capability.h; new ones are only ever appended. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

#define NAME_COUNT ((int)(sizeof(names) / sizeof(names[0])))

int capability_from_name(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (int i = 0; i < NAME_COUNT; i++)
		if (strcasecmp(names[i] + 4, name) == 0)
			return i;
	return -EINVAL;
}

const char *capability_name(int number)
{
	return number >= 0 && number < NAME_COUNT ? names[number] : NULL;
}

uint64_t capability_all(void)
{
	static uint64_t all;

	/* The kernel refuses to read a capability it does not know. Most kernels know exactly ours:
	 * begin at the end of the table and walk the few steps either way. */
	if (!all) {
		int last = NAME_COUNT - 1;
		while (last > 0 && prctl(PR_CAPBSET_READ, last, 0, 0, 0) < 0)
			last--;
		while (last < 62 && prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0) >= 0)
			last++;
		all = (UINT64_C(1) << (last + 1)) - 1;
	}
	return all;
}

uint64_t capability_bounding(void)
{
	uint64_t set = 0;

	for (int number = 0; number < 64; number++)
		if ((capability_all() >> number & 1) &&
		    prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1)
			set |= UINT64_C(1) << number;
	return set;
}

int capability_keep(uint64_t keep, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return err_errno(err, "read capabilities");
	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(keep >> (32 * i));
		data[i].effective &= part;
		data[i].permitted &= part;
		data[i].inheritable &= part;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return err_errno(err, "drop capabilities");
	return 0;
}
