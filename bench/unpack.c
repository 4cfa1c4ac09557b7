/* How long one layer takes to unpack: bench/unpack BLOB STORE [ROUNDS]. Each round unpacks into
 * STORE and removes the layer again; KEEP=1 keeps the last. */
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
#include "store/layer.h"

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	struct err err;

	if (argc < 3) {
		fprintf(stderr, "usage: %s BLOB STORE [ROUNDS]\n", argv[0]);
		return 2;
	}
	int blob_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	(void)mkdir(argv[2], 0700); /* may exist */
	int store_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (blob_fd < 0 || store_fd < 0) {
		fprintf(stderr, "open: %s\n", strerror(errno));
		return 1;
	}
	int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 3;
	for (int i = 0; i < rounds; i++) {
		struct layer_source source = { .fd = blob_fd, .growth_fd = -1 };
		struct layer_options options = { .flags = getuid() ? LAYER_IN_USERNS : 0 };
		struct layer_result result;
		int64_t start = clock_now_usec();
		double cpu = cpu_seconds();

		if (layer_unpack(store_fd, &source, &options, &result, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		double cpu_used = cpu_seconds() - cpu;
		int64_t unpacked = clock_now_usec();
		if ((i < rounds - 1 || !getenv("KEEP")) &&
		    layer_remove(store_fd, result.diff_id, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		printf("%" PRIu64 " entries, %" PRIu64 " MB tar: wall %.3f s, cpu %.3f s; "
		       "remove %.3f s  %s\n",
		       result.entries, result.tar_bytes / 1000000, (double)(unpacked - start) / 1e6,
		       cpu_used, (double)(clock_now_usec() - unpacked) / 1e6, result.diff_id);
	}
	return 0;
}
