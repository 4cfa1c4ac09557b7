/* libmnl, loaded by the first who speaks netlink: most commands do not, and linking it costs each of
 * them a tenth of their start. The library's functions have their own names and headers; before the
 * first of them mnl_load() is called, in the host's mount namespace. */
#pragma once

struct err;

/* 0 also when it is there already; -ENOENT with the remedy if the library is missing. */
int mnl_load(struct err *err);
