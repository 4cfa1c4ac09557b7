/* layer_unpack() in a child process inside the user's mapping. What comes back besides an error
 * comes through a page of shared memory.
 *
 * The child parses what a stranger wrote, often as root. So it keeps only the capabilities that
 * unpacking needs, and where the kernel has Landlock it can write nowhere but below layers/: a
 * fault in a parser is not the end of the host. */
#include "store/layer.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/caps.h"
#include "kernel/landlock.h"
#include "kernel/userns.h"
#include "store/store-internal.h"

struct shared {
	_Atomic uint64_t progress;
	struct layer_result result;
};

struct layer_worker {
	int store_fd;
	struct layer_source source; /* borrowed strings: the child has copies of its own */
	struct layer_options options;
	struct shared *shared;
	struct userns_worker *process;
};

static void note_progress(void *arg, uint64_t blob_bytes)
{
	struct shared *shared = arg;

	atomic_store_explicit(&shared->progress, blob_bytes, memory_order_relaxed);
}

static int confine(int store_fd, struct err *err)
{
	/* The last one is for trusted.* attributes, among them overlayfs's mark of an opaque
	 * directory. */
	static const int needed[] = {
		CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,    CAP_FSETID,
		CAP_MKNOD, CAP_SETFCAP,	     CAP_SYS_ADMIN,
	};
	uint64_t keep = 0;
	autoclose int layers_fd = layer_open_directory(store_fd, err);

	if (layers_fd < 0)
		return layers_fd;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		keep |= UINT64_C(1) << needed[i];
	int r = capability_keep(keep, err);
	if (r < 0)
		return r;
	r = landlock_write_only_below(layers_fd, err);
	if (r == 0)
		log_debug("no Landlock in this kernel; layers are unpacked without it");
	return r;
}

static int worker_main(void *arg, struct err *err)
{
	struct layer_worker *worker = arg;

	int r = confine(worker->store_fd, err);
	if (r < 0)
		return r;
	/* Without whoever wants the layer there is no use in going on; siblings hold the other end
	 * of growth_fd, so that its closing would not tell. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return layer_unpack(worker->store_fd, &worker->source, &worker->options,
			    &worker->shared->result, err);
}

static void worker_free(struct layer_worker *worker)
{
	munmap(worker->shared, sizeof(*worker->shared));
	free(worker);
}

int layer_worker_start(int store_fd, const struct layer_source *source,
		       const struct layer_options *options, const struct userns_map *map,
		       int join_pid, struct layer_worker **ret_worker, struct err *err)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return err_errno(err, "share memory with a worker");

	struct layer_worker *worker = xcalloc(1, sizeof(*worker));
	worker->store_fd = store_fd;
	worker->source = *source;
	worker->options = *options;
	worker->options.progress = note_progress;
	worker->options.progress_arg = shared;
	if (!map->is_identity)
		worker->options.flags |= LAYER_IN_USERNS;
	/* With one ID there is nobody else whom files could belong to. */
	if (map->is_single_id)
		worker->options.flags |= LAYER_IGNORE_OWNERS;
	worker->shared = shared;
	int r = userns_spawn(map, join_pid, worker_main, worker, &worker->process, err);
	if (r < 0) {
		worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

int layer_worker_fd(const struct layer_worker *worker)
{
	return userns_worker_fd(worker->process);
}

uint64_t layer_worker_progress(const struct layer_worker *worker)
{
	return atomic_load_explicit(&worker->shared->progress, memory_order_relaxed);
}

int layer_worker_finish(struct layer_worker *worker, struct layer_result *ret_result,
			struct err *err)
{
	int r = userns_wait(worker->process, err);

	if (r >= 0)
		*ret_result = worker->shared->result;
	worker_free(worker);
	return r;
}
