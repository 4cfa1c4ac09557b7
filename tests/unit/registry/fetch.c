/* Drives the client of davit-registry from the command line, for the tests.
 *
 *   fetch [OPTION...] NAME           manifest, config and layers of an image into DIR
 *   fetch [OPTION...] login HOST     with --creds
 *   fetch [OPTION...] tags NAME
 *
 *   --program PATH  --dir DIR  --authfile FILE  --creds USER:PASSWORD  --cert-dir DIR
 *   --tls-verify=true|false  --retry N  --delay MSEC  --progress  --debug
 *
 * Prints one line for each thing that is complete; errors as davit would, status 125. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "oci/reference.h"
#include "registry/client.h"
#include "registry/paths.h"
#include "registry/registries.h"
#include "registry/short-name.h"

struct settings {
	struct registry_options options;
	const char *directory;
	bool progress;
};

static int fail(const struct err *err)
{
	fprintf(stderr, "Error: %s\n", err->text);
	return 125;
}

static int fetch_blobs(struct registry_client *client, const struct reference *name,
		       struct json_object *layers, bool progress, struct err *err)
{
	size_t count = json_object_array_length(layers), left = count;
	unsigned number;

	for (size_t i = 0; i < count; i++) {
		struct json_object *layer = json_object_array_get_idx(layers, i);
		int r = registry_client_start_blob(client, name,
						   json_get_string(layer, "digest", ""),
						   json_get_int(layer, "size", 0), &number, err);
		if (r < 0)
			return r;
	}
	while (left > 0) {
		struct registry_event event;
		int r = registry_client_next_event(client, -1, &event, err);
		if (r < 0)
			return r;
		if (event.kind == REGISTRY_BLOB_FAILED) {
			*err = event.err;
			return -err->code;
		}
		if (event.kind == REGISTRY_BLOB_DONE) {
			printf("blob %u: %lld bytes\n", event.blob, (long long)event.bytes);
			left--;
		} else if (progress) {
			printf("progress %u: %lld\n", event.blob, (long long)event.bytes);
			fflush(stdout);
		}
	}
	return 0;
}

static int fetch_manifest(struct registry_client *client, const struct reference *name,
			  struct json_object **ret_root, struct err *err)
{
	struct registry_manifest manifest = { 0 };

	int r = registry_client_get_manifest(client, name, &manifest, err);
	if (r < 0)
		return r;
	printf("manifest %s %s %s\n", manifest.digest, manifest.media_type, manifest.location);
	r = json_parse(manifest.data, manifest.size, ret_root, err);
	registry_manifest_clear(&manifest);
	return r;
}

static int fetch_image(struct registry_client *client, const struct reference *name, bool progress,
		       struct err *err)
{
	autojson struct json_object *root = NULL;
	autostrbuf struct strbuf config = STRBUF_EMPTY;

	int r = fetch_manifest(client, name, &root, err);
	if (r < 0)
		return r;
	struct json_object *list = json_get(root, "manifests");
	if (list) {
		autoreference struct reference child = reference_copy(name);
		free(child.digest);
		child.digest =
			xstrdup(json_get_string(json_object_array_get_idx(list, 0), "digest", ""));
		json_object_put(root);
		root = NULL;
		r = fetch_manifest(client, &child, &root, err);
		if (r < 0)
			return r;
	}
	struct json_object *descriptor = json_get(root, "config");
	r = registry_client_get_blob(client, name, json_get_string(descriptor, "digest", ""),
				     json_get_int(descriptor, "size", 0), &config, err);
	if (r < 0)
		return r;
	printf("config: %zu bytes\n", config.size);
	return fetch_blobs(client, name, json_get(root, "layers"), progress, err);
}

static int list_tags(struct registry_client *client, const char *text, struct err *err)
{
	autoreference struct reference name = REFERENCE_EMPTY;
	autostrlist struct strlist tags = STRLIST_EMPTY;

	int r = reference_parse(text, &name, err);
	if (r >= 0)
		r = registry_client_list_tags(client, &name, &tags, err);
	for (size_t i = 0; r >= 0 && i < tags.count; i++)
		puts(tags.items[i]);
	return r;
}

static int fetch(const struct settings *settings, int argc, char **argv, struct err *err)
{
	autoregistries struct registries *registries = NULL;
	autoregistryclient struct registry_client *client = NULL;
	autoreference struct reference name = REFERENCE_EMPTY;
	autocandidates struct short_name_candidates candidates = { 0 };
	struct registry_paths paths;

	int dir_fd = open(settings->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_errno(err, "%s", settings->directory);
	registry_paths_init(&paths, getenv, getuid());
	int r = registries_load(&paths, &registries, err);
	if (r >= 0)
		r = registry_client_open(dir_fd, registries, &paths, &settings->options, &client,
					 err);
	if (r >= 0 && argc == 2 && strcmp(argv[0], "tags") == 0) {
		r = list_tags(client, argv[1], err);
	} else if (r >= 0 && argc == 2) {
		r = registry_client_check_login(client, argv[1], settings->options.user,
						settings->options.password, err);
		if (r >= 0)
			printf("login succeeded\n");
	} else if (r >= 0) {
		r = reference_parse(argv[0], &name, err);
		if (r >= 0)
			r = short_name_resolve(registries, &paths, &name, &candidates, err);
		for (size_t i = 0; r >= 0 && i < candidates.count; i++) {
			int q = fetch_image(client, &candidates.items[i], settings->progress, err);
			if (q >= 0)
				break;
			if (i + 1 == candidates.count)
				r = q;
		}
	}
	registry_paths_clear(&paths);
	close(dir_fd);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "program", required_argument, NULL, 'p' },
		{ "dir", required_argument, NULL, 'd' },
		{ "authfile", required_argument, NULL, 'a' },
		{ "creds", required_argument, NULL, 'c' },
		{ "cert-dir", required_argument, NULL, 'C' },
		{ "tls-verify", required_argument, NULL, 't' },
		{ "retry", required_argument, NULL, 'r' },
		{ "delay", required_argument, NULL, 'D' },
		{ "progress", no_argument, NULL, 'P' },
		{ "debug", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct settings settings = {
		.directory = ".",
		.options = { .retry = -1, .retry_delay_usec = -1 },
	};
	struct err err = { 0 };

	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) >= 0;) {
		switch (c) {
		case 'p':
			settings.options.program = optarg;
			break;
		case 'd':
			settings.directory = optarg;
			break;
		case 'a':
			settings.options.authfile = optarg;
			break;
		case 'c':
			settings.options.user = optarg;
			settings.options.password = strchr(optarg, ':') + 1;
			*strchr(optarg, ':') = '\0';
			break;
		case 'C':
			settings.options.cert_dir = optarg;
			break;
		case 't':
			settings.options.tls =
				*optarg == 't' ? REGISTRY_TLS_VERIFY : REGISTRY_TLS_NO_VERIFY;
			break;
		case 'r':
			settings.options.retry = (int)strtol(optarg, NULL, 10);
			break;
		case 'D':
			settings.options.retry_delay_usec = strtoll(optarg, NULL, 10) * 1000;
			break;
		case 'P':
			settings.progress = true;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		default:
			return 2;
		}
	}
	if (optind >= argc)
		return 2;
	return fetch(&settings, argc - optind, argv + optind, &err) < 0 ? fail(&err) : 0;
}
