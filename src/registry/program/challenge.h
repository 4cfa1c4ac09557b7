/* The WWW-Authenticate header: how a registry wants to be spoken to. RFC 9110, section 11.6.1, and
 * the token specification of the distribution project. */
#pragma once

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	char *realm, *service, *scope; /* of a bearer challenge; NULL when absent */
};

void challenge_clear(struct challenge *challenge);

/* Read one header value, which may hold several challenges, into `challenge` when it offers
 * something better than what is there: bearer before basic before nothing. Unknown schemes and
 * broken text are passed over: the worst that can come of it is an unauthorised request. */
void challenge_parse(const char *header, struct challenge *challenge);
