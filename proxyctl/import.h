/*
 * Interlock's configuration (TOML) to our INI files, with an account of every
 * key.  Pure: text in, texts out.  One row of import_map.c per key of
 * Interlock, one function of import_convert.c per kind of value.
 */
#ifndef PROXYCTL_IMPORT_H
#define PROXYCTL_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"
#include "config/keys.h"
#include "toml.h"

/* What became of a key. */
enum import_action {
	IMPORT_TAKEN,	/* as it is, perhaps in our notation */
	IMPORT_DEFAULT, /* Interlock's default; ours is in force instead */
	IMPORT_DROPPED, /* has no place here, 'note' says why */
	IMPORT_UNKNOWN, /* not a key of Interlock's */
	IMPORT_BAD,	/* needs a human: 'note' says what is wrong */
};
const char *import_action_name(enum import_action action);

struct import_record {
	char *key;   /* "Extensions.default.ProxyReplicas" */
	char *value; /* as given, shortened */
	uint32_t line;
	enum import_action action;
	char *file;   /* "clusters.d/default.ini"; NULL: nowhere */
	char *target; /* "[proxy] replicas = 2"; NULL: nowhere */
	char *note;   /* a sentence; NULL: nothing to say */
};

struct import_file {
	char *name; /* "bulkhead.ini", "clusters.d/default.ini" */
	char *text;
};

struct import {
	VEC(struct import_record) records; /* in the order of the source */
	VEC(struct import_file) files;
	VEC(char *) remarks; /* what is left to do by hand */
	bool needs_human;    /* some record is BAD or UNKNOWN */
};

/* 'source' is for messages.  NULL where it is no TOML. */
struct import *import_interlock(const char *source, const char *text,
    size_t len, struct error *e) _warn_unused_;
void import_free(struct import *im);

/* The account, for people or as JSON. */
void import_print(const struct import *im, struct str *out);
void import_print_json(const struct import *im, struct str *out);

#endif
