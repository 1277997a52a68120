/*
 * Lines between keeper and worker, of any bytes: what is taken says the same
 * when it is written and read again.
 */
#include <stdint.h>
#include <string.h>

#include "../../proxyctl/agent/link.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link_message m, again;
	STR_AUTO(first, 4096);
	STR_AUTO(second, 4096);
	struct error e;

	e.msg[0] = '\0';
	if (link_decode((const char *)data, size, &m, &e) != 0) {
		must(e.msg[0] != '\0');
		return 0;
	}
	must(m.type < LINK_TYPE_COUNT && m.pid >= 0);
	link_encode(&m, &first);
	must(link_decode(first.p, first.len, &again, &e) == 0);
	link_encode(&again, &second);
	must(strcmp(first.p, second.p) == 0);
	return 0;
}
