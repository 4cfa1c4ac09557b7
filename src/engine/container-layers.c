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
	if (r == 0)
		store_layer_dirs(store, &spec->layers, dirs);
	return r;
}
