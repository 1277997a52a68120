/* Requests of the simulator's HTTP server: head, headers, both body forms. */
#include "sim_http_parse.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/parse.h"

void
sim_http_parse_init(struct sim_http_parse *p)
{
	memset(p, 0, sizeof(*p));
	str_init(&p->body, SIM_HTTP_BODY_MAX);
}

void
sim_http_parse_fini(struct sim_http_parse *p)
{
	free(p->head);
	str_fini(&p->body);
}

/* Ends the line at 'line' with NULs; the start of the next one, or NULL. */
static char *
cut_line(char *line)
{
	char *end = strstr(line, "\r\n");

	if (end == NULL)
		return NULL;
	*end = '\0';
	return end + 2;
}

static int
parse_request_line(struct sim_http_parse *p, struct sim_http_request *req,
    char *line, struct error *e)
{
	char *target = strchr(line, ' '), *version;

	if (target == NULL)
		return error_set(e, EPROTO, "malformed request line");
	*target++ = '\0';
	version = strchr(target, ' ');
	if (version == NULL || strncmp(version + 1, "HTTP/1.", 7) != 0)
		return error_set(e, EPROTO, "malformed request line");
	*version++ = '\0';
	req->method = line;
	req->target = target;
	p->keep = strcmp(version, "HTTP/1.0") != 0;
	return 0;
}

static int
parse_header(struct sim_http_parse *p, struct sim_http_request *req, char *line,
    struct error *e)
{
	struct sim_http_header *h;
	char *value = strchr(line, ':');
	uint32_t len;

	if (value == NULL)
		return error_set(e, EPROTO, "malformed header line");
	*value++ = '\0';
	while (*value == ' ' || *value == '\t')
		value++;
	for (char *c = line; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	h = vec_add(&req->headers);
	h->name = line;
	h->value = value;
	if (strcmp(line, "content-length") == 0) {
		if (parse_u32(value, strlen(value), 0, SIM_HTTP_BODY_MAX, &len,
			e) != 0)
			return error_wrap(e, "Content-Length");
		p->body_left = len;
	} else if (strcmp(line, "transfer-encoding") == 0) {
		p->chunked = strcasecmp(value, "chunked") == 0;
	} else if (strcmp(line, "connection") == 0) {
		if (strcasecmp(value, "close") == 0)
			p->keep = false;
		else if (strcasecmp(value, "keep-alive") == 0)
			p->keep = true;
	} else if (strcmp(line, "expect") == 0) {
		p->want_continue = strcasecmp(value, "100-continue") == 0;
	}
	return 0;
}

/* 1 when a head was taken, 0 when it is not whole yet. */
static int
take_head(struct sim_http_parse *p, struct str *in,
    struct sim_http_request *req, struct error *e)
{
	char *end = memmem(in->p, in->len, "\r\n\r\n", 4), *line, *next;
	size_t len;

	if (end == NULL && in->len > SIM_HTTP_HEAD_MAX)
		return error_set(e, EPROTO, "request head too large");
	if (end == NULL)
		return 0;
	len = (size_t)(end - in->p) + 4;
	if (memchr(in->p, '\0', len) != NULL)
		return error_set(e, EPROTO, "NUL in the request head");
	free(p->head);
	p->head = xmemdup0(in->p, len - 2);
	str_drop(in, len);
	str_clear(&p->body);
	req->headers.len = 0;
	p->body_left = 0;
	p->chunked = false;
	p->want_continue = false;
	next = cut_line(p->head);
	if (parse_request_line(p, req, p->head, e) != 0)
		return -1;
	for (line = next; (next = cut_line(line)) != NULL; line = next) {
		if (parse_header(p, req, line, e) != 0)
			return -1;
	}
	p->has_head = true;
	return 1;
}

/* 1 when the last chunk was taken, 0 when more must come. */
static int
take_chunks(struct sim_http_parse *p, struct str *in, struct error *e)
{
	char *end, *rest;
	unsigned long size;

	for (;;) {
		end = memmem(in->p, in->len, "\r\n", 2);
		if (end == NULL)
			return 0;
		size = strtoul(in->p, &rest, 16);
		if (rest == in->p || size > SIM_HTTP_BODY_MAX)
			return error_set(e, EPROTO, "malformed chunk");
		if (in->len < (size_t)(end - in->p) + 2 + size + 2)
			return 0;
		str_addn(&p->body, end + 2, size);
		if (p->body.overflow)
			return error_set(e, EPROTO, "body too large");
		str_drop(in, (size_t)(end - in->p) + 2 + size + 2);
		if (size == 0)
			return 1;
	}
}

int
sim_http_parse_next(struct sim_http_parse *p, struct str *in,
    struct sim_http_request *req, struct error *e)
{
	int got;

	if (!p->has_head) {
		got = take_head(p, in, req, e);
		if (got <= 0)
			return got;
	}
	if (p->chunked) {
		got = take_chunks(p, in, e);
		if (got <= 0)
			return got;
	} else {
		size_t n = in->len < p->body_left ? in->len : p->body_left;

		str_addn(&p->body, in->p, n);
		str_drop(in, n);
		p->body_left -= n;
		if (p->body_left > 0)
			return 0;
	}
	p->has_head = false;
	req->body = p->body.p;
	req->body_len = p->body.len;
	return 1;
}
