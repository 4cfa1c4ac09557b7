#include "runtime/mount-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum effect {
	SET,	  /* attribute of the mount */
	CLEAR,	  /* takes an earlier SET back */
	ATIME,	  /* one value of the access time field */
	TREE_SET, /* as the three above, for the whole tree */
	TREE_CLEAR,
	TREE_ATIME,
	PROPAGATION,
	TREE_PROPAGATION,
	BIND,
	BIND_TREE,
	COPY_UP,
	NO_COPY_UP,
	IDMAP,
	IDMAP_TREE,
	NOTHING, /* what is so anyway */
	REFUSED, /* would change something that exists already */
};

static const struct {
	const char *name;
	enum effect effect;
	uint64_t value;
} words[] = {
	{ "ro", SET, MOUNT_ATTR_RDONLY },
	{ "rw", CLEAR, MOUNT_ATTR_RDONLY },
	{ "nosuid", SET, MOUNT_ATTR_NOSUID },
	{ "suid", CLEAR, MOUNT_ATTR_NOSUID },
	{ "nodev", SET, MOUNT_ATTR_NODEV },
	{ "dev", CLEAR, MOUNT_ATTR_NODEV },
	{ "noexec", SET, MOUNT_ATTR_NOEXEC },
	{ "exec", CLEAR, MOUNT_ATTR_NOEXEC },
	{ "nodiratime", SET, MOUNT_ATTR_NODIRATIME },
	{ "diratime", CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "symfollow", CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "noatime", ATIME, MOUNT_ATTR_NOATIME },
	{ "atime", ATIME, MOUNT_ATTR_RELATIME },
	{ "relatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "norelatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "strictatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "nostrictatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "rro", TREE_SET, MOUNT_ATTR_RDONLY },
	{ "rrw", TREE_CLEAR, MOUNT_ATTR_RDONLY },
	{ "rnosuid", TREE_SET, MOUNT_ATTR_NOSUID },
	{ "rsuid", TREE_CLEAR, MOUNT_ATTR_NOSUID },
	{ "rnodev", TREE_SET, MOUNT_ATTR_NODEV },
	{ "rdev", TREE_CLEAR, MOUNT_ATTR_NODEV },
	{ "rnoexec", TREE_SET, MOUNT_ATTR_NOEXEC },
	{ "rexec", TREE_CLEAR, MOUNT_ATTR_NOEXEC },
	{ "rnodiratime", TREE_SET, MOUNT_ATTR_NODIRATIME },
	{ "rdiratime", TREE_CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "rnosymfollow", TREE_SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "rsymfollow", TREE_CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "rnoatime", TREE_ATIME, MOUNT_ATTR_NOATIME },
	{ "ratime", TREE_ATIME, MOUNT_ATTR_RELATIME },
	{ "rrelatime", TREE_ATIME, MOUNT_ATTR_RELATIME },
	{ "rnorelatime", TREE_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rstrictatime", TREE_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rnostrictatime", TREE_ATIME, MOUNT_ATTR_RELATIME },
	{ "private", PROPAGATION, MS_PRIVATE },
	{ "rprivate", TREE_PROPAGATION, MS_PRIVATE },
	{ "slave", PROPAGATION, MS_SLAVE },
	{ "rslave", TREE_PROPAGATION, MS_SLAVE },
	{ "shared", PROPAGATION, MS_SHARED },
	{ "rshared", TREE_PROPAGATION, MS_SHARED },
	{ "unbindable", PROPAGATION, MS_UNBINDABLE },
	{ "runbindable", TREE_PROPAGATION, MS_UNBINDABLE },
	{ "bind", BIND, 0 },
	{ "rbind", BIND_TREE, 0 },
	{ "tmpcopyup", COPY_UP, 0 },
	{ "notmpcopyup", NO_COPY_UP, 0 },
	{ "idmap", IDMAP, 0 },
	{ "ridmap", IDMAP_TREE, 0 },
	{ "", NOTHING, 0 },
	{ "defaults", NOTHING, 0 },
	{ "async", NOTHING, 0 },
	{ "nomand", NOTHING, 0 },
	{ "loud", NOTHING, 0 },
	{ "nofail", NOTHING, 0 },
	{ "remount", REFUSED, 0 },
};

static void option_add(struct mount_options *options, const char *word)
{
	const char *equals = strchr(word, '=');

	options->options = xreallocarray(options->options, options->option_count + 1,
					 sizeof(*options->options));
	options->options[options->option_count++] = (struct file_system_option){
		.key = xstrndup(word, equals ? (size_t)(equals - word) : strlen(word)),
		.value = equals ? xstrdup(equals + 1) : NULL,
	};
}

static int apply(struct mount_options *options, size_t row, struct err *err)
{
	uint64_t value = words[row].value;

	switch (words[row].effect) {
	case SET:
		options->set |= value;
		options->clear &= ~value;
		break;
	case CLEAR:
		/* Only takes back what an earlier word said: what a bound mount carries already may
		 * be locked, and "rw" is no wish to make the host's read-only mount writable. */
		options->set &= ~value;
		break;
	case ATIME:
		options->set = (options->set & ~(uint64_t)MOUNT_ATTR__ATIME) | value;
		options->clear |= MOUNT_ATTR__ATIME;
		break;
	case TREE_SET:
		options->tree_set |= value;
		options->tree_clear &= ~value;
		break;
	case TREE_CLEAR:
		options->tree_set &= ~value;
		options->tree_clear |= value;
		break;
	case TREE_ATIME:
		options->tree_set = (options->tree_set & ~(uint64_t)MOUNT_ATTR__ATIME) | value;
		options->tree_clear |= MOUNT_ATTR__ATIME;
		break;
	case PROPAGATION:
	case TREE_PROPAGATION:
		options->propagation = (unsigned long)value;
		options->propagation_recursive = words[row].effect == TREE_PROPAGATION;
		break;
	case BIND_TREE:
		options->bind_recursive = true;
		/* fall through */
	case BIND:
		options->bind = true;
		break;
	case COPY_UP:
	case NO_COPY_UP:
		options->copy_up = words[row].effect == COPY_UP;
		break;
	case IDMAP_TREE:
		options->idmap_recursive = true;
		/* fall through */
	case IDMAP:
		options->idmap = true;
		break;
	case NOTHING:
		break;
	case REFUSED:
		return err_set(err, EINVAL, "option '%s' makes no sense for a new mount",
			       words[row].name);
	}
	return 0;
}

int mount_options_parse(const struct strlist *list, struct mount_options *ret_options,
			struct err *err)
{
	struct mount_options options = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		size_t row = 0;
		while (row < ARRAY_SIZE(words) && strcmp(words[row].name, list->items[i]) != 0)
			row++;
		if (row == ARRAY_SIZE(words)) {
			option_add(&options, list->items[i]);
			continue;
		}
		int r = apply(&options, row, err);
		if (r < 0) {
			mount_options_clear(&options);
			return r;
		}
	}
	*ret_options = options;
	return 0;
}

void mount_options_list(struct strlist *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (*words[i].name && words[i].effect != REFUSED)
			strlist_add(list, words[i].name);
}

void mount_options_add(struct mount_options *options, const char *key, const char *value)
{
	options->options = xreallocarray(options->options, options->option_count + 1,
					 sizeof(*options->options));
	options->options[options->option_count++] =
		(struct file_system_option){ .key = xstrdup(key), .value = xstrdup(value) };
}

void mount_options_clear(struct mount_options *options)
{
	for (size_t i = 0; i < options->option_count; i++) {
		free(options->options[i].key);
		free(options->options[i].value);
	}
	free(options->options);
	*options = (struct mount_options){ 0 };
}
