/* Every source becomes one picture: a directory descriptor and a list of files in it, each with the
 * name that the source knows it by. For archives the directory is made in the store, and hashes are
 * known from unpacking; for directories of the user the files are copied and hashed when they are
 * asked for. */
#include "engine/image-source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/space.h"
#include "base/progress.h"
#include "base/random.h"
#include "oci/image-config.h"
#include "store/blob.h"
#include "store/decompress.h"
#include "store/store.h"
#include "store/tar.h"

#define ARCHIVE_FILES_MAX 100000
#define LINKS_MAX	  16
#define COPY_BYTES	  (256 * 1024)

struct source_file {
	char *path;    /* in the archive, without "./" in front */
	char *link;    /* target of a link, NULL for a file */
	char name[24]; /* in the directory */
	char digest[DIGEST_TEXT_SIZE];
	int64_t size;
	bool is_taken; /* it has been renamed into the store */
};

struct image_source {
	struct store *store;
	struct progress *progress;
	enum image_transport transport;
	char *location; /* for messages */
	char *default_name;
	struct oci_platform platform;
	int dir_fd;
	bool is_archive;
	char staging[32]; /* name of the directory in STORE_PULL, "" if there is none */
	struct source_file *files;
	size_t file_count;
	struct source_image *images;
	size_t image_count;
};

size_t image_source_count(const struct image_source *source)
{
	return source->image_count;
}

const struct source_image *image_source_image(const struct image_source *source, size_t index)
{
	return &source->images[index];
}

const char *image_source_default_name(const struct image_source *source)
{
	return source->default_name;
}

void image_source_close(struct image_source *source)
{
	struct err ignored = { 0 };

	if (!source)
		return;
	if (*source->staging) {
		int pull_fd = store_directory(source->store, STORE_PULL, &ignored);
		if (pull_fd >= 0)
			(void)file_remove_tree(pull_fd, source->staging, &ignored);
	}
	fd_close(&source->dir_fd);
	for (size_t i = 0; i < source->file_count; i++) {
		free(source->files[i].path);
		free(source->files[i].link);
	}
	free(source->files);
	for (size_t i = 0; i < source->image_count; i++) {
		strbuf_clear(&source->images[i].manifest);
		strbuf_clear(&source->images[i].index);
		free(source->images[i].media_type);
		free(source->images[i].index_type);
		strlist_clear(&source->images[i].names);
	}
	free(source->images);
	free(source->location);
	free(source->default_name);
	oci_platform_clear(&source->platform);
	free(source);
}

/* Archives */

static struct source_file *add_file(struct image_source *source, const char *path)
{
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	source->files =
		xreallocarray(source->files, source->file_count + 1, sizeof(*source->files));
	struct source_file *file = &source->files[source->file_count];
	*file = (struct source_file){ .path = xstrdup(path) };
	(void)snprintf(file->name, sizeof(file->name), "%zu", source->file_count++);
	return file;
}

/* "a/b/../../c" behind the directory of `from`, without leaving the archive. */
static char *resolve_link(const char *from, const char *target)
{
	autostrlist struct strlist parts = STRLIST_EMPTY, result = STRLIST_EMPTY;
	const char *slash = strrchr(from, '/');
	autofree char *joined = xasprintf("%.*s/%s", slash ? (int)(slash - from) : 0, from, target);

	strlist_split(&parts, joined, '/');
	for (size_t i = 0; i < parts.count; i++) {
		if (strcmp(parts.items[i], "..") == 0) {
			if (result.count > 0)
				strlist_remove(&result, result.count - 1);
		} else if (*parts.items[i] && strcmp(parts.items[i], ".") != 0) {
			strlist_add(&result, parts.items[i]);
		}
	}
	return strlist_join(&result, "/");
}

/* The last entry of a path counts, as if the archive had been unpacked. */
static struct source_file *find_file(struct image_source *source, const char *path)
{
	autofree char *at = resolve_link("", path);

	for (int links = 0; links < LINKS_MAX; links++) {
		struct source_file *found = NULL;
		for (size_t i = source->file_count; i > 0 && !found; i--)
			if (strcmp(source->files[i - 1].path, at) == 0)
				found = &source->files[i - 1];
		if (!found || !found->link)
			return found;
		char *next = resolve_link(found->path, found->link);
		free(at);
		at = next;
	}
	return NULL;
}

static struct source_file *find_digest(struct image_source *source, const char *digest)
{
	for (size_t i = 0; i < source->file_count; i++)
		if (!source->files[i].link && strcmp(source->files[i].digest, digest) == 0)
			return &source->files[i];
	return NULL;
}

static int stage_file(struct image_source *source, struct tar_reader *reader,
		      struct source_file *file, struct sha256 *hash, int item, int64_t *total,
		      struct err *err)
{
	autoclose int fd = openat(source->dir_fd, file->name,
				  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	const void *data;
	uint64_t offset, done = 0;
	ssize_t size;

	if (fd < 0)
		return err_errno(err, "unpack '%s'", file->path);
	while ((size = tar_reader_data(reader, &data, &offset, err)) > 0) {
		/* Holes are for content that nobody packs this way. */
		if (offset != done)
			return err_set(err, EBADMSG, "'%s' is a sparse file in the archive",
				       file->path);
		sha256_update(hash, data, (size_t)size);
		int r = fd_write_all(fd, data, (size_t)size);
		if (r < 0) {
			(void)space_error(SPACE_STORE, -r, err);
			return err_wrap(err, "unpack '%s'", file->path);
		}
		done += (uint64_t)size;
		*total += size;
		progress_update(source->progress, item, *total, "read");
		(void)progress_draw(source->progress);
	}
	if (size < 0)
		return (int)size;
	file->size = (int64_t)done;
	sha256_finish_digest(hash, file->digest);
	return 0;
}

struct archive_input {
	struct decompressor *decompressor;
	int fd;
	char buffer[64 * 1024];
};

static ssize_t read_compressed(void *arg, void *data, size_t size, struct err *err)
{
	struct archive_input *input = arg;
	ssize_t n;

	while ((n = read(input->fd, data, size)) < 0)
		if (errno != EINTR)
			return err_errno(err, "read the archive");
	return n;
}

static ssize_t next_piece(void *arg, const void **ret_data, struct err *err)
{
	struct archive_input *input = arg;

	*ret_data = input->buffer;
	return decompressor_read(input->decompressor, input->buffer, sizeof(input->buffer), err);
}

static int stage_entries(struct image_source *source, struct tar_reader *reader, struct err *err)
{
	autosha256 struct sha256 *hash = NULL;
	const struct tar_entry *entry;
	int64_t total = 0;
	int item = progress_add(source->progress, "Reading archive", 0);
	int r = sha256_new(&hash, err);

	while (r >= 0 && (r = tar_reader_next(reader, &entry, err)) > 0) {
		if (source->file_count >= ARCHIVE_FILES_MAX)
			return err_set(err, EBADMSG, "the archive has more than %d files",
				       ARCHIVE_FILES_MAX);
		if (entry->type == TAR_FILE) {
			r = stage_file(source, reader, add_file(source, entry->path), hash, item,
				       &total, err);
		} else if (entry->type == TAR_SYMLINK) {
			struct source_file *file = add_file(source, entry->path);
			file->link = xstrdup(entry->link);
		} else if (entry->type == TAR_HARD_LINK) {
			struct source_file *file = add_file(source, entry->path);
			file->link = xasprintf("/%s", entry->link);
		}
	}
	progress_finish(source->progress, item, NULL);
	return r;
}

static int stage_archive(struct image_source *source, int fd, struct err *err)
{
	autofree struct archive_input *input = xcalloc(1, sizeof(*input));
	char random[17];
	int pull_fd = store_directory(source->store, STORE_PULL, err);

	if (pull_fd < 0)
		return pull_fd;
	random_hex(random, 8);
	(void)snprintf(source->staging, sizeof(source->staging), "load-%s", random);
	if (mkdirat(pull_fd, source->staging, 0700) < 0) {
		*source->staging = '\0';
		return err_errno(err, "make a directory in the store");
	}
	source->dir_fd =
		openat(pull_fd, source->staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (source->dir_fd < 0)
		return err_errno(err, "open '%s' in the store", source->staging);
	source->is_archive = true;

	input->fd = fd;
	struct byte_source bytes = { .read = read_compressed, .arg = input };
	autodecompressor struct decompressor *decompressor = decompressor_new(&bytes);
	input->decompressor = decompressor;
	struct tar_source pieces = { .next = next_piece, .arg = input };
	autotarreader struct tar_reader *reader = tar_reader_new(&pieces, 0);
	return stage_entries(source, reader, err);
}

/* Directories of the user. A path that comes from a document never leads outside. */
static int open_inside(const struct image_source *source, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, source->dir_fd, path, &how, sizeof(how));
}

static int read_path(struct image_source *source, const char *path, size_t limit,
		     struct strbuf *ret_data, struct err *err)
{
	autoclose int fd = -1;

	if (source->is_archive) {
		struct source_file *file = find_file(source, path);
		if (!file)
			return err_set(err, ENOENT, "there is no '%s' in it", path);
		fd = openat(source->dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	} else {
		fd = open_inside(source, path);
	}
	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	int r = fd_read_all(fd, ret_data, limit);
	if (r == -EFBIG)
		return err_set(err, EBADMSG, "'%s' is larger than the %zu bytes allowed", path,
			       limit);
	return r < 0 ? err_set(err, -r, "read '%s': %s", path, strerror(-r)) : 0;
}

static bool has_path(struct image_source *source, const char *path)
{
	if (source->is_archive)
		return find_file(source, path) != NULL;
	autoclose int fd = open_inside(source, path);
	return fd >= 0;
}

/* Where a blob of this digest would lie in a directory. */
static char *blob_file(const struct image_source *source, const char *digest)
{
	return source->transport == IMAGE_TRANSPORT_DIR ? xstrdup(digest + 7)
							: xasprintf("blobs/sha256/%s", digest + 7);
}

int image_source_read(struct image_source *source, const char *digest, size_t limit,
		      struct strbuf *ret_data, struct err *err)
{
	char found[DIGEST_TEXT_SIZE];
	autofree char *path = NULL;

	if (source->is_archive) {
		struct source_file *file = find_digest(source, digest);
		if (file && file->is_taken)
			return blob_read(source->store, digest, limit, ret_data, err);
		path = file ? xstrdup(file->path) : blob_file(source, digest);
	} else {
		path = blob_file(source, digest);
	}
	int r = read_path(source, path, limit, ret_data, err);
	if (r >= 0)
		r = sha256_digest(strbuf_text(ret_data), ret_data->size, found, err);
	if (r < 0)
		return err_wrap(err, "blob '%s'", digest);
	if (strcmp(found, digest) != 0)
		return err_set(err, EBADMSG, "blob '%s' is damaged: its content is '%s'", digest,
			       found);
	return 0;
}

/* Copy into the store's own directory, hashing; adopt when it is right. */
static int copy_blob(struct image_source *source, int fd, const char *digest, int64_t size,
		     struct err *err)
{
	autofree char *buffer = xmalloc(COPY_BYTES);
	autosha256 struct sha256 *hash = NULL;
	char found[DIGEST_TEXT_SIZE], name[32], random[17];
	int pull_fd = store_directory(source->store, STORE_PULL, err);
	int r = pull_fd < 0 ? pull_fd : sha256_new(&hash, err);
	int64_t done = 0;

	if (r < 0)
		return r;
	random_hex(random, 8);
	(void)snprintf(name, sizeof(name), "copy-%s", random);
	autoclose int to_fd =
		openat(pull_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to_fd < 0)
		return err_errno(err, "copy blob '%s' into the store", digest);
	for (;;) {
		ssize_t n = fd_read_full(fd, buffer, COPY_BYTES);
		if (n == 0)
			break;
		if (n > 0)
			r = fd_write_all(to_fd, buffer, (size_t)n);
		if (n < 0 || r < 0) {
			r = n < 0 ? (int)n : r;
			(void)err_set(err, -r, "copy blob '%s' into the store: %s", digest,
				      strerror(-r));
			break;
		}
		sha256_update(hash, buffer, (size_t)n);
		done += n;
	}
	if (r >= 0) {
		sha256_finish_digest(hash, found);
		if (done != size || strcmp(found, digest) != 0)
			r = err_set(err, EBADMSG,
				    "blob '%s' is damaged: its content is '%s' (%lld bytes)",
				    digest, found, (long long)done);
		else
			r = blob_adopt(source->store, pull_fd, name, digest, err);
	}
	if (r < 0)
		(void)unlinkat(pull_fd, name, 0); /* swept if this fails */
	return r;
}

int image_source_adopt(struct image_source *source, const char *digest, int64_t size_bytes,
		       struct err *err)
{
	if (source->is_archive) {
		struct source_file *file = find_digest(source, digest);
		if (!file)
			return err_set(err, EBADMSG,
				       "blob '%s' is not in '%s'; the archive is damaged or not "
				       "complete",
				       digest, source->location);
		if (file->size != size_bytes)
			return err_set(err, EBADMSG,
				       "blob '%s' has %lld bytes, not the %lld of the manifest",
				       digest, (long long)file->size, (long long)size_bytes);
		if (file->is_taken)
			return 0;
		int r = blob_adopt(source->store, source->dir_fd, file->name, digest, err);
		file->is_taken = r >= 0;
		return r;
	}
	autofree char *path = blob_file(source, digest);
	autoclose int fd = open_inside(source, path);
	if (fd < 0)
		return err_errno(err, "blob '%s': open '%s'", digest, path);
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EBADMSG, "blob '%s': '%s' is no file", digest, path);
	return copy_blob(source, fd, digest, size_bytes, err);
}

/* Images of a source */

static struct source_image *add_image(struct image_source *source)
{
	source->images =
		xreallocarray(source->images, source->image_count + 1, sizeof(*source->images));
	struct source_image *image = &source->images[source->image_count++];
	*image = (struct source_image){ 0 };
	return image;
}

/* An entry of index.json, which may be an image or an index of its own. */
static int add_oci_entry(struct image_source *source, const struct oci_descriptor *entry,
			 struct err *err)
{
	autostrbuf struct strbuf data = STRBUF_EMPTY;
	automanifest struct oci_manifest *manifest = NULL;
	int r = image_source_read(source, entry->digest, OCI_MANIFEST_SIZE_MAX, &data, err);

	if (r >= 0)
		r = oci_manifest_parse(strbuf_text(&data), data.size, entry->digest,
				       entry->media_type, &manifest, err);
	if (r < 0)
		return r;
	struct source_image *image = add_image(source);
	const char *name = entry->image_name ? entry->image_name : entry->reference_name;
	if (name)
		strlist_add(&image->names, name);
	(void)snprintf(image->digest, sizeof(image->digest), "%s", entry->digest);
	if (manifest->kind == OCI_MANIFEST_INDEX) {
		const struct oci_descriptor *chosen;
		image->index = data;
		data = STRBUF_EMPTY;
		image->index_type = xstrdup(manifest->media_type);
		r = oci_index_select(manifest, entry->digest, &source->platform, &chosen, err);
		if (r < 0)
			return r;
		(void)snprintf(image->digest, sizeof(image->digest), "%s", chosen->digest);
		r = image_source_read(source, chosen->digest, OCI_MANIFEST_SIZE_MAX, &data, err);
		if (r < 0)
			return r;
		oci_manifest_free(take_ptr(&manifest));
		r = oci_manifest_parse(strbuf_text(&data), data.size, image->digest, NULL,
				       &manifest, err);
		if (r < 0)
			return r;
		if (manifest->kind == OCI_MANIFEST_INDEX)
			return err_set(err, EBADMSG, "index '%s' leads to another index",
				       entry->digest);
	}
	image->media_type = xstrdup(manifest->media_type);
	image->manifest = data;
	data = STRBUF_EMPTY;
	return 0;
}

static struct source_image *find_image(struct image_source *source, const char *digest)
{
	for (size_t i = 0; i < source->image_count; i++)
		if (strcmp(source->images[i].digest, digest) == 0)
			return &source->images[i];
	return NULL;
}

static int load_oci(struct image_source *source, const char *wanted, struct err *err)
{
	autostrbuf struct strbuf data = STRBUF_EMPTY;
	automanifest struct oci_manifest *index = NULL;
	int r = read_path(source, "index.json", OCI_MANIFEST_SIZE_MAX, &data, err);

	if (r >= 0)
		r = oci_manifest_parse(strbuf_text(&data), data.size, "index.json", NULL, &index,
				       err);
	if (r < 0)
		return r;
	if (index->kind != OCI_MANIFEST_INDEX)
		return err_set(err, EBADMSG, "index.json is no index");
	for (size_t i = 0; i < index->item_count; i++) {
		const struct oci_descriptor *entry = &index->items[i];
		bool is_wanted =
			!wanted ||
			(entry->reference_name && strcmp(entry->reference_name, wanted) == 0) ||
			(entry->image_name && strcmp(entry->image_name, wanted) == 0);
		if (!is_wanted)
			continue;
		/* The same image once more under another name */
		struct source_image *known = find_image(source, entry->digest);
		const char *name = entry->image_name ? entry->image_name : entry->reference_name;
		if (known && name)
			strlist_add(&known->names, name);
		if (!known)
			r = add_oci_entry(source, entry, err);
		if (r < 0)
			return r;
	}
	if (source->image_count == 0)
		return wanted ? err_set(err, ENOENT, "there is no image '%s' in it", wanted)
			      : err_set(err, EBADMSG, "there is no image in it");
	return 0;
}

static const char *layer_media_type(struct image_source *source, const struct source_file *file)
{
	unsigned char head[8];
	autoclose int fd = openat(source->dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : fd_read_full(fd, head, sizeof(head));

	switch (compression_detect(head, n > 0 ? (size_t)n : 0)) {
	case COMPRESSION_GZIP:
		return OCI_MEDIA_TYPE_LAYER_GZIP;
	case COMPRESSION_ZSTD:
		return OCI_MEDIA_TYPE_LAYER_ZSTD;
	default:
		return OCI_MEDIA_TYPE_LAYER;
	}
}

/* An entry of docker's manifest.json: which file is what, but no digests. The manifest that it
 * lacks is made from the files. */
static int add_docker_entry(struct image_source *source, struct json_object *entry, struct err *err)
{
	autojson struct json_object *manifest = json_object_new_object();
	struct json_object *layers = json_object_new_array();
	struct json_object *paths = json_get(entry, "Layers");
	const char *config_path = json_get_string(entry, "Config", "");
	struct source_file *config = find_file(source, config_path);

	json_add_int(manifest, "schemaVersion", 2);
	json_add_string(manifest, "mediaType", OCI_MEDIA_TYPE_MANIFEST);
	json_object_object_add(manifest, "layers", layers);
	if (!config)
		return err_set(
			err, EBADMSG,
			"manifest.json names the configuration '%.200s', which is not in the "
			"archive",
			config_path);
	json_object_object_add(
		manifest, "config",
		oci_descriptor_to_json(OCI_MEDIA_TYPE_CONFIG, config->digest, config->size));
	size_t count =
		json_object_is_type(paths, json_type_array) ? json_object_array_length(paths) : 0;
	if (count > OCI_LAYERS_MAX)
		return err_set(err, EBADMSG, "manifest.json has more than %d layers",
			       OCI_LAYERS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(paths, i);
		const char *path = json_object_is_type(item, json_type_string)
					   ? json_object_get_string(item)
					   : "";
		struct source_file *file = find_file(source, path);
		if (!file)
			return err_set(
				err, EBADMSG,
				"manifest.json names the layer '%.200s', which is not in the "
				"archive",
				path);
		json_object_array_add(layers, oci_descriptor_to_json(layer_media_type(source, file),
								     file->digest, file->size));
	}

	struct source_image *image = add_image(source);
	image->media_type = xstrdup(OCI_MEDIA_TYPE_MANIFEST);
	json_get_strlist(entry, "RepoTags", &image->names);
	strbuf_adds(&image->manifest, json_text(manifest));
	return sha256_digest(image->manifest.data, image->manifest.size, image->digest, err);
}

static int load_docker(struct image_source *source, const char *wanted, struct err *err)
{
	autostrbuf struct strbuf data = STRBUF_EMPTY;
	autojson struct json_object *list = NULL;
	int r = read_path(source, "manifest.json", OCI_MANIFEST_SIZE_MAX, &data, err);

	if (r >= 0)
		r = json_parse(strbuf_text(&data), data.size, &list, err);
	if (r < 0) {
		(void)err_wrap(err, "manifest.json");
		if (err->code == EINVAL)
			err->code = EBADMSG;
		return -err->code;
	}
	if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) == 0)
		return err_set(err, EBADMSG, "manifest.json is no list of images");
	for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		autostrlist struct strlist tags = STRLIST_EMPTY;
		json_get_strlist(entry, "RepoTags", &tags);
		if (!wanted || strlist_contains(&tags, wanted))
			r = add_docker_entry(source, entry, err);
	}
	if (r >= 0 && source->image_count == 0)
		return err_set(err, ENOENT, "there is no image '%s' in it", wanted);
	return r;
}

static int load_dir(struct image_source *source, struct err *err)
{
	automanifest struct oci_manifest *manifest = NULL;
	struct source_image *image = add_image(source);
	int r = read_path(source, "manifest.json", OCI_MANIFEST_SIZE_MAX, &image->manifest, err);

	if (r >= 0)
		r = sha256_digest(strbuf_text(&image->manifest), image->manifest.size,
				  image->digest, err);
	if (r >= 0)
		r = oci_manifest_parse(strbuf_text(&image->manifest), image->manifest.size,
				       image->digest, NULL, &manifest, err);
	if (r < 0)
		return r;
	if (manifest->kind == OCI_MANIFEST_INDEX)
		return err_set(
			err, EOPNOTSUPP,
			"it holds an index of several images, which 'dir:' has no place for; "
			"copy one image into it, or use an OCI layout");
	image->media_type = xstrdup(manifest->media_type);
	return 0;
}

/* What lies there: an OCI layout wins over docker's manifest.json, because it has digests. */
static enum image_transport detect(struct image_source *source)
{
	if (has_path(source, "index.json"))
		return source->is_archive ? IMAGE_TRANSPORT_OCI_ARCHIVE : IMAGE_TRANSPORT_OCI;
	if (has_path(source, "manifest.json"))
		return source->is_archive ? IMAGE_TRANSPORT_DOCKER_ARCHIVE : IMAGE_TRANSPORT_DIR;
	return IMAGE_TRANSPORT_NONE;
}

/* "PATH[:NAME]"; a path with colons is fine as long as it exists. */
static void split_location(const char *location, char **ret_path, const char **ret_name)
{
	const char *colon = strchr(location, ':');

	*ret_name = NULL;
	if (colon && access(location, F_OK) < 0) {
		*ret_path = xstrndup(location, (size_t)(colon - location));
		if (colon[1])
			*ret_name = colon + 1;
	} else {
		*ret_path = xstrdup(location);
	}
}

static int load_images(struct image_source *source, const char *wanted, struct err *err)
{
	if (source->transport == IMAGE_TRANSPORT_NONE)
		source->transport = detect(source);
	switch (source->transport) {
	case IMAGE_TRANSPORT_OCI:
	case IMAGE_TRANSPORT_OCI_ARCHIVE:
		return load_oci(source, wanted, err);
	case IMAGE_TRANSPORT_DOCKER_ARCHIVE:
		/* Ours, and those of newer dockers, are OCI layouts as well. */
		if (!wanted && has_path(source, "index.json") && has_path(source, "oci-layout"))
			return load_oci(source, NULL, err);
		return load_docker(source, wanted, err);
	case IMAGE_TRANSPORT_DIR:
		return load_dir(source, err);
	default:
		return err_set(err, EBADMSG,
			       "payload does not match any of the supported image formats (oci, "
			       "oci-archive, dir, docker-archive): there is neither index.json nor "
			       "manifest.json in it");
	}
}

/* What is wrong with a path is clearer when it is said what was looked for. */
static int add_remedy(enum image_transport transport, struct err *err)
{
	static const char *const remedies[] = {
		[IMAGE_TRANSPORT_NONE] = "name a file or directory that save has written",
		[IMAGE_TRANSPORT_OCI] = "oci:DIRECTORY[:NAME] is an OCI layout, with index.json",
		[IMAGE_TRANSPORT_OCI_ARCHIVE] =
			"oci-archive:FILE[:NAME] is what 'davit save --format oci-archive' writes",
		[IMAGE_TRANSPORT_DIR] =
			"dir:DIRECTORY is what 'skopeo copy' writes, with manifest.json",
		[IMAGE_TRANSPORT_DOCKER_ARCHIVE] =
			"docker-archive:FILE[:NAME] is what 'davit save' and 'docker save' write",
	};
	const struct err cause = *err;

	if ((cause.code != ENOENT && cause.code != EISDIR && cause.code != ENOTDIR &&
	     cause.code != EBADMSG) ||
	    (size_t)transport >= ARRAY_SIZE(remedies) || !remedies[transport] ||
	    strchr(cause.text, ';'))
		return -cause.code;
	return err_set(err, cause.code, "%s; %s", cause.text, remedies[transport]);
}

static int open_source(struct store *store, enum image_transport transport, const char *location,
		       const struct oci_platform *platform, struct progress *progress,
		       struct image_source **ret_source, struct err *err)
{
	autosource struct image_source *source = xcalloc(1, sizeof(*source));
	autofree char *path = NULL;
	const char *wanted;
	struct stat st;

	source->store = store;
	source->progress = progress;
	source->transport = transport;
	source->dir_fd = -1;
	source->location = xstrdup(location);
	oci_platform_set(&source->platform, platform->os, platform->architecture,
			 platform->variant);
	split_location(location, &path, &wanted);

	autoclose int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
						  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_errno(err, "look at '%s'", path);
	bool needs_directory = transport == IMAGE_TRANSPORT_OCI || transport == IMAGE_TRANSPORT_DIR;
	bool needs_file = transport == IMAGE_TRANSPORT_OCI_ARCHIVE ||
			  transport == IMAGE_TRANSPORT_DOCKER_ARCHIVE;
	int r;
	if (S_ISDIR(st.st_mode) && !needs_file) {
		source->dir_fd = take_fd(&fd);
		const char *start = path;
		while (*start == '/' || *start == '.')
			start++;
		source->default_name = xasprintf("localhost/%s", *start ? start : "image");
		for (char *end = source->default_name + strlen(source->default_name);
		     end[-1] == '/';)
			*--end = '\0';
		r = 0;
	} else if (S_ISDIR(st.st_mode) || needs_directory) {
		return err_set(err, S_ISDIR(st.st_mode) ? EISDIR : ENOTDIR, "'%s' is %s directory",
			       path, S_ISDIR(st.st_mode) ? "a" : "no");
	} else {
		r = stage_archive(source, fd, err);
	}
	if (r >= 0)
		r = load_images(source, wanted, err);
	if (r < 0)
		return err_wrap(err, "'%s'", path);
	*ret_source = take_ptr(&source);
	return 0;
}

int image_source_open(struct store *store, enum image_transport transport, const char *location,
		      const struct oci_platform *platform, struct progress *progress,
		      struct image_source **ret_source, struct err *err)
{
	int r = open_source(store, transport, location, platform, progress, ret_source, err);

	return r < 0 ? add_remedy(transport, err) : r;
}
