/* The template parser and evaluator: the input is a template, applied to a fixed document. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char document[] =
		"{\"Name\":\"web\",\"Count\":3,\"List\":[\"a\",1,null,{\"X\":1.5}],"
		"\"Map\":{\"k\":\"v\"},\"None\":null,\"On\":true}";
	static struct json_object *root;
	autofree char *text = xstrndup((const char *)data, size);
	autotemplate struct template *template = NULL;
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct err err;

	if (!root && json_parse(document, strlen(document), &root, &err) < 0)
		return 0;
	if (size > 4096 || template_parse(text, &template, &err) < 0)
		return 0;
	(void)template_render(template, root, &out, &err);
	template_render_headings(template, root, &out);
	return 0;
}
