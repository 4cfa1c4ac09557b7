/* Detach keys: the key sequence that leaves a container's terminal without ending the container. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"
#define DETACH_KEYS_MAX	    16

struct detach_keys {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t count;	/* 0: there is no such sequence */
	size_t matched; /* how many of them have come so far; these are held back */
};

/* Read podman's notation: keys separated by commas, each one character or "ctrl-" and one of a-z @
 * [ \ ] ^ _.
 * "" means none. */
int detach_keys_parse(const char *text, struct detach_keys *ret_keys, struct err *err);

/* Pass typed bytes through. A beginning of the sequence is held back until it is clear what it
 * becomes, so `out` needs room for size + DETACH_KEYS_MAX bytes. Returns how many are in `out`, or
 * -1 when the sequence is complete; what was typed before it is lost then. */
ssize_t detach_keys_filter(struct detach_keys *keys, const char *data, size_t size, char *out);
