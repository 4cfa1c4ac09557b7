/* Elements of nftables maps and sets, by nfnetlink: one transaction of a few microseconds, where a
 * process nft(8) takes milliseconds. Tables, chains and rules are not made here; see
 * network/firewall.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct nftables;

/* Keys and data of concatenated types are their fields, each filled up to 4 bytes, in network byte
 * order, as nftables keeps them. */
struct nftables_element {
	const void *key;
	size_t key_size;
	const void *data; /* NULL in sets, and not needed to delete */
	size_t data_size;
	const char *comment; /* as nft(8) shows it, at most 127 bytes; may be NULL */
};

/* A socket in the network namespace of the calling thread. */
int nftables_open(struct nftables **ret_nftables, struct err *err);
void nftables_free(struct nftables *nftables);
/* Make nftables_free() leave the socket to the end of the process. Closing it after something was
 * deleted waits for an RCU grace period. */
void nftables_leave_open(struct nftables *nftables);

/* 1 if there is such a chain, 0 if not. */
int nftables_has_chain(struct nftables *nftables, uint8_t family, const char *table,
		       const char *chain, struct err *err);

/* The policy of a base chain (NF_ACCEPT, NF_DROP), -ENOENT if there is no such chain or it is not
 * a base chain. */
int nftables_chain_policy(struct nftables *nftables, uint8_t family, const char *table,
			  const char *chain, struct err *err);

/* Queue a change. It becomes part of one transaction that nftables_commit() sends: all or nothing.
 * Adding an element that is there is EEXIST (the same data) or EBUSY (other data), deleting one
 * that is not is ENOENT. */
void nftables_add_element(struct nftables *nftables, uint8_t family, const char *table,
			  const char *set, const struct nftables_element *element);
void nftables_delete_element(struct nftables *nftables, uint8_t family, const char *table,
			     const char *set, const struct nftables_element *element);
/* *ret_failed, which may be NULL, is the number of the change, counted from 0, that was refused;
 * SIZE_MAX when that is not known. */
int nftables_commit(struct nftables *nftables, size_t *ret_failed, struct err *err);

/* Call `each` for every element; what it gets is borrowed for the call. Stops at the first non-zero
 * result and returns it. -ENOENT if there is no such set. */
int nftables_each_element(struct nftables *nftables, uint8_t family, const char *table,
			  const char *set,
			  int (*each)(void *arg, const struct nftables_element *element), void *arg,
			  struct err *err);

static inline void nftables_free_auto(struct nftables **at)
{
	nftables_free(*at);
}
#define autonftables __attribute__((cleanup(nftables_free_auto)))
