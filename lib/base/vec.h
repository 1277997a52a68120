/*
 * Growing arrays that do not hide what they are: x.at[i], x.len.
 *
 *	struct { VEC(struct route) routes; } ...
 *	*vec_add(&t->routes) = route;
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"

#include <string.h>

/* The members of an array of 'type': at, len, and the room there is. */
#define VEC(type)                                                              \
	struct {                                                               \
		__typeof__(type) *at;                                          \
		size_t len;                                                    \
		size_t room;                                                   \
	}

/* Makes room for one more element. */
#define vec_reserve(v)                                                         \
	do {                                                                   \
		if ((v)->len == (v)->room) {                                   \
			(v)->room = (v)->room == 0 ? 4 : (v)->room * 2;        \
			(v)->at = xreallocarray(                               \
			    (v)->at, (v)->room, sizeof((v)->at[0]));           \
		}                                                              \
	} while (0)

/* Appends a copy of 'value'. */
#define vec_push(v, value)                                                     \
	do {                                                                   \
		vec_reserve(v);                                                \
		(v)->at[(v)->len++] = (value);                                 \
	} while (0)

/* Appends a zeroed element and gives its address (valid until the next). */
#define vec_add(v)                                                             \
	({                                                                     \
		vec_reserve(v);                                                \
		memset(&(v)->at[(v)->len], 0, sizeof((v)->at[0]));             \
		&(v)->at[(v)->len++];                                          \
	})

/* Removes element 'i'; the order of the rest stays. */
#define vec_remove(v, i)                                                       \
	do {                                                                   \
		size_t vec_i_ = (i);                                           \
		must(vec_i_ < (v)->len);                                       \
		(v)->len--;                                                    \
		memmove(&(v)->at[vec_i_], &(v)->at[vec_i_ + 1],                \
		    ((v)->len - vec_i_) * sizeof((v)->at[0]));                 \
	} while (0)

/* Sorts with a qsort() comparison. */
#define vec_sort(v, compare)                                                   \
	do {                                                                   \
		if ((v)->len > 1)                                              \
			qsort((v)->at, (v)->len, sizeof((v)->at[0]), compare); \
	} while (0)

/* Frees the array, not what its elements own. */
#define vec_fini(v)                                                            \
	do {                                                                   \
		free((v)->at);                                                 \
		(v)->at = NULL;                                                \
		(v)->len = (v)->room = 0;                                      \
	} while (0)

#endif
