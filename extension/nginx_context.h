/* What the writers of nginx files share. */
#ifndef EXTENSION_NGINX_CONTEXT_H
#define EXTENSION_NGINX_CONTEXT_H

#include "base/version.h"
#include "config/template.h"
#include "nginx_emit.h"
#include "nginx_site.h"
#include "render.h"

struct nginx_context {
	const struct cluster_config *c;
	const struct render_options *o;
	const struct nginx_sites *sites;
	const char *secrets_dir;
	bool tls;    /* something listens for TLS */
	bool stream; /* there is a stream block */
	bool front;  /* balancers in front of us are trusted */
	/*
	 * Behind a passthrough balancers that speak TLS to us get servers of
	 * their own: nginx takes the client's address from one place per
	 * server, and theirs is in X-Forwarded-For.
	 */
	bool front_tls;
	/*
	 * Live, without a passthrough: TLS servers listen on one of its sockets
	 * beside the port.  When the last passthrough has gone, connections
	 * that old workers' stream block has taken are still to come there.
	 */
	bool kept;
	bool front_socket; /* balancers' connections come over a socket */
	bool http11;	   /* upstreams are spoken to in HTTP/1.1 */
	bool keepalive;	   /* connections to tasks are kept */
};

#if defined(__x86_64__)
#define NGINX_ARCH "amd64"
#elif defined(__aarch64__)
#define NGINX_ARCH "arm64"
#elif defined(__arm__)
#define NGINX_ARCH "arm"
#elif defined(__i386__)
#define NGINX_ARCH "386"
#else
#define NGINX_ARCH "unknown"
#endif
/* product/version os/arch */
#define NGINX_SERVER_INFO "bulkhead/" BULKHEAD_VERSION " linux/" NGINX_ARCH

/* Sockets between the parts of one nginx, in its folder. */
#define NGINX_TLS_SOCKET "tls.sock"
#define NGINX_PASS_SOCKET "pass.sock"
#define NGINX_FRONT_SOCKET "front.sock"
/* Behind the folder of the error pages; no path of a label has an @. */
#define NGINX_PAGES "/@bulkhead/"

/* The file of the operator's fragment (config/template.h). */
const char *nginx_template_path(enum config_template t);
/* Includes it, where there is one. */
void nginx_template(
    struct emit *m, const struct nginx_context *x, enum config_template t);

#endif
