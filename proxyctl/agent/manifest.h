/*
 * The manifest: what a configuration consists of (docs/internals.md,
 * "Control").  Checked whole before anything of it is used.
 */
#ifndef AGENT_MANIFEST_H
#define AGENT_MANIFEST_H

#include "base/error.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "crypto/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_MAX_FILES 20000
#define MANIFEST_MAX_SECRETS 20000
#define MANIFEST_MAX_FILE_SIZE (16U * 1024 * 1024)
#define MANIFEST_MAX_SIZE (8U * 1024 * 1024)
#define MANIFEST_MAX_PATH 255
#define MANIFEST_EPOCH_SIZE 33

/* Configurations and generations that have the same one share it. */
struct manifest_file {
	char *path;
	char sha256[SHA256_HEX_SIZE];
	uint64_t size;
	unsigned users;
	bool here; /* this process checked its blob (folder.h) */
};

/* Something that the files refer to as secrets/ID.pem, .key or .txt. */
struct manifest_secret {
	char id[SECRET_ID_SIZE];
	struct secret_use use;
	bool used; /* false: only to be judged and reported */
};

/* A file of a secret as it is installed; not in the manifest's text. */
struct manifest_copy {
	char path[64]; /* "secrets/ID.pem" */
	char *bytes;
	size_t len;
	mode_t mode;
};

/* What the control plane says of a rollback: kept and said, not used. */
struct manifest_pin {
	uint64_t counter; /* 0: nothing */
	char id[MANIFEST_EPOCH_SIZE];
	bool pinned;
	uint64_t generation;
	/* Kept for an extension that has lost it; path NULL: there is none. */
	struct manifest_file document;
};

struct manifest {
	char *cluster;
	char *engine;
	uint64_t generation;
	/* Generations of one epoch can be compared; "": not said. */
	char epoch[MANIFEST_EPOCH_SIZE];
	char config[SHA256_HEX_SIZE];
	VEC(struct manifest_file *) files; /* owned uses, by path */
	VEC(struct manifest_secret) secrets;
	VEC(struct manifest_copy) copies; /* by path; see secrets.h */
	char *listen_http;	 /* options of the default listen; never NULL */
	char *listen_https;	 /* NULL: nothing listens for TLS */
	uint64_t drain_delay_ms; /* UINT64_MAX: not said */
	uint32_t rlimit_nofile;	 /* of nginx's workers; 0: not said */
	uint32_t worker_processes; /* 0: as many as there are CPUs */
	struct manifest_pin pin;
	bool check;   /* to be checked and reported, not applied */
	bool builtin; /* ours, from before the first configuration */
	char *text;   /* as it was received */
	size_t len;
};

/* NULL with 'e' when anything about it is not as it must be. */
struct manifest *
manifest_decode(const char *text, size_t len, struct error *e) _warn_unused_;
/*
 * The same of one that may only say what differs from 'base' (NULL: none),
 * with which it shares the other files then.  What it makes up must have the
 * name that it says, and its text is that of a whole one.
 */
struct manifest *manifest_decode_upon(const struct manifest *base,
    const char *text, size_t len, struct error *e) _warn_unused_;
/* The one that stands for "no configuration yet": 'conf' as nginx.conf. */
struct manifest *manifest_builtin(const char *cluster, const char *conf);
/* All that is to be fetched and kept: the files, then the document. */
size_t manifest_blobs(const struct manifest *m);
struct manifest_file *manifest_blob(struct manifest *m, size_t i);
void manifest_free(struct manifest *m);
/* One more user of 'f', and one less. */
struct manifest_file *manifest_file_use(struct manifest_file *f);
void manifest_file_drop(struct manifest_file *f);
void manifest_drop_copies(struct manifest *m);
void manifest_sort_copies(struct manifest *m);
/* Relative, [A-Za-z0-9._-] between single slashes, no name of the agent's. */
bool manifest_path_ok(const char *path);

#endif
