/*
 * What the agents of a cluster's proxies said last: what each serves, whether
 * its engine lives, why a configuration was refused.  Pure but for the log;
 * time comes in.
 */
#ifndef EXTENSION_PROXIES_H
#define EXTENSION_PROXIES_H

#include "base/error.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/str.h"
#include "secret_facts.h"

#include <stdbool.h>
#include <stdint.h>

/* A proxy that says nothing for so long is told as not alive. */
#define PROXY_SILENT_MS 30000
/* One that said it is about to stop is forgotten after so long. */
#define PROXY_LEFT_MS 15000
/* ... and any other one after this. */
#define PROXY_FORGET_MS 3600000

struct proxy {
	char *id;
	char *agent;  /* its version */
	char *engine; /* "nginx/1.22.1" */
	char *error;  /* or NULL */
	bool alive;   /* said so, and was heard lately */
	bool refused; /* the engine does not take what it was given last */
	char asked_config[SHA256_HEX_SIZE]; /* ... which is this; or "" */
	uint64_t applied;		    /* generation in force */
	char applied_config[SHA256_HEX_SIZE];
	uint64_t reloads;
	uint64_t seen_ms;
	bool draining;
	bool pinned;	    /* serves what a rollback put in force */
	struct map secrets; /* ID -> struct secret_fact *, owned */
	/* What it serves on with where it lacks something; or empty. */
	struct secret_serving serving;
};

struct proxies {
	struct map by_id; /* struct proxy *, owned */
};

/* What one report changed, for the caller's figures and events. */
struct proxy_news {
	const struct proxy *proxy;
	bool is_new;
	bool applied; /* it serves another configuration than before */
	bool error;   /* it has a new error */
	/* From the manifest's arrival; 0: not told. */
	uint64_t fetched_us;
	uint64_t checked_us;
	uint64_t live_us;
	uint64_t settled_us;
};

void proxies_fini(struct proxies *p);
/* Strict; -1 changes nothing. */
int proxies_report(struct proxies *p, const char *cluster, const char *json,
    size_t len, uint64_t now_ms, struct proxy_news *ret,
    struct error *e) _warn_unused_;
/* What an agent says of a configuration that it was asked to check. */
struct proxy_check {
	char proxy[256];
	char config[SHA256_HEX_SIZE];
	enum { CHECK_ACCEPTED, CHECK_REFUSED, CHECK_FAILED } state;
	char *words; /* owned; "" when accepted */
};
/* Strict. */
int proxies_check(const char *cluster, const char *json, size_t len,
    struct proxy_check *ret, struct error *e) _warn_unused_;

/* A poll is a sign of life too. */
void proxies_seen(struct proxies *p, const char *id, uint64_t now_ms);
/*
 * Marks the silent, forgets the long gone; true when anything changed.  'gone'
 * is called with each that has just fallen silent.
 */
bool proxies_tick(struct proxies *p, uint64_t now_ms,
    void (*gone)(void *arg, const struct proxy *p), void *arg);
/* Every live proxy serves 'config' (and there is one). */
bool proxies_all_serve(const struct proxies *p, const char *config);
uint64_t proxies_reloads(const struct proxies *p);
/*
 * What the proxies that were heard lately and are not leaving say of secrets,
 * into 'ret' (ID -> struct secret_fact *, the caller's): of several the worst.
 */
void proxies_secrets(const struct proxies *p, uint64_t now_ms, struct map *ret);
/*
 * [{"cluster","id","applied","generation","alive","error",...},...] by ID.
 * Whoever has the bytes of 'config', which is in force as 'generation', serves
 * that generation: nobody is told of a new number for the bytes that he has.
 */
void proxies_json(const struct proxies *p, const char *cluster,
    uint64_t generation, const char *config, struct str *out);

#endif
