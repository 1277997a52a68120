/* Secrets as files, and their judgement: see secret.h. */
#include "crypto/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "crypto/certificate.h"

enum { NAMES_MAX = 100, SECRET_NAME_MAX = 255 };

#define X(id, name) [SECRET_##id] = name,
static const char *const kind_names[] = { SECRET_KINDS(X) };
#undef X
static const char *const state_names[] = {
	[SECRET_GOOD] = "good",
	[SECRET_MISSING] = "missing",
	[SECRET_BAD] = "bad",
};

const char *
secret_kind_name(enum secret_kind kind)
{
	return kind_names[kind];
}

const char *
secret_state_name(enum secret_state state)
{
	return state_names[state];
}

static int
parse(const char *name, const char *const *list, size_t n)
{
	size_t i;

	for (i = 0; name != NULL && i < n; i++)
		if (strcmp(list[i], name) == 0)
			return (int)i;
	return -1;
}

int
secret_kind_parse(const char *name)
{
	return parse(name, kind_names, countof(kind_names));
}

int
secret_state_parse(const char *name)
{
	return parse(name, state_names, countof(state_names));
}

void
secret_use_id(const struct secret_use *u, char ret[SECRET_ID_SIZE])
{
	char *text _cleanup_free_ = xasprintf("%s\n%s\n%s\n",
	    kind_names[u->kind], u->name, u->key == NULL ? "" : u->key);
	char hex[SHA256_HEX_SIZE];

	sha256_hex(text, strlen(text), hex);
	memcpy(ret, hex, SECRET_ID_SIZE - 1);
	ret[SECRET_ID_SIZE - 1] = '\0';
}

void
secret_use_copy(const struct secret_use *from, struct secret_use *ret)
{
	ret->kind = from->kind;
	ret->name = xstrdup(from->name);
	ret->key = from->key == NULL ? NULL : xstrdup(from->key);
}

void
secret_use_fini(struct secret_use *u)
{
	free(u->name);
	free(u->key);
}

void
secret_fact_fini(struct secret_fact *f)
{
	size_t i;

	free(f->reason);
	free(f->remark);
	for (i = 0; i < f->names.len; i++)
		free(f->names.at[i]);
	vec_fini(&f->names);
}

void
secret_fact_copy(const struct secret_fact *from, struct secret_fact *ret)
{
	size_t i;

	*ret = *from;
	ret->reason = from->reason == NULL ? NULL : xstrdup(from->reason);
	ret->remark = from->remark == NULL ? NULL : xstrdup(from->remark);
	memset(&ret->names, 0, sizeof(ret->names));
	for (i = 0; i < from->names.len; i++)
		vec_push(&ret->names, xstrdup(from->names.at[i]));
}

bool
secret_fact_same(const struct secret_fact *a, const struct secret_fact *b)
{
	size_t i;

	if (a->state != b->state || a->kept != b->kept ||
	    a->in_key != b->in_key || a->all_names != b->all_names ||
	    a->names.len != b->names.len || !str_equal(a->reason, b->reason) ||
	    !str_equal(a->remark, b->remark))
		return false;
	for (i = 0; i < a->names.len; i++)
		if (strcmp(a->names.at[i], b->names.at[i]) != 0)
			return false;
	return true;
}

bool
secret_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= SECRET_NAME_MAX && name[0] != '.' &&
	    strspn(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789._-") == len;
}

void
secret_file_read(const char *dir, const char *name, struct secret_file *ret)
{
	char *path _cleanup_free_ = NULL;
	STR_AUTO(text, SECRET_SIZE_MAX);
	struct stat st;

	*ret = (struct secret_file){ 0 };
	if (!secret_name_ok(name)) {
		ret->missing = true;
		(void)error_set(&ret->error, EINVAL, "no name of a secret");
		return;
	}
	path = xasprintf("%s/%s", dir, name);
	/* A pipe would be waited for. */
	if (stat(path, &st) != 0) {
		ret->missing = errno == ENOENT || errno == ENOTDIR;
		(void)error_errno(&ret->error, errno, "%s", path);
	} else if (!S_ISREG(st.st_mode)) {
		(void)error_set(&ret->error, EINVAL, "%s: not a file", path);
	} else if (fs_read(path, &text, &ret->error) == 0) {
		ret->len = text.len;
		ret->bytes = str_take(&text);
		ret->mode = st.st_mode & 07777;
	}
}

void
secret_file_fini(struct secret_file *f)
{
	if (f->bytes != NULL)
		explicit_bzero(f->bytes, f->len);
	free(f->bytes);
	f->bytes = NULL;
}

static void
fail(struct secret_fact *f, enum secret_state state, bool in_key, char *reason)
{
	f->state = state;
	f->in_key = in_key;
	f->reason = reason;
}

/* Whether there are bytes to judge; a NUL among them is no PEM. */
static bool
is_there(struct secret_fact *f, const char *name,
    const struct secret_file *file, bool in_key)
{
	if (file->bytes != NULL)
		return true;
	fail(f, file->missing ? SECRET_MISSING : SECRET_BAD, in_key,
	    file->missing ? xasprintf("there is no file of secret %s", name)
			  : xasprintf("secret %s: %s", name, file->error.msg));
	return false;
}

static void
judge_dates(struct secret_fact *f, const struct secret_use *u,
    const struct certificate *c, int64_t now_s)
{
	char date[16];

	if (now_s > c->not_after_s) {
		certificate_date(c->not_after_s, date);
		f->expired = true;
		f->remark = xasprintf("secret %s expired on %s", u->name, date);
		fail(f, SECRET_BAD, false, xstrdup(f->remark));
	} else if (now_s < c->not_before_s) {
		certificate_date(c->not_before_s, date);
		fail(f, SECRET_BAD, false,
		    xasprintf(
			"secret %s is not valid before %s", u->name, date));
	} else if (c->not_after_s - now_s < SECRET_EXPIRES_S) {
		certificate_date(c->not_after_s, date);
		f->remark = xasprintf("secret %s expires on %s", u->name, date);
	}
}

static void
judge_certificate(const struct secret_use *u, const struct secret_file *file,
    const struct secret_file *key, int64_t now_s, struct secret_fact *f)
{
	struct certificate c;
	struct error e;
	bool in_key;
	size_t i;

	if (certificate_read(file->bytes, file->len, key->bytes, key->len, &c,
		&in_key, &e) != 0) {
		fail(f, SECRET_BAD, in_key,
		    xasprintf("secret %s: %s",
			in_key && u->key != NULL ? u->key : u->name, e.msg));
		return;
	}
	judge_dates(f, u, &c, now_s);
	f->all_names = c.names.len <= NAMES_MAX;
	for (i = 0; i < c.names.len && i < NAMES_MAX; i++) {
		char *name = c.names.at[i];

		c.names.at[i] = NULL;
		vec_push(&f->names, name);
	}
	certificate_fini(&c);
}

/* One line "USER:HASH" at least; nginx takes no other file for a login. */
static bool
has_login(const char *p, size_t len)
{
	const char *end = p + len, *line, *colon;

	for (line = p; line < end; line = p + 1) {
		p = memchr(line, '\n', (size_t)(end - line));
		p = p == NULL ? end : p;
		colon = memchr(line, ':', (size_t)(p - line));
		if (*line != '#' && colon != NULL && colon > line &&
		    p - colon > 1)
			return true;
	}
	return false;
}

void
secret_judge(const struct secret_use *u, const struct secret_file *file,
    const struct secret_file *key, int64_t now_s, struct secret_fact *f)
{
	struct error e;

	*f = (struct secret_fact){ .state = SECRET_GOOD };
	if (!is_there(f, u->name, file, false))
		return;
	switch (u->kind) {
	case SECRET_CERTIFICATE:
		if (key == NULL)
			key = file;
		else if (!is_there(f, u->key, key, true))
			return;
		judge_certificate(u, file, key, now_s, f);
		break;
	case SECRET_AUTHORITIES:
		if (certificate_read_authorities(file->bytes, file->len, &e) !=
		    0)
			fail(f, SECRET_BAD, false,
			    xasprintf("%s: %s", u->name, e.msg));
		break;
	case SECRET_PASSWORDS:
		if (!has_login(file->bytes, file->len))
			f->remark = xasprintf(
			    "secret %s has no line USER:HASH, so nobody can "
			    "log in; make it with htpasswd",
			    u->name);
		break;
	case SECRET_KIND_COUNT:
		must(false);
	}
}
