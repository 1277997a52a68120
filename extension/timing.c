/* How long a change took: see timing.h. */
#include "timing.h"

uint64_t
timing_from(const struct state_change *c)
{
	return c->stamps.commit_us != 0 ? c->stamps.commit_us
					: c->stamps.read_us;
}

/* From one stamp to the next; clocks of two machines may disagree. */
static void
stage(struct str *out, const char *name, uint64_t from_us, uint64_t to_us)
{
	if (from_us == 0 || to_us == 0)
		return;
	str_addf(out, "%s%s %.1f", out->len == 0 ? " (ms: " : ", ", name,
	    ((double)to_us - (double)from_us) / 1e3);
}

void
timing_stages(const struct state_change *c, const struct proxy_news *news,
    uint64_t now_us, struct str *out)
{
	const struct bus_stamps *s = &c->stamps;
	/* The agent counts from the manifest's arrival on. */
	uint64_t arrived_us = news->settled_us != 0 && news->settled_us < now_us
	    ? now_us - news->settled_us
	    : 0;

	stage(out, "read", s->commit_us, s->read_us);
	stage(out, "sent", s->read_us, s->sent_us);
	stage(out, "bus", s->sent_us, c->received_us);
	stage(out, "rendered", c->received_us, c->rendered_us);
	stage(out, "told", c->rendered_us, arrived_us);
	if (arrived_us != 0) {
		stage(
		    out, "fetched", arrived_us, arrived_us + news->fetched_us);
		stage(out, "checked", news->fetched_us, news->checked_us);
		stage(out, "served", news->checked_us, news->settled_us);
	}
	if (out->len > 0)
		str_addc(out, ')');
}
