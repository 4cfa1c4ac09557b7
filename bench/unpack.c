/* How long one layer takes to unpack: bench-unpack BLOB STORE [ROUNDS]. Each round unpacks into
 * STORE in a worker, inside the user's mapping, and removes the layer again; KEEP=1 keeps the last
 * one, which the system tests look at. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/timing.h"
#include "kernel/userns.h"
#include "store/layer.h"

struct removal {
	int store_fd;
	const char *diff_id;
};

static int remove_in_mapping(void *arg, struct err *err)
{
	struct removal *removal = arg;

	return layer_remove(removal->store_fd, removal->diff_id, err);
}

static double child_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int run_round(int store_fd, int blob_fd, const struct userns_map *map, bool keep,
		     struct err *err)
{
	struct layer_source source = { .fd = blob_fd, .growth_fd = -1 };
	struct layer_options options = { 0 };
	struct layer_result result;
	struct layer_worker *worker;
	int64_t start = clock_now_usec();
	double cpu = child_cpu_seconds();

	int r = layer_worker_start(store_fd, &source, &options, map, 0, &worker, err);
	if (r >= 0)
		r = layer_worker_finish(worker, &result, err);
	if (r < 0)
		return r;
	cpu = child_cpu_seconds() - cpu;
	int64_t unpacked = clock_now_usec();
	struct removal removal = { store_fd, result.diff_id };
	if (!keep)
		r = userns_run(map, 0, remove_in_mapping, &removal, err);
	if (r < 0)
		return r;
	printf("%s %" PRIu64 " entries, %" PRIu64 " MB tar: wall %.3f s, cpu %.3f s; "
	       "remove %.3f s; left out: %" PRIu64 " devices, %" PRIu64 " attributes\n",
	       result.diff_id, result.entries, result.tar_bytes / 1000000,
	       (double)(unpacked - start) / 1e6, cpu, (double)(clock_now_usec() - unpacked) / 1e6,
	       result.skipped_devices, result.skipped_xattrs);
	return 0;
}

int main(int argc, char **argv)
{
	struct userns_map map = { 0 };
	struct err err;

	if (argc < 3) {
		fprintf(stderr, "usage: %s BLOB STORE [ROUNDS]\n", argv[0]);
		return 2;
	}
	int blob_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	(void)mkdir(argv[2], 0711); /* may exist */
	int store_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (blob_fd < 0 || store_fd < 0) {
		fprintf(stderr, "open: %s\n", strerror(errno));
		return 1;
	}
	int r = userns_map_for_user(&map, &err);
	long rounds = argc > 3 ? strtol(argv[3], NULL, 10) : 3;
	for (long i = 0; r >= 0 && i < rounds; i++)
		r = run_round(store_fd, blob_fd, &map, i == rounds - 1 && getenv("KEEP"), &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	userns_map_clear(&map);
	return r < 0;
}
