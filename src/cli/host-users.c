#include "cli/host-users.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "cli/container-options.h"
#include "engine/container-spec.h"

static const struct passwd *find(const char *name)
{
	const struct passwd *user = getpwnam(name);
	int64_t number;

	return user || number_parse(name, 0, UINT32_MAX - 1, &number) < 0 ? user
									  : getpwuid((uid_t)number);
}

/* "ann" or "ann:GROUP" of --user becomes "1000:1000" or "1000:GROUP". */
static void take_user(const char *asked, const struct passwd *user, struct container_spec *spec)
{
	size_t size = strlen(user->pw_name);

	if (!asked || strncmp(asked, user->pw_name, size) != 0 ||
	    (asked[size] && asked[size] != ':'))
		return;
	free(spec->user);
	spec->user = asked[size] ? xasprintf("%u%s", user->pw_uid, asked + size)
				 : xasprintf("%u:%u", user->pw_uid, user->pw_gid);
}

int host_users_apply(const struct container_args *args, struct container_spec *spec,
		     struct err *err)
{
	for (size_t i = 0; i < args->host_users.count; i++) {
		const char *name = args->host_users.items[i];
		const struct passwd *user = find(name);
		if (!user)
			return err_set(
				err, ENOENT,
				"unknown user '%s' for --hostuser; getent passwd shows those "
				"of this host",
				name);
		/* Its directory and shell are the host's; those of the container are what davit gives others, too. */
		strlist_addf(&spec->host_users, "%s:*:%u:%u:%.*s:%s:/bin/sh", user->pw_name,
			     user->pw_uid, user->pw_gid, (int)strcspn(user->pw_gecos, ":\n"),
			     user->pw_gecos, spec->workdir ?: "/");
		take_user(args->user, user, spec);
	}
	if (args->host_users.count && args->passwd == TRISTATE_FALSE)
		return err_set(err, EINVAL,
			       "--hostuser adds to /etc/passwd, which --passwd=false leaves alone; "
			       "give one of them");
	return 0;
}
