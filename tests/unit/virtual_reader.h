/*
 * The reader's sources and its push, put together as supervisor/reader.c does,
 * in front of the Swarm of virtual_engine.h.  Who includes it says what becomes
 * of changes.
 */
#ifndef TESTS_VIRTUAL_READER_H
#define TESTS_VIRTUAL_READER_H

#include "virtual_engine.h"

#include "../../supervisor/reader_push.h"
#include "../../supervisor/reader_sources.h"
#include "config/config.h"

struct virtual_reader {
	struct daemon_config *config;
	struct swarm swarm;
	struct sources *sources;
	struct push *push;
	bool ended;
	/* NULL: nothing; 'c' is the callee's to read. */
	void (*changed)(struct swarm_changes *c);
	void (*part)(const struct swarm_changes *c);
};

static void
virtual_reader_on_changes(void *arg, struct swarm_changes *c, uint64_t read_us)
{
	struct virtual_reader *r = arg;

	(void)read_us;
	if (r->changed != NULL)
		r->changed(c);
}

static void
virtual_reader_on_part(void *arg, const struct swarm_changes *c)
{
	struct virtual_reader *r = arg;

	if (r->part != NULL)
		r->part(c);
}

static void
virtual_reader_on_state(void *arg)
{
	(void)arg;
}

static void
virtual_reader_on_listed(
    void *arg, const struct swarm_changes *c, uint64_t began_ms)
{
	struct virtual_reader *r = arg;

	push_listed(r->push, c, began_ms);
}

static void
virtual_reader_on_heard(void *arg, const char *service_id)
{
	struct virtual_reader *r = arg;

	push_heard(r->push, service_id);
}

static void
virtual_reader_on_config(void *arg, const char *id, bool removed)
{
	(void)arg;
	(void)id;
	(void)removed;
}

/* 'r' is zeroed but for its two functions. */
static void
virtual_reader_start(struct virtual_reader *r, uint64_t resync_ms)
{
	static const struct sources_handlers handlers = {
		.on_changes = virtual_reader_on_changes,
		.on_part = virtual_reader_on_part,
		.on_state = virtual_reader_on_state,
		.on_listed = virtual_reader_on_listed,
		.on_heard = virtual_reader_on_heard,
		.on_config = virtual_reader_on_config,
		.on_resynced = virtual_reader_on_state,
	};
	static const struct push_handlers push_handlers = {
		.on_changes = virtual_reader_on_changes,
		.on_state = virtual_reader_on_state,
	};

	r->config = daemon_config_default();
	r->config->docker.resync_interval_ms = resync_ms;
	swarm_init(&r->swarm);
	r->sources =
	    sources_new(NULL, NULL, &r->swarm, r->config, &handlers, r);
	r->push =
	    push_new(NULL, &r->swarm, r->sources, r->config, &push_handlers, r);
}

static void
virtual_reader_on_closed(void *arg)
{
	struct virtual_reader *r = arg;

	r->ended = true;
}

/* False: it has not ended after two minutes. */
static bool
virtual_reader_end(struct virtual_reader *r)
{
	push_close(r->push);
	sources_close(r->sources, virtual_reader_on_closed, r);
	events_end();
	pass(120000);
	swarm_fini(&r->swarm);
	daemon_config_free(r->config);
	return r->ended;
}

#endif
