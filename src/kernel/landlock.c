#include "kernel/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

#define ACCESS_REFER	((uint64_t)1 << 13) /* ABI 2 */
#define ACCESS_TRUNCATE ((uint64_t)1 << 14) /* ABI 3 */

int landlock_write_only_below(int dir_fd, struct err *err)
{
	struct landlock_ruleset_attr ruleset = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
				     ACCESS_REFER,
	};
	/* The first version knows no right to link between directories: it always forbids it. */
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 2)
		return 0;
	if (abi >= 3)
		ruleset.handled_access_fs |= ACCESS_TRUNCATE;
	autoclose int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	if (fd < 0)
		return err_errno(err, "create a Landlock ruleset");
	struct landlock_path_beneath_attr below = {
		.allowed_access = ruleset.handled_access_fs & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE,
		.parent_fd = dir_fd,
	};
	if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
		return err_errno(err, "add a Landlock rule");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_errno(err, "restrict writing by Landlock");
	return 1;
}
