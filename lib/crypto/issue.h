/*
 * Makes certificates: an authority, and what it signs.  For the control
 * plane and its agents, who know each other by one authority of their own;
 * never for what clients of applications see.
 */
#ifndef CRYPTO_ISSUE_H
#define CRYPTO_ISSUE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum issue_kind {
	ISSUE_AUTHORITY,
	ISSUE_SERVER,
	/* A client that answers its equals too. */
	ISSUE_CLIENT,
};

struct issue_request {
	enum issue_kind kind;
	const char *common_name;
	const char *const *names; /* host names and addresses it is for */
	size_t names_len;
	int64_t from_s; /* seconds since 1970 */
	int64_t until_s;
};

struct issued;

/*
 * A new key (EC, P-256) and its certificate, signed by 'by' (NULL: by
 * itself).  Free with issued_free().
 */
struct issued *issue(const struct issue_request *r, const struct issued *by,
    struct error *e) _warn_unused_;
void issued_free(struct issued *x);

/*
 * What was made before, by whomever: PEM of one certificate and of its key,
 * which may be NULL where it is not to sign.  EINVAL where the two are not a
 * pair, or it is no authority and 'authority' asks for one.
 */
struct issued *issue_load(const char *cert, const char *key, bool authority,
    struct error *e) _warn_unused_;
int64_t issued_until_s(const struct issued *x);
/* The i-th name or address of what was loaded, to be freed; NULL: no more. */
char *issued_name(const struct issued *x, size_t i);

/* PEM, as it was loaded; owned by 'x'. */
const char *issued_certificate(const struct issued *x);
const char *issued_key(const struct issued *x);

#endif
