#include "engine/signals.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

int signal_from_name(const char *name)
{
	int64_t number;

	if (isdigit((unsigned char)*name))
		return number_parse(name, 1, SIGRTMAX, &number) < 0 ? -EINVAL : (int)number;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncasecmp(name, "RTMIN+", 6) == 0 &&
	    number_parse(name + 6, 0, SIGRTMAX - SIGRTMIN, &number) == 0)
		return SIGRTMIN + (int)number;
	if (strncasecmp(name, "RTMAX-", 6) == 0 &&
	    number_parse(name + 6, 0, SIGRTMAX - SIGRTMIN, &number) == 0)
		return SIGRTMAX - (int)number;
	for (int known = 1; known < NSIG; known++) {
		const char *abbreviation = sigabbrev_np(known);
		if (abbreviation && strcasecmp(abbreviation, name) == 0)
			return known;
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
