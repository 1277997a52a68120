/*
 * Addresses and networks from foreign text, IPv4 and IPv6.  Pure.
 */
#ifndef BASE_INET_H
#define BASE_INET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest text with prefix length and NUL. */
#define INET_TEXT_SIZE 56

struct inet {
	bool v6;
	uint8_t bits;	   /* prefix length; 32 or 128 where none was given */
	uint8_t bytes[16]; /* in network order; four for IPv4 */
};

/*
 * "10.0.1.3", "10.0.1.3/24", "fd00::1/64".  IPv4 in the form of IPv6
 * (::ffff:10.0.1.3) is refused: it would pass by checks made for IPv4.
 */
int inet_parse(
    const char *s, size_t len, struct inet *ret, struct error *e) _warn_unused_;
/* Canonical text, without or with the prefix length. */
void inet_format_address(const struct inet *a, char ret[INET_TEXT_SIZE]);
void inet_format_network(const struct inet *a, char ret[INET_TEXT_SIZE]);
/* True if 'address' lies in 'network'; prefix length of the former ignored. */
bool inet_contains(const struct inet *network, const struct inet *address);
/* True if no bit is set behind the prefix. */
bool inet_is_network(const struct inet *a);
/* Clears the bits behind the prefix. */
void inet_mask(struct inet *a);
/*
 * True for what no task and no node can have: unspecified, multicast,
 * broadcast and link-local addresses (169.254.169.254 is a cloud's own door).
 */
bool inet_is_special(const struct inet *a);
/* 127.0.0.0/8 and ::1. */
bool inet_is_loopback(const struct inet *a);

#endif
