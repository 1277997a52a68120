/*
 * Any text as a snapshot document.  What is taken must encode to a document
 * of good objects only, which decodes to the same.
 */
#include <stdint.h>
#include <string.h>

#include "docker/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (1 << 20)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	STR_AUTO(first, 8 * TEXT_MAX);
	STR_AUTO(second, 8 * TEXT_MAX);
	struct error e;
	struct model *m;
	size_t i;

	if (size > TEXT_MAX)
		return 0;
	m = docker_decode_snapshot((const char *)data, size, &e);
	if (m == NULL) {
		must(e.msg[0] != '\0');
		return 0;
	}
	for (i = 0; i < m->bad.len; i++)
		must(m->bad.at[i].kind != NULL && *m->bad.at[i].reason != '\0');
	docker_encode_snapshot(&first, m);
	model_free(m);
	m = docker_decode_snapshot(first.p, first.len, &e);
	must(m != NULL && m->bad.len == 0);
	docker_encode_snapshot(&second, m);
	model_free(m);
	must(strcmp(first.p, second.p) == 0);
	return 0;
}
