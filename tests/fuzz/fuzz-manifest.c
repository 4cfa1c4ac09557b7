/* The documents that make an image: the input is read as a manifest or index, and as a configuration. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/image-config.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	automanifest struct oci_manifest *manifest = NULL;
	autoimage_config struct oci_image_config *config = NULL;
	struct err err;

	if (oci_manifest_parse((const char *)data, size, "sha256:0", NULL, &manifest, &err) >= 0 &&
	    manifest->kind == OCI_MANIFEST_INDEX) {
		struct oci_platform platform = { .os = (char *)"linux",
						 .architecture = (char *)"arm",
						 .variant = (char *)"v7" };
		const struct oci_descriptor *entry;
		(void)oci_index_select(manifest, "sha256:0", &platform, &entry, &err);
	}
	(void)oci_image_config_parse((const char *)data, size, "sha256:0", &config, &err);
	return 0;
}
