/* String-keyed hash map: see map.h. */
#include "base/map.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

static char tombstone[1];

/*
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * 2012), with a key drawn once per process.
 */
static uint64_t
rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t
hash_key(const char *key)
{
	static uint64_t k[2];
	static bool seeded;
	uint64_t v[4], m;
	size_t len = strlen(key), left = len;

	if (!seeded) {
		must(getrandom(k, sizeof(k), 0) == (ssize_t)sizeof(k));
		seeded = true;
	}
	v[0] = k[0] ^ 0x736f6d6570736575ULL;
	v[1] = k[1] ^ 0x646f72616e646f6dULL;
	v[2] = k[0] ^ 0x6c7967656e657261ULL;
	v[3] = k[1] ^ 0x7465646279746573ULL;
	for (; left >= 8; left -= 8, key += 8) {
		memcpy(&m, key, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = 0;
	memcpy(&m, key, left);
	m |= (uint64_t)len << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct map_entry *
find(const struct map *m, const char *key, uint64_t hash)
{
	size_t i;
	struct map_entry *e;

	if (m->size == 0)
		return NULL;
	for (i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
		e = &m->slots[i];
		if (e->key == NULL)
			return NULL;
		if (e->key != tombstone && e->hash == hash &&
		    strcmp(e->key, key) == 0)
			return e;
	}
}

/* The slot a new entry goes to; there is always an empty one. */
static struct map_entry *
empty_slot(struct map *m, uint64_t hash)
{
	size_t i = hash & (m->size - 1);

	while (m->slots[i].key != NULL)
		i = (i + 1) & (m->size - 1);
	return &m->slots[i];
}

static void
grow(struct map *m)
{
	struct map old = *m;
	size_t i;

	if ((old.used + 1) * 4 <= old.size * 3)
		return;
	m->size = 16;
	while (m->size < (old.len + 1) * 2)
		m->size *= 2;
	m->slots = xcalloc(m->size, sizeof(m->slots[0]));
	for (i = 0; i < old.size; i++) {
		if (old.slots[i].key != NULL && old.slots[i].key != tombstone)
			*empty_slot(m, old.slots[i].hash) = old.slots[i];
	}
	m->used = m->len;
	free(old.slots);
}

void
map_fini(struct map *m)
{
	size_t i;

	for (i = 0; i < m->size; i++) {
		if (m->slots[i].key != tombstone)
			free(m->slots[i].key);
	}
	free(m->slots);
	*m = (struct map){ 0 };
}

void *
map_get(const struct map *m, const char *key)
{
	struct map_entry *e;

	if (m->size == 0)
		return NULL;
	e = find(m, key, hash_key(key));
	return e == NULL ? NULL : e->value;
}

void *
map_set(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_key(key);
	struct map_entry *e = find(m, key, hash);
	void *old;

	must(value != NULL);
	if (e != NULL) {
		old = e->value;
		e->value = value;
		return old;
	}
	grow(m);
	e = empty_slot(m, hash);
	*e = (struct map_entry){ xstrdup(key), value, hash };
	m->used++;
	m->len++;
	return NULL;
}

void *
map_remove(struct map *m, const char *key)
{
	struct map_entry *e;
	void *old;

	if (m->size == 0)
		return NULL;
	e = find(m, key, hash_key(key));
	if (e == NULL)
		return NULL;
	old = e->value;
	free(e->key);
	e->key = tombstone;
	e->value = NULL;
	m->len--;
	return old;
}

struct map_entry *
map_next(const struct map *m, size_t *i)
{
	struct map_entry *e;

	while (*i < m->size) {
		e = &m->slots[(*i)++];
		if (e->key != NULL && e->key != tombstone)
			return e;
	}
	return NULL;
}
