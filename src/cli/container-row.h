/* One container as a line of `ps`, with the fields that scripts know. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct container;
struct container_size;
struct json_object;

struct container_row {
	bool no_trunc;			   /* whole IDs and commands */
	bool only_usual;		   /* for people: no more than the default tables show */
	bool namespaces;		   /* look up the numbers of its namespaces */
	int64_t now_usec;		   /* what "3 minutes ago" counts from */
	const struct container_size *size; /* NULL: not asked for */
	const char *health;		   /* NULL or "": nothing is known */
};

/* Texts ready to be read, for tables and templates. */
struct json_object *container_row_for_people(const struct container *container,
					     const struct container_row *how);
/* The object of --format json. */
struct json_object *container_row_for_programs(const struct container *container,
					       const struct container_row *how);
