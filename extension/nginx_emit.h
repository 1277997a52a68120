/*
 * Emitters: the second lock between what a tenant says and nginx.
 *
 * Everything that is written into an nginx file passes here.  emit_text() is
 * for literals of ours; a foreign value goes through the emitter of its type,
 * which looks at every byte again, whatever was promised before, and refuses
 * what it does not know.  The first refusal is kept; the rest writes on, and
 * who rendered throws all of it away.
 */
#ifndef EXTENSION_NGINX_EMIT_H
#define EXTENSION_NGINX_EMIT_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Names of ours inside a configuration: hexadecimal digits of a hash. */
#define NGINX_ID_SIZE 25

struct emit {
	struct str out;
	int depth;
	struct error error; /* the first refusal; code 0 = none */
};

void emit_init(struct emit *m);
void emit_fini(struct emit *m);

/* Literals only: "" makes anything else a compile error. */
#define emit_text(m, literal) emit_literal(m, "" literal)
#define emit_choice(m, cond, a, b) emit_literal(m, (cond) ? "" a : "" b)
void emit_literal(struct emit *m, const char *text);
/* "WORDS" indented, to be followed by values and emit_end() or a block. */
#define emit_begin(m, literal) emit_begin_literal(m, "" literal)
void emit_begin_literal(struct emit *m, const char *words);
void emit_end(struct emit *m);	 /* ";" */
void emit_open(struct emit *m);	 /* " {" */
void emit_close(struct emit *m); /* "}" */
/* A whole directive, or a whole block's head. */
#define emit_line(m, literal) emit_literal_line(m, "" literal)
#define emit_block(m, literal) emit_literal_block(m, "" literal)
void emit_literal_line(struct emit *m, const char *words);
void emit_literal_block(struct emit *m, const char *words);

/* Values, without a blank in front. */
void emit_number(struct emit *m, uint64_t n);
void emit_ms(struct emit *m, uint64_t ms);	/* "1500ms" */
void emit_seconds(struct emit *m, uint64_t ms); /* rounded up: "2s" */
void emit_id(struct emit *m, const char id[NGINX_ID_SIZE]);
/* "a.example", "*.example.com": lower case. */
void emit_host(struct emit *m, const char *host);
/* "/app": nothing that nginx or a normaliser would read otherwise. */
void emit_path(struct emit *m, const char *path);
/* "10.0.1.3:8080", "[fd00::3]:8080". */
void emit_address(struct emit *m, const char *address);
/* "80", "127.0.0.1:8080", "[::]:80", "*:80". */
void emit_listen(struct emit *m, const char *listen);
/* "10.0.0.0/8", "10.0.0.1", "fd00::/8". */
void emit_cidr(struct emit *m, const char *cidr);
/* What follows "http://" in a redirect: host[:port][/path][?query]. */
void emit_target(struct emit *m, const char *target);
/* [A-Za-z0-9_]{1,64}, in a variable's name. */
void emit_cookie(struct emit *m, const char *name);
/* A word of the operator's: [A-Za-z0-9._-]{1,64}. */
void emit_word(struct emit *m, const char *word);
/* "DIR/NAME": the operator's absolute folder, a secret's or file's name. */
void emit_file(struct emit *m, const char *dir, const char *name);
/* An absolute path of the operator's. */
void emit_filename(struct emit *m, const char *path);
/* "unix:DIR/NAME", short enough for a socket's address. */
void emit_socket(struct emit *m, const char *dir, const char *name);
/*
 * The operator's text as one argument.  Variables in it are nginx's: never
 * for a tenant's value.
 */
void emit_quoted(struct emit *m, const char *text);

#endif
