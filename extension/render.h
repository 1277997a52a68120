/*
 * From routes to an engine's files.  Pure: the same input, the same bytes.
 * Foreign values reach a file only as the typed values of model/label, through
 * emitters that quote (the second lock); what was written is read back by a
 * tokenizer of ours against a list of directives and counts (the third).
 */
#ifndef EXTENSION_RENDER_H
#define EXTENSION_RENDER_H

#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"
#include "routing.h"

/* Shared by all configurations that have it; never changed once it is made. */
struct rendered_file {
	char *path; /* relative: "nginx.conf", "sites/0a1b.conf" */
	char *text;
	size_t len;
	char sha256[SHA256_HEX_SIZE];
	char structure[SHA256_HEX_SIZE]; /* of the text without addresses */
	/* Its lines in the name of the whole and in the manifest. */
	char *name_line;
	char *manifest_line;
	size_t name_len, manifest_len;
	bool stored; /* state_blobs.c: it is on disk */
	uint32_t users;
};

struct rendered {
	VEC(struct rendered_file *) files; /* by path; each used once here */
	/* Options behind the address of agent/default_*.conf; may be "". */
	char *listen_http;
	char *listen_https; /* NULL: nothing listens for TLS */
	/* Live, by who rendered: what the manifest says of secrets, as JSON. */
	char *secrets;
	char config[SHA256_HEX_SIZE]; /* names the whole; see internals.md */
};

struct render_options {
	/*
	 * Live: the files include what the agent writes (docs/internals.md)
	 * and the two addresses are not used.  Offline: the engine listens
	 * on "80" or "127.0.0.1:8080".
	 */
	bool live;
	const char *listen;
	const char *listen_ssl;
	const char *secrets_dir; /* where secrets are files */
	/*
	 * Offline: the folder that the engine will run in, absolute, for the
	 * sockets between its own parts (only where a passthrough needs
	 * them).  NULL, and always live: they are relative to the working
	 * directory, which the agent makes its own folder.
	 */
	const char *dir;
	/*
	 * Offline, for worker_processes = auto: base/cgroup knows.  0 leaves
	 * it to the engine.
	 */
	uint32_t workers;
	/*
	 * Offline: how many descriptors a process may have at most here; more
	 * are not asked for.  0: not known.  Live, this is the agent's.
	 */
	uint64_t nofile_max;
};

/* NULL when what was rendered did not survive being read back (a bug). */
struct rendered *render(const struct cluster_config *c, const struct routing *r,
    const struct render_options *o, struct error *e) _warn_unused_;
void rendered_free(struct rendered *r);
/*
 * The same, keeping what it made for the next time: files are written and read
 * back where the routing's router says that something changed (router.h), and
 * shared with the result before where not.  One routing and one set of options
 * for all calls.
 */
struct renderer;
struct renderer *renderer_new(void);
void renderer_free(struct renderer *k);
struct rendered *renderer_render(struct renderer *k,
    const struct cluster_config *c, const struct routing *r,
    const struct render_options *o, struct error *e) _warn_unused_;

/* A copy that shares the files, without 'secrets'. */
struct rendered *rendered_share(const struct rendered *r);
/* Whether they differ in addresses behind routes at most. */
bool
rendered_same_structure(const struct rendered *a, const struct rendered *b);

/* Both may be NULL: no files. */
struct rendered_walk {
	const struct rendered *before, *now;
	size_t i, k; /* begin as 0 */
};
/*
 * The next path at which they differ: what was there and what is, either may
 * be NULL.  False: there is none any more.  What they share is walked over.
 */
bool rendered_differs(struct rendered_walk *w, struct rendered_file **ret_was,
    struct rendered_file **ret_is);

/* Takes 'path' and 'text'; one user, the caller. */
struct rendered_file *rendered_file_new(char *path, char *text, size_t len);
struct rendered_file *rendered_file_use(struct rendered_file *f);
void rendered_file_drop(struct rendered_file *f);
/* Names the whole by its files and its listeners: internals.md, Control. */
void rendered_name(struct rendered *r);
/* Puts the files in order. */
void rendered_sort(struct rendered *r);
/* Of two struct rendered_file *, for vec_sort(). */
int rendered_by_path(const void *a, const void *b);
/* The file 'path', or NULL. */
const struct rendered_file *
rendered_file(const struct rendered *r, const char *path);

#endif
