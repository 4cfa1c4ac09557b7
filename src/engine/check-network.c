/* Published ports of containers that do not run. Ports of containers that are not known here may be another root's: nothing
 * is said of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/check-internal.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "kernel/nftables.h"
#include "network/firewall.h"

/* Only to see whom they belong to. */
static bool note_owner(void *arg, const char *container_id)
{
	struct strlist *ids = arg;

	if (!strlist_contains(ids, container_id))
		strlist_add(ids, container_id);
	return false;
}

static bool is_this_id(void *arg, const char *container_id)
{
	return strcmp(container_id, arg) == 0;
}

/* Under the lock, so that no start publishes them meanwhile. */
static int take_back(struct check *check, const char *id, struct err *err)
{
	autocontainer struct container *container = NULL;
	autonftables struct nftables *nftables = NULL;
	autoclose int lock_fd = -1;

	int r = container_lock(check->engine, id, &lock_fd, err);
	if (r == 0)
		r = container_find(check->engine, id, CONTAINER_IS_LOCKED, &container, err);
	if (r < 0 || !container_is_over(container))
		return r;
	r = nftables_open(&nftables, err);
	return r < 0 ? r : firewall_remove_if(nftables, is_this_id, (void *)id, err);
}

int check_ports(struct check *check, struct err *err)
{
	autonftables struct nftables *nftables = NULL;
	autostrlist struct strlist ids = STRLIST_EMPTY;
	struct err unavailable; /* then nothing was published either */

	if (check->engine->is_rootless || nftables_open(&nftables, &unavailable) < 0 ||
	    firewall_remove_if(nftables, note_owner, &ids, &unavailable) < 0)
		return 0;
	for (size_t i = 0; i < ids.count; i++) {
		autocontainer struct container *container = NULL;
		int r = container_find(check->engine, ids.items[i], 0, &container, err);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		autofree char *object =
			xasprintf("container %s (%.12s)", container->name, container->id);
		if (container_is_over(container))
			check_found(check, CHECK_REPAIR, take_back, container->id, object,
				    "it does not run, and its ports are still published");
	}
	return 0;
}
