/* Allocators of libraries that cannot fail: see library_memory.h. */
#include "library_memory.h"

#include <jansson.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"

static void *
resize(void *p, size_t size)
{
	return xreallocarray(p, 1, size);
}

void
library_memory_init(void)
{
	json_set_alloc_funcs(xmalloc, free);
	must(uv_replace_allocator(xmalloc, resize, xcalloc, free) == 0);
}
