/*
 * The live extension's model, and what is built of it.
 *
 * A message that brings services only touches them in the routing that is
 * kept; what all of them depend on (networks, nodes, secrets, who is set aside,
 * hosts that are held) has it built from nothing.
 */
#include "base/log.h"
#include "base/mem.h"
#include "docker/decode.h"
#include "live_object.h"

/* ---- the model ---- */

void
live_forget(struct live *l)
{
	router_reset(l->router);
	l->routing = NULL;
}

static void
touch(struct live *l, const char *id)
{
	router_touch(l->router, id);
	l->routing = NULL;
}

static void
take_snapshot(struct live *l, struct model *m)
{
	/* The routing borrows from the model it was built of. */
	live_forget(l);
	live_blame_abort(l);
	odd_keep(&l->odd, l->model, m);
	model_free(l->model);
	l->model = m;
	if (!l->whole)
		log_info(
		    "the whole state is here: %zu services", m->services.len);
	l->whole = true;
}

int
live_take_removal(
    struct live *l, const struct bus_message *msg, struct error *e)
{
	struct bus_removal r;
	size_t i;

	if (bus_decode_removal(msg->body, msg->body_len, &r, e) != 0)
		return -1;
	if (r.networks_len + r.nodes_len + r.secrets_len + r.configs_len > 0)
		live_forget(l);
	for (i = 0; i < r.services_len; i++) {
		touch(l, r.services[i]);
		(void)model_remove_service(l->model, r.services[i]);
	}
	for (i = 0; i < r.networks_len; i++)
		(void)model_remove_network(l->model, r.networks[i]);
	for (i = 0; i < r.nodes_len; i++)
		(void)model_remove_node(l->model, r.nodes[i]);
	for (i = 0; i < r.secrets_len; i++) {
		live_secrets_removed(&l->secrets, r.secrets[i]);
		(void)model_remove_secret(l->model, r.secrets[i]);
	}
	for (i = 0; i < r.configs_len; i++)
		(void)model_remove_config(l->model, r.configs[i]);
	bus_removal_fini(&r);
	return 0;
}

/* Whether 'm' has services only, which change nothing but themselves. */
static bool
is_plain(const struct live *l, const struct model *m)
{
	return m->networks.len + m->nodes.len + m->secrets.len +
		m->configs.len ==
	    0 &&
	    l->odd.ids.len == 0 &&
	    (!m->secrets_listed || l->model->secrets_listed) &&
	    (!m->configs_listed || l->model->configs_listed);
}

int
live_take_objects(
    struct live *l, const struct bus_message *msg, struct error *e)
{
	struct model *m = docker_decode_snapshot(msg->body, msg->body_len, e);
	struct map_entry *entry;
	size_t i;

	if (m == NULL)
		return -1;
	if (msg->type == BUS_SNAPSHOT) {
		take_snapshot(l, m);
		return 0;
	}
	if (!is_plain(l, m))
		live_forget(l);
	for (i = 0; (entry = map_next(&m->services, &i)) != NULL;) {
		touch(l, entry->key);
		live_blame_replaced(l, entry->value);
	}
	/* Bad objects alone are a change too. */
	l->routing = NULL;
	odd_forget(&l->odd, m);
	model_merge(l->model, m);
	odd_drop(&l->odd, l->model);
	return 0;
}

/* ---- what it comes to ---- */

static void
update(struct live *l)
{
	struct routing_options o = {
		.set_aside = &l->aside.verdicts,
		.foreign_is_error = true,
		.secrets = &l->secrets.book,
		.holds = &l->holds,
	};

	live_gate_options(l, &o);
	l->routing = router_update(l->router, l->config, l->model, &o);
}

const struct routing *
live_build(struct live *l)
{
	if (l->routing != NULL || !l->whole || l->careful.on)
		return l->routing;
	if (l->renew)
		router_reset(l->router);
	if (aside_refresh(&l->aside, l->model) > 0)
		live_aside_changed(l);
	/* Then the routing borrows from them. */
	l->renew = l->aside.entries.len > 0;
	if (l->renew || l->holds.hold_ms > 0)
		router_reset(l->router);
	update(l);
	if (live_holds_learn(l)) {
		router_reset(l->router);
		update(l);
		(void)live_holds_learn(l);
	}
	/*
	 * Who was judged by what is forgotten is judged again next time.  While
	 * pinned, proxies tell of what is pinned, and that is learnt there.
	 */
	if (!live_pin_is_on(l) && live_secrets_learn(&l->secrets, l->routing))
		l->renew = true;
	return l->routing;
}

static struct rendered *
checked(struct rendered *out, const struct routing *r, const struct error *e)
{
	if (out == NULL)
		log_error("what was rendered is not what was meant: %s; the "
			  "configuration before stays in force",
		    e->msg);
	else
		live_secrets_manifest(r, &out->secrets);
	return out;
}

struct rendered *
live_render_as(const struct cluster_config *config, const struct routing *r)
{
	struct render_options o = {
		.live = true,
		.secrets_dir = config->proxy.secrets_dir,
	};
	struct error e;

	return checked(render(config, r, &o, &e), r, &e);
}

struct rendered *
live_render(struct live *l, const struct routing *r)
{
	struct render_options o = {
		.live = true,
		.secrets_dir = l->config->proxy.secrets_dir,
	};
	struct error e;

	if (r == NULL)
		return NULL;
	if (r != l->routing)
		return live_render_as(l->config, r);
	return checked(
	    renderer_render(l->renderer, l->config, r, &o, &e), r, &e);
}

void
live_served(struct live *l)
{
	const struct routing_changes *changes = router_changes(l->router);
	struct map_entry *e;
	size_t i;

	if (changes->all_services) {
		served_offer(&l->served, l->routing);
	} else {
		for (i = 0; (e = map_next(&changes->services, &i)) != NULL;) {
			const struct accepted *a =
			    router_accepted(l->router, e->key);

			if (a != NULL)
				served_offer_one(&l->served, a->service);
		}
	}
	live_record_touched(l, changes);
	router_served(l->router);
}
