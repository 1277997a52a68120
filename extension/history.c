/* What was in force: see history.h. */
#include "history.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aside.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"

#define INDEX_MAX (4U * 1024 * 1024)
#define WHAT_MAX (256U * 1024)

static void
clear_map(struct map *m)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(m, &i)) != NULL;)
		free(e->value);
	map_fini(m);
	memset(m, 0, sizeof(*m));
}

void
history_fini(struct history *h)
{
	size_t i;

	for (i = 0; i < h->entries.len; i++)
		free(h->entries.at[i].what);
	vec_fini(&h->entries);
	clear_map(&h->services);
	clear_map(&h->files);
	free(h->folder);
}

static char *
path_of(const struct history *h, uint64_t generation)
{
	return xasprintf("%s/%" PRIu64 ".json", h->folder, generation);
}

/* ---- what changed ---- */

/* Names of one kind; past a limit they are only counted. */
struct names {
	struct str *out;
	size_t n;
};

static void
add_name(
    struct names *names, const char *kind, const char *change, const char *name)
{
	if (names->n++ >= HISTORY_NAMES_MAX)
		return;
	str_addf(names->out, "%s{\"change\":\"%s\"", names->n == 1 ? "" : ",",
	    change);
	str_add_member(names->out, kind, name);
	str_addc(names->out, '}');
}

/* 'now' and 'before': key -> "HASH" or "HASH NAME"; -> the names, sorted. */
static void
diff_maps(const struct map *now, const struct map *before, const char *kind,
    struct str *out)
{
	struct names names = { .out = out };
	struct map_entry *e;
	size_t i;

	str_addf(out, "\"%ss\":[", kind);
	for (i = 0; (e = map_next(now, &i)) != NULL;) {
		const char *is = e->value, *was = map_get(before, e->key);
		const char *name = strchr(is, ' ');

		name = name == NULL ? e->key : name + 1;
		if (was == NULL)
			add_name(&names, kind, "added", name);
		else if (strncmp(is, was, SHA256_HEX_SIZE - 1) != 0)
			add_name(&names, kind, "changed", name);
	}
	for (i = 0; (e = map_next(before, &i)) != NULL;) {
		const char *name = strchr(e->value, ' ');

		if (map_get(now, e->key) == NULL)
			add_name(&names, kind, "removed",
			    name == NULL ? e->key : name + 1);
	}
	str_addf(out, "],\"%ss_changed\":%zu", kind, names.n);
}

static void
hash_services(const struct recording *what, struct map *ret)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&what->services->services, &i)) != NULL;) {
		const struct service *s = e->value;
		char sum[SHA256_HEX_SIZE];

		aside_signature(s, sum);
		(void)map_set(ret, s->id, xasprintf("%s %s", sum, s->name));
	}
}

static void
hash_ini(const struct recording *what, char ret[SHA256_HEX_SIZE])
{
	STR_AUTO(text, CONFIG_FILE_MAX * 4);

	cluster_config_dump(what->config, &text);
	sha256_hex(text.p, text.len, ret);
}

/* Compares with the newest entry and takes its place. */
static void
take(struct history *h, const struct recording *what, const struct rendered *r,
    struct str *out)
{
	struct map services = { 0 }, files = { 0 };
	char ini[SHA256_HEX_SIZE];
	size_t i;

	hash_services(what, &services);
	hash_ini(what, ini);
	for (i = 0; r != NULL && i < r->files.len; i++)
		(void)map_set(&files, r->files.at[i]->path,
		    xstrdup(r->files.at[i]->sha256));
	str_addc(out, '{');
	diff_maps(&services, &h->services, "service", out);
	str_addc(out, ',');
	diff_maps(&files, &h->files, "file", out);
	str_addf(out, ",\"ini_changed\":%s}",
	    h->ini[0] != '\0' && strcmp(ini, h->ini) != 0 ? "true" : "false");
	clear_map(&h->services);
	clear_map(&h->files);
	h->services = services;
	h->files = files;
	memcpy(h->ini, ini, sizeof(h->ini));
}

/* ---- disk ---- */

static void
add_entry(const struct history_entry *e, struct str *out)
{
	time_t at = (time_t)e->wall_s;
	char stamp[32] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	str_addf(out,
	    "{\"generation\":%" PRIu64 ",\"last_generation\":%" PRIu64
	    ",\"time\":\"%s\",\"time_s\":%" PRIu64,
	    e->generation, e->last, stamp, e->wall_s);
	str_add_member(out, "config", e->config);
	str_addf(out,
	    ",\"rolled_back_to\":%" PRIu64 ",\"reloads\":%" PRIu64
	    ",\"size\":%" PRIu64 ",\"changes\":%s}",
	    e->rolled_back_to, e->reloads, e->size, e->what);
}

void
history_json(const struct history *h, struct str *out)
{
	size_t i;

	str_addc(out, '[');
	for (i = h->entries.len; i-- > 0;) {
		add_entry(&h->entries.at[i], out);
		if (i > 0)
			str_add(out, ",\n");
	}
	str_addc(out, ']');
}

int
history_store(const struct history *h, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/index.json", h->folder);
	STR_AUTO(text, INDEX_MAX);

	if (h->entries.len == 0)
		return 0;
	str_addf(&text, "{\"version\":1,\"ini\":\"%s\",\"entries\":", h->ini);
	history_json(h, &text);
	str_add(&text, "}\n");
	return fs_write(path, text.p, text.len, 0640, e);
}

/* Recordings that no entry has. */
static void
sweep(const struct history *h)
{
	DIR *d = opendir(h->folder);
	struct dirent *entry;
	uint32_t n;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		size_t len = strcspn(entry->d_name, ".");

		if (parse_u32(entry->d_name, len, 1, UINT32_MAX, &n, NULL) !=
			0 ||
		    history_find(h, n) != NULL)
			continue;
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d != NULL)
		(void)closedir(d);
}

static void
prune(struct history *h)
{
	uint64_t bytes = 0;
	size_t i, drop = 0;

	for (i = h->entries.len; i-- > 0;) {
		bytes += h->entries.at[i].size;
		/* The one before is kept, however large. */
		if (h->entries.len - i > 2 &&
		    (h->entries.len - i > HISTORY_MAX ||
			bytes > HISTORY_MAX_BYTES)) {
			drop = i + 1;
			break;
		}
	}
	for (i = 0; i < drop; i++) {
		free(h->entries.at[0].what);
		vec_remove(&h->entries, 0);
	}
	if (drop > 0)
		sweep(h);
}

static void
load_entry(struct history *h, const json_t *j)
{
	const json_t *what = json_object_get(j, "changes");
	const char *config = json_string_value(json_object_get(j, "config"));
	struct history_entry *e;

	if (config == NULL || !sha256_is_hex(config) || !json_is_object(what))
		return;
	e = vec_add(&h->entries);
	e->generation =
	    (uint64_t)json_integer_value(json_object_get(j, "generation"));
	e->last =
	    (uint64_t)json_integer_value(json_object_get(j, "last_generation"));
	e->wall_s = (uint64_t)json_integer_value(json_object_get(j, "time_s"));
	memcpy(e->config, config, SHA256_HEX_SIZE);
	e->rolled_back_to =
	    (uint64_t)json_integer_value(json_object_get(j, "rolled_back_to"));
	e->reloads =
	    (uint64_t)json_integer_value(json_object_get(j, "reloads"));
	e->size = (uint64_t)json_integer_value(json_object_get(j, "size"));
	e->what = json_dumps(what, JSON_COMPACT);
	must(e->what != NULL);
}

void
history_load(struct history *h, const char *run_dir, const char *cluster)
{
	char *path _cleanup_free_ = NULL;
	STR_AUTO(text, INDEX_MAX);
	json_auto_t *j = NULL;
	const json_t *list;
	struct recording *newest;
	size_t i;

	h->folder = xasprintf("%s/state/%s/history", run_dir, cluster);
	path = xasprintf("%s/index.json", h->folder);
	if (fs_read(path, &text, NULL) != 0)
		return;
	j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(j, "entries");
	for (i = json_array_size(list); i-- > 0;)
		load_entry(h, json_array_get(list, i));
	if (h->entries.len == 0)
		return;
	newest = history_recording(
	    h, h->entries.at[h->entries.len - 1].generation, cluster, NULL);
	if (newest != NULL) {
		hash_services(newest, &h->services);
		hash_ini(newest, h->ini);
	}
	recording_free(newest);
}

/* ---- entries ---- */

int
history_add(struct history *h, const struct recording *what,
    const struct rendered *r, uint64_t generation, uint64_t rolled_back_to,
    uint64_t wall_s, uint64_t reloads, struct error *e)
{
	char *path _cleanup_free_ = path_of(h, generation);
	struct history_entry *entry;
	STR_AUTO(changes, WHAT_MAX);

	if (fs_mkdirs(h->folder, 0750, e) != 0 ||
	    fs_write(path, what->text, what->len, 0640, e) != 0)
		return -1;
	history_follow(h, 0, reloads);
	h->reloads_mark = reloads;
	take(h, what, r, &changes);
	entry = vec_add(&h->entries);
	entry->generation = entry->last = generation;
	entry->wall_s = wall_s;
	memcpy(entry->config, what->config_hash, SHA256_HEX_SIZE);
	entry->rolled_back_to = rolled_back_to;
	entry->size = what->len;
	entry->what = xstrdup(changes.overflow ? "{}" : changes.p);
	prune(h);
	return history_store(h, e);
}

void
history_follow(struct history *h, uint64_t generation, uint64_t reloads)
{
	struct history_entry *e;

	if (h->entries.len == 0)
		return;
	e = &h->entries.at[h->entries.len - 1];
	if (generation > e->last)
		e->last = generation;
	/* A proxy that started anew counts from nothing again. */
	if (reloads > h->reloads_mark)
		e->reloads += reloads - h->reloads_mark;
	h->reloads_mark = reloads;
}

const struct history_entry *
history_find(const struct history *h, uint64_t generation)
{
	size_t i;

	for (i = h->entries.len; i-- > 0;) {
		const struct history_entry *e = &h->entries.at[i];

		if (generation >= e->generation && generation <= e->last)
			return e;
	}
	return NULL;
}

const struct history_entry *
history_before(const struct history *h, uint64_t generation)
{
	const struct history_entry *of = history_find(h, generation);
	size_t i;

	for (i = h->entries.len; i-- > 0;) {
		const struct history_entry *e = &h->entries.at[i];

		if (e->generation < (of == NULL ? generation : of->generation))
			return e;
	}
	return NULL;
}

struct recording *
history_recording(const struct history *h, uint64_t generation,
    const char *cluster, struct error *e)
{
	const struct history_entry *entry = history_find(h, generation);
	char *path _cleanup_free_ = NULL;
	STR_AUTO(text, RECORDING_MAX);

	if (entry == NULL) {
		(void)error_set(e, ENOENT,
		    "generation %llu is not in the history",
		    (unsigned long long)generation);
		return NULL;
	}
	path = path_of(h, entry->generation);
	if (fs_read(path, &text, e) != 0)
		return NULL;
	return recording_decode(text.p, text.len, cluster, e);
}
