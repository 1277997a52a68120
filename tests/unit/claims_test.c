/* Who gets what: one table of a wish and its verdict. */
#include "swarm_text.h"

#define OLD                                                                    \
	"hosts=old.example,shared.example|port=80|network=front|"              \
	"context_root=/old,/"

struct verdict {
	const char *name;
	const char *ini;      /* of the cluster */
	const char *networks; /* of the service "new" */
	const char *labels;
	const char *members; /* further ones of its Spec */
	/* NULL: accepted.  Else the code, label, offset, owner. */
	const char *code;
	const char *label;
	int offset;
	const char *owner;
};

#define MODE ",\"Mode\":{\"Replicated\":{\"Replicas\":1}}"
#define DNSRR MODE ",\"EndpointSpec\":{\"Mode\":\"dnsrr\"}"
#define ANY "[cluster]\nshare_host = any\n"
#define NEVER "[cluster]\nshare_host = never\n"
#define WILD                                                                   \
	"[cluster]\nhosts_allow = *.wild.example, *.b.wild.example, "          \
	"x.wild.example, other.example, old.example\n"
#define GRANTED "[cluster]\nsecrets = granted\n"

static const struct verdict verdicts[] = {
	{ "a plain service", "", "n-front", "hosts=a.example|port=80", MODE,
	    NULL, NULL, 0, NULL },
	{ "a network by name", "", "n-front,n-back",
	    "hosts=a.example|port=80|network=back", MODE, NULL, NULL, 0, NULL },
	{ "a network by ID", "", "n-front,n-back",
	    "hosts=a.example|port=80|network=n-back", MODE, NULL, NULL, 0,
	    NULL },
	{ "a spec that names its network", "", "front",
	    "hosts=a.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a network that is not there", "", "n-front",
	    "hosts=a.example|port=80|network= nowhere", MODE, "no-such-network",
	    "network", 1, NULL },
	{ "a network of somebody else", "", "n-front",
	    "hosts=a.example|port=80|network=back", MODE,
	    "network-not-attached", "network", 0, NULL },
	{ "ingress", "", "n-front,n-ingress",
	    "hosts=a.example|port=80|network=ingress", MODE,
	    "network-not-attached", "network", 0, NULL },
	{ "ingress by ID", "", "n-front,n-ingress",
	    "hosts=a.example|port=80|network=n-ingress", MODE,
	    "network-not-attached", "network", 0, NULL },
	{ "ingress never counts", "", "n-ingress,n-front",
	    "hosts=a.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a bridge", "", "n-front,n-local",
	    "hosts=a.example|port=80|network=local", MODE,
	    "network-not-attached", "network", 0, NULL },
	{ "two networks of one name", "", "n-twin1",
	    "hosts=a.example|port=80|network=twin", MODE, "network-ambiguous",
	    "network", 0, NULL },
	{ "one of two by ID", "", "n-twin1",
	    "hosts=a.example|port=80|network=n-twin1", MODE, NULL, NULL, 0,
	    NULL },
	{ "several and no label", "", "n-front,n-back",
	    "hosts=a.example|port=80", MODE, "network-ambiguous", "network", -1,
	    NULL },
	{ "several and one listed", "[cluster]\nnetworks = back\n",
	    "n-front,n-back", "hosts=a.example|port=80", MODE, NULL, NULL, 0,
	    NULL },
	{ "several listed", "[cluster]\nnetworks = back, n-front\n",
	    "n-front,n-back", "hosts=a.example|port=80", MODE,
	    "network-ambiguous", "network", -1, NULL },
	{ "none listed", "[cluster]\nnetworks = six\n", "n-front",
	    "hosts=a.example|port=80", MODE, "network-not-listed", "network",
	    -1, NULL },
	{ "a label that is not listed", "[cluster]\nnetworks = six\n",
	    "n-front,n-six", "hosts=a.example|port=80|network=front", MODE,
	    "network-not-listed", "network", 0, NULL },
	{ "no network and no port", "", "", "hosts=a.example|port=80", MODE,
	    "no-address", "network", -1, NULL },

	{ "a host of somebody else", "", "n-back",
	    "hosts=a.example, OLD.example.|port=80", MODE, "host-taken",
	    "hosts", 11, "old" },
	{ "a shared host on the same network", "", "n-front",
	    "hosts=old.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a shared host where all may", ANY, "n-back",
	    "hosts=old.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a shared host where none may", NEVER, "n-front",
	    "hosts=old.example|port=80", MODE, "host-taken", "hosts", 0,
	    "old" },
	{ "the first error in label order", "", "n-back",
	    "hosts=old.example|port=0|network=back", MODE, "host-taken",
	    "hosts", 0, "old" },
	{ "the network before what depends on it", "", "n-back",
	    "hosts=old.example|port=80|network=front", MODE,
	    "network-not-attached", "network", 0, NULL },
	{ "a foreign network and a taken host", NEVER, "n-back",
	    "hosts=old.example|port=80|network=front", MODE, "host-taken",
	    "hosts", 0, "old" },
	{ "the default backend of somebody else", "", "n-back",
	    "default_backend= true|port=80", MODE, "host-taken",
	    "default_backend", 1, "old" },
	{ "the default backend, shared", "", "n-front",
	    "default_backend=true|port=80", MODE, NULL, NULL, 0, NULL },

	{ "a host that is allowed", "[cluster]\nhosts_allow = a.example\n",
	    "n-front", "hosts=A.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a host that is not",
	    "[cluster]\nhosts_allow = a.example, *.b.example\n", "n-front",
	    "hosts=a.example,b.example|port=80", MODE, "host-not-allowed",
	    "hosts", 10, NULL },
	{ "a name below an allowed suffix",
	    "[cluster]\nhosts_allow = *.b.example\n", "n-front",
	    "hosts=x.y.b.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a wildcard without a grant", "", "n-front",
	    "hosts=*.b.example|port=80", MODE, "host-not-allowed", "hosts", 0,
	    NULL },
	{ "a wildcard with its grant", WILD, "n-front",
	    "hosts=*.c.wild.example|port=80", MODE, "host-taken", "hosts", 0,
	    "wild" },
	{ "a narrower wildcard with a grant of its own", WILD, "n-front",
	    "hosts=*.b.wild.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a name under a wildcard", WILD, "n-front",
	    "hosts=y.wild.example|port=80", MODE, "host-taken", "hosts", 0,
	    "wild" },
	{ "a name under a wildcard with a grant of its own", WILD, "n-front",
	    "hosts=x.wild.example|port=80", MODE, NULL, NULL, 0, NULL },
	{ "a reserved host", "[cluster]\nhosts_reserved = r.example\n",
	    "n-front", "hosts=R.example|port=80", MODE, "host-reserved",
	    "hosts", 0, NULL },
	{ "a host below a reserved suffix",
	    "[cluster]\nhosts_reserved = *.r.example\n", "n-front",
	    "hosts=r.example,x.r.example|port=80", MODE, "host-reserved",
	    "hosts", 10, NULL },
	{ "a wildcard over a reserved host",
	    "[cluster]\nhosts_reserved = x.wild.example\n"
	    "hosts_allow = *.wild.example\n",
	    "n-front", "hosts=*.wild.example|port=80", MODE, "host-reserved",
	    "hosts", 0, NULL },
	{ "one host more than the cluster has", "[cluster]\nmax_hosts = 4\n",
	    "n-front",
	    "hosts=old.example,a.example,b.example,c.example|port=80", MODE,
	    "too-many", "hosts", 32, NULL },
	{ "a host twice is one", "[cluster]\nmax_hosts = 3\n", "n-front",
	    "hosts=a.example,A.example.|port=80|context_root=/a,/a/", MODE,
	    NULL, NULL, 0, NULL },
	{ "as many hosts as the cluster has", "[cluster]\nmax_hosts = 4\n",
	    "n-front", "hosts=old.example,a.example,b.example|port=80", MODE,
	    NULL, NULL, 0, NULL },

	{ "an ssl_backend that differs", "", "n-front",
	    "hosts=old.example|port=80|ssl_backend= true", MODE,
	    "differs-from-owner", "ssl_backend", 1, "old" },
	{ "an ssl_backend on another path", "", "n-front",
	    "hosts=old.example|port=80|context_root=/new|ssl_backend=true",
	    MODE, NULL, NULL, 0, NULL },
	{ "an ssl_passthrough that differs", "", "n-front",
	    "hosts=old.example|port=80|ssl_passthrough=true", MODE,
	    "differs-from-owner", "ssl_passthrough", 0, "old" },

	{ "a secret that is not there", "", "n-front",
	    "hosts=a.example|port=80|ssl_cert=nope", MODE, "no-such-secret",
	    "ssl_cert", 0, NULL },
	{ "a secret that is there", "", "n-front",
	    "hosts=a.example|port=80|ssl_cert=plain", MODE, NULL, NULL, 0,
	    NULL },
	{ "a secret that is not granted", GRANTED, "n-front",
	    "hosts=a.example|port=80|ssl_cert=plain", MODE,
	    "secret-not-granted", "ssl_cert", 0, NULL },
	{ "a secret that is granted by name", GRANTED, "n-front",
	    "hosts=a.example|port=80|ssl_cert=named", MODE, NULL, NULL, 0,
	    NULL },
	{ "a secret that is granted to another", GRANTED, "n-front",
	    "hosts=a.example|port=80|ssl_cert=others", MODE,
	    "secret-not-granted", "ssl_cert", 0, NULL },
	{ "a secret that is granted to all", GRANTED, "n-front",
	    "hosts=a.example|port=80|ssl_cert=all", MODE, NULL, NULL, 0, NULL },

	{ "VIP mode with dnsrr", "", "n-front",
	    "hosts=a.example|port=80|backend_mode= vip", DNSRR, "no-vip",
	    "backend_mode", 1, NULL },
	{ "task mode with dnsrr", "", "n-front", "hosts=a.example|port=80",
	    DNSRR, NULL, NULL, 0, NULL },
	{ "a job", "", "n-front", "hosts=a.example|port=80",
	    ",\"Mode\":{\"ReplicatedJob\":{}}", "no-address", NULL, -1, NULL },
	{ "a global service", "", "n-front", "hosts=a.example|port=80",
	    ",\"Mode\":{\"Global\":{}}", NULL, NULL, 0, NULL },
	{ "passthrough without hosts", "", "n-front",
	    "default_backend=true|port=443|ssl_passthrough=true", MODE,
	    "missing-label", "hosts", -1, NULL },
};

static void
make_swarm(struct swarm *w, const struct verdict *v)
{
	swarm_init(w);
	w->secrets =
	    xstrdup("{\"ID\":\"x1\",\"Spec\":{\"Name\":\"plain\"}},"
		    "{\"ID\":\"x2\",\"Spec\":{\"Name\":\"named\",\"Labels\":"
		    "{\"com.docker.lb.allow\":\"foo, new\"}}},"
		    "{\"ID\":\"x3\",\"Spec\":{\"Name\":\"others\",\"Labels\":"
		    "{\"com.docker.lb.allow\":\"newer,ne,stack:new\"}}},"
		    "{\"ID\":\"x4\",\"Spec\":{\"Name\":\"all\",\"Labels\":"
		    "{\"com.docker.lb.allow\":\"*\"}}}");
	if (strstr(v->ini, "hosts_allow") == NULL &&
	    strstr(v->ini, "networks = ") == NULL)
		swarm_service(
		    w, "old", 9, "n-front", OLD "|default_backend=true");
	if (strstr(v->ini, "*.b.wild.example") != NULL)
		swarm_service(
		    w, "wild", 8, "n-back", "hosts=*.wild.example|port=80");
	swarm_service_with(w, "new", 3, v->networks, v->labels, v->members);
}

static void
check_verdict(const struct verdict *v, const struct rejected *found)
{
	char *label _cleanup_free_ =
	    v->label == NULL ? NULL : xasprintf(LABEL_PREFIX "%s", v->label);
	const struct finding *f;

	if (v->code == NULL) {
		if (found != NULL)
			fail_msg("%s: rejected, %s: %s", v->name,
			    reject_code_name(found->finding.code),
			    found->finding.reason);
		return;
	}
	if (found == NULL)
		fail_msg("%s: accepted", v->name);
	f = &found->finding;
	if (strcmp(reject_code_name(f->code), v->code) != 0 ||
	    (label == NULL) != (f->label == NULL) ||
	    (label != NULL && strcmp(label, f->label) != 0) ||
	    f->offset != v->offset ||
	    (v->owner == NULL) != (f->owner == NULL) ||
	    (v->owner != NULL && strcmp(v->owner, f->owner) != 0))
		fail_msg("%s: %s %s %d %s: %s", v->name,
		    reject_code_name(f->code),
		    f->label == NULL ? "-" : f->label, (int)f->offset,
		    f->owner == NULL ? "-" : f->owner, f->reason);
}

static void
each_wish_gets_its_verdict(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < countof(verdicts); i++) {
		const struct verdict *v = &verdicts[i];
		struct cluster_config *c = swarm_config(v->ini);
		struct swarm w;
		struct model *m;
		struct routing *r;

		make_swarm(&w, v);
		m = swarm_model(&w);
		r = routing_build(c, m, NULL);
		check_verdict(v, routing_rejected(r, "new"));
		assert_int_equal(
		    routing_accepted(r, "new") != NULL, v->code == NULL);
		if (strstr(v->ini, "hosts_allow") == NULL &&
		    strstr(v->ini, "networks = ") == NULL)
			assert_non_null(routing_accepted(r, "old"));
		routing_free(r);
		model_free(m);
		swarm_fini(&w);
		cluster_config_free(c);
	}
}

static void
a_rejected_service_leaves_no_trace(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < countof(verdicts); i++) {
		const struct verdict *v = &verdicts[i];
		struct cluster_config *c = swarm_config(v->ini);
		struct swarm w;
		struct model *m;
		struct routing *r;
		STR_AUTO(with, TEXT_MAX);
		STR_AUTO(without, TEXT_MAX);
		char *end;

		if (v->code == NULL) {
			cluster_config_free(c);
			continue;
		}
		make_swarm(&w, v);
		/* Younger than the one that is rejected, and in its way. */
		swarm_service(&w, "late", 1, "n-front",
		    "hosts=a.example,late.example|port=80|network=front");
		m = swarm_model(&w);
		r = routing_build(c, m, NULL);
		routing_report(&with, r);
		routing_free(r);
		model_remove_service(m, "s-new");
		r = routing_build(c, m, NULL);
		routing_report(&without, r);
		routing_free(r);
		/* Up to the rejected, and what is needed behind them. */
		end = strstr(with.p, "\"rejected\":");
		assert_memory_equal(with.p, without.p, (size_t)(end - with.p));
		assert_string_equal(strstr(with.p, "\"needs\":"),
		    strstr(without.p, "\"needs\":"));
		model_free(m);
		swarm_fini(&w);
		cluster_config_free(c);
	}
}

static void
a_service_of_another_cluster_is_not_ours_offline_and_unknown_live(void **state)
{
	struct cluster_config *c = swarm_config("[cluster]\nname = main\n");
	struct cluster_config *other =
	    swarm_config("[cluster]\nname = blue\ndefault = no\n");
	const struct routing_options live = { .foreign_is_error = true };
	struct swarm w;
	struct model *m;
	struct routing *r;

	(void)state;
	swarm_init(&w);
	swarm_service(&w, "web", 3, "n-front",
	    "hosts=a.example|port=80|service_cluster= blue");
	swarm_service(&w, "odd", 2, "n-front",
	    "hosts=b.example|port=80|service_cluster=No!");
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	assert_int_equal(r->accepted.len, 0);
	assert_int_equal(r->rejected.len, 1);
	assert_string_equal(r->rejected.at[0].service, "odd");
	routing_free(r);
	r = routing_build(other, m, NULL);
	assert_int_equal(r->rejected.len, 0);
	assert_non_null(routing_accepted(r, "web"));
	routing_free(r);
	r = routing_build(c, m, &live);
	assert_int_equal(r->rejected.len, 2);
	assert_int_equal(
	    r->rejected.at[0].finding.code, REJECT_NO_SUCH_CLUSTER);
	assert_int_equal(r->rejected.at[0].finding.offset, 1);
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
	cluster_config_free(other);
}

static void
what_is_set_aside_claims_nothing(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct set_aside f = { 0 };
	struct map aside = { 0 };
	const struct routing_options options = { .set_aside = &aside };
	struct swarm w;
	struct model *m;
	struct routing *r;

	(void)state;
	finding_set(
	    &f.finding, REJECT_ENGINE_REFUSED, NULL, -1, NULL, "nginx says no");
	map_set(&aside, "s-first", &f);
	swarm_init(&w);
	swarm_service(&w, "first", 5, "n-front", "hosts=a.example|port=80");
	swarm_service(&w, "second", 4, "n-back", "hosts=a.example|port=80");
	m = swarm_model(&w);
	r = routing_build(c, m, &options);
	assert_int_equal(
	    routing_rejected(r, "first")->finding.code, REJECT_ENGINE_REFUSED);
	assert_string_equal(
	    routing_rejected(r, "first")->finding.reason, "nginx says no");
	assert_non_null(routing_accepted(r, "second"));
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	map_fini(&aside);
	finding_fini(&f.finding);
	cluster_config_free(c);
}

static void
what_is_set_aside_may_stay_as_it_was(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct set_aside f = { 0 };
	struct map aside = { 0 };
	const struct routing_options options = { .set_aside = &aside };
	struct swarm now, then;
	struct model *m, *before;
	struct routing *r;
	const struct accepted *a;

	(void)state;
	finding_set(
	    &f.finding, REJECT_ENGINE_REFUSED, NULL, -1, NULL, "nginx says no");
	map_set(&aside, "s-first", &f);
	swarm_init(&then);
	swarm_service(
	    &then, "first", 5, "n-front", "hosts=old.example|port=80");
	before = swarm_model(&then);
	f.instead = map_get(&before->services, "s-first");
	swarm_init(&now);
	swarm_service(&now, "first", 5, "n-front", "hosts=new.example|port=80");
	m = swarm_model(&now);
	r = routing_build(c, m, &options);
	a = routing_accepted(r, "first");
	assert_non_null(a);
	assert_int_equal(r->rejected.len, 0);
	assert_int_equal(r->routes.len, 1);
	assert_string_equal(r->routes.at[0].host, "old.example");
	assert_int_equal(a->remarks.list.len, 1);
	assert_int_equal(a->remarks.list.at[0].code, REJECT_ENGINE_REFUSED);
	assert_string_equal(a->remarks.list.at[0].reason, "nginx says no");
	routing_free(r);
	model_free(m);
	model_free(before);
	swarm_fini(&now);
	swarm_fini(&then);
	map_fini(&aside);
	finding_fini(&f.finding);
	cluster_config_free(c);
}

static void
the_older_decides_and_the_younger_is_told(void **state)
{
	struct cluster_config *c = swarm_config("");
	struct swarm w;
	struct model *m;
	struct routing *r;
	const struct accepted *a;

	(void)state;
	swarm_init(&w);
	swarm_service(
	    &w, "old", 5, "n-front", "hosts=a.example|port=80|read_timeout=5s");
	swarm_service(&w, "new", 4, "n-front",
	    "hosts=a.example,b.example|port=81|read_timeout= 6s|"
	    "context_root_rewrite=false|max_fails=3|weight=7|"
	    "send_timeout=1s");
	m = swarm_model(&w);
	r = routing_build(c, m, NULL);
	a = routing_accepted(r, "new");
	assert_non_null(a);
	assert_int_equal(a->remarks.list.len, 2);
	assert_int_equal(a->remarks.list.at[0].code, REJECT_DIFFERS_FROM_OWNER);
	assert_string_equal(
	    a->remarks.list.at[0].label, LABEL_PREFIX "read_timeout");
	assert_int_equal(a->remarks.list.at[0].offset, 1);
	assert_string_equal(
	    a->remarks.list.at[1].label, LABEL_PREFIX "send_timeout");
	assert_ptr_equal(r->routes.at[0].owner, routing_accepted(r, "old"));
	assert_ptr_equal(r->routes.at[1].owner, a);
	routing_free(r);
	model_free(m);
	swarm_fini(&w);
	cluster_config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wish_gets_its_verdict),
		cmocka_unit_test(a_rejected_service_leaves_no_trace),
		cmocka_unit_test(
		    a_service_of_another_cluster_is_not_ours_offline_and_unknown_live),
		cmocka_unit_test(what_is_set_aside_claims_nothing),
		cmocka_unit_test(what_is_set_aside_may_stay_as_it_was),
		cmocka_unit_test(the_older_decides_and_the_younger_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
