/* davit container record: what the start of a container that is to be recorded starts beside it; engine/recorder.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/command.h"
#include "engine/recorder.h"

struct record_args {
	const char *seccomp, *capabilities, *state, *profile, *granted;
	bool unconfined;
};

#define FIELD(f) offsetof(struct record_args, f)
/* Of no use to people. */
static const struct option_spec options[] = {
	{ "capabilities", 0, OPTION_STRING, FIELD(capabilities), "FILE", "Write capabilities",
	  OPTION_HIDDEN },
	{ "granted", 0, OPTION_STRING, FIELD(granted), "HEX", "The container's capabilities",
	  OPTION_HIDDEN },
	{ "profile", 0, OPTION_STRING, FIELD(profile), "FILE", "The profile in force",
	  OPTION_HIDDEN },
	{ "seccomp", 0, OPTION_STRING, FIELD(seccomp), "FILE", "Write a profile", OPTION_HIDDEN },
	{ "state", 0, OPTION_STRING, FIELD(state), "FILE", "What was recorded before",
	  OPTION_HIDDEN },
	{ "unconfined", 0, OPTION_FLAG, FIELD(unconfined), NULL, "No profile is in force",
	  OPTION_HIDDEN },
	OPTION_END,
};

static int record(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct record_args *args = arguments;
	const struct recorder_request request = {
		.seccomp_file = args->seccomp,
		.capability_file = args->capabilities,
		.state_file = args->state,
		.profile = args->profile,
		.is_unconfined = args->unconfined,
		.granted = args->granted ? strtoull(args->granted, NULL, 16) : 0,
	};

	if (!args->state)
		return err_set(err, EINVAL,
			       "container record is for davit itself; use run --seccomp-record");
	/* Whatever the caller of davit had open is not ours to keep. */
	(void)syscall(SYS_close_range, RECORDER_FIRST_FD + RECORDER_FD_COUNT, ~0U, 0);
	return recorder_run(&request, err);
}

const struct command command_container_record = {
	.names = "container record",
	.summary = "Record the system calls of a container",
	.operands = "",
	.min_operands = 0,
	.max_operands = 0,
	.traits = COMMAND_HIDDEN,
	.options = options,
	.args_size = sizeof(struct record_args),
	.run = record,
};
