/* What the simulated engine says about itself. */
#include "sim_api.h"
#include "sim_events.h"
#include "sim_net.h"
#include "sim_render.h"
#include "sim_store.h"

void
sim_api_ping(struct sim_call *c)
{
	sim_http_answer(c->req, 200, "text/plain; charset=utf-8", "OK",
	    strcmp(c->req->method, "HEAD") == 0 ? 0 : 2);
}

void
sim_api_version(struct sim_call *c)
{
	const struct sim_options *o = &c->sim->options;
	STR_AUTO(out, 4096);

	str_addf(&out,
	    "{\"Platform\":{\"Name\":\"\"},\"Components\":[{\"Name\":"
	    "\"Engine\",\"Version\":\"20.10.24\",\"Details\":{\"ApiVersion\":"
	    "\"1.%u\",\"Arch\":\"amd64\",\"BuildTime\":"
	    "\"2024-01-01T00:00:00.000000000+00:00\",\"Experimental\":"
	    "\"false\",\"GitCommit\":\"fakeswarm\",\"GoVersion\":\"go1.19.8\","
	    "\"KernelVersion\":\"6.1.0\",\"MinAPIVersion\":\"1.%u\",\"Os\":"
	    "\"linux\"}}],\"Version\":\"20.10.24\",\"ApiVersion\":\"1.%u\","
	    "\"MinAPIVersion\":\"1.%u\",\"GitCommit\":\"fakeswarm\","
	    "\"GoVersion\":\"go1.19.8\",\"Os\":\"linux\",\"Arch\":\"amd64\","
	    "\"KernelVersion\":\"6.1.0\",\"BuildTime\":"
	    "\"2024-01-01T00:00:00.000000000+00:00\"}\n",
	    o->api_minor, o->api_min_minor, o->api_minor, o->api_min_minor);
	sim_api_json(c, 200, out.p, out.len);
}

static size_t
count_managers(struct sim *s)
{
	struct sim_node *n;
	size_t managers = 0;

	SIM_FOR_EACH(s, SIM_NODE, struct sim_node, n)
	{
		managers += n->manager;
	}
	return managers;
}

/* The leading members of the cluster object, in /info and /swarm alike. */
static void
add_cluster(struct str *out, struct sim *s)
{
	struct sim_node *n =
	    (struct sim_node *)(void *)s->lists[SIM_NODE].at[0];

	str_addf(out,
	    "{\"ID\":\"%s\",\"Version\":{\"Index\":10},\"CreatedAt\":\"",
	    s->swarm_id);
	sim_render_time(out, n->o.created_ns);
	str_add(out, "\",\"UpdatedAt\":\"");
	sim_render_time(out, n->o.created_ns);
	str_addf(out,
	    "\",\"Spec\":{\"Name\":\"default\",\"Labels\":{},"
	    "\"Orchestration\":{\"TaskHistoryRetentionLimit\":5},\"Raft\":{"
	    "\"SnapshotInterval\":10000,\"KeepOldSnapshots\":0,"
	    "\"LogEntriesForSlowFollowers\":500,\"ElectionTick\":10,"
	    "\"HeartbeatTick\":1},\"Dispatcher\":{\"HeartbeatPeriod\":"
	    "5000000000},\"CAConfig\":{\"NodeCertExpiry\":7776000000000000},"
	    "\"TaskDefaults\":{},\"EncryptionConfig\":{\"AutoLockManagers\":"
	    "false}},\"TLSInfo\":{\"TrustRoot\":\"c2FtcGxl\","
	    "\"CertIssuerSubject\":\"c2FtcGxl\",\"CertIssuerPublicKey\":"
	    "\"c2FtcGxl\"},\"RootRotationInProgress\":false,"
	    "\"DefaultAddrPool\":[\"%u.0.0.0/8\"],\"SubnetSize\":%u,"
	    "\"DataPathPort\":4789",
	    s->options.pool >> 24, s->options.subnet_prefix);
}

void
sim_api_info(struct sim_call *c)
{
	struct sim *s = c->sim;
	struct sim_node *n =
	    (struct sim_node *)(void *)s->lists[SIM_NODE].at[0];
	char address[16];
	STR_AUTO(out, 16384);

	(void)sim_net_text(n->address, address);
	str_addf(&out,
	    "{\"ID\":\"%s\",\"Containers\":0,\"ContainersRunning\":0,"
	    "\"ContainersPaused\":0,\"ContainersStopped\":0,\"Images\":1,"
	    "\"Driver\":\"overlay2\",\"OSType\":\"linux\",\"Architecture\":"
	    "\"x86_64\",\"NCPU\":2,\"MemTotal\":4294967296,\"Name\":\"%s\","
	    "\"OperatingSystem\":\"fakeswarm\",\"ServerVersion\":\"20.10.24\","
	    "\"KernelVersion\":\"6.1.0\",\"Swarm\":{\"NodeID\":\"%s\","
	    "\"NodeAddr\":\"%s\",\"LocalNodeState\":\"active\","
	    "\"ControlAvailable\":true,\"Error\":\"\",\"RemoteManagers\":["
	    "{\"NodeID\":\"%s\",\"Addr\":\"%s:2377\"}],\"Nodes\":%zu,"
	    "\"Managers\":%zu,\"Cluster\":",
	    s->swarm_id, n->o.name, n->o.id, address, n->o.id, address,
	    s->lists[SIM_NODE].len, count_managers(s));
	add_cluster(&out, s);
	str_add(&out, "}}}\n");
	sim_api_json(c, 200, out.p, out.len);
}

void
sim_api_swarm(struct sim_call *c)
{
	STR_AUTO(out, 16384);

	add_cluster(&out, c->sim);
	str_add(&out,
	    ",\"JoinTokens\":{\"Worker\":\"SWMTKN-1-simulated-worker\","
	    "\"Manager\":\"SWMTKN-1-simulated-manager\"}}\n");
	sim_api_json(c, 200, out.p, out.len);
}

void
sim_api_events(struct sim_call *c)
{
	struct error e;

	if (sim_events_serve(c->sim, c->req, sim_api_query(c, "filters"),
		sim_api_query(c, "since"), &e) != 0)
		sim_api_error(c, 400, "%s", e.msg);
}

/* Containers of this node's engine are nobody's business here. */
void
sim_api_containers(struct sim_call *c)
{
	sim_api_json(c, 200, "[]\n", 3);
}

void
sim_api_images(struct sim_call *c)
{
	sim_api_json(c, 200, "[]\n", 3);
}
