/* All formats hold the same files; they differ in the names of those and in the documents that list
 * them. So what is to be saved is first collected as a plan, and then written by one of two
 * outputs: a tar writer or a directory. */
#include "engine/image-save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/space.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/strbuf.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/store.h"
#include "store/tar.h"

#define COPY_BYTES (256 * 1024)

int save_format_parse(const char *word, enum save_format *ret_format, struct err *err)
{
	static const char *const words[] = { [SAVE_DOCKER_ARCHIVE] = "docker-archive",
					     [SAVE_OCI_ARCHIVE] = "oci-archive",
					     [SAVE_OCI_DIRECTORY] = "oci-dir",
					     [SAVE_DIRECTORY] = "docker-dir" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], word) == 0) {
			*ret_format = (enum save_format)i;
			return 0;
		}
	}
	return err_set(err, EINVAL,
		       "unknown format '%s'; known are docker-archive, oci-archive, oci-dir and "
		       "docker-dir",
		       word);
}

/* A file to be written: a blob of the store, or a document that is made here. */
struct save_file {
	char *name;
	char *digest; /* NULL: `text` */
	char *text;
	int64_t size;
};

struct save {
	struct store *store;
	enum save_format format;
	struct progress *progress;
	struct save_file *files;
	size_t count;
	int64_t total;
	struct strlist image_ids;
	/* Where to */
	struct tar_writer *writer; /* NULL: a directory */
	int dir_fd;
};

static void save_clear(struct save *save)
{
	for (size_t i = 0; i < save->count; i++) {
		free(save->files[i].name);
		free(save->files[i].digest);
		free(save->files[i].text);
	}
	free(save->files);
	strlist_clear(&save->image_ids);
	tar_writer_free(save->writer);
	fd_close(&save->dir_fd);
}
#define autosave __attribute__((cleanup(save_clear)))

static struct save_file *add_file(struct save *save, char *name)
{
	save->files = xreallocarray(save->files, save->count + 1, sizeof(*save->files));
	struct save_file *file = &save->files[save->count++];
	*file = (struct save_file){ .name = name };
	return file;
}

static void add_text(struct save *save, const char *name, const char *text)
{
	struct save_file *file = add_file(save, xstrdup(name));

	file->text = xstrdup(text);
	file->size = (int64_t)strlen(text);
}

static void add_json(struct save *save, const char *name, struct json_object *json)
{
	add_text(save, name, json_text(json));
}

static char *blob_name(const struct save *save, const char *digest)
{
	if (save->format == SAVE_DIRECTORY)
		return xstrdup(digest + 7);
	return xasprintf("blobs/sha256/%s", digest + 7);
}

static const struct save_file *find_blob(const struct save *save, const char *digest)
{
	for (size_t i = 0; i < save->count; i++)
		if (save->files[i].digest && strcmp(save->files[i].digest, digest) == 0)
			return &save->files[i];
	return NULL;
}

static int add_blob(struct save *save, const char *digest, struct err *err)
{
	autoclose int fd = -1;
	autofree char *name = blob_name(save, digest);
	int64_t size;

	if (find_blob(save, digest))
		return 0;
	int r = blob_open(save->store, digest, &fd, &size, err);
	if (r < 0)
		return r;
	struct save_file *file = add_file(save, take_ptr(&name));
	file->digest = xstrdup(digest);
	file->size = size;
	save->total += size;
	return 0;
}

/* docker's list of images, and the OCI index. */
static void list_image(struct save *save, const struct image *image, struct json_object *docker,
		       struct json_object *manifests)
{
	struct json_object *entry = json_object_new_object(), *tags = NULL;
	struct json_object *layers = json_object_new_array();
	autofree char *config_digest = xasprintf("sha256:%s", image->id);
	autofree char *config_name = blob_name(save, config_digest);
	bool has_tag = image->found_name && !strchr(image->found_name, '@');

	if (has_tag) {
		tags = json_object_new_array();
		json_append_string(tags, image->found_name);
	}
	json_add_string(entry, "Config", config_name);
	json_object_object_add(entry, "RepoTags", tags);
	for (size_t i = 0; i < image->layer_count; i++) {
		autofree char *name = blob_name(save, image->layers[i].blob_digest);
		json_append_string(layers, name);
	}
	json_object_object_add(entry, "Layers", layers);
	json_object_array_add(docker, entry);

	const struct save_file *manifest = find_blob(save, image->manifest_digest);
	struct json_object *descriptor = oci_descriptor_to_json(
		image->manifest_type, image->manifest_digest, manifest ? manifest->size : 0);
	if (has_tag) {
		struct json_object *annotations = json_object_new_object();
		json_add_string(annotations, "io.containerd.image.name", image->found_name);
		json_add_string(annotations, "org.opencontainers.image.ref.name",
				image->found_name);
		json_object_object_add(descriptor, "annotations", annotations);
	}
	json_object_array_add(manifests, descriptor);
}

static int plan_image(struct save *save, struct engine *engine, const char *word,
		      struct json_object *docker, struct json_object *manifests, struct err *err)
{
	autoimage struct image *image = NULL;
	int r = image_resolve(engine, word, &image, err);

	if (r >= 0)
		r = image_load_layers(save->store, image, err);
	if (r < 0)
		return r;
	autofree char *config_digest = xasprintf("sha256:%s", image->id);
	if (save->format != SAVE_DIRECTORY)
		r = add_blob(save, image->manifest_digest, err);
	if (r >= 0)
		r = add_blob(save, config_digest, err);
	for (size_t i = 0; r >= 0 && i < image->layer_count; i++)
		r = add_blob(save, image->layers[i].blob_digest, err);
	if (r < 0)
		return err_wrap(err, "image '%s'", word);
	list_image(save, image, docker, manifests);
	strlist_add(&save->image_ids, image->id);

	if (save->format == SAVE_DIRECTORY) {
		autostrbuf struct strbuf manifest = STRBUF_EMPTY;
		r = blob_read(save->store, image->manifest_digest, OCI_MANIFEST_SIZE_MAX, &manifest,
			      err);
		if (r < 0)
			return r;
		add_text(save, "manifest.json", strbuf_text(&manifest));
	}
	return 0;
}

static int plan(struct save *save, struct engine *engine, const struct strlist *words,
		struct err *err)
{
	autojson struct json_object *docker = json_object_new_array();
	autojson struct json_object *index = json_object_new_object();
	struct json_object *manifests = json_object_new_array();
	int r = 0;

	json_add_int(index, "schemaVersion", 2);
	json_add_string(index, "mediaType", OCI_MEDIA_TYPE_INDEX);
	json_object_object_add(index, "manifests", manifests);
	for (size_t i = 0; r >= 0 && i < words->count; i++)
		r = plan_image(save, engine, words->items[i], docker, manifests, err);
	if (r < 0)
		return r;
	if (save->format == SAVE_DIRECTORY) {
		add_text(save, "version", "Directory Transport Version: 1.1\n");
		return 0;
	}
	add_json(save, "index.json", index);
	if (save->format == SAVE_DOCKER_ARCHIVE)
		add_json(save, "manifest.json", docker);
	add_text(save, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	return 0;
}

/* Output */

static int write_piece(struct save *save, int to_fd, const void *data, size_t size, struct err *err)
{
	if (save->writer)
		return tar_writer_data(save->writer, data, size, err);
	int r = fd_write_all(to_fd, data, size);
	return r < 0 ? err_set(err, -r, "write: %s", strerror(-r)) : 0;
}

static int write_blob(struct save *save, const struct save_file *file, int to_fd, int item,
		      int64_t *total, struct err *err)
{
	autofree char *buffer = xmalloc(COPY_BYTES);
	autosha256 struct sha256 *hash = NULL;
	autoclose int fd = -1;
	char found[DIGEST_TEXT_SIZE];
	int64_t size, done = 0;
	int r = blob_open(save->store, file->digest, &fd, &size, err);

	if (r >= 0)
		r = sha256_new(&hash, err);
	while (r >= 0 && done < file->size) {
		int64_t want = file->size - done;
		ssize_t n = fd_read_full(fd, buffer,
					 want < COPY_BYTES ? (size_t)want : (size_t)COPY_BYTES);
		if (n <= 0)
			return err_set(err, n < 0 ? (int)-n : EBADMSG, "blob '%s': %s",
				       file->digest,
				       n < 0 ? strerror((int)-n) : "it is shorter than it was");
		sha256_update(hash, buffer, (size_t)n);
		r = write_piece(save, to_fd, buffer, (size_t)n, err);
		done += n;
		*total += n;
		progress_update(save->progress, item, *total, NULL);
		(void)progress_draw(save->progress);
	}
	if (r < 0)
		return r;
	sha256_finish_digest(hash, found);
	if (strcmp(found, file->digest) != 0)
		return err_set(
			err, EBADMSG,
			"blob '%s' in the store is damaged (it is '%s'); pull the image again",
			file->digest, found);
	return 0;
}

static int write_file(struct save *save, const struct save_file *file, int item, int64_t *total,
		      struct err *err)
{
	autoclose int to_fd = -1;
	int r = 0;

	if (save->writer) {
		struct tar_entry entry = { .type = TAR_FILE,
					   .path = file->name,
					   .link = "",
					   .size = (uint64_t)file->size,
					   .mode = 0644 };
		r = tar_writer_entry(save->writer, &entry, err);
	} else {
		to_fd = openat(save->dir_fd, file->name,
			       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (to_fd < 0)
			return err_errno(err, "create '%s'", file->name);
	}
	if (r >= 0 && file->digest)
		r = write_blob(save, file, to_fd, item, total, err);
	else if (r >= 0)
		r = write_piece(save, to_fd, file->text, (size_t)file->size, err);
	return r;
}

static int write_all(struct save *save, struct err *err)
{
	int item = progress_add(save->progress, "Saving", save->total);
	int64_t total = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < save->count; i++)
		r = write_file(save, &save->files[i], item, &total, err);
	if (r >= 0 && save->writer)
		r = tar_writer_finish(save->writer, err);
	progress_finish(save->progress, item, r < 0 ? NULL : "done");
	return r;
}

static int write_archive(struct save *save, int fd, struct err *err)
{
	struct tar_sink sink = { .write = tar_sink_write_fd, .arg = &fd };

	static const char *const directories[] = { "blobs/", "blobs/sha256/" };
	int r = 0;

	save->writer = tar_writer_new(&sink);
	/* Tools that unpack for an ordinary user stumble over directories that are only implied. */
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(directories); i++) {
		struct tar_entry entry = {
			.type = TAR_DIRECTORY, .path = directories[i], .link = "", .mode = 0755
		};
		r = tar_writer_entry(save->writer, &entry, err);
	}
	return r < 0 ? r : write_all(save, err);
}

static int save_archive(struct save *save, const char *path, struct err *err)
{
	struct stat st;
	char random[17];

	if (strcmp(path, "-") == 0)
		return write_archive(save, STDOUT_FILENO, err);
	/* A device or pipe is written to, anything else is replaced. */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, EISDIR, "'%s' is a directory; an archive is a file", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		autoclose int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? err_errno(err, "open '%s'", path) : write_archive(save, fd, err);
	}
	random_hex(random, 4);
	autofree char *aside = xasprintf("%s.tmp-%s", path, random);
	autoclose int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_errno(err, "create '%s'", path);
	int r = write_archive(save, fd, err);
	if (r >= 0 && rename(aside, path) < 0)
		r = err_errno(err, "create '%s'", path);
	if (r < 0) {
		(void)unlink(aside); /* the failure itself is the one to tell */
		(void)space_remedy(SPACE_ELSEWHERE, err);
		return err_wrap(err, "save to '%s'", path);
	}
	return 0;
}

static int save_directory(struct save *save, const char *path, struct err *err)
{
	autostrlist struct strlist unused = STRLIST_EMPTY;
	bool is_new = mkdir(path, 0777) == 0;

	if (!is_new && errno != EEXIST)
		return err_errno(err, "make directory '%s'", path);
	save->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (save->dir_fd < 0)
		return err_errno(err, "open '%s'", path);
	if (!is_new && (faccessat(save->dir_fd, "index.json", F_OK, 0) == 0 ||
			faccessat(save->dir_fd, "manifest.json", F_OK, 0) == 0))
		return err_set(err, EEXIST,
			       "there is an image in '%s' already; give a new directory", path);
	int r = 0;
	if (save->format == SAVE_OCI_DIRECTORY)
		r = file_make_dirs(save->dir_fd, "blobs/sha256", 0777, err);
	if (r >= 0)
		r = write_all(save, err);
	if (r < 0) {
		struct err ignored = { 0 };
		if (is_new)
			(void)file_remove_tree(AT_FDCWD, path, &ignored);
		(void)space_remedy(SPACE_ELSEWHERE, err);
		return err_wrap(err, "save to '%s'", path);
	}
	return 0;
}

int image_save(struct engine *engine, const struct strlist *words, enum save_format format,
	       const char *path, struct progress *progress, struct err *err)
{
	autosave struct save save = { .format = format, .progress = progress, .dir_fd = -1 };
	bool is_directory = format == SAVE_OCI_DIRECTORY || format == SAVE_DIRECTORY;
	int r = engine_store(engine, &save.store, err);

	if (r < 0)
		return r;
	if (format == SAVE_DIRECTORY && words->count != 1)
		return err_set(err, EINVAL, "docker-dir holds one image, not %zu", words->count);
	if (is_directory && strcmp(path, "-") == 0)
		return err_set(err, EINVAL,
			       "a directory cannot go to standard output; give one with "
			       "--output");
	r = plan(&save, engine, words, err);
	if (r < 0)
		return r;
	r = is_directory ? save_directory(&save, path, err) : save_archive(&save, path, err);
	for (size_t i = 0; r >= 0 && i < save.image_ids.count; i++)
		event_image(engine, EVENT_SAVE, save.image_ids.items[i], path);
	return r;
}
