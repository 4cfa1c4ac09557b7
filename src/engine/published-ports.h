/* A container's published ports as the lines kept in its record,
 * "[IP:]HOST[-HOST]:PORT[-PORT]/PROTO". */
#pragma once

#include "base/strlist.h"

struct err;
struct port_list;

void published_ports_store(const struct port_list *ports, struct strlist *lines);
int published_ports_load(const struct strlist *lines, struct port_list *ports, struct err *err);
