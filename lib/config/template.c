/* Fragments of the operator: see template.h. */
#include "config/template.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

const char *
config_template_name(enum config_template t)
{
	static const char *const names[] = { "main", "http", "server",
		"location" };

	return names[t];
}

void
config_templates_free(struct config_templates *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < TEMPLATE_COUNT; i++)
		free(t->text[i]);
	free(t);
}

/* A walk over nginx's grammar: words, quotes, comments, blocks. */
struct walk {
	const char *text;
	const char *p;
	unsigned line;
	unsigned depth;
	bool in_directive; /* words since the last ";", "{" or "}" */
	const char *fault;
};

/* The end of the quoted text that begins at w->p; at its start if there is
 * none. */
static void
skip_quoted(struct walk *w)
{
	char quote = *w->p;
	const char *p = w->p + 1;
	unsigned line = w->line;

	for (; *p != '\0' && *p != quote; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (*p == '\n')
			line++;
	}
	if (*p == '\0') {
		w->fault = "a quote is not closed";
		return;
	}
	w->p = p;
	w->line = line;
}

/* Quotes and "#" mean something at the beginning of a word only. */
static bool
begins_word(const struct walk *w)
{
	return w->p == w->text || strchr(" \t\n;{}", w->p[-1]) != NULL;
}

static void
take_char(struct walk *w)
{
	unsigned char c = (unsigned char)*w->p;

	switch (c) {
	case '\n':
		w->line++;
		return;
	case ' ':
	case '\t':
		return;
	case '#':
		if (begins_word(w))
			w->p += strcspn(w->p, "\n") - 1;
		return;
	case '"':
	case '\'':
		if (begins_word(w))
			skip_quoted(w);
		w->in_directive = true;
		return;
	case ';':
		if (!w->in_directive)
			w->fault = "a \";\" without a directive";
		w->in_directive = false;
		return;
	case '{':
		if (!w->in_directive)
			w->fault = "a \"{\" without a name";
		w->depth++;
		w->in_directive = false;
		return;
	case '}':
		if (w->in_directive)
			w->fault = "a directive before \"}\" lacks its \";\"";
		else if (w->depth == 0)
			w->fault = "a \"}\" that closes nothing of this file";
		else
			w->depth--;
		return;
	case '\\':
		if (w->p[1] != '\0')
			w->p++;
		w->in_directive = true;
		return;
	default:
		if (c < 0x20 || c == 0x7f)
			w->fault = "a control character";
		w->in_directive = true;
	}
}

static bool
check(const char *path, const char *text, size_t len,
    struct config_errors *errors)
{
	struct walk w = { .text = text, .p = text, .line = 1 };

	if (strlen(text) != len)
		w.fault = "a NUL byte";
	for (; *w.p != '\0' && w.fault == NULL; w.p++)
		take_char(&w);
	if (w.fault == NULL && w.in_directive)
		w.fault = "the last directive lacks its \";\"";
	if (w.fault == NULL && w.depth > 0)
		w.fault = "a \"{\" is not closed";
	if (w.fault == NULL)
		return true;
	vec_push(&errors->lines, xasprintf("%s:%u: %s", path, w.line, w.fault));
	return false;
}

static char *
path_of(const char *folder, enum config_template t)
{
	return xasprintf("%s/%s.conf", folder, config_template_name(t));
}

static bool
load(const char *folder, enum config_template t, struct config_templates *to,
    struct config_errors *errors)
{
	char *path _cleanup_free_ = path_of(folder, t);
	struct error e;
	STR_AUTO(text, CONFIG_TEMPLATE_MAX);

	if (fs_read(path, &text, &e) != 0) {
		if (e.code == ENOENT)
			return true;
		vec_push(&errors->lines, xstrdup(e.msg));
		return false;
	}
	if (!check(path, text.p, text.len, errors))
		return false;
	to->text[t] = str_take(&text);
	return true;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
config_templates_load(
    struct cluster_config *c, const char *copy, struct config_errors *errors)
{
	const char *folder = c->nginx.template_dir;
	struct config_templates *t;
	bool good = true;
	size_t i;

	if (folder == NULL)
		return 0;
	if (copy != NULL && is_folder(copy))
		folder = copy;
	if (!is_folder(folder)) {
		vec_push(&errors->lines,
		    xasprintf("%s: [nginx] template_dir: %s is no folder that "
			      "can be read",
			c->path, folder));
		return -1;
	}
	t = xcalloc(1, sizeof(*t));
	for (i = 0; i < TEMPLATE_COUNT; i++)
		good = load(folder, (enum config_template)i, t, errors) && good;
	if (!good) {
		config_templates_free(t);
		return -1;
	}
	config_templates_free(c->templates);
	c->templates = t;
	return 0;
}

char *
config_templates_copy(const char *ini_copy)
{
	return xasprintf("%s.fragments", ini_copy);
}

static int
save(const struct config_templates *t, enum config_template which,
    const char *copy, struct error *e)
{
	char *path _cleanup_free_ = path_of(copy, which);
	const char *text = t->text[which];

	if (text != NULL)
		return fs_write(path, text, strlen(text), 0644, e);
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set(e, errno, "%s: %s", path, strerror(errno));
	return 0;
}

int
config_templates_save(
    const struct config_templates *t, const char *copy, struct error *e)
{
	size_t i;

	if (t == NULL)
		return fs_remove_tree(copy, e);
	if (fs_mkdirs(copy, 0755, e) != 0)
		return -1;
	for (i = 0; i < TEMPLATE_COUNT; i++) {
		if (save(t, (enum config_template)i, copy, e) != 0)
			return -1;
	}
	return 0;
}
