#include "registry/program/transfer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "registry/program/tls.h"

#define CONNECT_TIMEOUT_SEC 30L
#define STALL_TIMEOUT_SEC   60L /* without one byte: as good as broken */
#define REDIRECTS_MAX	    10L
#define RECEIVE_BUFFER	    (512L * 1024)
#define HEADERS_MAX	    128 /* of WWW-Authenticate */

long transfer_status(struct transfer *transfer)
{
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t receive_body(char *data, size_t one, size_t size, void *user)
{
	struct transfer *transfer = user;
	long status = transfer_status(transfer);

	(void)one;
	if (transfer->sink && (status == 200 || status == 206))
		return transfer->sink(transfer, data, size) < 0 ? 0 : size;
	if (transfer->body.size + size > transfer->body_limit) {
		transfer->body_too_large = true;
		return 0;
	}
	strbuf_add(&transfer->body, data, size);
	return size;
}

static bool header_is(const char *line, size_t size, const char *name, const char **ret_value)
{
	size_t length = strlen(name);

	if (size <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
		return false;
	*ret_value = line + length + 1;
	return true;
}

/* The value of a header line, without the blanks around it. */
static char *header_value(const char *value, const char *end)
{
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && strchr(" \t\r\n", end[-1]))
		end--;
	return xstrndup(value, (size_t)(end - value));
}

/* <TARGET>; rel="next": the one relation that registries use. */
static void read_link(struct transfer *transfer, const char *value, const char *end)
{
	autofree char *text = header_value(value, end);
	char *close = strchr(text, '>');

	if (text[0] != '<' || !close || !strstr(close, "next"))
		return;
	free(transfer->next);
	transfer->next = xstrndup(text + 1, (size_t)(close - text - 1));
}

static void forget_headers(struct transfer *transfer)
{
	strlist_clear(&transfer->challenges);
	free(take_ptr(&transfer->media_type));
	free(take_ptr(&transfer->digest));
	free(take_ptr(&transfer->next));
	transfer->content_start = -1;
	transfer->content_length = -1;
}

static size_t receive_header(char *line, size_t one, size_t size, void *user)
{
	struct transfer *transfer = user;
	const char *value, *end = line + size;

	(void)one;
	if (size > 5 && strncmp(line, "HTTP/", 5) == 0) { /* each answer of a chain of redirects */
		forget_headers(transfer);
	} else if (header_is(line, size, "www-authenticate", &value)) {
		if (transfer->challenges.count < HEADERS_MAX)
			strlist_take(&transfer->challenges, header_value(value, end));
	} else if (header_is(line, size, "content-type", &value)) {
		free(transfer->media_type);
		transfer->media_type = header_value(value, end);
		transfer->media_type[strcspn(transfer->media_type, "; \t")] = '\0';
	} else if (header_is(line, size, "docker-content-digest", &value)) {
		free(transfer->digest);
		transfer->digest = header_value(value, end);
	} else if (header_is(line, size, "link", &value)) {
		read_link(transfer, value, end);
	} else if (header_is(line, size, "content-range", &value)) {
		autofree char *text = header_value(value, end);
		if (strncasecmp(text, "bytes ", 6) == 0)
			transfer->content_start = strtoll(text + 6, NULL, 10);
	} else if (header_is(line, size, "content-length", &value)) {
		autofree char *text = header_value(value, end);
		transfer->content_length = strtoll(text, NULL, 10);
		/* Too large is known before the first byte of it. */
		long status = transfer_status(transfer);
		if (!transfer->sink && status == 200 &&
		    transfer->content_length > (int64_t)transfer->body_limit) {
			transfer->body_too_large = true;
			return 0;
		}
	}
	return size;
}

static bool host_is_here(const char *url)
{
	const char *host = strstr(url, "://");
	static const char *const names[] = { "localhost", "127.", "[::1]" };

	host = host ? host + 3 : url;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t size = strlen(names[i]);
		if (strncasecmp(host, names[i], size) == 0 &&
		    (names[i][size - 1] == '.' || strchr(":/", host[size])))
			return true;
	}
	return false;
}

static void add_header(struct transfer *transfer, const char *name, const char *value)
{
	autofree char *line = xasprintf("%s: %s", name, value);

	transfer->headers = curl_slist_append(transfer->headers, line);
	explicit_bzero(line, strlen(line));
}

void transfer_start(struct transfer *transfer, const struct transport *transport,
		    const struct request *request)
{
	CURL *easy = curl_easy_init();
	bool secure = strncmp(request->url, "https:", 6) == 0 && !request->tls->insecure;

	if (!easy)
		abort(); /* out of memory, as everywhere */
	transfer->easy = easy;
	transfer->body_limit = request->body_limit;
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, transport->user_agent);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_SEC);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_SEC);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	/* Several connections serve large blobs better than one shared by HTTP/2. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	/* Who began under TLS is not led out of it. */
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	if (transport->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, transport->ca_file);
	if (transport->ca_directory)
		curl_easy_setopt(easy, CURLOPT_CAPATH, transport->ca_directory);
	if (host_is_here(request->url)) /* proxies are for other machines, as in Go */
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	tls_apply(request->tls, easy);

	if (request->authorization)
		add_header(transfer, "Authorization", request->authorization);
	for (size_t i = 0; request->accept && i < request->accept->count; i++)
		add_header(transfer, "Accept", request->accept->items[i]);
	if (request->form) {
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->form);
		add_header(transfer, "Expect", "");
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	if (request->range_start > 0) {
		autofree char *range = xasprintf("%lld-", (long long)request->range_start);
		curl_easy_setopt(easy, CURLOPT_RANGE, range);
	}
	transfer->content_start = transfer->content_length = -1;
	curl_multi_add_handle(transport->multi, easy);
}

static void give_back(struct transfer *transfer, const struct transport *transport)
{
	if (transfer->easy) {
		curl_multi_remove_handle(transport->multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
		transfer->easy = NULL;
	}
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
}

void transfer_finish(struct transfer *transfer, const struct transport *transport, CURLcode result)
{
	curl_off_t retry_after = 0;

	transfer->result = result;
	transfer->status = transfer_status(transfer);
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &transfer->os_errno);
	curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
	transfer->retry_after_sec = retry_after;
	if (!transfer->error_text[0] && result != CURLE_OK)
		strncat(transfer->error_text, curl_easy_strerror(result),
			sizeof(transfer->error_text) - 1);
	give_back(transfer, transport);
}

void transfer_clear(struct transfer *transfer, const struct transport *transport)
{
	give_back(transfer, transport);
	strbuf_clear(&transfer->body);
	forget_headers(transfer);
	*transfer = (struct transfer){ 0 };
}
