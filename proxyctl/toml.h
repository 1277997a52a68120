/*
 * The part of TOML that Interlock's configuration is written in: tables,
 * arrays of tables, inline tables, dotted and quoted keys, all four kinds of
 * strings, integers, booleans, arrays of these.  Dates, floats and arrays in
 * arrays are errors.  Pure; foreign bytes only ever end in strings.
 *
 * Debian has no TOML library for C (apt-cache search toml: C++, Go, Rust,
 * Python), and one command is no reason for a C++ runtime.
 */
#ifndef PROXYCTL_TOML_H
#define PROXYCTL_TOML_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vec.h"

#define TOML_MAX (1024 * 1024)

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOL, TOML_ARRAY };

/* One key with its value, in the order of the file. */
struct toml_entry {
	VEC(char *) path; /* "Extensions", "default", "ProxyReplicas" */
	uint32_t line;
	enum toml_type type;
	char *text;	   /* a string's bytes; "80"; "true"; "" of an array */
	VEC(char *) items; /* of an array, as text */
};

struct toml {
	VEC(struct toml_entry) entries;
};

/* -1 with "line N: ..." in 'e'; 'ret' is empty then. */
int toml_parse(const char *text, size_t len, struct toml *ret,
    struct error *e) _warn_unused_;
void toml_fini(struct toml *t);

#endif
