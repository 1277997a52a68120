/* The state on disk at the start: see disk.h. */
#include "disk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

/* Builds 'm' from blobs and puts it in force, unchecked. */
static int
enforce(struct folder *f, const struct agent_options *o,
    const struct manifest *m, struct error *e)
{
	struct fragments *fragments =
	    engine_nginx_fragments(o, m, folder_uses_status(f, m));
	char *scratch _cleanup_free_ = folder_build(f, m, fragments, e);
	uint64_t number;
	int rc = -1;

	if (scratch != NULL && folder_commit(f, scratch, &number, e) == 0)
		rc = folder_switch(f, number, m, e);
	fragments_free(fragments);
	return rc;
}

static struct manifest *
builtin(struct folder *f, const struct agent_options *o, struct error *e)
{
	struct manifest *m = manifest_builtin(o->cluster, engine_nginx_builtin);

	if (folder_put_blob(f, m->files.at[0], engine_nginx_builtin,
		strlen(engine_nginx_builtin), true, e) == 0 &&
	    enforce(f, o, m, e) == 0)
		return m;
	manifest_free(m);
	return NULL;
}

/* The greatest sound generation below 'before', in force; NULL: none. */
static struct manifest *
earlier(struct folder *f, uint64_t before)
{
	struct manifest *m;
	struct error e;
	uint64_t n = before;

	while ((n = folder_previous(f, n)) != 0) {
		m = folder_load(f, n, &e);
		if (m != NULL && folder_switch(f, n, m, &e) == 0) {
			log_warn("disk: generation %" PRIu64
				 " (on disk) is in force again",
			    n);
			return m;
		}
		manifest_free(m);
		log_warn("disk: generation %" PRIu64 ": %s", n, e.msg);
	}
	return NULL;
}

/* Other addresses, another agent's version: the same files, our fragments. */
static void
refit(struct folder *f, const struct agent_options *o, const struct manifest *m)
{
	uint64_t current = folder_current(f);
	struct fragments *fragments;
	struct error e;
	size_t i;

	for (i = 0; i < m->files.len; i++) {
		if (!folder_has_blob(f, m->files.at[i]))
			return; /* the next configuration brings them */
	}
	fragments = engine_nginx_fragments(o, m, folder_uses_status(f, m));
	if (!folder_has_fragments(f, current, fragments) &&
	    enforce(f, o, m, &e) != 0)
		log_warn("disk: adapting the configuration: %s", e.msg);
	fragments_free(fragments);
}

struct manifest *
disk_settle(struct folder *f, const struct agent_options *o, struct error *e)
{
	struct manifest *m = NULL;
	uint64_t current;
	struct error why;

	if (folder_open(f, o->dir, &why) != 0)
		log_warn("disk: %s; going on with what is there", why.msg);
	current = folder_current(f);
	if (current != 0) {
		m = folder_load(f, current, &why);
		if (m == NULL)
			log_error("disk: generation %" PRIu64 ": %s", current,
			    why.msg);
		if (m == NULL)
			m = earlier(f, UINT64_MAX);
	}
	if (m == NULL)
		return builtin(f, o, e);
	refit(f, o, m);
	return m;
}

struct manifest *
disk_fall_back(struct folder *f, const struct agent_options *o, struct error *e)
{
	struct manifest *m = earlier(f, folder_current(f));

	return m != NULL ? m : builtin(f, o, e);
}
