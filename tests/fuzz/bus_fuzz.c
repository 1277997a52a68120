/*
 * bus_decode and bus_decode_removal on any bytes: what decodes, encodes to
 * the same again.
 */
#include "base/mem.h"
#include "bus/message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_message(const char *bytes, size_t len)
{
	struct bus_message m, again;
	struct error e;

	if (bus_decode(bytes, len, &m, &e) != 0) {
		must(e.msg[0] != '\0');
		return;
	}
	must(m.body_len <= len && m.body + m.body_len == bytes + len);
	STR_AUTO(out, 1 << 20);
	bus_encode_header(&out, &m);
	must(bus_decode(out.p, out.len, &again, &e) == 0);
	must(again.type == m.type && again.seq == m.seq);
	must(strcmp(again.cluster, m.cluster) == 0);
	must(strcmp(again.epoch, m.epoch) == 0);
	must(memcmp(&again.stamps, &m.stamps, sizeof(m.stamps)) == 0);
}

static void
fuzz_removal(const char *bytes, size_t len)
{
	struct bus_removal r, again;
	size_t i;

	if (bus_decode_removal(bytes, len, &r, NULL) != 0)
		return;
	STR_AUTO(out, 1 << 24);
	bus_encode_removal(&out, &r);
	must(bus_decode_removal(out.p, out.len, &again, NULL) == 0);
	must(again.services_len == r.services_len);
	for (i = 0; i < r.services_len; i++)
		must(strcmp(again.services[i], r.services[i]) == 0);
	must(again.configs_len == r.configs_len);
	bus_removal_fini(&again);
	bus_removal_fini(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_message((const char *)data, size);
	fuzz_removal((const char *)data, size);
	return 0;
}
