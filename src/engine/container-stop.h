/* Ending containers: the stop signal, the wait, SIGKILL for those that do not listen.
 *
 * Several are ended side by side: all are asked first, and while one of them is waited for the time of the others runs
 * too. So the slowest one is what it takes, however many they are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/container-restart.h"

struct container;
struct engine;
struct err;

enum stop_result { STOP_WAS_STOPPED, STOP_DONE, STOP_KILLED /* it did not listen to the signal */ };

/* How one is to end. */
struct stop_request {
	int64_t timeout_sec;  /* before SIGKILL; 0: that at once; -1: as the container says */
	enum restart_end why; /* no start follows in any case */
};

/* Send the stop signal, wait so long, then kill it and wait until it is cleaned up. A start that is going on is waited
 * for. Returns enum stop_result or an error. */
int container_stop(struct engine *engine, struct container *container,
		   const struct stop_request *request, struct err *err);

/* End it as container_stop() does, but to be started again by its monitor, whatever its policy is. */
int container_end_to_restart(struct engine *engine, struct container *container, struct err *err);

struct container_stops;

struct container_stops *container_stops_new(void);
void container_stops_free(struct container_stops *stops);

/* Ask it to end. Each that has been asked and not been waited for holds a descriptor. Returns 1 if it is going to end
 * now; 0 if it did not run, or was asked before. */
int container_stops_ask(struct engine *engine, struct container_stops *stops,
			struct container *container, const struct stop_request *request,
			struct err *err);

/* Has it been asked, and not been waited for? */
bool container_stops_has(const struct container_stops *stops, const struct container *container);

/* container_stop() for one that may have been asked before: then its time runs since that. */
int container_stops_finish(struct engine *engine, struct container_stops *stops,
			   struct container *container, const struct stop_request *request,
			   struct err *err);

static inline void container_stops_free_auto(struct container_stops **at)
{
	container_stops_free(*at);
}
#define autostops __attribute__((cleanup(container_stops_free_auto)))
