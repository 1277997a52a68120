/*
 * One curl multi handle on the loop: sockets by uv_poll, curl's timeout by
 * uv_timer.  Only for http_client.c; curl.h stays out of shared headers, so
 * handles pass as void pointers to their types.
 */
#ifndef LOOP_CURL_GLUE_H
#define LOOP_CURL_GLUE_H

#include <stdbool.h>
#include <uv.h>

struct curl_glue;

/* A transfer is over: CURL *easy, with its CURLcode. It is off the multi. */
typedef void curl_glue_done_fn(void *arg, void *easy, int code);

struct curl_glue *
curl_glue_new(uv_loop_t *loop, curl_glue_done_fn *done, void *arg);
/* From outside of curl's callbacks only: see curl_glue_busy(). */
void curl_glue_add(struct curl_glue *g, void *easy);
void curl_glue_remove(struct curl_glue *g, void *easy);
/* Curl is on the stack: adding and removing must wait. */
bool curl_glue_busy(const struct curl_glue *g);
/* All transfers are removed already, and curl is not on the stack. */
void curl_glue_close(struct curl_glue *g, void (*closed)(void *arg), void *arg);

#endif
