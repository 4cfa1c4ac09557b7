#include "engine/container-layers.h"

#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "store/store.h"

int container_layer_dirs(struct engine *engine, const struct container_spec *spec,
			 struct strlist *dirs, struct err *err)
{
	struct store *store;

	if (spec->rootfs) {
		strlist_add(dirs, spec->rootfs);
		return 0;
	}
	int r = engine_store(engine, &store, err);
	for (size_t i = spec->layers.count; r == 0 && i > 0; i--) {
		autofree char *path = store_layer_path(store, spec->layers.items[i - 1]);
		/* An image may have a layer twice, overlayfs may not. What the upper one shows hides all of
		 * the lower. */
		if (!strlist_contains(dirs, path))
			strlist_take(dirs, take_ptr(&path));
	}
	return r;
}
