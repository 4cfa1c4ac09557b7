#include "engine/signals.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int signal_from_name(const char *name)
{
	int offset;
	char rest;

	if (isdigit((unsigned char)*name)) {
		char *end;
		long number = strtol(name, &end, 10);
		return *end || number < 1 || number > SIGRTMAX ? -EINVAL : (int)number;
	}
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (sscanf(name, "RTMIN+%d%c", &offset, &rest) == 1 && offset >= 0 &&
	    SIGRTMIN + offset <= SIGRTMAX)
		return SIGRTMIN + offset;
	if (sscanf(name, "RTMAX-%d%c", &offset, &rest) == 1 && offset >= 0 &&
	    SIGRTMAX - offset >= SIGRTMIN)
		return SIGRTMAX - offset;
	for (int number = 1; number < NSIG; number++) {
		const char *known = sigabbrev_np(number);
		if (known && strcasecmp(known, name) == 0)
			return number;
	}
	return -EINVAL;
}

const char *signal_name(int number)
{
	static char text[32];

	if (number < 1 || number > SIGRTMAX)
		return NULL;
	if (number >= SIGRTMIN)
		snprintf(text, sizeof(text), "SIGRTMIN+%d", number - SIGRTMIN);
	else
		snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(number) ?: "?");
	return text;
}
