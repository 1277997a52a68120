/*
 * What base/mem.h promises, for libraries too: jansson and libuv (and curl, by
 * curl_glue.c) end the process where they are out of memory.  They would
 * return NULL or leave something out, and that reads like an answer: a text
 * that is no JSON, a service without a label, a request without its header.
 */
#ifndef LOOP_LIBRARY_MEMORY_H
#define LOOP_LIBRARY_MEMORY_H

/* The first statement of every main(), before any of them is used. */
void library_memory_init(void);

#endif
