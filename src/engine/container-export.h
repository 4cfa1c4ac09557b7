/* A container's whole root file system as a tar archive. */
#pragma once

struct container;
struct engine;
struct err;

/* Write it to a descriptor. What is mounted on it, volumes among others, is left out. A container
 * that runs may go on writing meanwhile. */
int container_export(struct engine *engine, struct container *container, int out_fd,
		     struct err *err);
