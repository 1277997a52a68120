/*
 * Between the files that make up labels_parse(): where a value stands, how a
 * fault in it is told, and the older labels that are read as if they were
 * ours.
 */
#ifndef MODEL_LABEL_READER_H
#define MODEL_LABEL_READER_H

#include "model/label.h"

/* A part of a label's value, 'at' bytes from its beginning. */
struct label_span {
	const char *p;
	size_t len;
	size_t at;
};

/* A piece of a made-up value and the place in the old label it is from. */
struct label_origin {
	enum label_id id;
	size_t start, len;
	const struct label *label;
	size_t offset;
};

/* com.docker.ucp.mesh.http labels, written as ours would be. */
struct label_old {
	struct label made[LABEL_COUNT]; /* key NULL where there is none */
	VEC(struct label_origin) origins;
};

struct label_reader {
	const struct service *service;
	struct labels *ret;
	struct findings *remarks;
	struct finding *error;
	struct finding later;	   /* further ones, told to nobody */
	uint64_t wrong;		   /* bits of those that did not parse */
	enum label_id id;	   /* the one being read */
	const struct label *label; /* its key and value; NULL if absent */
	bool is_old;		   /* it was made up by 'old' */
	struct label_old old;
};

/* Sets the error, about byte 'at' of the value (-1: none); returns -1. */
int label_reader_fail(struct label_reader *r, enum reject_code code, int64_t at,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same from a check of label_text.h that failed in 's' at 'offset'. */
int label_reader_fail_check(struct label_reader *r, const struct label_span *s,
    size_t offset, const struct error *e);
/*
 * The key of the label that byte 'at' of the value stands in, and its place
 * there: another than the one being read where that was made up.
 */
const char *
label_reader_origin(const struct label_reader *r, int64_t at, int64_t *ret_at);
/* The value said nothing (only commas, say): as if it were not there. */
void label_reader_absent(struct label_reader *r);
void label_reader_remark(struct label_reader *r, enum reject_code code,
    const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Blanks (space and tab) off both ends. */
struct label_span label_span_trim(struct label_span s);
/* The next item before 'separator', trimmed and not empty; false at the end. */
bool label_span_next(
    struct label_span *rest, char separator, struct label_span *ret);
/* Bytes from 'from' to 'to' of 's'. */
struct label_span
label_span_part(const struct label_span *s, size_t from, size_t to);

/* Lower case, without a final dot; owned. */
char *label_fold_host(const char *s, size_t len);

/* The value's parsers by label: 0, or -1 with the reader's error set. */
typedef int label_read_fn(struct label_reader *r, struct label_span v);
label_read_fn *label_read_function(enum label_id id);
int label_read_redirects(struct label_reader *r, struct label_span v);
/* Sources are the service's own hosts, and no chain comes back. */
int label_check_redirects(struct label_reader *r);

/* Fills r->old from the service's old labels; -1 with the error set. */
int label_old_read(struct label_reader *r);
void label_old_fini(struct label_old *o);
bool label_old_is_key(const char *key);

#endif
