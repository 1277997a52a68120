/*
 * Any text as one object of the Engine.  What decodes must encode to
 * something that decodes to the same.
 */
#include <stdint.h>
#include <string.h>

#include "docker/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (1 << 20)

#define ROUND_TRIP(kind, json, len)                                            \
	do {                                                                   \
		STR_AUTO(first_, 8 * TEXT_MAX);                                \
		STR_AUTO(second_, 8 * TEXT_MAX);                               \
		struct error e_;                                               \
		struct kind *o_ = docker_decode_##kind(json, len, &e_);        \
                                                                               \
		if (o_ == NULL) {                                              \
			must(e_.msg[0] != '\0');                               \
			break;                                                 \
		}                                                              \
		docker_encode_##kind(&first_, o_);                             \
		kind##_free(o_);                                               \
		o_ = docker_decode_##kind(first_.p, first_.len, &e_);          \
		must(o_ != NULL);                                              \
		docker_encode_##kind(&second_, o_);                            \
		kind##_free(o_);                                               \
		must(!first_.overflow);                                        \
		must(strcmp(first_.p, second_.p) == 0);                        \
	} while (0)

static void
try_all(const char *json, size_t len)
{
	char *id, *name;

	ROUND_TRIP(service, json, len);
	ROUND_TRIP(task, json, len);
	ROUND_TRIP(network, json, len);
	ROUND_TRIP(node, json, len);
	ROUND_TRIP(secret, json, len);
	docker_scan_identity(json, len, &id, &name);
	free(id);
	free(name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= TEXT_MAX)
		try_all((const char *)data, size);
	return 0;
}
