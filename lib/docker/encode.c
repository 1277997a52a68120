/*
 * From the model to the Engine's JSON, reduced to the members that decode.c
 * reads: see decode.h.
 */
#include "docker/decode.h"

#include <string.h>
#include <time.h>

#include "model/label.h"

/* ,"KEY": or without the comma at the beginning of an object. */
static void
add_key(struct str *out, const char *key)
{
	char last = out->len == 0 ? '{' : out->p[out->len - 1];

	if (last != '{')
		str_addc(out, ',');
	str_addf(out, "\"%s\":", key);
}

static void
add_text(struct str *out, const char *key, const char *text)
{
	add_key(out, key);
	str_add_json(out, text, strlen(text));
}

static void
add_number(struct str *out, const char *key, uint64_t n)
{
	add_key(out, key);
	str_addf(out, "%llu", (unsigned long long)n);
}

static void
add_version(struct str *out, uint64_t version)
{
	if (version == 0)
		return;
	add_key(out, "Version");
	str_addf(out, "{\"Index\":%llu}", (unsigned long long)version);
}

static void
add_created(struct str *out, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	char buf[40];

	must(ns >= 0 && gmtime_r(&seconds, &tm) != NULL);
	must(strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
	add_key(out, "CreatedAt");
	str_addf(out, "\"%s.%09dZ\"", buf, (int)(ns % 1000000000));
}

static void
add_ports(struct str *out, const struct published_port *ports, size_t len)
{
	size_t i;

	add_key(out, "Ports");
	str_addc(out, '[');
	for (i = 0; i < len; i++) {
		str_add(out, i == 0 ? "{" : ",{");
		add_text(out, "Protocol", ports[i].udp ? "udp" : "tcp");
		add_number(out, "TargetPort", ports[i].target);
		if (ports[i].published != 0)
			add_number(out, "PublishedPort", ports[i].published);
		add_text(out, "PublishMode",
		    ports[i].host_mode ? "host" : "ingress");
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

static void
add_labels(struct str *out, const struct service *s)
{
	size_t i;

	add_key(out, "Labels");
	str_addc(out, '{');
	for (i = 0; i < s->labels.len; i++) {
		const struct label *l = &s->labels.at[i];

		if (i > 0)
			str_addc(out, ',');
		str_add_json(out, l->key, strlen(l->key));
		str_addc(out, ':');
		str_add_json(out, l->value, l->value_len);
	}
	if (s->stack != NULL)
		add_text(out, "com.docker.stack.namespace", s->stack);
	str_addc(out, '}');
}

static void
add_mode(struct str *out, const struct service *s)
{
	add_key(out, "Mode");
	switch (s->mode) {
	case SERVICE_REPLICATED:
		str_addf(out, "{\"Replicated\":{\"Replicas\":%llu}}",
		    (unsigned long long)s->replicas);
		break;
	case SERVICE_GLOBAL:
		str_add(out, "{\"Global\":{}}");
		break;
	case SERVICE_REPLICATED_JOB:
		str_add(out, "{\"ReplicatedJob\":{}}");
		break;
	case SERVICE_GLOBAL_JOB:
		str_add(out, "{\"GlobalJob\":{}}");
		break;
	}
}

static void
add_template(struct str *out, const struct service *s)
{
	size_t i;

	add_key(out, "TaskTemplate");
	str_add(out, "{\"ContainerSpec\":{\"Secrets\":[");
	for (i = 0; i < s->secrets.len; i++) {
		str_add(out, i == 0 ? "{" : ",{");
		add_text(out, "SecretName", s->secrets.at[i]);
		str_addc(out, '}');
	}
	str_add(out, "]},\"Networks\":[");
	for (i = 0; i < s->networks.len; i++) {
		str_add(out, i == 0 ? "{" : ",{");
		add_text(out, "Target", s->networks.at[i]);
		str_addc(out, '}');
	}
	str_add(out, "]}");
}

void
docker_encode_service(struct str *out, const struct service *s)
{
	size_t i;

	str_addc(out, '{');
	add_text(out, "ID", s->id);
	add_version(out, s->version);
	add_created(out, s->created_ns);
	add_key(out, "Spec");
	str_addc(out, '{');
	add_text(out, "Name", s->name);
	add_labels(out, s);
	add_template(out, s);
	add_mode(out, s);
	add_key(out, "EndpointSpec");
	str_addf(out, "{\"Mode\":\"%s\"}}",
	    s->endpoint_mode == ENDPOINT_VIP ? "vip" : "dnsrr");
	add_key(out, "Endpoint");
	str_addc(out, '{');
	add_ports(out, s->ports.at, s->ports.len);
	add_key(out, "VirtualIPs");
	str_addc(out, '[');
	for (i = 0; i < s->vips.len; i++) {
		str_add(out, i == 0 ? "{" : ",{");
		add_text(out, "NetworkID", s->vips.at[i].network_id);
		add_text(out, "Addr", s->vips.at[i].address);
		str_addc(out, '}');
	}
	str_add(out, "]}}");
}

void
docker_encode_task(struct str *out, const struct task *t)
{
	size_t i;

	str_addc(out, '{');
	add_text(out, "ID", t->id);
	add_version(out, t->version);
	add_text(out, "ServiceID", t->service_id);
	if (t->slot != 0)
		add_number(out, "Slot", t->slot);
	if (*t->node_id != '\0')
		add_text(out, "NodeID", t->node_id);
	add_text(out, "DesiredState", task_state_name(t->desired));
	add_key(out, "Status");
	str_addc(out, '{');
	add_text(out, "State", task_state_name(t->state));
	if (t->ports.len > 0) {
		add_key(out, "PortStatus");
		str_addc(out, '{');
		add_ports(out, t->ports.at, t->ports.len);
		str_addc(out, '}');
	}
	str_addc(out, '}');
	if (t->addresses.len > 0) {
		add_key(out, "NetworksAttachments");
		str_addc(out, '[');
		for (i = 0; i < t->addresses.len; i++) {
			const struct attachment *a = &t->addresses.at[i];

			str_add(out, i == 0 ? "{" : ",{");
			add_key(out, "Network");
			str_addc(out, '{');
			add_text(out, "ID", a->network_id);
			str_addc(out, '}');
			add_key(out, "Addresses");
			str_addf(out, "[\"%s\"]}", a->address);
		}
		str_addc(out, ']');
	}
	str_addc(out, '}');
}

void
docker_encode_network(struct str *out, const struct network *n)
{
	size_t i;

	str_addc(out, '{');
	add_text(out, "Id", n->id);
	add_text(out, "Name", n->name);
	add_version(out, n->version);
	add_text(out, "Driver", n->driver);
	add_text(out, "Scope", n->swarm_scope ? "swarm" : "local");
	add_key(out, "Ingress");
	str_add(out, n->ingress ? "true" : "false");
	add_key(out, "IPAM");
	str_add(out, "{\"Config\":[");
	for (i = 0; i < n->subnets.len; i++) {
		str_add(out, i == 0 ? "{" : ",{");
		add_text(out, "Subnet", n->subnets.at[i]);
		str_addc(out, '}');
	}
	str_add(out, "]}");
	if (n->namespace_label != NULL) {
		add_key(out, "Labels");
		str_addc(out, '{');
		add_text(out, "com.docker.stack.namespace", n->namespace_label);
		str_addc(out, '}');
	}
	str_addc(out, '}');
}

void
docker_encode_node(struct str *out, const struct node *n)
{
	str_addc(out, '{');
	add_text(out, "ID", n->id);
	add_key(out, "Description");
	str_addc(out, '{');
	add_text(out, "Hostname", n->hostname);
	str_addc(out, '}');
	add_key(out, "Status");
	str_addc(out, '{');
	add_text(out, "Addr", n->address);
	str_add(out, "}}");
}

void
docker_encode_secret(struct str *out, const struct secret *s)
{
	str_addc(out, '{');
	add_text(out, "ID", s->id);
	add_key(out, "Spec");
	str_addc(out, '{');
	add_text(out, "Name", s->name);
	if (s->allow != NULL) {
		add_key(out, "Labels");
		str_addc(out, '{');
		add_text(out, LABEL_PREFIX "allow", s->allow);
		str_addc(out, '}');
	}
	str_add(out, "}}");
}
