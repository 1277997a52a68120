/*
 * What the Docker client reads itself: versions, error bodies, lines of the
 * event stream.  Pure.
 */
#ifndef DOCKER_CLIENT_TEXT_H
#define DOCKER_CLIENT_TEXT_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define DOCKER_VERSION_SIZE 16

/*
 * The API version to speak with an engine, from the body of GET /version: the
 * newest that both know.
 */
int docker_choose_version(const char *body, size_t len,
    char ret[DOCKER_VERSION_SIZE], struct error *e) _warn_unused_;

/* The "message" of an error body, else its beginning; appended, one line. */
void docker_error_message(struct str *out, const char *body, size_t len);

/* Whether an error says that our API version does not fit. */
bool docker_is_version_error(long status, const char *body, size_t len);

/* Cuts a stream into lines; a zeroed struct is not enough: docker_lines_init.
 */
struct docker_lines {
	struct str rest;
};
void docker_lines_init(struct docker_lines *l, size_t max);
void docker_lines_fini(struct docker_lines *l);
/*
 * Hands over each whole line that is not empty; -1 when one is too long or
 * 'on_line' says false.
 */
int docker_lines_feed(struct docker_lines *l, const char *bytes, size_t len,
    bool (*on_line)(void *arg, const char *line, size_t len), void *arg,
    struct error *e) _warn_unused_;

#endif
