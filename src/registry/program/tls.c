#include "registry/program/tls.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define PEM_SIZE_MAX ((size_t)4 * 1024 * 1024)

static bool ends_with(const char *name, const char *end)
{
	size_t size = strlen(name), end_size = strlen(end);

	return size > end_size && strcmp(name + size - end_size, end) == 0;
}

static void use_client_certificate(struct tls *tls, const char *directory, const char *name)
{
	autofree char *certificate = path_join(directory, name);
	autofree char *key = xasprintf("%.*s.key", (int)(strlen(certificate) - 5), certificate);

	if (tls->certificate)
		return;
	if (access(key, R_OK) < 0) {
		log_warn("'%s' has no '%s' beside it; going on without it", certificate, key);
		return;
	}
	tls->certificate = take_ptr(&certificate);
	tls->key = take_ptr(&key);
}

static void load_directory(struct tls *tls, const char *path)
{
	DIR *directory = opendir(path);

	if (!directory)
		return; /* most registries have none */
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (ends_with(entry->d_name, ".crt")) {
			struct err err = { 0 };
			size_t before = tls->ca_pem.size;
			if (file_read(dirfd(directory), entry->d_name, &tls->ca_pem, PEM_SIZE_MAX,
				      &err) < 0)
				log_warn("in '%s': %s; going on without it", path, err.text);
			else if (!strstr(strbuf_text(&tls->ca_pem) + before,
					 "-----BEGIN CERTIFICATE-----") &&
				 !strstr(strbuf_text(&tls->ca_pem) + before,
					 "-----BEGIN TRUSTED CERTIFICATE-----"))
				log_warn("'%s/%s' holds no certificate; going on without it", path,
					 entry->d_name);
			strbuf_addc(&tls->ca_pem, '\n');
		} else if (ends_with(entry->d_name, ".cert")) {
			use_client_certificate(tls, path, entry->d_name);
		}
	}
	closedir(directory);
}

void tls_load(struct tls *tls, const char *domain, const struct strlist *parents,
	      const char *directory)
{
	if (directory) {
		tls->place = xstrdup(directory);
		load_directory(tls, directory);
		return;
	}
	for (size_t i = 0; i < parents->count; i++) {
		autofree char *path = path_join(parents->items[i], domain);
		load_directory(tls, path);
		/* The first is in the caller's home; what root trusts is the host's affair. */
		if (!tls->place && (geteuid() != 0 || strncmp(path, "/etc/", 5) == 0))
			tls->place = take_ptr(&path);
	}
}

void tls_clear(struct tls *tls)
{
	strbuf_clear(&tls->ca_pem);
	free(tls->place);
	free(tls->certificate);
	free(tls->key);
	*tls = (struct tls){ 0 };
}

/* libcurl can replace the system's authorities by ours, but not add to them. */
static CURLcode add_authorities(CURL *easy, void *context, void *user)
{
	const struct tls *tls = user;
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	BIO *pem = BIO_new_mem_buf(tls->ca_pem.data, (int)tls->ca_pem.size);

	(void)easy;
	if (!pem)
		return CURLE_OUT_OF_MEMORY;
	for (X509 *certificate; (certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL));) {
		(void)X509_STORE_add_cert(store, certificate); /* fails for one it has already */
		X509_free(certificate);
	}
	BIO_free(pem);
	return CURLE_OK;
}

void tls_apply(const struct tls *tls, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	if (tls->ca_pem.size) {
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, add_authorities);
		curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, tls);
		/* The cached store is shared by all hosts; ours trusts one of them more. */
		curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	}
	if (tls->certificate) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->certificate);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
	}
}
