/*
 * aside.json of any bytes: what a damaged disk may leave.  What is taken is
 * the same after it was written and read again.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../extension/aside.h"
#include "base/fs.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (1 << 18)

static char folder[] = "/dev/shm/bulkhead-fuzz-XXXXXX";

static void
remove_folder(void)
{
	char *path = xasprintf("%s/aside.json", folder);

	(void)unlink(path);
	(void)rmdir(folder);
	free(path);
}

static const char *
file_path(void)
{
	static char *path;

	if (path == NULL) {
		must(mkdtemp(folder) != NULL);
		path = xasprintf("%s/aside.json", folder);
		must(atexit(remove_folder) == 0);
	}
	return path;
}

static void
write_plain(const uint8_t *data, size_t size)
{
	FILE *f = fopen(file_path(), "we");

	must(f != NULL);
	must(fwrite(data, 1, size, f) == size);
	must(fclose(f) == 0);
}

static void
check_same(const struct aside *a, const struct aside *b)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&a->entries, &i)) != NULL;) {
		const struct aside_entry *x = e->value;
		const struct aside_entry *y = map_get(&b->entries, e->key);

		/* One that is no UTF-8 is not written, but was never read. */
		must(y != NULL && strcmp(x->signature, y->signature) == 0);
		must(x->keeps == y->keeps && strcmp(x->words, y->words) == 0);
		must((x->proxy == NULL) == (y->proxy == NULL));
		must(!x->keeps || x->labels.list.len == y->labels.list.len);
		must(map_get(&b->verdicts, e->key) != NULL);
	}
	must(a->entries.len == b->entries.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aside a = { 0 }, b = { 0 };
	struct error e;

	if (size > TEXT_MAX)
		return 0;
	write_plain(data, size);
	aside_load(&a, file_path());
	if (a.entries.len > 0) {
		must(aside_store(&a, file_path(), &e) == 0);
		aside_load(&b, file_path());
		check_same(&a, &b);
	}
	aside_fini(&a);
	aside_fini(&b);
	return 0;
}
