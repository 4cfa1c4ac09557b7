/* How the kernel shall treat the command: personality, scheduler, input and output, processors. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/child.h"

#define IOPRIO_WHO_PROCESS 1

/* sched_setattr(2), the first version of its struct. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int set_scheduler(const struct oci_scheduler *from)
{
	struct scheduling scheduling = {
		.size = sizeof(scheduling),
		.policy = (uint32_t)from->policy,
		.flags = from->flags,
		.nice = from->nice,
		.priority = (uint32_t)from->priority,
		.runtime = from->runtime_nsec,
		.deadline = from->deadline_nsec,
		.period = from->period_nsec,
	};

	return (int)syscall(SYS_sched_setattr, 0, &scheduling, 0);
}

int child_set_scheduling(struct child *child)
{
	const struct oci_runtime_config *config = child->plan->config;
	const struct oci_process *process = &config->process;

	if (config->has_personality && personality(config->personality) < 0)
		return child_fail(child, CHILD_PERSONALITY, 0);
	if (process->io_priority >= 0 &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, process->io_priority) < 0)
		return child_fail(child, CHILD_IO_PRIORITY, 0);
	if (process->scheduler.policy >= 0 && set_scheduler(&process->scheduler) < 0)
		return child_fail(child, CHILD_SCHEDULER, 0);
	return 0;
}

/* In the control group, which is what decides which processors there are. */
int child_set_final_affinity(struct child *child)
{
	const cpu_set_t *cpus = child->plan->final_cpus;

	return cpus && sched_setaffinity(0, sizeof(*cpus), cpus) < 0
		       ? child_fail(child, CHILD_AFFINITY, 1)
		       : 0;
}
