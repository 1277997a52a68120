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
	rendered_free(h->files);
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

/* Services: what is known of them becomes what 'news' says. */
static void
diff_services(
    struct history *h, const struct history_news *news, struct str *out)
{
	struct names names = { .out = out };
	struct map before = { 0 };
	struct map_entry *e;
	size_t i;

	str_add(out, "\"services\":[");
	if (news->whole) {
		before = h->services;
		memset(&h->services, 0, sizeof(h->services));
	}
	for (i = 0; i < news->n; i++) {
		const struct recording_item *x = &news->items[i];
		char *was _cleanup_free_ =
		    map_remove(news->whole ? &before : &h->services, x->id);
		char sum[SHA256_HEX_SIZE];

		if (x->now == NULL && was != NULL)
			add_name(&names, "service", "removed",
			    was + SHA256_HEX_SIZE);
		if (x->now == NULL)
			continue;
		aside_signature(x->now, sum);
		(void)map_set(
		    &h->services, x->id, xasprintf("%s %s", sum, x->now->name));
		if (was == NULL)
			add_name(&names, "service", "added", x->now->name);
		else if (strncmp(sum, was, sizeof(sum) - 1) != 0)
			add_name(&names, "service", "changed", x->now->name);
	}
	for (i = 0; (e = map_next(&before, &i)) != NULL;)
		add_name(&names, "service", "removed",
		    (char *)e->value + SHA256_HEX_SIZE);
	clear_map(&before);
	str_addf(out, "],\"services_changed\":%zu", names.n);
}

static void
diff_files(
    const struct rendered *before, const struct rendered *now, struct str *out)
{
	struct rendered_walk w = { .before = before, .now = now };
	struct names names = { .out = out };
	struct rendered_file *was, *is;

	str_add(out, "\"files\":[");
	while (rendered_differs(&w, &was, &is))
		add_name(&names, "file",
		    was == NULL	     ? "added"
			: is == NULL ? "removed"
				     : "changed",
		    is == NULL ? was->path : is->path);
	str_addf(out, "],\"files_changed\":%zu", names.n);
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
hash_ini(const struct cluster_config *c, char ret[SHA256_HEX_SIZE])
{
	STR_AUTO(text, CONFIG_FILE_MAX * 4);

	cluster_config_dump(c, &text);
	sha256_hex(text.p, text.len, ret);
}

/* Compares with the newest entry and takes its place. */
static void
take(struct history *h, const struct history_news *news, struct str *out)
{
	char ini[SHA256_HEX_SIZE];

	hash_ini(news->settings, ini);
	str_addc(out, '{');
	diff_services(h, news, out);
	str_addc(out, ',');
	diff_files(h->files, news->files, out);
	str_addf(out, ",\"ini_changed\":%s}",
	    h->ini[0] != '\0' && strcmp(ini, h->ini) != 0 ? "true" : "false");
	rendered_free(h->files);
	h->files = news->files == NULL ? NULL : rendered_share(news->files);
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
	    ",\"size\":%" PRIu64 ",\"changes\":%s",
	    e->rolled_back_to, e->reloads, e->size, e->what);
}

static void
add_entries(const struct history *h, bool stored, struct str *out)
{
	size_t i;

	str_addc(out, '[');
	for (i = h->entries.len; i-- > 0;) {
		const struct history_entry *e = &h->entries.at[i];

		add_entry(e, out);
		if (stored && e->base != 0)
			str_addf(out, ",\"base\":%" PRIu64, e->base);
		str_add(out, i > 0 ? "},\n" : "}");
	}
	str_addc(out, ']');
}

void
history_json(const struct history *h, struct str *out)
{
	add_entries(h, false, out);
}

int
history_store(struct history *h, struct error *e)
{
	char *path _cleanup_free_ = xasprintf("%s/index.json", h->folder);
	STR_AUTO(text, INDEX_MAX);

	if (h->entries.len == 0 || h->stored)
		return 0;
	str_addf(&text, "{\"version\":1,\"ini\":\"%s\",\"entries\":", h->ini);
	add_entries(h, true, &text);
	str_add(&text, "}\n");
	if (fs_write(path, text.p, text.len, 0640, e) != 0)
		return -1;
	h->stored = true;
	return 0;
}

static bool
is_used(const struct history *h, uint64_t generation)
{
	size_t i;

	for (i = 0; i < h->entries.len; i++)
		if (h->entries.at[i].generation == generation ||
		    h->entries.at[i].base == generation)
			return true;
	return false;
}

/* Recordings that no entry is made of. */
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
		    is_used(h, n))
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
	e->base = (uint64_t)json_integer_value(json_object_get(j, "base"));
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
		hash_ini(newest->config, h->ini);
	}
	recording_free(newest);
}

/* ---- entries ---- */

int
history_add(struct history *h, const struct history_news *news, struct error *e)
{
	char *path _cleanup_free_ = path_of(h, news->generation);
	struct history_entry *entry;
	STR_AUTO(changes, WHAT_MAX);

	if (fs_mkdirs(h->folder, 0750, e) != 0 ||
	    fs_write(path, news->text->p, news->text->len, 0640, e) != 0)
		return -1;
	history_follow(h, 0, news->reloads);
	h->reloads_mark = news->reloads;
	take(h, news, &changes);
	entry = vec_add(&h->entries);
	entry->generation = entry->last = news->generation;
	entry->wall_s = news->wall_s;
	memcpy(entry->config, news->config, SHA256_HEX_SIZE);
	entry->rolled_back_to = news->rolled_back_to;
	entry->size = news->text->len;
	entry->base = news->base;
	entry->what = xstrdup(changes.overflow ? "{}" : changes.p);
	prune(h);
	h->stored = false;
	return history_store(h, e);
}

void
history_follow(struct history *h, uint64_t generation, uint64_t reloads)
{
	struct history_entry *e;

	if (h->entries.len == 0)
		return;
	e = &h->entries.at[h->entries.len - 1];
	if (generation > e->last || reloads > h->reloads_mark)
		h->stored = false;
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

static struct recording *
read_recording(const struct history *h, uint64_t generation, uint64_t base,
    const char *cluster, struct error *e)
{
	char *path _cleanup_free_ = path_of(h, generation);
	struct recording *whole;
	STR_AUTO(text, RECORDING_MAX);

	if (fs_read(path, &text, e) != 0)
		return NULL;
	if (base == 0)
		return recording_decode(text.p, text.len, cluster, e);
	whole = read_recording(h, base, 0, cluster, e);
	return whole == NULL
	    ? NULL
	    : recording_decode_upon(whole, text.p, text.len, e);
}

struct recording *
history_recording(const struct history *h, uint64_t generation,
    const char *cluster, struct error *e)
{
	const struct history_entry *entry = history_find(h, generation);

	if (entry == NULL) {
		(void)error_set(e, ENOENT,
		    "generation %llu is not in the history",
		    (unsigned long long)generation);
		return NULL;
	}
	return read_recording(h, entry->generation, entry->base, cluster, e);
}
