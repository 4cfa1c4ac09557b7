/* Image references: what is accepted prints to a text that means the same, and its parts can be put
 * into URLs and file names as they are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
	if (!*path || strstr(path, "..") || strstr(path, "//") || strpbrk(path, " \t\r\n?#%\\@:"))
		abort();
	if (*path == '/' || path[strlen(path) - 1] == '/')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	autoreference struct reference reference = REFERENCE_EMPTY, again = REFERENCE_EMPTY;
	struct err err = { 0 };
	const char *rest;

	(void)image_transport_split(text, &rest);
	if (reference_parse(rest, &reference, &err) < 0) {
		if (err.code <= 0 || !err.text[0])
			abort();
		return 0;
	}
	check_path(reference.path);
	if (reference.domain && strpbrk(reference.domain, "/@?# \r\n"))
		abort();
	autofree char *printed = reference_print(&reference);
	if (reference_parse(printed, &again, &err) < 0)
		abort();
	autofree char *twice = reference_print(&again);
	if (strcmp(printed, twice) != 0)
		abort();
	autofree char *familiar = reference_print_familiar(&reference);
	if (reference_is_short(&reference) &&
	    reference_set_registry(&reference, "docker.io", &err) < 0 && strlen(text) < 200)
		abort();
	return 0;
}
