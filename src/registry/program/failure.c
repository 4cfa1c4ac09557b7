#include "registry/program/failure.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/program/session.h"
#include "registry/program/transfer.h"

/* Text of strangers, made fit for a terminal and for one line. */
static char *printable(const char *text, size_t limit)
{
	char *copy = xstrndup(text, limit);

	for (char *at = copy; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return copy;
}

static bool tls_failure(const struct transfer *transfer, const struct host *host, struct err *err)
{
	autofree char *text = printable(transfer->error_text, 160);

	if (strstr(text, "wrong version number") || strstr(text, "unknown protocol") ||
	    strstr(text, "http request")) {
		err_set(err, EPROTO,
			"registry '%s' does not speak TLS; if plain HTTP is meant, set insecure = "
			"true for it in registries.conf, or use --tls-verify=false",
			host->domain);
		return false;
	}
	if (strstr(text, "SSL_ERROR_SYSCALL") || strstr(text, "reset by peer")) {
		err_set(err, ECONNRESET,
			"registry '%s': the connection broke: %s; try again, what has come is kept",
			host->domain, text);
		return true;
	}
	if (strstr(text, "certificate required") || strstr(text, "bad certificate")) {
		err_set(err, EPROTO,
			"registry '%s' wants a client certificate: %s; put client.cert and "
			"client.key into %s/",
			host->domain, text, host->tls.place);
		return false;
	}
	err_set(err, EPROTO,
		"registry '%s': its TLS certificate is not trusted: %s; put the certificate of its "
		"authority into %s/ca.crt, or use --tls-verify=false",
		host->domain, text, host->tls.place);
	return false;
}

static bool connect_failure(const struct transfer *transfer, const struct host *host,
			    struct err *err)
{
	int code = (int)transfer->os_errno;
	/* "Failed to connect to NAME port …": of somebody else when a proxy is in between */
	autofree char *name = xstrndup(host->address, strcspn(host->address, ":"));

	if (!strstr(transfer->error_text, name) && host->address[0] != '[') {
		err_set(err, EHOSTUNREACH,
			"registry '%s': the proxy does not answer: %s; check https_proxy and "
			"http_proxy in the environment",
			host->domain, transfer->error_text);
		return false;
	}
	switch (code) {
	case ECONNREFUSED:
		err_set(err, ECONNREFUSED,
			"registry '%s': connection refused by %s; check that it runs and that the "
			"name and the port are right",
			host->domain, host->address);
		return host->has_answered;
	case 0:
		err_set(err, EHOSTUNREACH, "registry '%s': cannot connect to %s: %s", host->domain,
			host->address, transfer->error_text);
		return host->has_answered;
	default:
		err_set(err, code == ETIMEDOUT ? ETIMEDOUT : EHOSTUNREACH,
			"registry '%s': cannot connect to %s: %s; check the network", host->domain,
			host->address, strerror(code));
		return host->has_answered;
	}
}

bool failure_of_transport(const struct transfer *transfer, const struct host *host, struct err *err)
{
	switch (transfer->result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		err_set(err, EHOSTUNREACH,
			"registry '%s': its host name cannot be resolved; check the name, and "
			"/etc/resolv.conf",
			host->domain);
		return host->has_answered;
	case CURLE_COULDNT_RESOLVE_PROXY:
		err_set(err, EHOSTUNREACH,
			"registry '%s': the host name of the proxy cannot be resolved; check "
			"https_proxy and http_proxy in the environment",
			host->domain);
		return false;
	case CURLE_COULDNT_CONNECT:
		return connect_failure(transfer, host, err);
	case CURLE_OPERATION_TIMEDOUT:
		err_set(err, ETIMEDOUT, "registry '%s' does not answer: %s", host->domain,
			transfer->error_text);
		return true;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return tls_failure(transfer, host, err);
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		err_set(err, EPROTO, "registry '%s': %s; check the files in '%s'", host->domain,
			transfer->error_text, host->tls.place);
		return false;
	case CURLE_TOO_MANY_REDIRECTS:
		err_set(err, EPROTO, "registry '%s' redirects in circles", host->domain);
		return false;
	case CURLE_UNSUPPORTED_PROTOCOL:
		err_set(err, EPROTO,
			"registry '%s' redirects to a place that is not protected by TLS: %s",
			host->domain, transfer->error_text);
		return false;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		err_set(err, ECONNRESET,
			"registry '%s': the connection broke: %s; try again, what has come is kept",
			host->domain, transfer->error_text);
		return true;
	default:
		err_set(err, EPROTO, "registry '%s': %s", host->domain, transfer->error_text);
		return false;
	}
}

/* {"errors":[{"code":…,"message":…}]}; "" when the body says nothing of the kind. */
static void read_errors(const struct transfer *transfer, char **ret_code, char **ret_message)
{
	autojson struct json_object *root = NULL;
	struct err ignored = { 0 };

	*ret_code = *ret_message = NULL;
	if (transfer->body.size &&
	    json_parse(transfer->body.data, transfer->body.size, &root, &ignored) == 0) {
		struct json_object *errors = json_get(root, "errors");
		struct json_object *first = json_object_is_type(errors, json_type_array)
						    ? json_object_array_get_idx(errors, 0)
						    : NULL;
		*ret_code = printable(json_get_string(first, "code", ""), 64);
		*ret_message = printable(
			json_get_string(first, "message", json_get_string(root, "details", "")),
			160);
	}
	if (!*ret_code)
		*ret_code = xstrdup("");
	if (!*ret_message)
		*ret_message = xstrdup("");
}

static const char *or_text(const char *text, const char *fallback)
{
	return *text ? text : fallback;
}

bool failure_of_status(const struct transfer *transfer, const struct host *host, const char *doing,
		       bool has_password, struct err *err)
{
	autofree char *code = NULL, *message = NULL;
	long status = transfer->status;

	read_errors(transfer, &code, &message);
	switch (status) {
	case 404:
		if (strcmp(code, "NAME_UNKNOWN") == 0)
			err_set(err, ENOENT, "%s: %s; check the spelling", doing,
				or_text(message, "repository name not known to registry"));
		else
			err_set(err, ENOENT, "%s: %s; check the name and the tag", doing,
				or_text(message, strstr(doing, "blob") ? "blob unknown"
								       : "manifest unknown"));
		return false;
	case 401:
		if (has_password)
			err_set(err, EACCES,
				"%s: wrong user name or password for '%s'; use davit login %s",
				doing, host->domain, host->domain);
		else
			err_set(err, EACCES,
				"%s: access denied: it does not exist or needs a login; check the "
				"name, or use davit login %s",
				doing, host->domain);
		return false;
	case 403:
		err_set(err, EACCES,
			"%s: access denied: %s; use davit login %s with an account "
			"that may read it",
			doing, or_text(message, "forbidden"), host->domain);
		return false;
	case 429:
		err_set(err, EBUSY,
			"%s: registry '%s' gets too many requests (429): %s; wait, or use davit "
			"login %s for a higher limit",
			doing, host->domain, or_text(message, "no reason given"), host->domain);
		return true;
	default:
		if (status >= 500 || status == 408)
			err_set(err, EBUSY,
				"%s: registry '%s' failed with status %ld: %s; try again later",
				doing, host->domain, status, or_text(message, "no reason given"));
		else
			err_set(err, EPROTO, "%s: registry '%s' answers with status %ld: %s", doing,
				host->domain, status, or_text(message, "no reason given"));
		return status >= 500 || status == 408;
	}
}
