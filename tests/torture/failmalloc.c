/*
 * A preloaded allocator that fails where a test says: counts the allocations
 * of a process, its libraries' included, in a file that the test has mapped
 * too, and returns NULL for those between 'first' and 'last', of one process
 * only. By whom the first one was asked for is left in the same file.  What is
 * allocated before main(), by the constructors of libraries, is not counted.
 *
 * FAILMALLOC_FILE names the file, of one struct failmalloc.  FAILMALLOC_DIR
 * is for a tree of processes: each takes the file there that has the name of
 * its last argument, else of its first one; where there is none it is let
 * alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* tests/torture/torture.py reads and writes the same. */
struct failmalloc {
	_Atomic uint64_t count;	 /* allocations since the file was zeroed */
	_Atomic uint64_t first;	 /* those that fail: numbers from 1; 0: none */
	_Atomic uint64_t last;	 /* inclusive */
	_Atomic uint64_t failed; /* how many did */
	_Atomic uint64_t pid;	 /* of the process that was failed last */
	_Atomic uint64_t size;	 /* what the first failed one asked for */
	char caller[200];	 /* object file that asked for it */
};

static struct failmalloc *control;
static _Atomic bool found;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static void *(*real_memalign)(size_t, size_t);

/* dlsym() allocates before we know of anybody who could. */
static _Alignas(16) char early[65536];
static size_t early_used;

static bool
is_early(const void *p)
{
	return (const char *)p >= early &&
	    (const char *)p < early + sizeof(early);
}

static void *
early_alloc(size_t size)
{
	char *p = early + early_used;

	size = (size + 31) & ~(size_t)15;
	if (early_used + size > sizeof(early))
		return NULL;
	early_used += size;
	return p;
}

static bool
map_file(const char *dir, const char *name)
{
	char path[4096];
	void *p;
	int fd;

	if (strlen(dir) + strlen(name) + 2 > sizeof(path))
		return false;
	(void)stpcpy(stpcpy(stpcpy(path, dir), "/"), name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	p = mmap(
	    NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p != MAP_FAILED)
		control = p;
	return control != NULL;
}

static void
look(int argc, char **argv)
{
	const char *path = getenv("FAILMALLOC_FILE");
	const char *dir = getenv("FAILMALLOC_DIR");

	if (path != NULL)
		(void)map_file("", path);
	if (dir != NULL && argc > 1 && !map_file(dir, argv[argc - 1]))
		(void)map_file(dir, argv[1]);
}

static void *
symbol(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static bool
ready(void)
{
	static _Atomic bool busy;

	if (atomic_load(&found))
		return true;
	if (atomic_exchange(&busy, true))
		return false;
	real_calloc = (void *(*)(size_t, size_t))symbol("calloc");
	real_realloc = (void *(*)(void *, size_t))symbol("realloc");
	real_free = (void (*)(void *))symbol("free");
	real_memalign = (void *(*)(size_t, size_t))symbol("memalign");
	real_malloc = (void *(*)(size_t))symbol("malloc");
	atomic_store(&found, true);
	return true;
}

__attribute__((constructor)) static void
first_of_all(void)
{
	(void)ready();
}

static void
tell(size_t size, const void *caller)
{
	Dl_info info;

	atomic_store(&control->pid, (uint64_t)getpid());
	if (atomic_fetch_add(&control->failed, 1) > 0)
		return;
	atomic_store(&control->size, size);
	if (dladdr(caller, &info) != 0 && info.dli_fname != NULL)
		(void)memccpy(control->caller, info.dli_fname, '\0',
		    sizeof(control->caller) - 1);
}

static bool
fails(size_t size, const void *caller)
{
	uint64_t n;

	if (control == NULL)
		return false;
	n = atomic_fetch_add(&control->count, 1) + 1;
	if (n < atomic_load(&control->first) || n > atomic_load(&control->last))
		return false;
	/* Whoever comes after the one that was failed has memory again. */
	if (atomic_load(&control->failed) > 0 &&
	    atomic_load(&control->pid) != (uint64_t)getpid())
		return false;
	tell(size, caller);
	errno = ENOMEM;
	return true;
}

static const char *const kept[] = { "LD_PRELOAD", "FAILMALLOC_DIR",
	"ASAN_OPTIONS" };
static const char *own[3];

typedef int main_fn(int, char **, char **);
static main_fn *real_main;

static int
begin(int argc, char **argv, char **env)
{
	size_t i;

	look(argc, argv);
	for (i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		own[i] = getenv(kept[i]);
	return real_main(argc, argv, env);
}

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack);

/* What calls main(). */
int
__libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack)
{
	int (*start)(main_fn *, int, char **, void (*)(void), void (*)(void),
	    void (*)(void), void *);
	void *p = symbol("__libc_start_main");

	memcpy(&start, &p, sizeof(start));
	real_main = main;
	return start(begin, argc, argv, init, fini, rtld_fini, stack);
}

/*
 * The agent's worker is started with an environment of its own, nginx too:
 * for the former what makes it count is put back.
 */
int
execvp(const char *file, char *const *argv)
{
	void *p = symbol("execvp");
	int (*real)(const char *, char *const *);
	size_t i;

	if (strcmp(file, "/proc/self/exe") == 0)
		for (i = 0; i < sizeof(kept) / sizeof(*kept); i++)
			if (own[i] != NULL)
				(void)setenv(kept[i], own[i], 1);
	memcpy(&real, &p, sizeof(real));
	return real(file, argv);
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t size)
{
	if (!ready())
		return early_alloc(size);
	return fails(size, CALLER) ? NULL : real_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	if (!ready())
		return early_alloc(n * size);
	return fails(n * size, CALLER) ? NULL : real_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	void *copy;

	if (!ready())
		return early_alloc(size);
	if (size > 0 && fails(size, CALLER))
		return NULL;
	if (!is_early(p))
		return real_realloc(p, size);
	copy = real_malloc(size);
	if (copy != NULL)
		memcpy(copy, p, size);
	return copy;
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	if (all > 0 && fails(all, CALLER))
		return NULL;
	return is_early(p) ? NULL : real_realloc(p, all);
}

void
free(void *p)
{
	if (p != NULL && !is_early(p) && ready())
		real_free(p);
}

int
posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p;

	if (!ready() || fails(size, CALLER))
		return ENOMEM;
	p = real_memalign(alignment, size);
	if (p == NULL)
		return ENOMEM;
	*ret = p;
	return 0;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	if (!ready() || fails(size, CALLER))
		return NULL;
	return real_memalign(alignment, size);
}
