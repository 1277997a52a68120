/* Words about peers: see peer_address.h. */
#include "peer_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/parse.h"

#define HOST_MAX 253

/* Splits "HOST:PORT" of 'len' bytes; brackets around HOST are dropped. */
static int
split(const char *text, size_t len, const char **ret_host, size_t *ret_len,
    uint16_t *ret_port, struct error *e)
{
	const char *colon = memrchr(text, ':', len);
	const char *host = text;
	size_t host_len;
	uint32_t port;

	if (colon == NULL || colon == text)
		return error_set(e, EINVAL, "HOST:PORT is wanted");
	host_len = (size_t)(colon - text);
	if (parse_u32(colon + 1, len - host_len - 1, 1, UINT16_MAX, &port, e) !=
	    0)
		return error_wrap(e, "port");
	if (host[0] == '[' && host_len > 2 && host[host_len - 1] == ']') {
		host++;
		host_len -= 2;
	}
	if (host_len > HOST_MAX)
		return error_set(e, EINVAL, "the host is too long");
	*ret_host = host;
	*ret_len = host_len;
	*ret_port = (uint16_t)port;
	return 0;
}

int
peer_listen_parse(const char *text, struct peer_listen *ret, struct error *e)
{
	struct peer_listen l = { 0 };
	const char *host;
	size_t len;

	if (split(text, strlen(text), &host, &len, &l.port, e) != 0)
		return -1;
	l.control = len == 7 && memcmp(host, "control", 7) == 0;
	if (!l.control && inet_parse(host, len, &l.inet, e) != 0)
		return -1;
	l.subnet = !l.control && memchr(host, '/', len) != NULL;
	if (l.subnet)
		inet_mask(&l.inet);
	else if (!l.control && inet_is_special(&l.inet))
		return error_set(
		    e, EINVAL, "name one address of one network, not all");
	*ret = l;
	return 0;
}

bool
peers_next(const char **text, char *ret_host, size_t size, char ret_port[8])
{
	const char *item = *text, *host;
	size_t len, host_len;
	uint16_t port;

	item += strspn(item, ", ");
	len = strcspn(item, ", ");
	*text = item + len;
	if (len == 0 || split(item, len, &host, &host_len, &port, NULL) != 0 ||
	    host_len >= size)
		return false;
	memcpy(ret_host, host, host_len);
	ret_host[host_len] = '\0';
	(void)snprintf(ret_port, 8, "%u", port);
	return true;
}

int
peers_check(const char *text, struct error *e)
{
	const char *host;
	size_t len, host_len;
	uint16_t port;

	text += strspn(text, ", ");
	if (*text == '\0')
		return error_set(e, EINVAL, "names nobody");
	for (; *text != '\0'; text += strspn(text, ", ")) {
		len = strcspn(text, ", ");
		if (split(text, len, &host, &host_len, &port, e) != 0)
			return -1;
		text += len;
	}
	return 0;
}

void
peer_format(const struct inet *address, uint16_t port, char *ret, size_t size)
{
	char text[INET_TEXT_SIZE];

	inet_format_address(address, text);
	(void)snprintf(
	    ret, size, address->v6 ? "[%s]:%u" : "%s:%u", text, port);
}

static bool
same_address(const struct inet *a, const struct inet *b)
{
	return a->v6 == b->v6 &&
	    memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4) == 0;
}

static bool
from_sockaddr(const struct sockaddr *sa, struct inet *ret)
{
	*ret = (struct inet){ .bits = 32 };
	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET) {
		memcpy(ret->bytes,
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		    4);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	ret->v6 = true;
	ret->bits = 128;
	memcpy(ret->bytes,
	    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	return true;
}

static uint8_t
mask_bits(const struct sockaddr *mask)
{
	struct inet m;
	unsigned bits = 0, i;

	if (!from_sockaddr(mask, &m))
		return 0;
	for (i = 0; i < m.bits; i++)
		bits += (m.bytes[i / 8] >> (7 - i % 8)) & 1U;
	return (uint8_t)bits;
}

int
peer_listen_choose(const struct peer_listen *l, const struct inet *from,
    struct inet *ret_address, struct inet *ret_network, struct error *e)
{
	const struct inet *wanted = l->control ? from : &l->inet;
	struct ifaddrs *all, *i;
	struct inet address;
	bool found = false;

	if (wanted == NULL)
		return error_set(e, ENOENT,
		    "the way to the control server is not known yet");
	if (getifaddrs(&all) != 0)
		return error_errno(e, errno, "addresses of this host");
	for (i = all; i != NULL && !found; i = i->ifa_next) {
		if (!from_sockaddr(i->ifa_addr, &address))
			continue;
		found = l->subnet ? inet_contains(wanted, &address)
				  : same_address(wanted, &address);
		if (!found)
			continue;
		*ret_address = *ret_network = address;
		ret_network->bits = mask_bits(i->ifa_netmask);
		inet_mask(ret_network);
	}
	freeifaddrs(all);
	if (found && l->subnet)
		*ret_network = l->inet;
	return found ? 0
		     : error_set(e, EADDRNOTAVAIL,
			   "this host has no such address (yet)");
}
