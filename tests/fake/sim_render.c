/* Objects of the simulated Swarm as JSON; see sim_render.h. */
#include "sim_render.h"

#include "sim_net.h"

void
sim_render_time(struct str *out, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	unsigned left = (unsigned)(ns % 1000000000);
	struct tm tm;
	char text[32];
	size_t len;

	(void)gmtime_r(&seconds, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	str_add(out, text);
	if (left != 0) {
		str_addf(out, ".%09u", left);
		for (len = out->len; out->p[len - 1] == '0'; len--)
			;
		str_trim(out, len);
	}
	str_addc(out, 'Z');
}

void
sim_render_json(struct str *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		oom();
	str_add(out, text);
	free(text);
}

static void
add_text(struct str *out, const char *text)
{
	str_add_json(out, text, strlen(text));
}

static void
add_head(struct str *out, const struct sim_object *o)
{
	str_add(out, "{\"ID\":");
	add_text(out, o->id);
	str_addf(out, ",\"Version\":{\"Index\":%llu},\"CreatedAt\":\"",
	    (unsigned long long)o->version);
	sim_render_time(out, o->created_ns);
	str_add(out, "\",\"UpdatedAt\":\"");
	sim_render_time(out, o->updated_ns);
	str_addc(out, '"');
}

static void
add_cidr(struct str *out, const struct sim_address *a)
{
	char text[16];

	str_addf(out, "\"%s/%u\"", sim_net_text(a->address, text),
	    a->network->prefix);
}

static void
add_port(struct str *out, const struct sim_port *p)
{
	str_addf(out, "{\"Protocol\":\"%s\",\"TargetPort\":%u", p->protocol,
	    p->target);
	if (p->published != 0)
		str_addf(out, ",\"PublishedPort\":%u", p->published);
	str_addf(
	    out, ",\"PublishMode\":\"%s\"}", p->host_mode ? "host" : "ingress");
}

static void
render_service(struct str *out, struct sim_service *v)
{
	const char *comma = "";

	add_head(out, &v->o);
	str_add(out, ",\"Spec\":");
	sim_render_json(out, v->spec);
	if (v->previous != NULL) {
		str_add(out, ",\"PreviousSpec\":");
		sim_render_json(out, v->previous);
	}
	str_add(out, ",\"Endpoint\":{\"Spec\":");
	if (v->endpoint != NULL)
		sim_render_json(out, v->endpoint);
	else
		str_add(out, "{}");
	if (v->ports.len > 0) {
		str_add(out, ",\"Ports\":[");
		for (size_t i = 0; i < v->ports.len; i++) {
			str_add(out, i > 0 ? "," : "");
			add_port(out, &v->ports.at[i]);
		}
		str_addc(out, ']');
	}
	if (v->vips.len > 0) {
		str_add(out, ",\"VirtualIPs\":[");
		for (size_t i = 0; i < v->vips.len; i++) {
			str_addf(out,
			    "%s{\"NetworkID\":\"%s\",\"Addr\":", comma,
			    v->vips.at[i].network->o.id);
			add_cidr(out, &v->vips.at[i]);
			str_addc(out, '}');
			comma = ",";
		}
		str_addc(out, ']');
	}
	str_addc(out, '}');
	if (v->status != NULL) {
		str_add(out, ",\"UpdateStatus\":");
		sim_render_json(out, v->status);
	}
	str_addc(out, '}');
}

/* A network as a task's attachment shows it: SwarmKit's own object. */
static void
add_attachment(struct str *out, const struct sim_address *a)
{
	struct sim_network *n = a->network;
	char subnet[16], gateway[16];

	str_add(out, "{\"Network\":");
	add_head(out, &n->o);
	str_add(out, ",\"Spec\":{\"Name\":");
	add_text(out, n->o.name);
	str_add(out, ",\"Labels\":");
	if (n->labels != NULL)
		sim_render_json(out, n->labels);
	else
		str_add(out, "{}");
	str_add(out,
	    n->ingress ? ",\"DriverConfiguration\":{},\"Ingress\":true,"
			 "\"IPAMOptions\":{\"Driver\":{}},\"Scope\":\"swarm\"}"
		       : ",\"DriverConfiguration\":{\"Name\":\"overlay\"}");
	(void)sim_net_text(n->subnet, subnet);
	(void)sim_net_text(n->subnet + 1, gateway);
	if (!n->ingress) {
		if (n->internal)
			str_add(out, ",\"Internal\":true");
		if (n->attachable)
			str_add(out, ",\"Attachable\":true");
		if (n->own_subnet)
			str_addf(out,
			    ",\"IPAMOptions\":{\"Driver\":{\"Name\":"
			    "\"default\"},\"Configs\":[{\"Subnet\":\"%s/%u\","
			    "\"Gateway\":\"%s\"}]}",
			    subnet, n->prefix, gateway);
		str_add(out, ",\"Scope\":\"swarm\"}");
	}
	str_addf(out,
	    ",\"DriverState\":{\"Name\":\"overlay\",\"Options\":{"
	    "\"com.docker.network.driver.overlay.vxlanid_list\":\"%u\"}},"
	    "\"IPAMOptions\":{\"Driver\":{\"Name\":\"default\"},\"Configs\":"
	    "[{\"Subnet\":\"%s/%u\",\"Gateway\":\"%s\"}]}}",
	    n->vxlan, subnet, n->prefix, gateway);
	str_add(out, ",\"Addresses\":[");
	add_cidr(out, a);
	str_add(out, "]}");
}

static void
add_status(struct str *out, const struct sim_task *t)
{
	str_add(out, ",\"Status\":{\"Timestamp\":\"");
	sim_render_time(out, t->status_ns);
	str_addf(out, "\",\"State\":\"%s\",\"Message\":\"%s\"",
	    task_state_name(t->state), t->message);
	if (t->err != NULL) {
		str_add(out, ",\"Err\":");
		add_text(out, t->err);
	}
	if (t->container[0] != '\0')
		str_addf(out,
		    ",\"ContainerStatus\":{\"ContainerID\":\"%s\",\"PID\":%u,"
		    "\"ExitCode\":%d}",
		    t->container,
		    t->state == TASK_RUNNING ? 1000 + (unsigned)t->container[0]
					     : 0,
		    t->exit_code);
	str_add(out, ",\"PortStatus\":{");
	if (t->ports.len > 0 && t->state >= TASK_STARTING) {
		str_add(out, "\"Ports\":[");
		for (size_t i = 0; i < t->ports.len; i++) {
			str_add(out, i > 0 ? "," : "");
			add_port(out, &t->ports.at[i]);
		}
		str_addc(out, ']');
	}
	str_add(out, "}}");
}

static void
render_task(struct str *out, struct sim_task *t)
{
	add_head(out, &t->o);
	str_add(out, ",\"Labels\":{},\"Spec\":");
	sim_render_json(out, t->spec);
	str_addf(out, ",\"ServiceID\":\"%s\"", t->service_id);
	if (t->slot != 0)
		str_addf(out, ",\"Slot\":%u", t->slot);
	if (t->node != NULL)
		str_addf(out, ",\"NodeID\":\"%s\"", t->node->o.id);
	add_status(out, t);
	str_addf(out, ",\"DesiredState\":\"%s\"", task_state_name(t->desired));
	if (t->addresses.len > 0) {
		str_add(out, ",\"NetworksAttachments\":[");
		for (size_t i = 0; i < t->addresses.len; i++) {
			str_add(out, i > 0 ? "," : "");
			add_attachment(out, &t->addresses.at[i]);
		}
		str_addc(out, ']');
	}
	str_addc(out, '}');
}

static void
render_network(struct str *out, struct sim_network *n)
{
	char text[16], gateway[16];

	str_add(out, "{\"Name\":");
	add_text(out, n->o.name);
	str_addf(out, ",\"Id\":\"%s\",\"Created\":\"", n->o.id);
	sim_render_time(out, n->o.created_ns);
	str_addf(out,
	    "\",\"Scope\":\"%s\",\"Driver\":\"%s\",\"EnableIPv6\":false,"
	    "\"IPAM\":{\"Driver\":\"default\",\"Options\":null,\"Config\":[",
	    n->swarm_scope ? "swarm" : "local", n->driver);
	if (n->subnet != 0)
		str_addf(out, "{\"Subnet\":\"%s/%u\",\"Gateway\":\"%s\"}",
		    sim_net_text(n->subnet, text), n->prefix,
		    sim_net_text(n->subnet + 1, gateway));
	str_addf(out,
	    "]},\"Internal\":%s,\"Attachable\":%s,\"Ingress\":%s,"
	    "\"ConfigFrom\":{\"Network\":\"\"},\"ConfigOnly\":false,"
	    "\"Containers\":%s,\"Options\":",
	    n->internal ? "true" : "false", n->attachable ? "true" : "false",
	    n->ingress ? "true" : "false", n->swarm_scope ? "null" : "{}");
	if (n->options != NULL)
		sim_render_json(out, n->options);
	else if (n->swarm_scope)
		str_addf(out,
		    "{\"com.docker.network.driver.overlay.vxlanid_list\":"
		    "\"%u\"}",
		    n->vxlan);
	else
		str_add(out, "{}");
	str_add(out, ",\"Labels\":");
	if (n->labels != NULL)
		sim_render_json(out, n->labels);
	else
		str_add(out, n->swarm_scope ? "null" : "{}");
	str_addc(out, '}');
}

static void
render_node(struct str *out, struct sim_node *n)
{
	char text[16];

	(void)sim_net_text(n->address, text);
	add_head(out, &n->o);
	str_add(out, ",\"Spec\":{\"Labels\":");
	sim_render_json(out, n->labels);
	str_addf(out,
	    ",\"Role\":\"%s\",\"Availability\":\"%s\"},\"Description\":{"
	    "\"Hostname\":\"%s\",\"Platform\":{\"Architecture\":\"x86_64\","
	    "\"OS\":\"linux\"},\"Resources\":{\"NanoCPUs\":2000000000,"
	    "\"MemoryBytes\":4294967296},\"Engine\":{\"EngineVersion\":"
	    "\"20.10.24\",\"Plugins\":[{\"Type\":\"Network\",\"Name\":"
	    "\"overlay\"}]},\"TLSInfo\":{\"TrustRoot\":\"c2FtcGxl\","
	    "\"CertIssuerSubject\":\"c2FtcGxl\",\"CertIssuerPublicKey\":"
	    "\"c2FtcGxl\"}},\"Status\":{\"State\":\"%s\"%s,\"Addr\":\"%s\"}",
	    n->manager ? "manager" : "worker", n->availability, n->o.name,
	    n->down ? "down" : "ready",
	    n->down ? ",\"Message\":\"heartbeat failure\"" : "", text);
	if (n->manager)
		str_addf(out,
		    ",\"ManagerStatus\":{%s\"Reachability\":\"reachable\","
		    "\"Addr\":\"%s:2377\"}",
		    n->leader ? "\"Leader\":true," : "", text);
	str_addc(out, '}');
}

static void
render_blob(struct str *out, struct sim_blob *b)
{
	add_head(out, &b->o);
	str_add(out, ",\"Spec\":");
	sim_render_json(out, b->spec);
	str_addc(out, '}');
}

const char *
sim_render(struct sim_object *o)
{
	struct str out;

	if (o->json != NULL)
		return o->json;
	str_init(&out, SIM_TEXT_MAX);
	switch (o->kind) {
	case SIM_SERVICE:
		render_service(&out, (struct sim_service *)(void *)o);
		break;
	case SIM_TASK:
		render_task(&out, (struct sim_task *)(void *)o);
		break;
	case SIM_NETWORK:
		render_network(&out, (struct sim_network *)(void *)o);
		break;
	case SIM_NODE:
		render_node(&out, (struct sim_node *)(void *)o);
		break;
	case SIM_SECRET:
	case SIM_CONFIG:
		render_blob(&out, (struct sim_blob *)(void *)o);
		break;
	case SIM_KINDS:
		must(!"no such kind");
	}
	must(!out.overflow);
	o->json = str_take(&out);
	return o->json;
}

void
sim_render_service_status(struct str *out, struct sim_service *v)
{
	size_t running = 0, desired = (size_t)v->replicas;
	const char *json = sim_render(&v->o);

	if (v->mode == SERVICE_GLOBAL)
		desired = 0;
	for (size_t i = 0; i < v->tasks.len; i++) {
		running += v->tasks.at[i]->state == TASK_RUNNING;
		if (v->mode == SERVICE_GLOBAL)
			desired += v->tasks.at[i]->desired <= TASK_RUNNING;
	}
	str_addn(out, json, strlen(json) - 1);
	str_addf(out,
	    ",\"ServiceStatus\":{\"RunningTasks\":%zu,\"DesiredTasks\":%zu,"
	    "\"CompletedTasks\":0}}",
	    running, desired);
}
