/* Fetching from registries: our end of the helper program davit-registry, the only program of
 * davit that speaks to the network.
 *
 * A client starts one confined helper and keeps it until it is closed; it hands the helper the
 * endpoints and the credentials for each request (so the helper reads no configuration) and a
 * directory to download into (the only place it can write). Manifests are asked for and waited
 * for; blobs are started, as many as one likes, and reported by events while the caller does other
 * work, such as unpacking a file that still grows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/strbuf.h"

struct reference;
struct registries;
struct registry_client;
struct registry_paths;
struct strlist;

#define REGISTRY_MANIFEST_MAX	((size_t)4 * 1024 * 1024) /* bytes of a manifest or config */
#define REGISTRY_BLOB_NAME_SIZE (7 + 64 + 8 + 1)	  /* "sha256-HEX.partial" */

enum registry_tls {
	REGISTRY_TLS_CONFIGURED, /* as registries.conf says: strict unless insecure = true */
	REGISTRY_TLS_VERIFY,	 /* --tls-verify=true */
	REGISTRY_TLS_NO_VERIFY,	 /* --tls-verify=false: any certificate, and plain HTTP */
};

struct registry_options {
	const char *program;	     /* path of davit-registry; required */
	const char *authfile;	     /* --authfile; NULL: the usual places */
	const char *user, *password; /* --creds; NULL: what the auth files say */
	const char *cert_dir;	     /* --cert-dir; NULL: certs.d directories */
	const char *user_agent;	     /* NULL: "davit/VERSION" */
	enum registry_tls tls;
	int retry;		  /* repetitions after a failure that may pass; < 0: 3 */
	int64_t retry_delay_usec; /* before the first one, doubled each time; < 0: 2 s */
};

/* Start a helper. Everything passed is borrowed: `registries` and `paths` until the close, the
 * directory and the options for this call only.
 *
 * @download_dir_fd:  where .partial files go; -1 when no blob will be started
 *
 * Nothing is connected to yet. -ENOENT when the program is missing. */
int registry_client_open(int download_dir_fd, const struct registries *registries,
			 const struct registry_paths *paths, const struct registry_options *options,
			 struct registry_client **ret_client, struct err *err);
/* Ends the helper, and with it whatever is still running; .partial files stay for the next time. */
void registry_client_close(struct registry_client *client);

static inline void registry_client_close_auto(struct registry_client **at)
{
	registry_client_close(*at);
}
#define autoregistryclient __attribute__((cleanup(registry_client_close_auto)))

struct registry_manifest {
	char *data; /* exactly the bytes whose digest this is, and a NUL behind them; owned */
	size_t size;
	char *media_type; /* as the registry says; may be NULL; owned */
	char digest[DIGEST_TEXT_SIZE];
	char *location; /* the repository that served it, "HOST[:PORT]/PATH": a mirror perhaps;
			   owned */
};

void registry_manifest_clear(struct registry_manifest *manifest);

/* Fetch the manifest or index that a full name (not a short one) means; its digest wins over its
 * tag, no tag means "latest". Endpoints are tried in the order of registries.conf. The digest is
 * checked when the name has one.
 *
 * Blocks; events of blobs that arrive meanwhile are kept. The error names the repository and the
 * remedy; code ENOENT: there is no such image here, EACCES: the registry wants other credentials,
 * EPERM: blocked by registries.conf, ECONNREFUSED, EHOSTUNREACH or ETIMEDOUT: no registry there,
 * EPROTO: TLS or an answer that makes no sense, EBADMSG: altered, EFBIG: over
 * REGISTRY_MANIFEST_MAX, EBUSY: 429 or 5xx although repeated. */
int registry_client_get_manifest(struct registry_client *client, const struct reference *reference,
				 struct registry_manifest *ret_manifest, struct err *err);

/* Append all tags of the repository of `reference`, in the registry's order. Blocks; errors as
 * above. */
int registry_client_list_tags(struct registry_client *client, const struct reference *reference,
			      struct strlist *tags, struct err *err);

/* Fetch a small blob (an image config) into memory, verified; appends to `data`. Blocks. */
int registry_client_get_blob(struct registry_client *client, const struct reference *reference,
			     const char *digest, int64_t size_bytes, struct strbuf *data,
			     struct err *err);

/* Start to download a blob of the repository of `reference` into "sha256-HEX.partial" in the
 * download directory; *ret_blob is the number that its events carry.
 *
 * The file grows in order from its start. What an earlier attempt left in it is verified and
 * continued. Up to six are fetched at a time, the rest wait in the order of their start. */
int registry_client_start_blob(struct registry_client *client, const struct reference *reference,
			       const char *digest, int64_t size_bytes, unsigned *ret_blob,
			       struct err *err);
/* Stop one; its .partial file stays, no further event of it arrives. */
void registry_client_cancel_blob(struct registry_client *client, unsigned blob);

/* "sha256-HEX.partial" for a valid digest. */
void registry_blob_name(const char *digest, char name[REGISTRY_BLOB_NAME_SIZE]);

enum registry_event_kind {
	REGISTRY_BLOB_PROGRESS, /* `bytes` are in the file now, digest not known yet */
	REGISTRY_BLOB_DONE,	/* complete and of the right size and digest; not synced to disk */
	REGISTRY_BLOB_FAILED,	/* `err` tells why, with the codes of get_manifest(); ENOSPC: disk
				   full, the file is removed; EEXIST: another process finished the
				   same blob meanwhile, look for it where that one put it */
};

struct registry_event {
	enum registry_event_kind kind;
	unsigned blob;
	int64_t bytes;
	struct err err;
};

/* Readable when next_event() has something to say, events kept while another call blocked included.
 * To be polled only, not read. */
int registry_client_fd(const struct registry_client *client);

/* Returns 1 with an event, 0 when there is none within the time (timeout_msec 0: do not wait, -1:
 * wait for ever), or an error when the helper is gone. */
int registry_client_next_event(struct registry_client *client, int timeout_msec,
			       struct registry_event *ret_event, struct err *err);

/* Ask a registry ("HOST[:PORT]", or with a path when credentials are for a namespace) whether it
 * takes these credentials. -EACCES when it does not. */
int registry_client_check_login(struct registry_client *client, const char *registry,
				const char *user, const char *password, struct err *err);
