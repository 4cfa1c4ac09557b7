/* Stands in for the fuzzer: feeds each file of the directories named on the command line to the
 * target once, so that every ordinary build proves that the seeds, and what the fuzzer once found,
 * do no harm. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(name);
		return 1;
	}
	/* An exact allocation lets the sanitizers see a read past the end. */
	uint8_t *data = malloc(st.st_size > 0 ? st.st_size : 1);
	ssize_t size = data ? read(fd, data, st.st_size) : -1;
	close(fd);
	if (size >= 0)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	return size < 0;
}

int main(int argc, char **argv)
{
	int failures = 0, files = 0;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		if (!dir) {
			perror(argv[i]);
			return 1;
		}
		struct dirent *entry;
		while ((entry = readdir(dir)))
			if (entry->d_name[0] != '.') {
				failures += run_file(dirfd(dir), entry->d_name);
				files++;
			}
		closedir(dir);
	}
	printf("%d inputs\n", files);
	return failures || !files;
}
