/* The exit statuses of davit: those that users of container engines write into their scripts. A
 * foreground run or an attached start otherwise exits with the status of the container's command,
 * or with EXIT_SIGNAL + n when signal n ended it. */
#pragma once

enum exit_status {
	EXIT_OK = 0,
	EXIT_MISSING = 1,	 /* rm, rmi, exists: no such object */
	EXIT_IN_USE = 2,	 /* rm, rmi: running, in use or has children */
	EXIT_ENGINE = 125,	 /* davit itself failed: bad option, no such object, pull failed */
	EXIT_NOT_RUNNABLE = 126, /* the command was found but cannot be run */
	EXIT_PORT_TAKEN = 126,	 /* run: a port to be published is in use; as podman says it */
	EXIT_NOT_FOUND = 127,	 /* the command was not found in the container */
	EXIT_NO_EXEC = 255,	 /* exec: nothing to run, or nothing to run it in */
	EXIT_SIGNAL = 128,	 /* plus the number of the signal */
};
