/* The note: see worknote.h. */
#include "worknote.h"

#include <sys/mman.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define MAGIC 0x62686e31U

/* In the file, in the order of this machine: it never leaves it. */
struct note {
	uint32_t magic;
	uint32_t deaths;
	uint32_t working;
};

struct worknote {
	struct note *note; /* mapped, or &own */
	struct note own;
	uint32_t depth;
};

struct worknote *
worknote_open(const char *path)
{
	struct worknote *n = xcalloc(1, sizeof(*n));

	n->note = fs_map(path, sizeof(struct note));
	if (n->note == NULL) {
		log_debug("state: no note at %s", path);
		n->note = &n->own;
	}
	if (n->note->magic != MAGIC)
		*n->note = (struct note){ .magic = MAGIC };
	if (n->note->working != 0) {
		n->note->working = 0;
		n->note->deaths++;
	}
	return n;
}

void
worknote_free(struct worknote *n)
{
	if (n == NULL)
		return;
	if (n->note != &n->own)
		(void)munmap(n->note, sizeof(*n->note));
	free(n);
}

uint32_t
worknote_deaths(const struct worknote *n)
{
	return n->note->deaths;
}

void
worknote_begin(struct worknote *n)
{
	n->depth++;
	n->note->working = 1;
}

void
worknote_end(struct worknote *n)
{
	must(n->depth > 0);
	if (--n->depth == 0)
		n->note->working = 0;
}

void
worknote_done(struct worknote *n)
{
	n->note->deaths = 0;
}
