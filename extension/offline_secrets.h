/*
 * The operator's folder of secrets ("--secrets DIR") as a secret_book: each
 * file is read and judged when a label first refers to it.
 */
#ifndef EXTENSION_OFFLINE_SECRETS_H
#define EXTENSION_OFFLINE_SECRETS_H

#include "routing.h"

struct offline_secrets {
	const char *dir;
	int64_t now_s;	  /* seconds since 1970: certificates have dates */
	struct map facts; /* by the use's ID; owned */
	struct secret_book book;
};

void
offline_secrets_init(struct offline_secrets *s, const char *dir, int64_t now_s);
void offline_secrets_fini(struct offline_secrets *s);

#endif
