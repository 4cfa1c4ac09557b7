/* How much to trust the other end: verification and the files of certs.d. See
 * containers-certs.d(5). */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "base/strbuf.h"
#include "base/strlist.h"

struct tls {
	bool insecure;		 /* any certificate will do */
	char *place;		 /* a directory to put an authority's certificate into */
	struct strbuf ca_pem;	 /* trusted besides the system's */
	char *certificate, *key; /* paths of the client's own; NULL: none */
};

/* Read the files for a registry.
 *
 * @parents:    directories with one directory for each HOST[:PORT]
 * @directory:  the one of --cert-dir, used instead; may be NULL */
void tls_load(struct tls *tls, const char *domain, const struct strlist *parents,
	      const char *directory);
void tls_clear(struct tls *tls);

/* Make a request follow it; `tls` must outlive the request. */
void tls_apply(const struct tls *tls, CURL *easy);
