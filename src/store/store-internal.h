/* What the files of src/store share. Not for other rooms. */
#pragma once

struct err;

/* The version that this davit reads and writes, and the statements that lead from version N to N+1:
 * schema_migrations[0] makes an empty file into version 1. */
#define SCHEMA_VERSION 4
extern const char *const schema_migrations[SCHEMA_VERSION];

/* The part behind "sha256:", which is the name of a file or directory; borrowed. */
const char *digest_hex(const char *digest);

/* The store's directory "layers", made when missing. */
int layer_open_directory(int store_fd, struct err *err);

/* A new tmp- directory of it, locked for as long as *ret_fd is open; layer_sweep() removes what
 * nobody has locked. */
int layer_make_tmp(int layers_fd, char **ret_name, int *ret_fd, struct err *err);
