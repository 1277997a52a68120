/*
 * Which object is being decoded, noted in a mapped file that outlives us: who
 * finds the note set learns which one ended the run before.  One that ended
 * two runs in a row is decoded no more until it is another text.  Between
 * Docker and the model there is nothing else that could keep one object from
 * ending the reader again and again, and with it every cluster's news.
 *
 * Process-wide, as the decoders are pure: programs that open no guard decode
 * without one.
 */
#ifndef DOCKER_DECODE_GUARD_H
#define DOCKER_DECODE_GUARD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Once, before the first object is decoded.  True: the run before ended while
 * it decoded an object that had ended another one, which is now left out.
 * Where the file cannot be had there is no guard.  Another version of the
 * program forgets what was.
 */
bool decode_guard_open(const char *path);
void decode_guard_close(void);

/* -1: this text is left out.  Else decode_guard_leave() follows. */
int
decode_guard_enter(const char *json, size_t len, struct error *e) _warn_unused_;
void decode_guard_leave(void);

#endif
