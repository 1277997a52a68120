/* TCP forwarders of the simulated Swarm; see sim_vip.h. */
#include "sim_vip.h"

#include <arpa/inet.h>

#include "base/log.h"
#include "sim_app.h"
#include "sim_net.h"

#define QUEUE_MAX ((size_t)256 * 1024)

/* One listener: a virtual address, or a published port of a node. */
struct sim_vip {
	struct sim_service *service;
	uint32_t address;
	uint16_t port;
	struct sim_network *network; /* where its tasks are reached */
	uint16_t target;
	bool wanted;
	uv_tcp_t tcp;
};

struct side {
	struct sim_vip_pair *pair;
	struct side *other;
	uv_tcp_t tcp;
	bool paused;
	bool ended; /* it sent all it had */
};

struct sim_vip_pair {
	struct sim *sim;
	struct side client;
	struct side task;
	uv_connect_t connect;
	unsigned open;
	bool closing;
	struct sim_vip_pair *prev, *next;
};

struct piece {
	uv_write_t req;
	struct side *to;
	char *bytes;
};

static void
on_side_closed(uv_handle_t *handle)
{
	struct side *side = handle->data;
	struct sim_vip_pair *p = side->pair;

	if (--p->open == 0)
		free(p);
}

static void
pair_close(struct sim_vip_pair *p)
{
	if (p->closing)
		return;
	p->closing = true;
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		p->sim->pairs = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	uv_close((uv_handle_t *)&p->client.tcp, on_side_closed);
	uv_close((uv_handle_t *)&p->task.tcp, on_side_closed);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(xmalloc(16384), 16384);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void
on_written(uv_write_t *req, int status)
{
	struct piece *w = container_of(req, struct piece, req);
	struct side *from = w->to->other;

	if (!from->pair->closing) {
		if (status != 0) {
			pair_close(from->pair);
		} else if (from->paused &&
		    w->to->tcp.write_queue_size < QUEUE_MAX / 2) {
			from->paused = false;
			(void)uv_read_start(
			    (uv_stream_t *)&from->tcp, on_alloc, on_read);
		}
	}
	free(w->bytes);
	free(w);
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
	(void)status;
	free(req);
}

static void
side_ended(struct side *from)
{
	uv_shutdown_t *req;

	from->ended = true;
	if (from->other->ended) {
		pair_close(from->pair);
		return;
	}
	req = xcalloc(1, sizeof(*req));
	if (uv_shutdown(req, (uv_stream_t *)&from->other->tcp, on_shutdown) !=
	    0) {
		free(req);
		pair_close(from->pair);
	}
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct side *from = stream->data;
	struct side *to = from->other;
	struct piece *w;
	uv_buf_t out;

	if (n <= 0 || from->pair->closing) {
		free(buf->base);
		if (n == UV_EOF)
			side_ended(from);
		else if (n < 0)
			pair_close(from->pair);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->to = to;
	w->bytes = buf->base;
	out = uv_buf_init(buf->base, (unsigned)n);
	if (uv_write(&w->req, (uv_stream_t *)&to->tcp, &out, 1, on_written) !=
	    0) {
		free(w->bytes);
		free(w);
		pair_close(from->pair);
		return;
	}
	if (to->tcp.write_queue_size > QUEUE_MAX) {
		from->paused = true;
		(void)uv_read_stop(stream);
	}
}

static void
on_connect(uv_connect_t *req, int status)
{
	struct sim_vip_pair *p =
	    container_of(req, struct sim_vip_pair, connect);

	if (p->closing)
		return;
	if (status != 0 ||
	    uv_read_start((uv_stream_t *)&p->client.tcp, on_alloc, on_read) !=
		0 ||
	    uv_read_start((uv_stream_t *)&p->task.tcp, on_alloc, on_read) != 0)
		pair_close(p);
}

static bool
takes_traffic(const struct sim_task *t)
{
	return t->state == TASK_RUNNING && t->desired == TASK_RUNNING &&
	    (t->node == NULL || !t->node->down);
}

/* The address of the next running task on the network; 0 for none. */
static uint32_t
next_address(struct sim_service *v, const struct sim_network *n)
{
	for (size_t tries = 0; tries < v->tasks.len; tries++) {
		struct sim_task *t = v->tasks.at[v->next_task++ % v->tasks.len];

		if (!takes_traffic(t))
			continue;
		for (size_t i = 0; i < t->addresses.len; i++) {
			if (t->addresses.at[i].network == n)
				return t->addresses.at[i].address;
		}
	}
	return 0;
}

static void
side_init(struct sim_vip_pair *p, struct side *side, struct side *other)
{
	must(uv_tcp_init(&p->sim->loop, &side->tcp) == 0);
	side->tcp.data = side;
	side->pair = p;
	side->other = other;
	p->open++;
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct sim_vip *vip = stream->data;
	struct sim *s = vip->service->sim;
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct sim_vip_pair *p;

	if (status != 0)
		return;
	p = xcalloc(1, sizeof(*p));
	p->sim = s;
	side_init(p, &p->client, &p->task);
	side_init(p, &p->task, &p->client);
	p->next = s->pairs;
	if (p->next != NULL)
		p->next->prev = p;
	s->pairs = p;
	to.sin_addr.s_addr = htonl(next_address(vip->service, vip->network));
	to.sin_port = htons(vip->target);
	if (uv_accept(stream, (uv_stream_t *)&p->client.tcp) != 0 ||
	    to.sin_addr.s_addr == 0 ||
	    uv_tcp_connect(&p->connect, &p->task.tcp, (struct sockaddr *)&to,
		on_connect) != 0)
		pair_close(p);
	if (!p->closing) {
		(void)uv_tcp_nodelay(&p->client.tcp, 1);
		(void)uv_tcp_nodelay(&p->task.tcp, 1);
	}
}

static void
on_vip_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
open_vip(struct sim_vip *vip)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(vip->address),
		.sin_port = htons(vip->port),
	};
	char text[16];
	int rc;

	must(uv_tcp_init(&vip->service->sim->loop, &vip->tcp) == 0);
	vip->tcp.data = vip;
	rc = uv_tcp_bind(&vip->tcp, (struct sockaddr *)&sin, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&vip->tcp, 512, on_connection);
	if (rc != 0)
		log_warn("service %s: listen on %s:%u: %s",
		    vip->service->o.name, sim_net_text(vip->address, text),
		    vip->port, uv_strerror(rc));
}

static void
want(struct sim_service *v, uint32_t address, uint16_t port,
    struct sim_network *network, uint16_t target)
{
	struct sim_vip *vip;

	for (size_t i = 0; i < v->forwarders.len; i++) {
		vip = v->forwarders.at[i];
		if (vip->address == address && vip->port == port &&
		    vip->network == network && vip->target == target) {
			vip->wanted = true;
			return;
		}
	}
	vip = xcalloc(1, sizeof(*vip));
	vip->service = v;
	vip->address = address;
	vip->port = port;
	vip->network = network;
	vip->target = target;
	vip->wanted = true;
	vec_push(&v->forwarders, vip);
	open_vip(vip);
}

static void
want_published(struct sim_service *v, struct sim_network *ingress)
{
	struct sim_node *n;

	for (size_t i = 0; i < v->ports.len; i++) {
		const struct sim_port *p = &v->ports.at[i];

		if (p->host_mode || strcmp(p->protocol, "tcp") != 0)
			continue;
		SIM_FOR_EACH(v->sim, SIM_NODE, struct sim_node, n)
		{
			if (!n->down)
				want(v, n->address, p->published, ingress,
				    p->target);
		}
	}
}

/* Every port that a running task answers on, and those of the labels. */
static void
want_ports(struct sim_service *v, const struct sim_address *vip)
{
	for (size_t i = 0; i < v->tasks.len; i++) {
		const struct sim_task *t = v->tasks.at[i];

		if (!takes_traffic(t))
			continue;
		for (size_t k = 0; k < t->listen_ports.len; k++)
			want(v, vip->address, t->listen_ports.at[k],
			    vip->network, t->listen_ports.at[k]);
	}
}

void
sim_vip_refresh(struct sim_service *v)
{
	if (v->sim->options.no_serve)
		return;
	for (size_t i = 0; i < v->forwarders.len; i++)
		v->forwarders.at[i]->wanted = false;
	for (size_t i = 0; i < v->vips.len; i++) {
		struct sim_address *vip = &v->vips.at[i];

		if (next_address(v, vip->network) == 0)
			continue;
		if (vip->network->ingress)
			want_published(v, vip->network);
		else
			want_ports(v, vip);
	}
	for (size_t i = v->forwarders.len; i-- > 0;) {
		struct sim_vip *vip = v->forwarders.at[i];

		if (vip->wanted)
			continue;
		vec_remove(&v->forwarders, i);
		uv_close((uv_handle_t *)&vip->tcp, on_vip_closed);
	}
}

void
sim_vip_close(struct sim_service *v)
{
	for (size_t i = 0; i < v->forwarders.len; i++)
		uv_close(
		    (uv_handle_t *)&v->forwarders.at[i]->tcp, on_vip_closed);
	v->forwarders.len = 0;
}

void
sim_vip_cut(struct sim *s)
{
	while (s->pairs != NULL)
		pair_close(s->pairs);
}
