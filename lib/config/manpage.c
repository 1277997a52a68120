/* The key table as the manual page bulkhead.ini(5), in mdoc. */
#include <string.h>

#include "base/mdoc.h"
#include "config/keys.h"
#include "config/value.h"

static const char head[] =
    ".\\\" Made from lib/config/keys.c; see tests/unit/config_dump_test.c.\n"
    ".Dd November 21, 2026\n"
    ".Dt BULKHEAD.INI 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm bulkhead.ini\n"
    ".Nd configuration of Bulkhead and of its service clusters\n"
    ".Sh DESCRIPTION\n"
    "The daemon reads one file,\n"
    ".Pa /etc/bulkhead/bulkhead.ini ,\n"
    "and one file for each service cluster,\n"
    ".Pa /etc/bulkhead/clusters.d/NAME.ini .\n"
    "Every key has a default: an empty file is good.\n"
    "A file with an error changes nothing.\n"
    "All errors of a file are reported at once, each with its line;\n"
    ".Ic proxyctl check Ar FILE ...\n"
    "does so beforehand.\n"
    ".Ss How files are written\n"
    "A line is\n"
    ".Dq [section] ,\n"
    ".Dq key = value ,\n"
    "a comment, or empty.\n"
    "Sections and keys start in the first column and stand once in a file.\n"
    "The first\n"
    ".Sq =\n"
    "or\n"
    ".Sq \\&:\n"
    "ends the key.\n"
    "A line whose first sign is\n"
    ".Sq #\n"
    "or\n"
    ".Sq \\&;\n"
    "is a comment; behind a value a comment starts with a blank and\n"
    ".Sq \\&; .\n"
    ".Pp\n"
    "An indented line continues the value above it.\n"
    "It is joined by a comma in a list, by a newline in raw options, and by a\n"
    "blank elsewhere.\n"
    "A line has at most 190 bytes, so long values take several lines.\n"
    ".Pp\n"
    "In raw options and log formats\n"
    ".Sq \\&;\n"
    "stands right behind the text, never behind a blank, where it would start\n"
    "a comment; such a line is refused:\n"
    ".Bd -literal -offset indent\n"
    "[nginx]\n"
    "http_options = gzip on;\n"
    "        gzip_types text/css\n"
    "            application/json;\n"
    ".Ed\n"
    ".Ss Kinds of values\n"
    ".Bl -tag -width Ds\n"
    ".It list\n"
    "Items are separated by commas; blanks around them are ignored.\n"
    ".It duration\n"
    "A number and\n"
    ".Cm ms , s , m , h\n"
    "or\n"
    ".Cm d .\n"
    "A bare number is seconds.\n"
    ".It size\n"
    "A number of bytes, or a number and\n"
    ".Cm k , m\n"
    "or\n"
    ".Cm g .\n"
    ".It boolean\n"
    ".Cm true , yes , on , 1\n"
    "or\n"
    ".Cm false , no , off , 0 ,\n"
    "in any case.\n"
    ".El\n";

static const char tail[] =
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /etc/bulkhead/bulkhead.ini\n"
    "The daemon's file.\n"
    ".It Pa /etc/bulkhead/clusters.d/NAME.ini\n"
    "A file for each service cluster.\n"
    ".It Pa /run/bulkhead/accepted\n"
    "The files in force: what was accepted last.\n"
    ".El\n"
    ".Sh FRAGMENTS\n"
    "The files of\n"
    ".Cm template_dir\n"
    "are nginx directives, written as they stand:\n"
    ".Pa main.conf\n"
    "outside every block,\n"
    ".Pa http.conf\n"
    "into the http block before all servers,\n"
    ".Pa server.conf\n"
    "into every server of an application and the default server,\n"
    ".Pa location.conf\n"
    "into every location that forwards to an application.\n"
    "Each may be absent.\n"
    "They are read, and their quotes, braces and semicolons checked, when the\n"
    "cluster's file is read: after a change of theirs save that file again, "
    "or\n"
    ".Ic proxyctl reload .\n"
    "What is wrong with one changes nothing, as with that file; what only\n"
    "nginx can tell, its check does, and the configuration before stays in\n"
    "force.\n"
    "Of variables there are, besides nginx's own:\n"
    ".Va $bulkhead_request_id ,\n"
    ".Va $bulkhead_proxy_id ,\n"
    ".Va $bulkhead_server_info ,\n"
    ".Va $bulkhead_host\n"
    "(the host that the request was routed by),\n"
    ".Va $bulkhead_scheme\n"
    "(of the client, as a trusted balancer in front tells it) and\n"
    ".Va $bulkhead_forwarded_for .\n"
    "nginx gives a block that has one\n"
    ".Ic add_header\n"
    "or\n"
    ".Ic proxy_set_header\n"
    "of its own none of those above it: in\n"
    ".Pa location.conf\n"
    "they take the place of Bulkhead's.\n"
    ".Sh EXAMPLES\n"
    "A cluster whose proxies are a Swarm service, with a balancer in front:\n"
    ".Bd -literal -offset indent\n"
    "[cluster]\n"
    "default = true\n"
    "hosts_allow = *.example.com, example.com\n"
    "\n"
    "[proxy]\n"
    "replicas = 3\n"
    "publish_mode = host\n"
    "constraints = node.labels.lb == true\n"
    "\n"
    "[control]\n"
    "listen = *:8081\n"
    "network = bulkhead-control\n"
    "token_file = /run/secrets/bulkhead-token\n"
    "\n"
    "[nginx]\n"
    "real_ip_from = 10.0.0.0/8\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr proxyctl 1 ,\n"
    ".Xr bulkhead-labels 7 ,\n"
    ".Xr bulkhead-supervisor 8\n";

static void
add_range(struct str *s, const struct config_key *k)
{
	if (k->type == CONFIG_DURATION) {
		value_format_duration(s, k->min);
		str_add(s, " to ");
		value_format_duration(s, k->max);
	} else if (k->type == CONFIG_SIZE) {
		value_format_size(s, k->min);
		str_add(s, " to ");
		value_format_size(s, k->max);
	} else {
		str_addf(s, "%llu to %llu", (unsigned long long)k->min,
		    (unsigned long long)k->max);
	}
}

static void
add_kind(struct str *out, const struct config_key *k)
{
	STR_AUTO(s, 1000);

	switch (k->type) {
	case CONFIG_RAW:
		str_add(&s, "Raw.");
		break;
	case CONFIG_WORD:
	case CONFIG_ENUM:
		str_add(&s, "One of");
		for (size_t i = 0; k->names[i] != NULL; i++)
			str_addf(&s, "%s %s", i > 0 ? "," : "", k->names[i]);
		str_addc(&s, '.');
		break;
	case CONFIG_BOOL:
	case CONFIG_TRI:
		str_add(&s, "Boolean.");
		break;
	case CONFIG_U32:
	case CONFIG_PORT:
	case CONFIG_AUTO:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		str_add(&s,
		    k->type == CONFIG_DURATION	 ? "Duration, "
			: k->type == CONFIG_SIZE ? "Size, "
						 : "Number, ");
		add_range(&s, k);
		str_add(&s, k->type == CONFIG_AUTO ? ", or auto." : ".");
		break;
	case CONFIG_LIST:
		str_add(&s, "List.");
		break;
	case CONFIG_TEXT:
	case CONFIG_BUFFERS:
	case CONFIG_PAIRS:
		break;
	}
	mdoc_add_text(out, s.p);
}

static void
add_default(struct str *out, const struct config_key *k)
{
	STR_AUTO(s, 1000);

	if (k->shown != NULL)
		str_addf(&s, "Default: %s.", k->shown);
	else if (k->def != NULL)
		str_addf(&s, "Default: %s", k->def);
	else
		return;
	mdoc_add_text(out, s.p);
}

static void
add_table(struct str *out, const struct config_table *t, const char *title)
{
	size_t k = 0;

	str_addf(out, ".Sh %s\n", title);
	mdoc_add_text(out, t->help);
	for (size_t i = 0; i < t->n_sections; i++) {
		const char *section = t->sections[i].name;

		str_addf(out, ".Ss Section %s\n", section);
		mdoc_add_text(out, t->sections[i].help);
		if (t->keys[k].type == CONFIG_PAIRS) {
			mdoc_add_text(out, t->keys[k++].help);
			continue;
		}
		str_add(out, ".Bl -tag -width Ds\n");
		for (;
		     k < t->n_keys && strcmp(t->keys[k].section, section) == 0;
		     k++) {
			str_addf(out, ".It Cm %s\n", t->keys[k].name);
			mdoc_add_text(out, t->keys[k].help);
			add_kind(out, &t->keys[k]);
			add_default(out, &t->keys[k]);
		}
		str_add(out, ".El\n");
	}
}

void
config_manpage(struct str *out)
{
	str_add(out, head);
	add_table(out, &config_daemon_table, "DAEMON FILE");
	add_table(out, &config_cluster_table, "CLUSTER FILES");
	str_add(out, tail);
}
