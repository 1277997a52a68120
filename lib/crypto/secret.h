/*
 * What services name in labels and proxies read as files: certificates with
 * their keys, authorities, passwords.  Judged before anything refers to them,
 * by "render --secrets" on the operator's files and by the agents on theirs.
 */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include "base/error.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SECRET_SIZE_MAX (1024 * 1024) /* Swarm's own limit is 500 KB */
/* Told as a remark so long before the end. */
#define SECRET_EXPIRES_S (14 * 24 * 3600)

#define SECRET_KINDS(X)                                                        \
	X(CERTIFICATE, "certificate")                                          \
	X(AUTHORITIES, "authorities")                                          \
	X(PASSWORDS, "passwords")
#define X(id, name) SECRET_##id,
enum secret_kind { SECRET_KINDS(X) SECRET_KIND_COUNT };
#undef X
const char *secret_kind_name(enum secret_kind kind);

enum secret_state { SECRET_GOOD, SECRET_MISSING, SECRET_BAD };
const char *secret_state_name(enum secret_state state);
/* -1: no such name. */
int secret_kind_parse(const char *name);
int secret_state_parse(const char *name);

/* One thing that a service refers to. */
struct secret_use {
	enum secret_kind kind;
	char *name;
	char *key; /* of a certificate; NULL: it is in 'name' too */
};
#define SECRET_ID_SIZE 25
/* Names the use: hexadecimal digits, the same everywhere. */
void secret_use_id(const struct secret_use *u, char ret[SECRET_ID_SIZE]);
void secret_use_copy(const struct secret_use *from, struct secret_use *ret);
void secret_use_fini(struct secret_use *u);

/* What is known of its content. */
struct secret_fact {
	enum secret_state state;
	char *reason; /* a sentence; NULL when good */
	/* NULL, or a sentence: it is near its end, or nobody can log in. */
	char *remark;
	bool in_key;	/* the reason is about the key */
	bool expired;	/* bad for this reason only */
	bool all_names; /* 'names' are all that there are */
	/* Not good, but proxies serve on with what they had: by them only. */
	bool kept;
	VEC(char *) names;
};
void secret_fact_fini(struct secret_fact *f);
void secret_fact_copy(const struct secret_fact *from, struct secret_fact *ret);
bool secret_fact_same(const struct secret_fact *a, const struct secret_fact *b);

/* The content of a file, once read. */
struct secret_file {
	char *bytes; /* NULL: see error */
	size_t len;
	mode_t mode;
	bool missing;
	struct error error;
};
/* Reads DIR/NAME.  Never fails as such. */
void
secret_file_read(const char *dir, const char *name, struct secret_file *ret);
void secret_file_fini(struct secret_file *f);

/*
 * Judges; 'key' may be NULL (the same file).  A certificate outside of its
 * dates is bad.
 */
void secret_judge(const struct secret_use *u, const struct secret_file *file,
    const struct secret_file *key, int64_t now_s, struct secret_fact *ret);

/* True for what may be the name of a file in a folder of secrets. */
bool secret_name_ok(const char *name);

#endif
