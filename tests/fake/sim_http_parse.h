/* Cuts HTTP/1.1 requests out of a connection's bytes.  Pure. */
#ifndef SIM_HTTP_PARSE_H
#define SIM_HTTP_PARSE_H

#include "sim_http.h"

struct sim_http_parse {
	char *head; /* owned: the head, cut into strings */
	struct str body;
	bool has_head;
	bool chunked;
	bool keep;
	bool want_continue; /* the client waits for "100 Continue" */
	size_t body_left;
};

void sim_http_parse_init(struct sim_http_parse *p);
void sim_http_parse_fini(struct sim_http_parse *p);
/*
 * Takes the next request from the front of 'in': 1 and 'req' filled (valid
 * until the next call), 0 when more bytes are needed, -1 for what is no
 * request.
 */
int sim_http_parse_next(struct sim_http_parse *p, struct str *in,
    struct sim_http_request *req, struct error *e) _warn_unused_;

#endif
