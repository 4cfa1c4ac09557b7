/* What comes after the end of a davit-monitor's container, and the commands of davit that it starts.
 *
 * Starting again. Where restart.h says so, clients are not told of the end. We wait out the delay, as nobody else waits
 * so cheaply, then become `davit container cleanup --restart`, which makes the container anew with a new monitor and
 * hands it the connections that we have left open. Whoever takes the restart file away meanwhile makes it an ordinary
 * end.
 *
 * Health checks. When one is due we start `davit container cleanup --health`, which knows how, and wait for its end before
 * we count the time to the next. */
#pragma once

#include "monitor/monitor-state.h"

/* The init has ended, and its output is with everybody: write down how, and see whether it is to be started again. */
void end_begin(struct monitor *m);

/* After that, in each round of the loop: tell everybody, and stop once the first client has cleaned or left, and the
 * others have all or have had their time. Does not return then. */
void end_finish(struct monitor *m);

/* A health check is due. */
void check_start(struct monitor *m);

/* sigaction(2) as signal(3) has it. */
void handle_signal(int number, void (*handler)(int));
