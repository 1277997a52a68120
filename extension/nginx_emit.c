/* Typed emitters: see nginx_emit.h. */
#include "nginx_emit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

enum { FILE_MAX = 64 * 1024 * 1024, SOCKET_MAX = 107 };

void
emit_init(struct emit *m)
{
	*m = (struct emit){ 0 };
	str_init(&m->out, FILE_MAX);
}

void
emit_fini(struct emit *m)
{
	str_fini(&m->out);
}

static void
refuse(struct emit *m, const char *type, const char *value)
{
	STR_AUTO(shown, 512);

	if (m->error.code != 0)
		return;
	str_add_quoted(&shown, value, strlen(value), 60);
	(void)error_set(&m->error, EINVAL, "nginx: %s is no %s", shown.p, type);
}

/* True for 1 to 'max' bytes, all of them in 'allowed'. */
static bool
only(const char *s, const char *allowed, size_t max)
{
	size_t len = strlen(s);

	return len > 0 && len <= max && strspn(s, allowed) == len;
}

void
emit_literal(struct emit *m, const char *text)
{
	str_add(&m->out, text);
}

void
emit_begin_literal(struct emit *m, const char *words)
{
	int i;

	for (i = 0; i < m->depth; i++)
		str_addc(&m->out, '\t');
	str_add(&m->out, words);
}

void
emit_end(struct emit *m)
{
	str_add(&m->out, ";\n");
}

void
emit_open(struct emit *m)
{
	str_add(&m->out, " {\n");
	m->depth++;
}

void
emit_close(struct emit *m)
{
	must(m->depth > 0);
	m->depth--;
	emit_begin_literal(m, "}\n");
}

void
emit_literal_line(struct emit *m, const char *words)
{
	emit_begin_literal(m, words);
	emit_end(m);
}

void
emit_literal_block(struct emit *m, const char *words)
{
	emit_begin_literal(m, words);
	emit_open(m);
}

void
emit_number(struct emit *m, uint64_t n)
{
	str_addf(&m->out, "%" PRIu64, n);
}

void
emit_ms(struct emit *m, uint64_t ms)
{
	str_addf(&m->out, "%" PRIu64 "ms", ms);
}

void
emit_seconds(struct emit *m, uint64_t ms)
{
	str_addf(&m->out, "%" PRIu64 "s", (ms + 999) / 1000);
}

void
emit_id(struct emit *m, const char id[NGINX_ID_SIZE])
{
	must(strlen(id) == NGINX_ID_SIZE - 1);
	must(strspn(id, DIGIT "abcdef") == NGINX_ID_SIZE - 1);
	str_add(&m->out, id);
}

static bool
is_host(const char *s)
{
	const char *p;

	if (s[0] == '*' && s[1] == '.')
		s += 2;
	if (!only(s, LOWER DIGIT "._-", 253) || strpbrk(s, LOWER DIGIT) == NULL)
		return false;
	for (p = s; *p != '\0';) {
		size_t len = strcspn(p, ".");

		if (len == 0 || len > 63 || p[0] == '-' || p[len - 1] == '-')
			return false;
		p += len;
		if (*p == '.' && *++p == '\0')
			return false;
	}
	return true;
}

void
emit_host(struct emit *m, const char *host)
{
	if (!is_host(host)) {
		refuse(m, "host", host);
		return;
	}
	str_add(&m->out, host);
}

static bool
is_path(const char *s)
{
	const char *p = s;

	if (!only(s, LOWER UPPER DIGIT "._~/-", 256) || s[0] != '/')
		return false;
	if (s[1] == '\0')
		return true;
	while (*p == '/') {
		size_t len = strcspn(++p, "/");

		if (len == 0 || (len == 1 && p[0] == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += len;
	}
	return true;
}

void
emit_path(struct emit *m, const char *path)
{
	if (!is_path(path)) {
		refuse(m, "path", path);
		return;
	}
	str_add(&m->out, path);
}

/* True for "[0-9]{1,5}", 1-65535. */
static bool
is_port(const char *s)
{
	unsigned long n;

	if (!only(s, DIGIT, 5) || s[0] == '0')
		return false;
	n = strtoul(s, NULL, 10);
	return n >= 1 && n <= 65535;
}

static bool
is_ip(int family, const char *s, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return inet_pton(family, text, &binary) == 1;
}

static bool
is_address(const char *s)
{
	const char *colon = strrchr(s, ':');
	size_t len;

	if (colon == NULL || !is_port(colon + 1))
		return false;
	len = (size_t)(colon - s);
	if (s[0] != '[')
		return is_ip(AF_INET, s, len);
	return len > 2 && s[len - 1] == ']' && is_ip(AF_INET6, s + 1, len - 2);
}

void
emit_address(struct emit *m, const char *address)
{
	if (!is_address(address)) {
		refuse(m, "address", address);
		return;
	}
	str_add(&m->out, address);
}

void
emit_listen(struct emit *m, const char *listen)
{
	bool any = listen[0] == '*' && listen[1] == ':';

	if (!is_port(any ? listen + 2 : listen) && !is_address(listen)) {
		refuse(m, "address to listen on", listen);
		return;
	}
	str_add(&m->out, listen);
}

void
emit_cidr(struct emit *m, const char *cidr)
{
	size_t len = strcspn(cidr, "/");
	bool v4 = is_ip(AF_INET, cidr, len);
	bool good = v4 || is_ip(AF_INET6, cidr, len);

	if (good && cidr[len] == '/')
		good = only(cidr + len + 1, DIGIT, 3) &&
		    strtoul(cidr + len + 1, NULL, 10) <= (v4 ? 32 : 128);
	if (!good) {
		refuse(m, "address range", cidr);
		return;
	}
	str_add(&m->out, cidr);
}

void
emit_target(struct emit *m, const char *target)
{
	const char *p;

	/* No quote, backslash, brace, semicolon, dollar or user part. */
	if (!only(target, LOWER UPPER DIGIT "-._~:/?&=+,%!*()[]", 2048)) {
		refuse(m, "redirect target", target);
		return;
	}
	for (p = target; (p = strchr(p, '%')) != NULL; p++)
		if (strspn(p + 1, DIGIT "abcdefABCDEF") < 2) {
			refuse(m, "redirect target", target);
			return;
		}
	str_add(&m->out, target);
}

void
emit_cookie(struct emit *m, const char *name)
{
	if (!only(name, LOWER UPPER DIGIT "_", 64)) {
		refuse(m, "cookie name", name);
		return;
	}
	str_add(&m->out, name);
}

void
emit_word(struct emit *m, const char *word)
{
	if (!only(word, LOWER UPPER DIGIT "._-", 64)) {
		refuse(m, "word", word);
		return;
	}
	str_add(&m->out, word);
}

/* Between quotes: what would end them, or escape. */
static void
add_escaped(struct emit *m, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			str_addc(&m->out, '\\');
		str_addc(&m->out, *text);
	}
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

void
emit_filename(struct emit *m, const char *path)
{
	/* A dollar would be a variable to some directives. */
	if (path[0] != '/' || strlen(path) > 4000 || !is_printable(path) ||
	    strpbrk(path, "$\"\\") != NULL) {
		refuse(m, "absolute file name", path);
		return;
	}
	str_addc(&m->out, '"');
	str_add(&m->out, path);
	str_addc(&m->out, '"');
}

void
emit_file(struct emit *m, const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (!only(name, LOWER UPPER DIGIT "._-", 255) || name[0] == '.') {
		refuse(m, "file's name", name);
		return;
	}
	path = xasprintf("%s/%s", dir, name);
	emit_filename(m, path);
}

void
emit_socket(struct emit *m, const char *dir, const char *name)
{
	if (dir[0] != '/' || !is_printable(dir) ||
	    strpbrk(dir, "$\"\\:; {}#'") != NULL) {
		refuse(m, "folder for sockets", dir);
		return;
	}
	if (strlen(dir) + 1 + strlen(name) > SOCKET_MAX) {
		refuse(m, "folder short enough for sockets", dir);
		return;
	}
	str_addf(&m->out, "unix:%s/%s", dir, name);
}

void
emit_quoted(struct emit *m, const char *text)
{
	if (!is_printable(text)) {
		refuse(m, "line of text", text);
		return;
	}
	str_addc(&m->out, '"');
	add_escaped(m, text);
	str_addc(&m->out, '"');
}
