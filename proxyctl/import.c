/*
 * Interlock's TOML to INI files: walks the entries, puts each value through
 * its row of the table, and proves by reading it back that the INI carries it.
 */
#include "import.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/check.h"
#include "config/load.h"
#include "config/value.h"
#include "import_map.h"

/* One INI file in the making. */
struct target {
	char *name;	 /* "clusters.d/default.ini" */
	char *extension; /* Interlock's name; NULL: the daemon's file */
	const struct config_table *table;
	void *base;
	uint32_t *key_line;
	enum import_scope engine; /* SCOPE_NGINX or SCOPE_HAPROXY */
	char *cluster;
	bool is_default;
};

struct importer {
	const char *source;
	const struct toml *toml;
	VEC(struct target) targets; /* the first is the daemon's */
	struct import *im;
};

static void
free_base(const struct config_table *t, void *base)
{
	for (size_t i = 0; i < t->n_keys; i++)
		value_free(&t->keys[i], base);
	free(base);
}

static void *
new_base(const struct config_table *t)
{
	return xcalloc(1,
	    t == &config_daemon_table ? sizeof(struct daemon_config)
				      : sizeof(struct cluster_config));
}

static int
set(const struct config_key *key, void *base, const char *name,
    const char *text, struct error *e)
{
	if (key->type == CONFIG_PAIRS)
		return value_add_pair(key, base, name, text, e);
	return value_set(key, base, text, e);
}

/* Whether a file that says so can be written and reads back without error. */
static int
try_value(const struct config_table *t, const struct config_key *key,
    const char *name, const char *text, struct error *e)
{
	void *base = new_base(t), *again = new_base(t);
	uint32_t line[CONFIG_KEYS_MAX] = { 0 };
	struct config_errors errors = { 0 };
	STR_AUTO(ini, CONFIG_FILE_MAX);
	STR_AUTO(back, CONFIG_FILE_MAX);
	int result = set(key, base, name, text, e);

	line[key - t->keys] = 1;
	if (result == 0) {
		config_dump_set(t, base, line, &ini);
		load(t, "", ini.p, ini.len, again, line, &errors);
		if (errors.lines.len > 0) {
			const char *m = strstr(errors.lines.at[0], ": ");

			result = error_set(e, EINVAL, "%s",
			    m != NULL ? m + 2 : errors.lines.at[0]);
		} else {
			/* A line's end in a value would begin other keys. */
			config_dump_set(t, again, line, &back);
			if (strcmp(ini.p, back.p) != 0)
				result = error_set(e, EINVAL,
				    "a value that no INI file can have");
		}
	}
	config_errors_fini(&errors);
	free_base(t, base);
	free_base(t, again);
	return result;
}

static void
remark(struct import *im, const char *text)
{
	vec_push(&im->remarks, xstrdup(text));
}

static struct target *
add_target(struct importer *in, const struct config_table *t)
{
	struct target *target = vec_add(&in->targets);

	target->table = t;
	target->base = new_base(t);
	target->key_line = xcalloc(t->n_keys, sizeof(target->key_line[0]));
	target->engine = SCOPE_NGINX;
	return target;
}

/* A cluster's name out of any text. */
static char *
cluster_name(const char *s)
{
	char *name = xmemdup0(s, strnlen(s, CLUSTER_NAME_MAX));
	size_t len;

	for (char *c = name; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		if (!config_is_cluster_name(c, 1))
			*c = '-';
	}
	for (len = strlen(name); len > 0 && name[len - 1] == '-'; len--)
		name[len - 1] = '\0';
	if (name[0] == '-')
		name[0] = 'x';
	if (name[0] == '\0') {
		free(name);
		return xstrdup("default");
	}
	return name;
}

static const struct toml_entry *
find_entry(const struct importer *in, const char *extension, const char *key)
{
	for (size_t i = 0; i < in->toml->entries.len; i++) {
		const struct toml_entry *t = &in->toml->entries.at[i];

		if (t->path.len == 3 &&
		    strcasecmp(t->path.at[0], "Extensions") == 0 &&
		    strcmp(t->path.at[1], extension) == 0 &&
		    strcasecmp(t->path.at[2], key) == 0)
			return t;
	}
	return NULL;
}

static bool
names_haproxy(const struct toml_entry *entry)
{
	return entry != NULL && strstr(entry->text, "haproxy") != NULL;
}

/* Sets a value that the importer itself decides on. */
static void
decide(
    struct target *t, const char *section, const char *name, const char *text)
{
	size_t row = load_row(t->table, section, name);
	struct error e;

	if (value_set(&t->table->keys[row], t->base, text, &e) == 0)
		t->key_line[row] = 1;
}

static bool
is_name_taken(const struct importer *in, const char *cluster)
{
	for (size_t i = 1; i < in->targets.len; i++) {
		if (in->targets.at[i].cluster != NULL &&
		    strcmp(in->targets.at[i].cluster, cluster) == 0)
			return true;
	}
	return false;
}

static bool
is_default_taken(const struct importer *in)
{
	for (size_t i = 1; i < in->targets.len; i++) {
		if (in->targets.at[i].is_default)
			return true;
	}
	return false;
}

/* The target of an extension; made when its first key comes up. */
static struct target *
find_target(struct importer *in, const char *extension)
{
	const struct toml_entry *service_cluster;
	struct target *t;
	char *name;
	bool named, is_default;

	for (size_t i = 1; i < in->targets.len; i++) {
		if (strcmp(in->targets.at[i].extension, extension) == 0)
			return &in->targets.at[i];
	}
	service_cluster = find_entry(in, extension, "ServiceCluster");
	named = service_cluster != NULL && service_cluster->text[0] != '\0';
	name = cluster_name(named ? service_cluster->text : extension);
	for (int i = 2; is_name_taken(in, name); i++) {
		free(name);
		name = xasprintf("cluster-%d", i);
	}
	is_default = !named && !is_default_taken(in);
	t = add_target(in, &config_cluster_table);
	t->extension = xstrdup(extension);
	t->cluster = name;
	t->name = xasprintf("clusters.d/%s.ini", name);
	t->is_default = is_default;
	decide(t, "cluster", "name", name);
	decide(t, "cluster", "default", is_default ? "true" : "false");
	if (names_haproxy(find_entry(in, extension, "ProxyImage")) ||
	    names_haproxy(find_entry(in, extension, "Image"))) {
		t->engine = SCOPE_HAPROXY;
		decide(t, "proxy", "engine", "haproxy");
	}
	return t;
}

/* The value as given, for the account. */
static char *
shown_value(const struct toml_entry *entry)
{
	const char *key = entry->path.at[entry->path.len - 1];
	STR_AUTO(s, 1000);

	if (strcasestr(key, "pass") != NULL)
		return xstrdup("***");
	if (entry->type == TOML_STRING)
		str_add_quoted(&s, entry->text, strlen(entry->text), 60);
	else if (entry->type != TOML_ARRAY)
		str_add_quoted(&s, entry->text, strlen(entry->text), 20);
	else
		str_addf(&s, "[%zu items]", entry->items.len);
	if (entry->type == TOML_ARRAY && entry->items.len == 1) {
		str_clear(&s);
		str_addc(&s, '[');
		str_add_quoted(
		    &s, entry->items.at[0], strlen(entry->items.at[0]), 60);
		str_addc(&s, ']');
	}
	return str_take(&s);
}

static struct import_record *
add_record(struct importer *in, const struct toml_entry *entry)
{
	struct import_record *r = vec_add(&in->im->records);
	STR_AUTO(key, 4096);

	for (size_t i = 0; i < entry->path.len; i++) {
		const char *part = entry->path.at[i];
		bool plain = strspn(part,
				 "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_-") == strlen(part);

		str_add(&key, i > 0 ? "." : "");
		if (plain && part[0] != '\0')
			str_add(&key, part);
		else
			str_add_quoted(&key, part, strlen(part), 60);
	}
	r->key = str_take(&key);
	r->value = shown_value(entry);
	r->line = entry->line;
	return r;
}

static void
settle(struct importer *in, struct import_record *r, enum import_action action,
    const char *note)
{
	r->action = action;
	r->note = note != NULL && note[0] != '\0' ? xstrdup(note) : NULL;
	if (action == IMPORT_BAD || action == IMPORT_UNKNOWN)
		in->im->needs_human = true;
}

/* Puts 'text' into the target, and says so in the record. */
static void
take(struct importer *in, struct import_record *r, struct target *t,
    const struct config_key *key, const char *name, const char *text,
    const char *note)
{
	struct error e;
	STR_AUTO(s, 1000);

	if (try_value(t->table, key, name, text, &e) != 0 ||
	    set(key, t->base, name, text, &e) != 0) {
		settle(in, r, IMPORT_BAD, e.msg);
		return;
	}
	t->key_line[key - t->table->keys] = 1;
	str_addf(&s, "[%s] %s = ", key->section, name);
	str_addn(
	    &s, text, strcspn(text, "\n") < 200 ? strcspn(text, "\n") : 200);
	if (strlen(text) > strcspn(text, "\n") || strlen(text) > 200)
		str_add(&s, " ...");
	r->file = xstrdup(t->name);
	r->target = str_take(&s);
	settle(in, r, IMPORT_TAKEN, note);
}

static void
do_unknown(struct importer *in, struct import_record *r, const char *nearest)
{
	STR_AUTO(s, 400);

	if (nearest != NULL)
		str_addf(&s, "no key of Interlock's; is it %s?", nearest);
	else
		str_add(&s, "no key of Interlock's that is known");
	settle(in, r, IMPORT_UNKNOWN, s.p);
}

/* Where the labels of a table go; NULL: it is no such table. */
static const char *
label_section(const char *table)
{
	if (strcasecmp(table, "ProxyLabels") == 0)
		return "proxy.labels";
	if (strcasecmp(table, "ProxyContainerLabels") == 0)
		return "proxy.container_labels";
	return NULL;
}

/* One key by its row. */
static void
do_row(struct importer *in, const struct toml_entry *entry,
    enum import_scope scope, struct target *t)
{
	const char *nearest = NULL;
	const char *key = entry->path.at[entry->path.len - 1];
	const struct import_row *row = import_row_find(scope, key, &nearest);
	struct import_record *r = add_record(in, entry);
	STR_AUTO(text, TOML_MAX);
	struct error e;

	if (scope == SCOPE_EXTENSION && label_section(key) != NULL) {
		settle(in, r, IMPORT_BAD,
		    "labels are a table: [Extensions.NAME.ProxyLabels]");
		return;
	}
	if (row == NULL) {
		do_unknown(in, r, nearest);
		return;
	}
	if (row->section == NULL) {
		settle(in, r, IMPORT_DROPPED, row->note);
		return;
	}
	if (row->theirs != NULL && strcmp(row->theirs, entry->text) == 0) {
		settle(in, r, IMPORT_DEFAULT, row->note);
		return;
	}
	if (row->convert(entry, &text, &e) != 0) {
		settle(in, r, IMPORT_BAD, e.msg);
		return;
	}
	if (text.len == 0) {
		settle(in, r, IMPORT_DEFAULT, "it is empty");
		return;
	}
	take(in, r, t, config_key_find(t->table, row->section, row->name),
	    row->name, text.p,
	    strstr(text.p, "node.labels.com.docker.ucp.") != NULL
		? "only MKE gives nodes that label"
		: NULL);
}

/* One label of a table of labels. */
static void
do_label(struct importer *in, const struct toml_entry *entry, struct target *t)
{
	const char *table = entry->path.at[2], *name = entry->path.at[3];
	struct import_record *r = add_record(in, entry);
	const char *section = label_section(table), *nearest = NULL;
	const struct import_row *row;

	if (section == NULL) {
		row = import_row_find(SCOPE_EXTENSION, table, &nearest);
		if (row != NULL && row->section == NULL)
			settle(in, r, IMPORT_DROPPED, row->note);
		else
			do_unknown(in, r, nearest);
	} else if (strncmp(name, "com.docker.ucp.", 15) == 0) {
		settle(
		    in, r, IMPORT_DROPPED, "MKE tells its own services by it");
	} else if (entry->type == TOML_ARRAY) {
		settle(in, r, IMPORT_BAD, "a label's value is no list");
	} else {
		take(in, r, t, config_key_find(t->table, section, name), name,
		    entry->text, NULL);
	}
}

/* ServiceCluster made the file's name when the target was made. */
static void
do_service_cluster(
    struct importer *in, const struct toml_entry *entry, struct target *t)
{
	struct import_record *r = add_record(in, entry);

	r->file = xstrdup(t->name);
	if (entry->text[0] == '\0') {
		r->target = xasprintf(
		    "[cluster] default = %s", t->is_default ? "true" : "false");
		settle(in, r, t->is_default ? IMPORT_TAKEN : IMPORT_BAD,
		    t->is_default ? NULL
				  : "another cluster already takes the services"
				    " that name none");
		return;
	}
	r->target = xasprintf("[cluster] name = %s", t->cluster);
	settle(in, r,
	    strcmp(t->cluster, entry->text) == 0 ? IMPORT_TAKEN : IMPORT_BAD,
	    strcmp(t->cluster, entry->text) == 0
		? NULL
		: "no name that a cluster can have here, or taken twice:"
		  " change the services' labels as well");
}

static void
do_entry(struct importer *in, const struct toml_entry *entry)
{
	struct target *t;

	if (entry->path.len == 1) {
		do_row(in, entry, SCOPE_CORE, &in->targets.at[0]);
		return;
	}
	if (strcasecmp(entry->path.at[0], "Extensions") != 0 ||
	    entry->path.len < 3 || entry->path.len > 4) {
		do_unknown(in, add_record(in, entry), NULL);
		return;
	}
	t = find_target(in, entry->path.at[1]);
	if (entry->path.len == 3 &&
	    strcasecmp(entry->path.at[2], "ServiceCluster") == 0)
		do_service_cluster(in, entry, t);
	else if (entry->path.len == 3)
		do_row(in, entry, SCOPE_EXTENSION, t);
	else if (strcasecmp(entry->path.at[2], "Config") == 0)
		do_row(in, entry, t->engine, t);
	else
		do_label(in, entry, t);
}

/* What must still be done before the cluster can run. */
static void
check_cluster(struct import *im, const struct import_file *f)
{
	struct config_errors errors = { 0 };
	struct cluster_config *c =
	    cluster_config_parse(f->name, f->text, strlen(f->text), &errors);

	/* Errors across keys: each value was tried alone before. */
	if (c == NULL)
		im->needs_human = true;
	else
		(void)!cluster_config_check_run(c, &errors);
	for (size_t i = 0; i < errors.lines.len; i++)
		remark(im, errors.lines.at[i]);
	cluster_config_free(c);
	config_errors_fini(&errors);
}

static void
finish(struct importer *in, const struct target *t)
{
	struct import_file *f = vec_add(&in->im->files);
	struct config_errors errors = { 0 };
	STR_AUTO(s, 2 * CONFIG_FILE_MAX);

	str_add(&s, "# Made by proxyctl import from ");
	str_add_quoted(&s, in->source, strlen(in->source), 100);
	str_add(&s, "; see bulkhead.ini(5).\n\n");
	config_dump_set(t->table, t->base, t->key_line, &s);
	f->name = xstrdup(t->name);
	f->text = str_take(&s);
	if (t->extension != NULL) {
		check_cluster(in->im, f);
		return;
	}
	daemon_config_free(
	    daemon_config_parse(f->name, f->text, strlen(f->text), &errors));
	for (size_t i = 0; i < errors.lines.len; i++) {
		in->im->needs_human = true;
		remark(in->im, errors.lines.at[i]);
	}
	config_errors_fini(&errors);
}

struct import *
import_interlock(
    const char *source, const char *text, size_t len, struct error *e)
{
	struct toml toml;
	struct importer in = { .source = source, .toml = &toml };

	if (toml_parse(text, len, &toml, e) != 0)
		return NULL;
	in.im = xcalloc(1, sizeof(*in.im));
	add_target(&in, &config_daemon_table)->name = xstrdup("bulkhead.ini");
	for (size_t i = 0; i < toml.entries.len; i++)
		do_entry(&in, &toml.entries.at[i]);
	if (in.targets.len == 1) {
		remark(in.im,
		    "no [Extensions.NAME] table, so there is no cluster");
		in.im->needs_human = true;
	}
	for (size_t i = 0; i < in.targets.len; i++) {
		struct target *t = &in.targets.at[i];

		finish(&in, t);
		free_base(t->table, t->base);
		free(t->key_line);
		free(t->name);
		free(t->extension);
		free(t->cluster);
	}
	vec_fini(&in.targets);
	toml_fini(&toml);
	return in.im;
}
