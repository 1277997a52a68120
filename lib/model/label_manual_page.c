/* bulkhead-labels(7) from the rows of label_manual.c: see label_manual.h. */
#include <string.h>

#include "base/mdoc.h"
#include "model/label_manual.h"

static const char head[] =
    ".\\\" Made from lib/model/label_manual.c; see "
    "tests/unit/label_manual_test.c.\n"
    ".Dd November 21, 2026\n"
    ".Dt BULKHEAD-LABELS 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm bulkhead-labels\n"
    ".Nd labels by which Swarm services are published\n"
    ".Sh DESCRIPTION\n"
    "A Swarm service is published by labels whose names begin with\n"
    ".Dq " LABEL_PREFIX " .\n"
    "They are labels of the service, not of its containers:\n"
    ".Bd -literal -offset indent\n"
    "docker service create --name shop --network shop_front \\e\n"
    "    --label " LABEL_PREFIX "hosts=shop.example.com \\e\n"
    "    --label " LABEL_PREFIX "port=8080 IMAGE\n"
    ".Ed\n"
    ".Pp\n"
    "In a stack file they stand under\n"
    ".Ql deploy :\n"
    "and\n"
    ".Ql labels : .\n"
    ".Pp\n"
    "A service is accepted or rejected as a whole.\n"
    "A rejected one has a code, the label, the offset of the byte at fault\n"
    "in its value, and a sentence that says what to do;\n"
    ".Ic proxyctl services\n"
    "and\n"
    ".Ic proxyctl explain\n"
    "tell them.\n"
    "What is accepted may have remarks, with codes too.\n"
    ".Ss Values\n"
    "Blanks around a value and around the items of a list are skipped, and so\n"
    "are empty items; an empty value is as if the label were not there.\n"
    "Lists are separated by commas.\n"
    "Other than that a value is printable ASCII without blanks, of at most\n"
    "4096 bytes.\n"
    ".Bl -tag -width Ds\n"
    ".It boolean\n"
    ".Cm true , false , 1\n"
    "or\n"
    ".Cm 0 ,\n"
    "in any case.\n"
    ".It duration\n"
    "A number and\n"
    ".Cm ms , s , m , h\n"
    "or\n"
    ".Cm d ;\n"
    "a bare number is seconds.\n"
    ".It host name\n"
    "At most 253 bytes of letters, digits,\n"
    ".Ql -\n"
    "and\n"
    ".Ql _ ,\n"
    "in parts of at most 63 between dots, none with\n"
    ".Ql -\n"
    "at an end; no IP address.\n"
    "Case and a final dot do not matter.\n"
    "International names are written in their\n"
    ".Ql xn--\n"
    "form.\n"
    ".It path\n"
    "A slash, and at most 255 bytes of letters, digits and\n"
    ".Ql ._~/- ,\n"
    "without\n"
    ".Ql // ,\n"
    ".Ql \\&.\n"
    "or\n"
    ".Ql ..\n"
    "as a part of it; a final slash does not matter.\n"
    ".It size\n"
    "A number of bytes, or a number and\n"
    ".Cm k , m\n"
    "or\n"
    ".Cm g .\n"
    ".El\n"
    ".Sh LABELS\n"
    "The names are written here without\n"
    ".Dq " LABEL_PREFIX " .\n"
    ".Bl -tag -width Ds\n";

static const char middle[] =
    ".El\n"
    ".Ss Older labels\n"
    "Labels\n"
    ".Ql com.docker.ucp.mesh.http\n"
    "and\n"
    ".Ql com.docker.ucp.mesh.http.N\n"
    "of the form\n"
    ".Bd -literal -offset indent\n"
    "external_route=http://HOST,internal_port=N,\n"
    "    sticky_sessions=COOKIE,redirect=URL\n"
    ".Ed\n"
    ".Pp\n"
    "are read as\n"
    ".Cm hosts , port , sticky_session_cookie\n"
    "and\n"
    ".Cm redirects ,\n"
    "where those are absent.\n"
    "A route that begins with\n"
    ".Ql sni://\n"
    "is\n"
    ".Cm ssl_passthrough .\n"
    ".Ss Labels of secrets\n"
    "In a cluster with\n"
    ".Ql secrets = granted\n"
    "a Docker secret's own label\n"
    ".Ql " LABEL_PREFIX "allow\n"
    "lists who may name it: names of services,\n"
    ".Ql stack:NAME ,\n"
    "or\n"
    ".Ql * .\n"
    "Whoever may create services can claim to be of any stack; names of\n"
    "services are unique.\n"
    ".Sh WHO OWNS WHAT\n"
    "A host belongs to the oldest accepted service that names it, by the time\n"
    "of its creation as Swarm has it.\n"
    "A younger one may join it, on the same path or on another, if the\n"
    "cluster's\n"
    ".Ql share_host\n"
    "allows it: by default if both use the same network.\n"
    "Services with the same host and path form one pool, in which each task\n"
    "counts once (in VIP mode each service), unless\n"
    ".Cm weight\n"
    "is given.\n"
    ".Pp\n"
    "The oldest service of a host decides\n"
    ".Cm ssl_cert , ssl_key , ssl_only , ssl_passthrough , proxy_protocol ,\n"
    ".Cm hsts\n"
    "and\n"
    ".Cm redirects ;\n"
    "the oldest one of a path all else but\n"
    ".Cm port , max_fails , fail_timeout , weight , drain\n"
    "and\n"
    ".Cm backend_mode ,\n"
    "which are each service's own.\n"
    "Give services of one stack file that share a host, or a path, the same\n"
    "values:\n"
    ".Ql docker stack deploy\n"
    "creates them in no certain order.\n"
    ".Sh LIMITS\n"
    ".Bl -bullet -compact\n";

static const char tail[] = ".Sh SEE ALSO\n"
			   ".Xr proxyctl 1 ,\n"
			   ".Xr bulkhead.ini 5 ,\n"
			   ".Xr bulkhead-supervisor 8\n";

static void
add_limits(struct str *out)
{
	str_addf(out,
	    ".It\n"
	    "%d bytes in a value.\n"
	    ".It\n"
	    "%d hosts of a service, %d paths, %d websocket endpoints, %d\n"
	    "redirects, %d networks in\n"
	    ".Cm allow\n"
	    "and in\n"
	    ".Cm deny .\n"
	    ".It\n"
	    "%d hosts times paths, and hosts times websocket endpoints; %d\n"
	    "of those together times the networks of\n"
	    ".Cm allow ,\n"
	    "and of\n"
	    ".Cm deny .\n"
	    ".It\n"
	    "Of a cluster:\n"
	    ".Ql max_hosts\n"
	    "hosts; past it the newest service is rejected.\n"
	    ".El\n",
	    LABEL_VALUE_MAX, LABEL_HOSTS_MAX, LABEL_ITEMS_MAX, LABEL_ITEMS_MAX,
	    LABEL_ITEMS_MAX, LABEL_CIDRS_MAX, LABEL_ROUTES_MAX,
	    LABEL_LIMITS_MAX);
}

static void
add_label(struct str *out, enum label_id id)
{
	const struct label_manual *m = label_manual(id);
	STR_AUTO(s, 1000);

	str_addf(out, ".It Cm %s\n", label_key(id) + strlen(LABEL_PREFIX));
	mdoc_add_text(out, m->text);
	mdoc_add_text(out, m->values);
	if (m->unset != NULL) {
		str_addf(&s, "Default: %s.", m->unset);
		mdoc_add_text(out, s.p);
	}
	str_clear(&s);
	str_addf(&s, "Example: %s", m->good);
	mdoc_add_text(out, s.p);
}

static void
add_codes(struct str *out)
{
	static const struct {
		enum reject_code code;
		const char *name;
	} all[] = {
#define X(id, name) { REJECT_##id, name },
		REJECT_CODES(X)
#undef X
	};
	size_t i;

	str_add(out,
	    ".Sh CODES\n"
	    "Those from\n"
	    ".Cm unknown-label\n"
	    "on are only remarks.\n"
	    ".Bl -tag -width Ds\n");
	for (i = 0; i < countof(all); i++) {
		const struct code_manual *m = code_manual(all[i].code);

		str_addf(out, ".It Cm %s\n", all[i].name);
		mdoc_add_text(out, m->meaning);
		mdoc_add_text(out, m->remedy);
	}
	str_add(out, ".El\n");
}

void
label_manual_page(struct str *out)
{
	int id;

	str_add(out, head);
	for (id = 0; id < LABEL_COUNT; id++)
		add_label(out, (enum label_id)id);
	str_add(out, middle);
	add_limits(out);
	add_codes(out);
	str_add(out, tail);
}
