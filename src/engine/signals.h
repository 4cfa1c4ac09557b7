/* Signals by name, as users write them. See signal(7). */
#pragma once

/* "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3" → number; -EINVAL if there is no such signal. */
int signal_from_name(const char *name);
/* "SIGTERM"; "SIGRTMIN+3"; NULL out of range. Static storage. */
const char *signal_name(int number);
