/* What journalctl says: whole entries stay inside the bytes, and with fewer bytes there are not more entries. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/journal-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size, so that a sanitizer sees what is read behind it. */
	char *copy = malloc(size ? size : 1);
	struct journal_entry entry;

	memcpy(copy, data, size);
	for (size_t at = 0; at < size;) {
		ssize_t taken = journal_entry_parse(copy + at, size - at, &entry);
		if (taken <= 0)
			break;
		assert((size_t)taken <= size - at);
		if (entry.has_message && entry.size)
			assert(entry.message >= copy + at &&
			       entry.message + entry.size < copy + at + taken);
		struct journal_entry less;
		assert(journal_entry_parse(copy + at, (size_t)taken - 1, &less) <= 0);
		at += (size_t)taken;
	}
	free(copy);
	return 0;
}
