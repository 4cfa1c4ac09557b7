/* TOML: what is accepted must print, and nothing may be read behind the end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *root = NULL;
	struct err err = { 0 };

	int r = toml_parse((const char *)data, size, &root, &err);
	if (r < 0) {
		if (root || err.code != -r || !strstr(err.text, "line "))
			abort();
		return 0;
	}
	if (!json_object_is_type(root, json_type_object) || !*json_object_to_json_string(root))
		abort();
	json_object_put(root);
	return 0;
}
