/* What each key of Interlock's becomes: the table, and the kinds of values. */
#ifndef PROXYCTL_IMPORT_MAP_H
#define PROXYCTL_IMPORT_MAP_H

#include "base/error.h"
#include "base/str.h"
#include "toml.h"

/*
 * The value in the notation of our INI, appended to 'out' (lists with commas,
 * raw options with newlines).  0 and nothing appended: there is nothing to
 * take.  -1: a human must look, with the reason in 'e'.
 */
typedef int import_convert_fn(
    const struct toml_entry *entry, struct str *out, struct error *e);

import_convert_fn convert_text;
import_convert_fn convert_seconds;	/* 600, "600s" */
import_convert_fn convert_milliseconds; /* 5000 */
import_convert_fn convert_duration;	/* "1m30s" as Go writes it */
import_convert_fn convert_kilobytes;	/* 64 */
import_convert_fn convert_list;
import_convert_fn convert_protocols;   /* "TLSv1.2 TLSv1.3" */
import_convert_fn convert_preferences; /* "node.labels.zone" */
import_convert_fn convert_log_format;  /* nginx's quoted pieces */
import_convert_fn convert_directives;  /* nginx: each ends with ; or } */
import_convert_fn convert_lines;
import_convert_fn convert_verify; /* "required", "none" */
import_convert_fn convert_docker_url;

/* Go's duration in milliseconds. */
int import_parse_go_duration(
    const char *s, uint64_t *ret_ms, struct error *e) _warn_unused_;

enum import_scope {
	SCOPE_CORE,
	SCOPE_EXTENSION,
	SCOPE_NGINX,
	SCOPE_HAPROXY,
};

struct import_row {
	enum import_scope scope;
	const char *key; /* any case */
	/* Where to; NULL: nowhere, and 'note' is the reason. */
	const char *section;
	const char *name;
	import_convert_fn *convert;
	/* Interlock's own default, where ours is better: 'note' says why. */
	const char *theirs;
	const char *note;
};

/* NULL if Interlock has no such key; '*ret_nearest' is then one or NULL. */
const struct import_row *import_row_find(
    enum import_scope scope, const char *key, const char **ret_nearest);

#endif
