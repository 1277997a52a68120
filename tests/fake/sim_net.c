/* Address management of the simulated Swarm; see sim_net.h. */
#include "sim_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/parse.h"

#define LOOPBACK ((uint32_t)127 << 24)

/* An abstract socket as a lock: it goes when the process does. */
static int
lock_pool(unsigned second)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), n;

	if (fd < 0)
		return -1;
	n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1,
	    "fakeswarm/127.%u", second);
	if (bind(fd, (struct sockaddr *)&un,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
		    (size_t)n)) == 0)
		return fd;
	close(fd);
	return -1;
}

int
sim_net_init(struct sim *s, struct error *e)
{
	struct sim_options *o = &s->options;

	s->pool_lock = -1;
	if (o->pool != 0)
		return 0;
	if (o->no_serve) {
		o->pool = (uint32_t)10 << 24;
		o->pool_prefix = 8;
		return 0;
	}
	o->pool_prefix = 16;
	for (unsigned second = 64; second < 255; second++) {
		s->pool_lock = lock_pool(second);
		if (s->pool_lock >= 0) {
			o->pool = LOOPBACK | second << 16;
			return 0;
		}
	}
	return error_set(e, EADDRINUSE,
	    "no free 127.N.0.0/16 for networks; choose one with --pool");
}

void
sim_net_fini(struct sim *s)
{
	if (s->pool_lock >= 0)
		close(s->pool_lock);
}

int
sim_net_parse(const char *text, uint32_t *ret_address, unsigned *ret_prefix,
    struct error *e)
{
	const char *slash = strchr(text, '/');
	struct in_addr in;
	char address[32];
	uint32_t prefix;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
		return error_set(e, EINVAL, "invalid subnet %.40s", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET, address, &in) != 1 ||
	    parse_u32(slash + 1, strlen(slash + 1), 1, 30, &prefix, NULL) != 0)
		return error_set(e, EINVAL, "invalid subnet %.40s", text);
	*ret_address = ntohl(in.s_addr);
	*ret_prefix = prefix;
	return 0;
}

static uint32_t
hosts_of(unsigned prefix)
{
	return (uint32_t)1 << (32 - prefix);
}

/* The next /N of the pool that no network overlaps. */
static int
next_subnet(struct sim *s, struct sim_network *n, struct error *e)
{
	const struct sim_options *o = &s->options;
	uint32_t size = hosts_of(o->subnet_prefix);
	uint32_t all = hosts_of(o->pool_prefix) / size;
	struct sim_network *other;

	for (uint32_t tries = 0; tries < all; tries++) {
		uint32_t number = s->next_subnet++ % all;
		uint32_t subnet = o->pool + number * size;
		bool taken = false;

		/* The last one is the nodes'. */
		if (all > 1 && number == all - 1)
			continue;
		SIM_FOR_EACH(s, SIM_NETWORK, struct sim_network, other)
		{
			unsigned bits = other->prefix < o->subnet_prefix
			    ? other->prefix
			    : o->subnet_prefix;

			if (other->subnet != 0 && other != n &&
			    (other->subnet ^ subnet) < hosts_of(bits))
				taken = true;
		}
		if (taken)
			continue;
		n->subnet = subnet;
		n->prefix = o->subnet_prefix;
		return 0;
	}
	return error_set(e, ENOSPC,
	    "could not find an available, non-overlapping IPv4 address pool "
	    "among the defaults to assign to the network");
}

int
sim_net_subnet(struct sim *s, struct sim_network *n, struct error *e)
{
	if (n->subnet == 0 && next_subnet(s, n, e) != 0)
		return -1;
	n->subnet &= ~(hosts_of(n->prefix) - 1);
	n->used = xcalloc(hosts_of(n->prefix) / 8 + 1, 1);
	/* Network, gateway and broadcast. */
	n->used[0] |= 3;
	n->used[(hosts_of(n->prefix) - 1) / 8] |=
	    (uint8_t)(1U << ((hosts_of(n->prefix) - 1) % 8));
	n->next = 2;
	return 0;
}

uint32_t
sim_net_take(struct sim_network *n)
{
	uint32_t all = hosts_of(n->prefix);

	if (n->used == NULL)
		return 0;
	for (uint32_t tries = 0; tries < all; tries++) {
		uint32_t i = n->next++ % all;

		if ((n->used[i / 8] >> (i % 8) & 1) == 0) {
			n->used[i / 8] |= (uint8_t)(1U << (i % 8));
			return n->subnet + i;
		}
	}
	return 0;
}

void
sim_net_release(struct sim_network *n, uint32_t address)
{
	uint32_t i = address - n->subnet;

	if (n->used != NULL && i < hosts_of(n->prefix))
		n->used[i / 8] &= (uint8_t) ~(1U << (i % 8));
}

uint32_t
sim_net_node_address(const struct sim *s, size_t number)
{
	if (s->options.no_serve)
		return LOOPBACK | 1;
	return s->options.pool + hosts_of(s->options.pool_prefix) - 256 + 1 +
	    (uint32_t)number;
}

const char *
sim_net_text(uint32_t address, char ret[16])
{
	struct in_addr in = { .s_addr = htonl(address) };

	(void)inet_ntop(AF_INET, &in, ret, 16);
	return ret;
}
