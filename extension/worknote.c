/* The note: see worknote.h. */
#include "worknote.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

static struct note *
map_file(const char *path)
{
	int fd _cleanup_close_ =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	void *p;

	if (fd < 0 || ftruncate(fd, sizeof(struct note)) != 0)
		return NULL;
	/* On a full disk the first write to it would be SIGBUS. */
	if (posix_fallocate(fd, 0, sizeof(struct note)) != 0)
		return NULL;
	p = mmap(NULL, sizeof(struct note), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

struct worknote *
worknote_open(const char *path)
{
	struct worknote *n = xcalloc(1, sizeof(*n));

	n->note = map_file(path);
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
