/* Instructions of a Containerfile that change settings of an image: what `commit --change` and
 * `import --change` take. */
#pragma once

struct err;
struct json_object;

/* Apply one instruction, "CMD [\"sh\"]" or "CMD=sh", to the "config" object of an image's
 * configuration: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER,
 * VOLUME, WORKDIR, in any case. -EINVAL names the instruction and what is wrong. */
int image_instruction_apply(struct json_object *config, const char *text, struct err *err);
