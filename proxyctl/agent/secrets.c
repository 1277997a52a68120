/* Secrets, judged, copied and watched: see secrets.h. */
#include "secrets.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sha256.h"

#define WATCH_MS 2000
#define CACHE_MAX 4096
/* A report that is longer has no more names in it. */
#define NAMES_UNTIL (2U * 1024 * 1024)
/* Dates are looked at again so often. */
#define DATES_S 3600

/* One of what is wanted, as it was found last. */
struct found {
	struct manifest_secret secret;
	struct secret_fact fact;
};

struct secrets {
	const struct agent_options *options;
	char *current;	  /* folder of the copies in force */
	struct map cache; /* content and hour -> struct secret_fact, owned */
	VEC(struct found) wanted;
	char signature[SHA256_HEX_SIZE];
	uv_timer_t timer;
	void (*changed)(void *arg);
	void *arg;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* The files of one use: read from the operator's, or from our copies. */
struct pair {
	struct secret_file file;
	struct secret_file key;
	bool has_key;
};

static void
pair_fini(struct pair *p)
{
	secret_file_fini(&p->file);
	secret_file_fini(&p->key);
}

static const char *
suffix_of(const struct secret_use *u)
{
	return u->kind == SECRET_PASSWORDS ? "txt" : "pem";
}

static void
read_given(const struct secrets *s, const struct secret_use *u, struct pair *p)
{
	*p = (struct pair){ .has_key = u->key != NULL };
	secret_file_read(s->options->secrets_dir, u->name, &p->file);
	if (p->has_key)
		secret_file_read(s->options->secrets_dir, u->key, &p->key);
}

/* False: there is no copy in force. */
static bool
read_kept(
    const struct secrets *s, const struct manifest_secret *m, struct pair *p)
{
	char *name _cleanup_free_ =
	    xasprintf("%s.%s", m->id, suffix_of(&m->use));
	char *key _cleanup_free_ = xasprintf("%s.key", m->id);

	*p = (struct pair){ .has_key = m->use.key != NULL };
	secret_file_read(s->current, name, &p->file);
	if (p->has_key)
		secret_file_read(s->current, key, &p->key);
	return p->file.bytes != NULL && (!p->has_key || p->key.bytes != NULL);
}

static bool
same_file(const struct secret_file *a, const struct secret_file *b)
{
	return a->bytes != NULL && b->bytes != NULL && a->len == b->len &&
	    memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void
cache_clear(struct secrets *s)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&s->cache, &i)) != NULL;) {
		secret_fact_fini(e->value);
		free(e->value);
	}
	map_fini(&s->cache);
	s->cache = (struct map){ 0 };
}

/* A judgement costs a hundred times what a look at the content does. */
static void
judge(struct secrets *s, const struct manifest_secret *m, const struct pair *p,
    struct secret_fact *ret)
{
	int64_t now_s = (int64_t)(clock_wall_us() / 1000000);
	char file[SHA256_HEX_SIZE] = "", key[SHA256_HEX_SIZE] = "";
	char *name _cleanup_free_ = NULL;
	struct secret_fact *fact;

	if (p->file.bytes == NULL || (p->has_key && p->key.bytes == NULL)) {
		secret_judge(
		    &m->use, &p->file, p->has_key ? &p->key : NULL, now_s, ret);
		return;
	}
	sha256_hex(p->file.bytes, p->file.len, file);
	if (p->has_key)
		sha256_hex(p->key.bytes, p->key.len, key);
	name =
	    xasprintf("%s %s %s %" PRId64, m->id, file, key, now_s / DATES_S);
	fact = map_get(&s->cache, name);
	if (fact == NULL) {
		if (s->cache.len >= CACHE_MAX)
			cache_clear(s);
		fact = xcalloc(1, sizeof(*fact));
		secret_judge(&m->use, &p->file, p->has_key ? &p->key : NULL,
		    now_s, fact);
		(void)map_set(&s->cache, name, fact);
	}
	secret_fact_copy(fact, ret);
}

/*
 * Judges what is given and, where that will not do, looks for what is in
 * force.  'ret' is what to install; empty when there is nothing.
 */
static void
find(struct secrets *s, const struct manifest_secret *m, struct found *ret,
    struct pair *ret_pair)
{
	struct pair given, kept;

	read_given(s, &m->use, &given);
	judge(s, m, &given, &ret->fact);
	if (ret->fact.state == SECRET_GOOD) {
		*ret_pair = given;
		return;
	}
	if (!read_kept(s, m, &kept)) {
		pair_fini(&kept);
		pair_fini(&given);
		*ret_pair = (struct pair){ 0 };
		return;
	}
	/* Time alone takes nothing out of force. */
	if (ret->fact.expired && same_file(&given.file, &kept.file) &&
	    (!given.has_key || same_file(&given.key, &kept.key))) {
		ret->fact.state = SECRET_GOOD;
		free(ret->fact.reason);
		ret->fact.reason = NULL;
	} else {
		ret->fact.kept = true;
	}
	pair_fini(&given);
	*ret_pair = kept;
}

static void
add_copy(struct manifest *m, const char *id, const char *suffix,
    struct secret_file *file, mode_t mode)
{
	struct manifest_copy *c = vec_add(&m->copies);

	(void)snprintf(c->path, sizeof(c->path), "secrets/%s.%s", id, suffix);
	c->len = file->len;
	c->bytes = steal(&file->bytes);
	c->mode = mode;
}

static void
add_copies(
    struct manifest *m, const struct manifest_secret *secret, struct pair *p)
{
	mode_t mode = 0600;

	/* Read for each login, by workers of another user maybe. */
	if (secret->use.kind == SECRET_PASSWORDS)
		mode |= p->file.mode & 0044;
	add_copy(m, secret->id, suffix_of(&secret->use), &p->file, mode);
	if (p->has_key)
		add_copy(m, secret->id, "key", &p->key, 0600);
}

int
secrets_fill(struct secrets *s, struct manifest *m, struct error *e)
{
	size_t i;
	int rc = 0;

	manifest_drop_copies(m);
	for (i = 0; rc == 0 && i < m->secrets.len; i++) {
		const struct manifest_secret *secret = &m->secrets.at[i];
		struct found found;
		struct pair pair;

		if (!secret->used)
			continue;
		find(s, secret, &found, &pair);
		if (pair.file.bytes != NULL)
			add_copies(m, secret, &pair);
		else
			rc = error_set(e, EINVAL, "%s", found.fact.reason);
		pair_fini(&pair);
		secret_fact_fini(&found.fact);
	}
	manifest_sort_copies(m);
	return rc;
}

void
secrets_load(struct manifest *m, const char *folder)
{
	char *path _cleanup_free_ = xasprintf("%s/secrets", folder);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	struct secret_file file;

	manifest_drop_copies(m);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strchr(entry->d_name, '.');

		if (dot == NULL || dot - entry->d_name != SECRET_ID_SIZE - 1)
			continue;
		secret_file_read(path, entry->d_name, &file);
		if (file.bytes != NULL) {
			char *id _cleanup_free_ =
			    xmemdup0(entry->d_name, SECRET_ID_SIZE - 1);

			add_copy(m, id, dot + 1, &file, file.mode);
		}
		secret_file_fini(&file);
	}
	(void)closedir(dir);
	manifest_sort_copies(m);
}

/* ---- what is watched ---- */

static void
clear_wanted(struct secrets *s)
{
	size_t i;

	for (i = 0; i < s->wanted.len; i++) {
		secret_use_fini(&s->wanted.at[i].secret.use);
		secret_fact_fini(&s->wanted.at[i].fact);
	}
	s->wanted.len = 0;
}

static void
add_signature(struct str *text, const char *dir, const char *name)
{
	char *path _cleanup_free_ = xasprintf("%s/%s", dir, name);
	struct stat st = { 0 };

	if (secret_name_ok(name) && stat(path, &st) == 0)
		str_addf(text, "%ju %jd %jd.%09ld %jd.%09ld\n",
		    (uintmax_t)st.st_ino, (intmax_t)st.st_size,
		    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		    (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	else
		str_add(text, "-\n");
}

/* Differs when a file that is wanted may be another one, or the hour is. */
static void
sign(const struct secrets *s, char ret[SHA256_HEX_SIZE])
{
	STR_AUTO(text, 64 * 1024 * 1024);
	const char *dir = s->options->secrets_dir;
	size_t i;

	str_addf(&text, "%" PRIu64 "\n", clock_wall_us() / 1000000 / DATES_S);
	for (i = 0; i < s->wanted.len; i++) {
		const struct secret_use *u = &s->wanted.at[i].secret.use;

		add_signature(&text, dir, u->name);
		if (u->key != NULL)
			add_signature(&text, dir, u->key);
	}
	sha256_hex(text.p, text.len, ret);
}

bool
secrets_refresh(struct secrets *s)
{
	bool news = false;
	size_t i;

	sign(s, s->signature);
	for (i = 0; i < s->wanted.len; i++) {
		struct found *w = &s->wanted.at[i], now;
		struct pair pair;

		find(s, &w->secret, &now, &pair);
		pair_fini(&pair);
		if (secret_fact_same(&now.fact, &w->fact)) {
			secret_fact_fini(&now.fact);
			continue;
		}
		news = true;
		secret_fact_fini(&w->fact);
		w->fact = now.fact;
	}
	return news;
}

void
secrets_doubt(struct secrets *s)
{
	s->signature[0] = '\0';
}

void
secrets_want(struct secrets *s, const struct manifest *m)
{
	size_t i;

	clear_wanted(s);
	for (i = 0; i < m->secrets.len; i++) {
		const struct manifest_secret *from = &m->secrets.at[i];
		struct found *w = vec_add(&s->wanted);

		memcpy(w->secret.id, from->id, sizeof(from->id));
		w->secret.used = from->used;
		secret_use_copy(&from->use, &w->secret.use);
	}
	(void)secrets_refresh(s);
}

static void
on_timer(uv_timer_t *timer)
{
	struct secrets *s = container_of(timer, struct secrets, timer);
	char now[SHA256_HEX_SIZE];

	if (s->closing || s->wanted.len == 0)
		return;
	sign(s, now);
	if (strcmp(now, s->signature) != 0)
		s->changed(s->arg);
}

static void
add_names(struct str *out, const struct secret_fact *f)
{
	size_t i;

	bool all = f->all_names && out->len < NAMES_UNTIL;

	str_addf(out, ",\"all_names\":%s,\"names\":[", all ? "true" : "false");
	for (i = 0; all && i < f->names.len; i++) {
		str_add(out, i == 0 ? "" : ",");
		str_add_json(out, f->names.at[i], strlen(f->names.at[i]));
	}
	str_addc(out, ']');
}

void
secrets_report(const struct secrets *s, struct str *out)
{
	size_t i;

	str_add(out, ",\"secrets\":[");
	for (i = 0; i < s->wanted.len; i++) {
		const struct found *w = &s->wanted.at[i];

		str_addf(out, "%s{\"id\":\"%s\",\"kind\":\"%s\"",
		    i == 0 ? "" : ",", w->secret.id,
		    secret_kind_name(w->secret.use.kind));
		str_add_member(out, "name", w->secret.use.name);
		str_add_member(out, "key", w->secret.use.key);
		str_add_member(out, "state", secret_state_name(w->fact.state));
		str_addf(out, ",\"kept\":%s,\"in_key\":%s",
		    w->fact.kept ? "true" : "false",
		    w->fact.in_key ? "true" : "false");
		str_add_member(out, "reason", w->fact.reason);
		str_add_member(out, "remark", w->fact.remark);
		add_names(out, &w->fact);
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

/* ---- life ---- */

struct secrets *
secrets_new(uv_loop_t *loop, const struct agent_options *o,
    void (*changed)(void *arg), void *arg)
{
	struct secrets *s = xcalloc(1, sizeof(*s));
	uint32_t random = 0;

	s->options = o;
	s->current = xasprintf("%s/current/secrets", o->dir);
	s->changed = changed;
	s->arg = arg;
	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	must(uv_timer_init(loop, &s->timer) == 0);
	must(uv_timer_start(&s->timer, on_timer, WATCH_MS,
		 backoff_jitter(WATCH_MS, random)) == 0);
	return s;
}

static void
on_closed(uv_handle_t *handle)
{
	struct secrets *s =
	    container_of((uv_timer_t *)handle, struct secrets, timer);

	clear_wanted(s);
	vec_fini(&s->wanted);
	cache_clear(s);
	free(s->current);
	if (s->closed != NULL)
		s->closed(s->closed_arg);
	free(s);
}

void
secrets_close(struct secrets *s, void (*closed)(void *arg), void *arg)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	uv_close((uv_handle_t *)&s->timer, on_closed);
}
