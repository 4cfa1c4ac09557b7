/* What the database knows of layers: which of the unpacked trees may be relied upon. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

/* The layer is unpacked, and nothing that happened since can have damaged it. */
bool layer_is_recorded(struct store *store, const char *diff_id);
/* It has just been unpacked. Call it with the lock ("layer", HEX) held. */
int layer_record(struct store *store, const char *diff_id, int64_t size_bytes, struct err *err);
/* Bytes of its files; 0 if it is not known. */
int64_t layer_recorded_bytes(struct store *store, const char *diff_id);
