/* Manifests from JSON: see manifest.h. */
#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest_delta.h"

#define MAX_LISTEN_OPTIONS 512
#define MAX_WORKERS 1024

/* What the agent itself keeps in its folder. */
static const char *const reserved[] = { "agent", "agent.sock", "blobs",
	"current", "draining", "front.sock", "gen", "internal.sock", "lock",
	"manifest.json", "nginx.pid", "pass.sock", "proxy_id", "secrets",
	"starting", "temp", "tls.sock", "tmp", "worker.lock" };

static bool
segment_ok(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || (len == 1 && s[0] == '.') ||
	    (len == 2 && s[0] == '.' && s[1] == '.'))
		return false;
	for (i = 0; i < len; i++) {
		if (strchr("abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			s[i]) == NULL)
			return false;
	}
	return true;
}

bool
manifest_path_ok(const char *path)
{
	size_t i, len, first = strcspn(path, "/");

	if (strlen(path) > MANIFEST_MAX_PATH)
		return false;
	for (i = 0; i < countof(reserved); i++) {
		if (strlen(reserved[i]) == first &&
		    memcmp(path, reserved[i], first) == 0)
			return false;
	}
	for (;;) {
		len = strcspn(path, "/");
		if (!segment_ok(path, len))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

/* Words of a listen directive: nothing that could end it. */
static bool
listen_ok(const char *s)
{
	size_t len = strlen(s);

	return len <= MAX_LISTEN_OPTIONS &&
	    strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_=:. -") == len;
}

struct manifest_file *
manifest_file_use(struct manifest_file *f)
{
	f->users++;
	return f;
}

void
manifest_file_drop(struct manifest_file *f)
{
	if (--f->users > 0)
		return;
	free(f->path);
	free(f);
}

static int
decode_file(struct manifest *m, json_t *o, struct error *e)
{
	struct manifest_file *f;
	const char *path, *sha;
	json_int_t size;

	if (json_unpack(o, "{s:s,s:s,s:I}", "path", &path, "sha256", &sha,
		"size", &size) != 0)
		return error_set(
		    e, EPROTO, "a file without path, sha256 and size");
	if (!manifest_path_ok(path)) {
		STR_AUTO(quoted, 1024);

		str_add_quoted(&quoted, path, strlen(path), 200);
		return error_set(
		    e, EPROTO, "the path %s is not allowed", quoted.p);
	}
	if (!sha256_is_hex(sha))
		return error_set(e, EPROTO, "%s: not a SHA-256", path);
	if (size < 0 || size > MANIFEST_MAX_FILE_SIZE)
		return error_set(e, EFBIG, "%s: %" PRId64 " bytes are too many",
		    path, (int64_t)size);
	f = xcalloc(1, sizeof(*f));
	vec_push(&m->files, f);
	f->users = 1;
	f->path = xstrdup(path);
	memcpy(f->sha256, sha, sizeof(f->sha256));
	f->size = (uint64_t)size;
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	const struct manifest_file *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static int
decode_list(struct manifest *m, const json_t *list, struct error *e)
{
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > MANIFEST_MAX_FILES)
		return error_set(e, EPROTO, "no list of at most %d files",
		    MANIFEST_MAX_FILES);
	for (i = 0; i < json_array_size(list); i++) {
		if (decode_file(m, json_array_get(list, i), e) != 0)
			return -1;
	}
	vec_sort(&m->files, by_path);
	return 0;
}

/* The list as a whole. */
static int
check_files(const struct manifest *m, struct error *e)
{
	bool conf = false;
	size_t i;

	if (m->files.len > MANIFEST_MAX_FILES)
		return error_set(
		    e, EPROTO, "more than %d files", MANIFEST_MAX_FILES);
	for (i = 0; i < m->files.len; i++) {
		if (i > 0 &&
		    strcmp(m->files.at[i]->path, m->files.at[i - 1]->path) == 0)
			return error_set(e, EPROTO, "%s is there twice",
			    m->files.at[i]->path);
		if (strcmp(m->files.at[i]->path, "nginx.conf") == 0)
			conf = true;
	}
	if (!conf)
		return error_set(e, EPROTO, "no nginx.conf");
	return 0;
}

static bool
id_ok(const char *id)
{
	return strlen(id) == SECRET_ID_SIZE - 1 &&
	    strspn(id, "0123456789abcdef") == SECRET_ID_SIZE - 1;
}

static int
decode_secret(struct manifest *m, json_t *o, struct error *e)
{
	const char *id, *kind, *name;
	const char *key = json_string_value(json_object_get(o, "key"));
	struct manifest_secret *s;
	int used, number;

	if (json_unpack(o, "{s:s,s:s,s:s,s:b}", "id", &id, "kind", &kind,
		"name", &name, "used", &used) != 0)
		return error_set(
		    e, EPROTO, "a secret without id, kind, name and used");
	number = secret_kind_parse(kind);
	if (!id_ok(id) || number < 0 || !secret_name_ok(name) ||
	    (key != NULL && !secret_name_ok(key)))
		return error_set(e, EPROTO, "a secret that is not allowed");
	s = vec_add(&m->secrets);
	memcpy(s->id, id, sizeof(s->id));
	s->used = used;
	s->use.kind = (enum secret_kind)number;
	s->use.name = xstrdup(name);
	s->use.key = key == NULL ? NULL : xstrdup(key);
	return 0;
}

/* Not there in manifests of older extensions, which refer to none. */
static int
decode_secrets(struct manifest *m, const json_t *list, struct error *e)
{
	size_t i;

	if (json_array_size(list) > MANIFEST_MAX_SECRETS)
		return error_set(
		    e, EPROTO, "more than %d secrets", MANIFEST_MAX_SECRETS);
	for (i = 0; i < json_array_size(list); i++) {
		if (decode_secret(m, json_array_get(list, i), e) != 0)
			return -1;
	}
	return 0;
}

static int
decode_listen(struct manifest *m, const json_t *listen, struct error *e)
{
	const char *http = json_string_value(json_object_get(listen, "http"));
	const json_t *https = json_object_get(listen, "https");

	if (http == NULL || !listen_ok(http))
		return error_set(e, EPROTO, "listen.http is not allowed");
	m->listen_http = xstrdup(http);
	if (https == NULL || json_is_null(https))
		return 0;
	if (!json_is_string(https) || !listen_ok(json_string_value(https)))
		return error_set(e, EPROTO, "listen.https is not allowed");
	m->listen_https = xstrdup(json_string_value(https));
	return 0;
}

static void
decode_settings(struct manifest *m, const json_t *settings)
{
	const json_t *drain = json_object_get(settings, "drain_delay_ms");
	const json_t *workers = json_object_get(settings, "worker_processes");

	const json_t *nofile = json_object_get(settings, "rlimit_nofile");

	if (json_is_integer(nofile) && json_integer_value(nofile) > 0 &&
	    json_integer_value(nofile) <= INT32_MAX)
		m->rlimit_nofile = (uint32_t)json_integer_value(nofile);
	m->drain_delay_ms = UINT64_MAX;
	if (json_is_integer(drain) && json_integer_value(drain) >= 0 &&
	    json_integer_value(drain) <= UINT32_MAX)
		m->drain_delay_ms = (uint64_t)json_integer_value(drain);
	if (json_is_integer(workers) && json_integer_value(workers) > 0 &&
	    json_integer_value(workers) <= MAX_WORKERS)
		m->worker_processes = (uint32_t)json_integer_value(workers);
}

/* 'ret' becomes "" where it is absent; hex digits else. */
static int
decode_epoch(const json_t *root, char *ret, struct error *e)
{
	const char *epoch = json_string_value(json_object_get(root, "epoch"));

	if (epoch == NULL)
		return 0;
	if (strlen(epoch) >= MANIFEST_EPOCH_SIZE ||
	    strspn(epoch, "0123456789abcdef") != strlen(epoch))
		return error_set(e, EPROTO, "the epoch is not one");
	(void)snprintf(ret, MANIFEST_EPOCH_SIZE, "%s", epoch);
	return 0;
}

/* Of an extension older than pins: nothing. */
static int
decode_pin(struct manifest *m, const json_t *pin, struct error *e)
{
	const char *id = json_string_value(json_object_get(pin, "id"));
	const char *sha = json_string_value(json_object_get(pin, "document"));
	json_int_t counter =
	    json_integer_value(json_object_get(pin, "counter"));
	json_int_t size = json_integer_value(json_object_get(pin, "size"));
	json_int_t of = json_integer_value(json_object_get(pin, "generation"));

	if (pin == NULL)
		return 0;
	if (id == NULL || strlen(id) != MANIFEST_EPOCH_SIZE - 1 ||
	    strspn(id, "0123456789abcdef") != MANIFEST_EPOCH_SIZE - 1 ||
	    counter <= 0 || of < 0 ||
	    (sha != NULL &&
		(!sha256_is_hex(sha) || size < 0 ||
		    size > MANIFEST_MAX_FILE_SIZE)))
		return error_set(e, EPROTO, "pin is not one");
	m->pin.counter = (uint64_t)counter;
	memcpy(m->pin.id, id, sizeof(m->pin.id));
	m->pin.pinned = json_is_true(json_object_get(pin, "pinned"));
	m->pin.generation = (uint64_t)of;
	if (sha == NULL)
		return 0;
	m->pin.document.path = xstrdup("what is pinned");
	memcpy(m->pin.document.sha256, sha, sizeof(m->pin.document.sha256));
	m->pin.document.size = (uint64_t)size;
	return 0;
}

size_t
manifest_blobs(const struct manifest *m)
{
	return m->files.len + (m->pin.document.path != NULL);
}

struct manifest_file *
manifest_blob(struct manifest *m, size_t i)
{
	return i < m->files.len ? m->files.at[i] : &m->pin.document;
}

static int
decode_root(struct manifest *m, const struct manifest *base, json_t *root,
    struct error *e)
{
	const char *cluster, *engine, *config;
	json_int_t version, generation;
	json_error_t je;

	if (json_unpack_ex(root, &je, 0, "{s:I,s:s,s:s,s:I,s:s}", "version",
		&version, "cluster", &cluster, "engine", &engine, "generation",
		&generation, "config", &config) != 0)
		return error_set(e, EPROTO, "%s", je.text);
	if (version != 1)
		return error_set(e, EPROTO,
		    "version %" PRId64 ", this agent knows 1",
		    (int64_t)version);
	if (generation < 0)
		return error_set(e, EPROTO, "a negative generation");
	if (!sha256_is_hex(config))
		return error_set(e, EPROTO, "config is not a SHA-256");
	m->cluster = xstrdup(cluster);
	m->engine = xstrdup(engine);
	m->generation = (uint64_t)generation;
	memcpy(m->config, config, sizeof(m->config));
	m->builtin = json_is_true(json_object_get(root, "builtin"));
	m->check = json_is_true(json_object_get(root, "check"));
	decode_settings(m, json_object_get(root, "settings"));
	if (decode_epoch(root, m->epoch, e) != 0 ||
	    decode_pin(m, json_object_get(root, "pin"), e) != 0)
		return -1;
	if (decode_listen(m, json_object_get(root, "listen"), e) != 0)
		return -1;
	if (decode_secrets(m, json_object_get(root, "secrets"), e) != 0)
		return -1;
	if (decode_list(m, json_object_get(root, "files"), e) != 0 ||
	    (json_object_get(root, "base") != NULL &&
		manifest_delta_merge(m, base, root, e) != 0))
		return -1;
	return check_files(m, e);
}

/* The text of the whole: as it came, or made up from what differs. */
static int
keep_text(struct manifest *m, json_t *root, const char *text, size_t len,
    struct error *e)
{
	if (json_object_get(root, "base") != NULL)
		return manifest_delta_text(m, root, e);
	m->text = xmemdup0(text, len);
	m->len = len;
	return 0;
}

struct manifest *
manifest_decode(const char *text, size_t len, struct error *e)
{
	return manifest_decode_upon(NULL, text, len, e);
}

struct manifest *
manifest_decode_upon(
    const struct manifest *base, const char *text, size_t len, struct error *e)
{
	struct manifest *m;
	json_error_t je;
	json_t *root;

	if (len > MANIFEST_MAX_SIZE) {
		(void)error_set(e, EFBIG, "manifest: %zu bytes", len);
		return NULL;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (root == NULL) {
		(void)error_set(
		    e, EPROTO, "manifest: line %d: %s", je.line, je.text);
		return NULL;
	}
	m = xcalloc(1, sizeof(*m));
	if (decode_root(m, base, root, e) != 0 ||
	    keep_text(m, root, text, len, e) != 0) {
		(void)error_wrap(e, "manifest");
		manifest_free(m);
		m = NULL;
	}
	json_decref(root);
	return m;
}

struct manifest *
manifest_builtin(const char *cluster, const char *conf)
{
	STR_AUTO(text, 4096);
	char sha[SHA256_HEX_SIZE];
	struct manifest *m;

	sha256_hex(conf, strlen(conf), sha);
	str_add(&text, "{\"version\":1,\"builtin\":true,\"cluster\":");
	str_add_json(&text, cluster, strlen(cluster));
	str_addf(&text,
	    ",\"engine\":\"nginx\",\"generation\":0,\"config\":\"%s\","
	    "\"files\":[{\"path\":\"nginx.conf\",\"sha256\":\"%s\","
	    "\"size\":%zu}],\"listen\":{\"http\":\"default_server\","
	    "\"https\":null}}",
	    sha, sha, strlen(conf));
	m = manifest_decode(text.p, text.len, NULL);
	must(m != NULL);
	return m;
}

void
manifest_drop_copies(struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->copies.len; i++) {
		explicit_bzero(m->copies.at[i].bytes, m->copies.at[i].len);
		free(m->copies.at[i].bytes);
	}
	m->copies.len = 0;
}

static int
by_copy_path(const void *a, const void *b)
{
	const struct manifest_copy *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void
manifest_sort_copies(struct manifest *m)
{
	vec_sort(&m->copies, by_copy_path);
}

void
manifest_free(struct manifest *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->files.len; i++)
		manifest_file_drop(m->files.at[i]);
	vec_fini(&m->files);
	for (i = 0; i < m->secrets.len; i++)
		secret_use_fini(&m->secrets.at[i].use);
	vec_fini(&m->secrets);
	manifest_drop_copies(m);
	vec_fini(&m->copies);
	free(m->pin.document.path);
	free(m->cluster);
	free(m->engine);
	free(m->listen_http);
	free(m->listen_https);
	free(m->text);
	free(m);
}
