/* How a container uses a secret: --secret in one form. Pure: nothing is looked up here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

#define SECRETS_TARGET "/run/secrets"

struct secret_use {
	char *name; /* of the secret, or its ID, as the user gave it */
	char *id;   /* NULL as long as nobody has looked */
	bool is_env;
	char *target; /* the variable; or the file, below SECRETS_TARGET unless it begins with '/' */
	uint32_t uid, gid; /* whose file, inside the container */
	uint32_t mode;	   /* of the file */
};

/* "NAME[,type=mount|env][,target=…][,uid=…][,gid=…][,mode=…]". Others than the user may see the file by default, as
 * podman's users expect: inside, where one that is not root has to read it. */
int secret_use_parse(const char *text, struct secret_use *ret_use, struct err *err);
void secret_use_clear(struct secret_use *use);

/* As it is kept in struct container_spec, and back. */
char *secret_use_store(const struct secret_use *use);
int secret_use_load(const char *stored, struct secret_use *ret_use, struct err *err);
