/*
 * Certificates before they are used: what a proxy's TLS library would refuse
 * or its clients would not believe.  Pure: bytes and the time come in.  Used
 * by "render --secrets" and by the agents, who alone see secrets.
 */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

#include "base/error.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct certificate {
	VEC(char *) names;    /* lower case: "a.example", "*.example.com" */
	int64_t not_before_s; /* seconds since 1970 */
	int64_t not_after_s;
};

/*
 * 'cert': PEM, the server's own first, intermediate ones behind; 'key': PEM,
 * not encrypted, maybe in the same text.  -1 with a sentence where the two
 * are not what a server can use; ret_in_key tells which one is at fault.
 * Dates are not judged here.
 */
int certificate_read(const char *cert, size_t cert_len, const char *key,
    size_t key_len, struct certificate *ret, bool *ret_in_key,
    struct error *e) _warn_unused_;
void certificate_fini(struct certificate *c);

/* Whether 'host' ("a.example", "*.example.com"; lower case) is covered. */
bool
certificate_names_cover(const char *const *names, size_t n, const char *host);

/* One PEM certificate at least, and nothing that is none among them. */
int certificate_read_authorities(
    const char *pem, size_t len, struct error *e) _warn_unused_;

/* "2026-01-31" into 'ret', which has 16 bytes. */
void certificate_date(int64_t s, char ret[16]);

#endif
