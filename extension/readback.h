/*
 * Read-back, the third lock: what was rendered is tokenized again, held
 * against the list of what we write (readback_grammar.h), and compared with
 * the routes it was made from: names, paths, addresses and weights, both
 * ways.  A difference is a bug of ours or a value that got past two locks;
 * either way nothing of it is delivered.
 */
#ifndef EXTENSION_READBACK_H
#define EXTENSION_READBACK_H

#include "nginx_site.h"
#include "render.h"

int readback_check(const struct rendered *r, const struct routing *routing,
    struct error *e) _warn_unused_;
/*
 * The same of some files: all those of 'sites', and the cluster's own, which
 * are few.  No other host may be in them, and all of these must.
 */
int readback_check_part(struct rendered_file *const *files, size_t n,
    const struct routing *routing, const struct nginx_sites *const *sites,
    size_t n_sites, struct error *e) _warn_unused_;

#endif
