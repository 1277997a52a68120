/* nginx's command lines, agent files and words: see engine_nginx.h. */
#include "engine_nginx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sha256.h"

#define FRAGMENT_MAX (64 * 1024)
#define WORDS_MAX 4096
#define SOCKETS_MAX 8

/* The smallest page; the same for every path and host. */
const char engine_nginx_builtin[] =
    "include agent/main.conf;\n"
    "events {\n\tworker_connections 1024;\n}\n"
    "http {\n"
    "\tinclude agent/http.conf;\n"
    "\taccess_log off;\n"
    "\tdefault_type text/html;\n"
    "\tserver_tokens off;\n"
    "\tserver {\n"
    "\t\tinclude agent/default_http.conf;\n"
    "\t\tlocation / {\n"
    "\t\t\tadd_header Retry-After 2 always;\n"
    "\t\t\treturn 503 \"<!DOCTYPE html><title>503</title>"
    "<h1>503 Service Unavailable</h1>\\n\";\n"
    "\t\t}\n"
    "\t}\n"
    "}\n";

static void
add_env(struct engine_command *c, int sockets)
{
	STR_AUTO(nginx, 256);
	const char *tz = getenv("TZ");
	int i, n = 0;

	c->env[n++] = xstrdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	if (tz != NULL)
		c->env[n++] = xasprintf("TZ=%s", tz);
	if (sockets > 0) {
		str_add(&nginx, "NGINX=");
		for (i = 0; i < sockets && i < SOCKETS_MAX; i++)
			str_addf(&nginx, "%d;", 3 + i);
		c->env[n++] = str_take(&nginx);
	}
	c->env[n] = NULL;
}

struct engine_command *
engine_nginx_run_command(const struct agent_options *o, int sockets)
{
	struct engine_command *c = xcalloc(1, sizeof(*c));
	int n = 0;

	c->argv[n++] = xstrdup(o->nginx);
	c->argv[n++] = xstrdup("-p");
	c->argv[n++] = xasprintf("%s/", o->dir);
	c->argv[n++] = xstrdup("-c");
	c->argv[n++] = xstrdup("nginx.conf");
	c->argv[n++] = xstrdup("-e");
	c->argv[n++] = xstrdup("stderr");
	c->argv[n++] = xstrdup("-g");
	c->argv[n++] = xstrdup("daemon off;");
	add_env(c, sockets);
	return c;
}

struct engine_command *
engine_nginx_check_command(
    const struct agent_options *o, const char *folder, int sockets)
{
	struct engine_command *c = xcalloc(1, sizeof(*c));
	int n = 0;

	c->argv[n++] = xstrdup(o->nginx);
	c->argv[n++] = xstrdup("-t");
	c->argv[n++] = xstrdup("-q");
	c->argv[n++] = xstrdup("-p");
	c->argv[n++] = xasprintf("%s/", folder);
	c->argv[n++] = xstrdup("-c");
	c->argv[n++] = xstrdup("nginx.conf");
	c->argv[n++] = xstrdup("-e");
	c->argv[n++] = xstrdup("stderr");
	add_env(c, sockets);
	return c;
}

struct engine_command *
engine_nginx_version_command(const struct agent_options *o)
{
	struct engine_command *c = xcalloc(1, sizeof(*c));

	c->argv[0] = xstrdup(o->nginx);
	c->argv[1] = xstrdup("-v");
	add_env(c, 0);
	return c;
}

void
engine_nginx_version(const char *text, size_t len, struct str *ret)
{
	static const char head[] = "nginx version: ";
	size_t skip = strlen(head);

	if (len < skip || memcmp(text, head, skip) != 0)
		return;
	text += skip;
	str_addn(ret, text, strcspn(text, " \n"));
}

void
engine_command_free(struct engine_command *c)
{
	size_t i;

	for (i = 0; c->argv[i] != NULL; i++)
		free(c->argv[i]);
	for (i = 0; c->env[i] != NULL; i++)
		free(c->env[i]);
	free(c);
}

int
engine_nginx_pid_file(const char *dir)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", dir, ENGINE_PID_FILE);
	STR_AUTO(text, 64);
	uint32_t pid;

	if (fs_read(path, &text, NULL) != 0 || text.len == 0)
		return 0;
	if (text.p[text.len - 1] == '\n')
		str_trim(&text, text.len - 1);
	if (parse_u32(text.p, text.len, 1, INT32_MAX, &pid, NULL) != 0)
		return 0;
	return (int)pid;
}

void
engine_nginx_clear_stale(const char *dir)
{
	static const char *const names[] = { ENGINE_PID_FILE,
		ENGINE_INTERNAL_SOCKET, "tls.sock", "pass.sock", "front.sock" };
	size_t i;

	for (i = 0; i < countof(names); i++) {
		char *path _cleanup_free_ = xasprintf("%s/%s", dir, names[i]);

		(void)unlink(path);
	}
}

static void
add_fragment(struct fragments *f, const char *name, struct str *text)
{
	struct fragment *a = vec_add(&f->list);

	must(!text->overflow);
	(void)snprintf(a->path, sizeof(a->path), "agent/%s.conf", name);
	a->len = text->len;
	a->text = str_take(text);
}

static void
add_listen(struct fragments *f, const char *name, const char *address,
    const char *options)
{
	STR_AUTO(text, FRAGMENT_MAX);

	if (address != NULL) {
		str_addf(&text, "listen %s", address);
		if (options != NULL && options[0] != '\0')
			str_addf(&text, " %s", options);
		str_add(&text, ";\n");
	}
	add_fragment(f, name, &text);
}

/* As many descriptors as are asked for and may be had. */
static rlim_t
nofile_of(const struct manifest *m)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_max != RLIM_INFINITY &&
	    limit.rlim_max < m->rlimit_nofile)
		return limit.rlim_max;
	return m->rlimit_nofile;
}

static void
add_main(struct fragments *f, const struct manifest *m)
{
	STR_AUTO(text, FRAGMENT_MAX);

	f->workers = m->worker_processes;
	if (f->workers == 0)
		f->workers = cgroup_cpus();
	str_addf(&text, "worker_processes %" PRIu32 ";\n", f->workers);
	str_add(&text, "pid " ENGINE_PID_FILE ";\n");
	str_add(&text, "error_log stderr;\n");
	if (m->rlimit_nofile > 0)
		str_addf(&text, "worker_rlimit_nofile %ju;\n",
		    (uintmax_t)nofile_of(m));
	add_fragment(f, "main", &text);
}

/* Servers of ours hold the addresses that the configuration leaves alone. */
static void
add_placeholders(struct str *t, const struct agent_options *o,
    const struct manifest *m, bool status)
{
	if (o->listen_ssl != NULL && m->listen_https == NULL)
		str_addf(t,
		    "server {\n\tlisten %s ssl;\n"
		    "\tssl_reject_handshake on;\n}\n",
		    o->listen_ssl);
	if (o->status_listen != NULL && !status)
		str_addf(t,
		    "server {\n\tlisten %s;\n\taccess_log off;\n"
		    "\treturn 404;\n}\n",
		    o->status_listen);
}

/* ":8443", or nothing where clients find the port by themselves. */
static void
add_tls_port(struct str *t, const struct agent_options *o)
{
	const char *colon =
	    o->listen_ssl == NULL ? NULL : strrchr(o->listen_ssl, ':');
	const char *port = colon == NULL ? o->listen_ssl : colon + 1;

	str_add(t, "map \"\" $bulkhead_tls_port {\n\tdefault \"");
	if (port != NULL && strcmp(port, "443") != 0)
		str_addf(t, ":%s", port);
	str_add(t, "\";\n}\n");
}

static void
add_http(struct fragments *f, const struct agent_options *o,
    const struct manifest *m, bool status)
{
	static const char *const kinds[] = { "client_body", "proxy", "fastcgi",
		"uwsgi", "scgi" };
	STR_AUTO(t, FRAGMENT_MAX);
	size_t i;

	for (i = 0; i < countof(kinds); i++)
		str_addf(&t, "%s_temp_path temp/%s;\n", kinds[i], kinds[i]);
	/* The grammar of --id leaves nothing to quote. */
	str_addf(
	    &t, "map \"\" $bulkhead_proxy_id {\n\tdefault \"%s\";\n}\n", o->id);
	add_tls_port(&t, o);
	str_addf(&t,
	    "server {\n\tlisten unix:" ENGINE_INTERNAL_SOCKET ";\n"
	    "\taccess_log off;\n\tkeepalive_timeout 0;\n"
	    "\tlocation / {\n\t\tdefault_type text/plain;\n"
	    "\t\treturn 200 \"%s\";\n\t}\n}\n",
	    f->proof);
	if (o->health_listen != NULL)
		str_addf(&t,
		    "server {\n\tlisten %s;\n\taccess_log off;\n"
		    "\tlocation / {\n\t\tdefault_type text/plain;\n"
		    "\t\tif (-f " ENGINE_DRAINING_FILE ") {\n"
		    "\t\t\treturn 503 \"draining\\n\";\n\t\t}\n"
		    "\t\tif (-f " ENGINE_STARTING_FILE ") {\n"
		    "\t\t\treturn 503 \"starting\\n\";\n\t\t}\n"
		    "\t\treturn %s;\n\t}\n}\n",
		    o->health_listen,
		    m->builtin ? "503 \"no configuration yet\\n\""
			       : "200 \"ok\\n\"");
	add_placeholders(&t, o, m, status);
	add_fragment(f, "http", &t);
}

static void
add_all(struct fragments *f, const struct agent_options *o,
    const struct manifest *m, bool status)
{
	add_main(f, m);
	add_http(f, o, m, status);
	add_listen(f, "listen_http", o->listen, NULL);
	add_listen(f, "default_http", o->listen, m->listen_http);
	add_listen(f, "listen_https", o->listen_ssl, NULL);
	add_listen(f, "default_https", o->listen_ssl, m->listen_https);
	add_listen(f, "listen_status", o->status_listen, NULL);
}

/* Secrets are as much the agent's as its own files are. */
static void
add_copies(struct fragments *f, const struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->copies.len; i++) {
		const struct manifest_copy *c = &m->copies.at[i];
		struct fragment *a = vec_add(&f->list);

		memcpy(a->path, c->path, sizeof(a->path));
		a->text = xmemdup0(c->bytes, c->len);
		a->len = c->len;
		a->mode = c->mode;
	}
}

static void
clear(struct fragments *f)
{
	size_t i;

	for (i = 0; i < f->list.len; i++)
		free(f->list.at[i].text);
	f->list.len = 0;
}

struct fragments *
engine_nginx_fragments(
    const struct agent_options *o, const struct manifest *m, bool status)
{
	struct fragments *f = xcalloc(1, sizeof(*f));
	STR_AUTO(all, FRAGMENT_MAX * 8 + MANIFEST_MAX_SECRETS * 512);
	char hash[SHA256_HEX_SIZE];
	size_t i;

	/* Once without the proof, to name them; then as they are. */
	add_all(f, o, m, status);
	for (i = 0; i < f->list.len; i++)
		str_addn(&all, f->list.at[i].text, f->list.at[i].len);
	for (i = 0; i < m->copies.len; i++) {
		sha256_hex(m->copies.at[i].bytes, m->copies.at[i].len, hash);
		str_addf(&all, "%s %s\n", m->copies.at[i].path, hash);
	}
	must(!all.overflow);
	sha256_hex(all.p, all.len, hash);
	clear(f);
	(void)snprintf(f->proof, sizeof(f->proof), "%s %.16s", m->config, hash);
	add_all(f, o, m, status);
	add_copies(f, m);
	return f;
}

void
fragments_free(struct fragments *f)
{
	if (f == NULL)
		return;
	clear(f);
	vec_fini(&f->list);
	free(f);
}

/* Skips "2026/01/31 10:00:00 [emerg] 123#123: ": the same words each time. */
static const char *
skip_stamp(const char *line, const char *end)
{
	static const char digits[] = "0123456789";
	const char *p = memmem(line, (size_t)(end - line), "] ", 2);

	if (p == NULL || p - line > 32 || strchr(digits, *line) == NULL)
		return line;
	p += 2;
	p += strspn(p, digits);
	if (*p != '#')
		return line;
	p += 1 + strspn(p + 1, digits);
	return p + 1 < end && p[0] == ':' && p[1] == ' ' ? p + 2 : line;
}

/* Adds one line of nginx's output, without 'folder' and what says nothing. */
static void
add_words(struct str *ret, const char *line, size_t len, const char *folder)
{
	static const char prefix[] = "nginx: ";
	size_t skip = strlen(folder);
	const char *end = line + len;

	if (len > strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0)
		line += strlen(prefix);
	if (memmem(line, (size_t)(end - line), "[notice]", 8) != NULL)
		return;
	line = skip_stamp(line, end);
	if ((size_t)(end - line) > 18 &&
	    memcmp(line, "configuration file", 18) == 0)
		return;
	if (ret->len > 0)
		str_add(ret, "; ");
	while (line < end) {
		const char *at =
		    memmem(line, (size_t)(end - line), folder, skip);

		if (at == NULL) {
			str_addn(ret, line, (size_t)(end - line));
			return;
		}
		str_addn(ret, line, (size_t)(at - line));
		line = at + skip;
		if (line < end && *line == '/')
			line++;
	}
}

bool
engine_nginx_words_are_ours(const char *words)
{
	static const int reasons[] = { ENOSPC, EDQUOT, EROFS, EIO, ENOMEM,
		EMFILE, ENFILE, EAGAIN };
	size_t i;

	for (i = 0; i < countof(reasons); i++) {
		if (strstr(words, strerror(reasons[i])) != NULL)
			return true;
	}
	return false;
}

void
engine_nginx_words(
    const char *text, size_t len, const char *folder, struct str *ret)
{
	const char *newline;
	size_t n;

	while (len > 0 && ret->len < WORDS_MAX) {
		newline = memchr(text, '\n', len);
		n = newline != NULL ? (size_t)(newline - text) : len;
		if (n > 0)
			add_words(ret, text, n, folder);
		if (newline == NULL)
			break;
		text += n + 1;
		len -= n + 1;
	}
}
