/* For commands that need a container that does not run: what their option --stop does. */
#pragma once

#include <stdbool.h>

struct container;
struct engine;
struct err;

/* Call `act`. With `stop` a container that runs is stopped before and started again behind it, also when
 * `act` fails. The first failure is the one that is told. */
int while_stopped(struct engine *engine, struct container *container, bool stop,
		  int (*act)(struct engine *engine, struct container *container, void *arg,
			     struct err *err),
		  void *arg, struct err *err);

#define STOP_OPTION(offset)                                                                        \
	{                                                                                          \
		"stop", 0, OPTION_FLAG, offset, NULL,                                              \
			"Stop it for that if it runs, and start it again"                          \
	}
