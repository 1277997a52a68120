/* Texts of the admin API: see admin_answers.h. */
#include "admin_answers.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/version.h"
#include "loop/turns.h"
#include "supervisor.h"

static const char *
bool_text(bool b)
{
	return b ? "true" : "false";
}

/* A ready process whose extension is not: "waiting" says more. */
static const char *
cluster_state(const struct cluster *c)
{
	const struct child *child = process_child(c->process);

	return child->state == CHILD_READY ? c->status.state
					   : child_state_name(child->state);
}

/* What the reader's gate says of the cluster's proxy service, if it has one. */
static void
add_proxy_service(struct str *out, const struct cluster *c)
{
	const char *status = c->supervisor->reader_status;
	json_auto_t *j =
	    status == NULL ? NULL : json_loads(status, JSON_ALLOW_NUL, NULL);
	json_t *o = json_object_get(json_object_get(j, "gate"), c->name);
	char *text;

	if (o == NULL)
		return;
	text = json_dumps(o, JSON_COMPACT);
	must(text != NULL);
	str_addf(out, ",\"proxy_service\":%s", text);
	free(text);
}

static void
add_cluster(struct str *out, const struct cluster *c)
{
	const struct child *child = process_child(c->process);
	const struct accepted_cluster *a =
	    accepted_find(c->supervisor->accepted, c->name);

	str_addf(out,
	    "{\"name\":\"%s\",\"state\":\"%s\",\"generation\":%llu,"
	    "\"pid\":%d,\"restarts\":%llu,\"services\":%llu,"
	    "\"rejected\":%llu",
	    c->name, cluster_state(c), (unsigned long long)c->status.generation,
	    child->pid, (unsigned long long)child->restarts,
	    (unsigned long long)c->status.services,
	    (unsigned long long)c->status.rejected);
	if (c->status.pinned != 0)
		str_addf(out, ",\"pinned\":%llu",
		    (unsigned long long)c->status.pinned);
	else
		str_add(out, ",\"pinned\":null");
	if (a != NULL) {
		str_add(out, ",\"file\":");
		str_add_json(out, a->file, strlen(a->file));
		str_addf(out, ",\"source\":\"%s\",\"kept\":%s",
		    a->from_config ? "config" : "file", bool_text(a->kept));
		str_addf(out,
		    ",\"driver\":\"%s\",\"engine\":\"%s\","
		    "\"replicas\":%u,\"alive\":%llu",
		    cluster_driver_name(a->config->proxy.driver),
		    a->config->proxy.engine == ENGINE_NGINX ? "nginx"
							    : "haproxy",
		    a->config->proxy.replicas,
		    (unsigned long long)c->status.alive);
	}
	add_proxy_service(out, c);
	str_addc(out, '}');
}

static void
add_clusters(struct str *out, const struct supervisor *s)
{
	size_t i;

	str_add(out, "\"clusters\":[");
	for (i = 0; i < s->clusters.len; i++) {
		if (i > 0)
			str_addc(out, ',');
		add_cluster(out, s->clusters.at[i]);
	}
	str_addc(out, ']');
}

static void
add_problems(struct str *out, const struct supervisor *s)
{
	const struct config_errors *p = &s->accepted->problems;
	size_t i;

	str_add(out, "\"problems\":[");
	for (i = 0; i < p->lines.len; i++) {
		if (i > 0)
			str_addc(out, ',');
		str_add_json(out, p->lines.at[i], strlen(p->lines.at[i]));
	}
	str_addc(out, ']');
}

void
answers_status(const struct supervisor *s, struct str *out)
{
	const struct child *reader = process_child(s->reader);

	str_addf(out,
	    "{\"ready\":%s,\"version\":\"" BULKHEAD_VERSION "\","
	    "\"push\":%s,\"pid\":%d,"
	    "\"reader\":{\"state\":\"%s\",\"pid\":%d,\"restarts\":%llu,"
	    "\"status\":%s},",
	    bool_text(supervisor_ready(s)), bool_text(s->push), (int)getpid(),
	    child_state_name(reader->state), reader->pid,
	    (unsigned long long)reader->restarts,
	    s->reader_status == NULL ? "null" : s->reader_status);
	add_clusters(out, s);
	str_add(out, ",\"retired\":");
	retired_json(&s->retired, out);
	str_addc(out, ',');
	add_problems(out, s);
	str_add(out, "}\n");
}

void
answers_clusters(const struct supervisor *s, struct str *out)
{
	str_addc(out, '{');
	add_clusters(out, s);
	str_add(out, ",\"retired\":");
	retired_json(&s->retired, out);
	str_add(out, "}\n");
}

void
answers_cluster(const struct cluster *c, struct str *out)
{
	add_cluster(out, c);
	if (c->status.json != NULL) {
		str_trim(out, out->len - 1);
		str_addf(out, ",\"status\":%s}", c->status.json);
	}
	str_addc(out, '\n');
}

void
answers_problems(const struct supervisor *s, struct str *out)
{
	str_addc(out, '{');
	add_problems(out, s);
	str_add(out, "}\n");
}

int
answers_explain_rank(const struct json_t *answer)
{
	const char *state = json_string_value(json_object_get(answer, "state"));

	if (state == NULL || strcmp(state, "unknown") == 0)
		return 0;
	return strcmp(state, "routed") == 0 ? 2 : 1;
}

/* To the member, and to the text unless the words stand there already. */
static void
add_ail(json_t *answer, const char *member, const char *what, const char *words)
{
	const char *was = json_string_value(json_object_get(answer, "text"));

	if (words == NULL)
		return;
	(void)json_object_set_new(answer, member, json_string(words));
	if (was == NULL || strstr(was, words) != NULL)
		return;
	(void)json_object_set_new(
	    answer, "text", json_sprintf("%s\n\n%s: %s", was, what, words));
}

void
answers_explain_ails(const struct supervisor *s, struct json_t *answer)
{
	const char *status = s->reader_status;
	const char *cluster =
	    json_string_value(json_object_get(answer, "cluster"));
	json_auto_t *j =
	    status == NULL ? NULL : json_loads(status, JSON_ALLOW_NUL, NULL);
	json_t *gate = json_object_get(j, "gate");
	json_t *service =
	    cluster == NULL ? NULL : json_object_get(gate, cluster);

	add_ail(answer, "proxy_service_error", "The cluster's proxy service",
	    json_string_value(json_object_get(service, "error")));
	add_ail(answer, "docker_error",
	    "Docker, so that this may be of the past",
	    json_string_value(
		json_object_get(json_object_get(j, "docker"), "error")));
}

/* ---- metrics (Prometheus text format) ---- */

static void
family(struct str *out, const char *name, const char *type, const char *help)
{
	str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_proc(
    struct str *out, const char *name, const char *child, int pid, bool memory)
{
	char path[64];
	STR_AUTO(text, 4096);
	unsigned long utime, stime, rss;
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (pid == 0 || fs_read(path, &text, NULL) != 0)
		return;
	p = strrchr(text.p, ')');
	/* proc(5): after comm, field 3 is state; 14, 15, 24 are wanted. */
	if (p == NULL ||
	    sscanf(p + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d "
		"%*d %*d %*d %*d %*d %*u %*u %lu",
		&utime, &stime, &rss) != 3)
		return;
	if (memory)
		str_addf(out, "%s{child=\"%s\"} %llu\n", name, child,
		    (unsigned long long)rss *
			(unsigned long long)sysconf(_SC_PAGESIZE));
	else
		str_addf(out, "%s{child=\"%s\"} %.2f\n", name, child,
		    (double)(utime + stime) / (double)sysconf(_SC_CLK_TCK));
}

static void
add_turn(struct str *out, const char *child, uint64_t us)
{
	str_addf(out, "bulkhead_loop_turn_max_seconds{child=\"%s\"} %.6f\n",
	    child, (double)us / 1e6);
}

/* What a loop was busy with for longest: everything else waited for it. */
static void
add_turns(struct str *out, const struct supervisor *s)
{
	size_t i;

	family(out, "bulkhead_loop_turn_max_seconds", "gauge",
	    "Longest turn of its loop in the last 15 to 30 s, without waiting "
	    "for a processor.");
	if (s->turns != NULL)
		add_turn(out, "supervisor", turns_longest_us(s->turns));
	add_turn(out, "reader", process_turn_us(s->reader));
	for (i = 0; i < s->clusters.len; i++)
		add_turn(out, s->clusters.at[i]->name,
		    process_turn_us(s->clusters.at[i]->process));
}

static void
add_processes(struct str *out, const struct supervisor *s)
{
	static const char *const names[] = { "bulkhead_child_resident_bytes",
		"bulkhead_child_cpu_seconds_total" };
	size_t i, k;

	for (k = 0; k < 2; k++) {
		family(out, names[k], k == 0 ? "gauge" : "counter",
		    k == 0 ? "Resident memory." : "CPU time.");
		add_proc(out, names[k], "supervisor", (int)getpid(), k == 0);
		add_proc(out, names[k], "reader", process_child(s->reader)->pid,
		    k == 0);
		for (i = 0; i < s->clusters.len; i++)
			add_proc(out, names[k], s->clusters.at[i]->name,
			    process_child(s->clusters.at[i]->process)->pid,
			    k == 0);
	}
	add_turns(out, s);
	family(out, "bulkhead_child_restarts_total", "counter",
	    "Starts after the first that nobody asked for.");
	str_addf(out, "bulkhead_child_restarts_total{child=\"reader\"} %llu\n",
	    (unsigned long long)process_child(s->reader)->restarts);
	for (i = 0; i < s->clusters.len; i++)
		str_addf(out,
		    "bulkhead_child_restarts_total{child=\"%s\"} %llu\n",
		    s->clusters.at[i]->name,
		    (unsigned long long)process_child(
			s->clusters.at[i]->process)
			->restarts);
}

static json_int_t
number(const json_t *status, const char *key)
{
	return json_integer_value(json_object_get(status, key));
}

/* One value per cluster from the number 'key' of its status. */
static void
add_numbers(struct str *out, const struct supervisor *s, json_t **status,
    const char *name, const char *type, const char *key, const char *help)
{
	size_t i;

	family(out, name, type, help);
	for (i = 0; i < s->clusters.len; i++) {
		if (status[i] != NULL)
			str_addf(out, "%s{cluster=\"%s\"} %lld\n", name,
			    s->clusters.at[i]->name,
			    (long long)number(status[i], key));
	}
}

static void
add_services(struct str *out, const struct supervisor *s, json_t **status)
{
	const char *code;
	json_t *n;
	size_t i;

	family(out, "bulkhead_services", "gauge", "Services of a cluster.");
	for (i = 0; i < s->clusters.len; i++)
		str_addf(out,
		    "bulkhead_services{cluster=\"%s\",state=\"accepted\"} "
		    "%lld\n"
		    "bulkhead_services{cluster=\"%s\",state=\"rejected\"} "
		    "%lld\n",
		    s->clusters.at[i]->name,
		    (long long)(number(status[i], "services") -
			number(status[i], "rejected")),
		    s->clusters.at[i]->name,
		    (long long)number(status[i], "rejected"));
	family(out, "bulkhead_rejected_services", "gauge",
	    "Rejected services by code.");
	for (i = 0; i < s->clusters.len; i++) {
		json_object_foreach(
		    json_object_get(status[i], "rejected_codes"), code, n)
		    str_addf(out,
			"bulkhead_rejected_services{cluster=\"%s\","
			"code=\"%s\"} %lld\n",
			s->clusters.at[i]->name, code,
			(long long)json_integer_value(n));
	}
}

/* {"count":N,"sum":S,"buckets":[[LE,N],...]}; 'labels' may be "". */
static void
add_histogram(
    struct str *out, const char *name, const char *labels, const json_t *h)
{
	const char *comma = *labels == '\0' ? "" : ",";
	const char *open = *labels == '\0' ? "" : "{";
	const char *close = *labels == '\0' ? "" : "}";
	json_t *bucket;
	size_t i;

	json_array_foreach(json_object_get(h, "buckets"), i, bucket)
	    str_addf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", name, labels,
		comma, json_number_value(json_array_get(bucket, 0)),
		(long long)json_integer_value(json_array_get(bucket, 1)));
	str_addf(out,
	    "%s_bucket{%s%sle=\"+Inf\"} %lld\n"
	    "%s_sum%s%s%s %g\n"
	    "%s_count%s%s%s %lld\n",
	    name, labels, comma, (long long)number(h, "count"), name, open,
	    labels, close, json_number_value(json_object_get(h, "sum")), name,
	    open, labels, close, (long long)number(h, "count"));
}

/* Of each cluster: {"PATH":HISTOGRAM}. */
static void
add_histograms(struct str *out, const struct supervisor *s, json_t **status,
    const char *name, const char *key, const char *help)
{
	const char *path;
	json_t *h;
	size_t i;

	family(out, name, "histogram", help);
	for (i = 0; i < s->clusters.len; i++) {
		json_object_foreach(json_object_get(status[i], key), path, h)
		{
			STR_AUTO(labels, 1024);

			str_addf(&labels, "cluster=\"%s\",path=\"%s\"",
			    s->clusters.at[i]->name, path);
			add_histogram(out, name, labels.p, h);
		}
	}
}

static void
add_pinned(struct str *out, const struct supervisor *s)
{
	size_t i;

	family(
	    out, "bulkhead_pinned", "gauge", "1 while a rollback is in force.");
	for (i = 0; i < s->clusters.len; i++)
		str_addf(out, "bulkhead_pinned{cluster=\"%s\"} %d\n",
		    s->clusters.at[i]->name,
		    s->clusters.at[i]->status.pinned != 0);
}

static void
add_proxies(struct str *out, const struct supervisor *s, json_t **status)
{
	json_t *proxy;
	size_t i, k;

	family(out, "bulkhead_proxy_applied", "gauge",
	    "Generation that a proxy serves.");
	for (i = 0; i < s->clusters.len; i++) {
		json_array_foreach(
		    json_object_get(status[i], "proxies"), k, proxy)
		{
			const char *id =
			    json_string_value(json_object_get(proxy, "id"));

			str_addf(out,
			    "bulkhead_proxy_applied{cluster=\"%s\","
			    "proxy=\"%s\"} %lld\n",
			    s->clusters.at[i]->name, id == NULL ? "" : id,
			    (long long)number(proxy, "applied"));
		}
	}
}

static void
add_reader(struct str *out, const struct supervisor *s)
{
	json_auto_t *j = s->reader_status == NULL
	    ? NULL
	    : json_loads(s->reader_status, 0, NULL);
	const char *source;
	json_t *n;

	family(out, "bulkhead_watch_up", "gauge",
	    "1 while task changes are pushed.");
	str_addf(out, "bulkhead_watch_up %d\n", s->push ? 1 : 0);
	family(out, "bulkhead_events_total", "counter",
	    "What made the reader look, by source.");
	json_object_foreach(json_object_get(j, "events"), source, n)
	    str_addf(out, "bulkhead_events_total{source=\"%s\"} %lld\n", source,
		(long long)json_integer_value(n));
	family(out, "bulkhead_docker_request_seconds", "histogram",
	    "Requests to the Engine, but for event streams.");
	add_histogram(out, "bulkhead_docker_request_seconds", "",
	    json_object_get(json_object_get(j, "docker"), "request_seconds"));
}

void
answers_metrics(const struct supervisor *s, struct str *out)
{
	size_t n = s->clusters.len, i;
	json_t **status = xcalloc(n, sizeof(status[0]));

	for (i = 0; i < n; i++) {
		const char *text = s->clusters.at[i]->status.json;

		status[i] = text == NULL ? NULL : json_loads(text, 0, NULL);
	}
	add_reader(out, s);
	add_services(out, s, status);
	add_numbers(out, s, status, "bulkhead_config_generation", "gauge",
	    "generation", "Distinct configurations so far.");
	add_numbers(out, s, status, "bulkhead_bus_messages_total", "counter",
	    "bus_messages", "Messages of the bus received.");
	add_numbers(out, s, status, "bulkhead_reloads_total", "counter",
	    "reloads", "Reloads of the cluster's proxies.");
	add_pinned(out, s);
	add_proxies(out, s, status);
	add_histograms(out, s, status, "bulkhead_apply_seconds",
	    "apply_seconds", "From a rendered configuration to traffic.");
	add_histograms(out, s, status, "bulkhead_convergence_seconds",
	    "convergence_seconds", "From Docker's change to every live proxy.");
	add_processes(out, s);
	for (i = 0; i < n; i++)
		json_decref(status[i]);
	free(status);
}
