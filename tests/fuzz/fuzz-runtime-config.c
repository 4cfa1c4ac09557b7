/* config.json: what is refused is refused with words and nothing is left; what is accepted can be written again. */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "oci/runtime-config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_runtime_config *config = NULL;
	struct oci_process *process = NULL;
	struct err err = { 0 };

	log_set_level(LOG_LEVEL_ERROR); /* unknown capabilities are warned about */
	int r = oci_runtime_config_parse((const char *)data, size, "/bundle", &config, &err);
	if (r < 0 ? config || err.code != -r || !err.text[0] : !config || !config->root_path)
		abort();
	if (r == 0) {
		json_object_put(oci_runtime_config_to_json(config));
		oci_runtime_config_free(config);
	}
	r = oci_process_parse((const char *)data, size, "process", &process, &err);
	if (r == 0 && (!process->args.count || process->cwd[0] != '/'))
		abort();
	oci_process_free(process);
	return 0;
}
