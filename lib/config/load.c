/* Scan, then inih, then values: see load.h. */
#include "config/load.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <ini.h>

#include "base/fs.h"
#include "config/scan.h"
#include "config/value.h"

struct loader {
	const char *path;
	const struct config_table *table;
	void *base;
	uint32_t *key_line;
	struct config_errors *errors;
	const struct scan *scan;
	size_t next; /* entry that inih must come up with next */
	bool misread;
	const struct scan_entry *open; /* its value is being gathered */
	struct str value;
};

size_t
load_row(const struct config_table *t, const char *section, const char *name)
{
	const struct config_key *k = config_key_find(t, section, name);

	must(k != NULL);
	return (size_t)(k - t->keys);
}

/* The value is complete: into the struct with it. */
static void
finish(struct loader *l)
{
	const struct scan_entry *entry = l->open;
	struct error e;
	int result;

	if (entry == NULL)
		return;
	l->open = NULL;
	l->key_line[entry->key - l->table->keys] = entry->line;
	if (entry->key->type == CONFIG_PAIRS)
		result = value_add_pair(
		    entry->key, l->base, entry->name, l->value.p, &e);
	else
		result = value_set(entry->key, l->base, l->value.p, &e);
	if (result != 0)
		config_errors_add(l->errors, l->path, entry->line,
		    "[%s] %s: %s%s", entry->key->section, entry->name, e.msg,
		    strstr(l->value.p, " #") != NULL
			? " (a comment behind a value starts with \" ;\")"
			: "");
}

static const char *
separator(const struct config_key *key)
{
	if (key->type == CONFIG_LIST)
		return ",";
	return key->type == CONFIG_RAW ? "\n" : " ";
}

static int
on_line(void *arg, const char *section, const char *name, const char *value)
{
	struct loader *l = arg;
	const struct scan_entry *entry;

	if (l->misread || l->next == l->scan->entries.len) {
		l->misread = true;
		return 0;
	}
	entry = &l->scan->entries.at[l->next++];
	if (strcmp(entry->key->section, section) != 0 ||
	    strcmp(entry->name, name) != 0 || value == NULL) {
		l->misread = true;
		return 0;
	}
	if (!entry->continued) {
		finish(l);
		l->open = entry;
		str_clear(&l->value);
	} else if (l->value.len > 0) {
		str_add(&l->value, separator(entry->key));
	}
	str_add(&l->value, value);
	return 1;
}

static void
set_defaults(const struct config_table *t, void *base)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		struct error e;

		if (t->keys[i].def != NULL)
			must(value_set(&t->keys[i], base, t->keys[i].def, &e) ==
			    0);
	}
}

void
load(const struct config_table *t, const char *path, const char *text,
    size_t len, void *base, uint32_t *key_line, struct config_errors *errors)
{
	struct scan s;
	struct loader l = {
		.path = path,
		.table = t,
		.base = base,
		.key_line = key_line,
		.errors = errors,
		.scan = &s,
	};

	set_defaults(t, base);
	scan(t, path, text, len, &s, errors);
	must(!s.text.overflow);
	str_init(&l.value, len + 1);
	if (ini_parse_string(s.text.p, on_line, &l) != 0 ||
	    l.next != s.entries.len)
		l.misread = true;
	finish(&l);
	/* The scan and inih disagree: nothing of the file can be trusted. */
	if (l.misread)
		config_errors_add(errors, path,
		    l.next > 0 ? s.entries.at[l.next - 1].line : 0,
		    "here or below is a line that cannot be read reliably;"
		    " write it more plainly");
	str_fini(&l.value);
	scan_fini(&s);
}

int
load_file(const char *path, struct str *ret, struct config_errors *errors)
{
	struct stat st;
	struct error e;

	/* A pipe would hang whoever reads it. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		config_errors_add(errors, path, 0, "not a file");
		return -1;
	}
	if (fs_read(path, ret, &e) == 0)
		return 0;
	if (e.code == EFBIG)
		config_errors_add(
		    errors, path, 0, "larger than %d bytes", CONFIG_FILE_MAX);
	else
		config_errors_add(errors, path, 0, "%s", strerror(e.code));
	return -1;
}
