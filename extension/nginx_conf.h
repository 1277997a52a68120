/* nginx.conf: main, events and http, without the sites. */
#ifndef EXTENSION_NGINX_CONF_H
#define EXTENSION_NGINX_CONF_H

#include "nginx_context.h"

void nginx_conf_main(struct emit *m, const struct nginx_context *x);
/* set_real_ip_from of all balancers that are trusted. */
void nginx_conf_trusted(struct emit *m, const struct nginx_context *x);
/* What they are: the geo block of $bulkhead_front, by a literal variable. */
void nginx_conf_front(
    struct emit *m, const struct nginx_context *x, const char *address);

#endif
