/* The rows of the manual: see label_manual.h. */
#include "model/label_manual.h"

#define ROW(id, values, unset, text, good, bad, with)                          \
	[LABEL_##id] = { values, unset, text, good, bad, with }

static const struct label_manual labels[LABEL_COUNT] = {
	ROW(HOSTS, "List of at most 64 host names.", NULL,
	    "The names that are served, matched on Host and, with TLS, on SNI. "
	    "Required, unless default_backend is true. "
	    "A host that several services name is served by all of them "
	    "together, where they may share it. "
	    "*.NAME covers all names below NAME that nobody claims exactly; it "
	    "needs an item in the cluster's hosts_allow.",
	    "shop.example.com, www.shop.example.com", "http://shop.example.com",
	    ""),
	ROW(PORT, "Number, 1 to 65535.", NULL,
	    "The port that the application listens on in its container. "
	    "Required.",
	    "8080", "080", ""),
	ROW(NETWORK, "Name or ID of an overlay network.",
	    "the only one that the service is on; of several, the only one of "
	    "them in [cluster] networks",
	    "The network that the proxies join, and whose addresses they "
	    "connect to. "
	    "In a stack its name has the stack's name and _ in front.",
	    "shop_front", "shop front", ""),
	ROW(CONTEXT_ROOT, "List of at most 64 paths.", "/",
	    "Only these paths and what is below them. "
	    "/app matches /app and /app/x, never /application; of several "
	    "that match the longest counts. "
	    "Requests are matched by their path as it is when decoded, with "
	    "// as /, and without . and .. in it.",
	    "/app, /api/v2", "/app?x", ""),
	ROW(CONTEXT_ROOT_REWRITE, "Boolean.", "false",
	    "Takes the path of context_root away before the application sees "
	    "the request: /app/x becomes /x.",
	    "true", "yes", "context_root=/app"),
	ROW(SSL_CERT, "Name of a Docker secret.", NULL,
	    "TLS ends at the proxies with this certificate (PEM, the chain "
	    "behind it). "
	    "A renewed certificate is a new secret under this label.",
	    "shop-cert-2", "../shop.pem", ""),
	ROW(SSL_KEY, "Name of a Docker secret.",
	    "the secret of ssl_cert, which then has both",
	    "The key of the certificate (PEM).", "shop-key-2", "/key",
	    "ssl_cert=shop-cert-2"),
	ROW(SSL_PASSTHROUGH, "Boolean.", "false",
	    "TLS is passed on by SNI as it is, to the application that ends "
	    "it. "
	    "The proxies then see no paths, headers or cookies.",
	    "true", "on", ""),
	ROW(SSL_ONLY, "Boolean.", "false",
	    "Plain HTTP is answered by 308 to https, path and query kept.",
	    "true", "only", "ssl_cert=shop-cert"),
	ROW(SSL_BACKEND, "Boolean.", "false",
	    "The proxies speak TLS to the application, with the name that the "
	    "request asks for.",
	    "true", "https", ""),
	ROW(SSL_BACKEND_TLS_VERIFY, "none or required.", "none",
	    "Whether the application's certificate is checked, against "
	    "ssl_backend_ca.",
	    "required", "optional", "ssl_backend=true|ssl_backend_ca=ca"),
	ROW(SSL_BACKEND_CA, "Name of a Docker secret or config.", NULL,
	    "The authority that signed the application's certificate (PEM).",
	    "internal-ca", "internal ca", "ssl_backend=true"),
	ROW(SSL_BACKEND_NAME, "Host name.", "the host of the request",
	    "The name in the application's certificate.",
	    "shop.internal.example", "$host", "ssl_backend=true"),
	ROW(WEBSOCKET_ENDPOINTS, "List of at most 64 paths.", NULL,
	    "Requests for these paths, as clients send them, and below may "
	    "become websockets; an idle one is kept for an hour.",
	    "/ws, /live", "ws://shop/live", ""),
	ROW(STICKY_SESSION_COOKIE, "Name of a cookie.", NULL,
	    "Requests with the same value of this cookie go to the same task, "
	    "as long as there is that task. "
	    "The application sets the cookie. "
	    "Not in VIP mode.",
	    "JSESSIONID", "JSESSION;ID", ""),
	ROW(IP_HASH, "Boolean.", "false",
	    "Requests from the same address go to the same task; needs proxies "
	    "that see it (publish_mode = host, or real_ip_from). "
	    "Not in VIP mode.",
	    "true", "md5", ""),
	ROW(REDIRECTS, "Pairs of URLs SOURCE,TARGET, separated by semicolons.",
	    NULL,
	    "Requests for SOURCE and below are answered by 302 to TARGET with "
	    "the path and query of the request behind it. "
	    "The source's host is one of hosts. "
	    "Neither has a user or a query, and no chain of them comes back.",
	    "http://old.example.com,https://shop.example.com",
	    "http://old.example.com,//shop.example.com",
	    "hosts=shop.example.com, old.example.com"),
	ROW(DEFAULT_BACKEND, "Boolean.", "false",
	    "Serves the requests whose host nobody serves.", "true", "maybe",
	    ""),
	ROW(SERVICE_CLUSTER, "Name of a service cluster.",
	    "the default cluster",
	    "The service cluster, and so the proxies, that serve it.", "blue",
	    "Blue", ""),
	ROW(BACKEND_MODE, "task, vip or default (task).", "task",
	    "In task mode the proxies know each task's address. "
	    "In VIP mode they connect to the service's virtual IP, and no "
	    "update, scaling or failure of tasks changes their configuration.",
	    "vip", "dnsrr", ""),
	ROW(MAX_FAILS, "Number, 0 to 1000.", "1",
	    "After so many failed attempts within fail_timeout a task is left "
	    "out for fail_timeout; 0: never.",
	    "3", "-1", ""),
	ROW(FAIL_TIMEOUT, "Duration, 1ms to 24h.", "10s", "See max_fails.",
	    "30s", "0", ""),
	ROW(WEIGHT, "Number, 0 to 100.", "by number of tasks",
	    "The share of this service among those of the same host and path, "
	    "whatever their tasks; where any of them gives it, the others "
	    "have 100. "
	    "0: no request.",
	    "5", "5%", ""),
	ROW(CONNECT_TIMEOUT, "Duration, 1ms to 24h.", "the cluster's",
	    "How long a connection to a task may take.", "500ms", "0.5s", ""),
	ROW(READ_TIMEOUT, "Duration, 1ms to 24h.", "the cluster's",
	    "How long the application may be silent within an answer.", "2m",
	    "2 minutes", ""),
	ROW(SEND_TIMEOUT, "Duration, 1ms to 24h.", "the cluster's",
	    "How long the application may take nothing of a request.", "2m",
	    "1w", ""),
	ROW(MAX_BODY_SIZE, "Size; 0: any.", "the cluster's",
	    "Larger requests are answered by 413.", "64m", "64MB", ""),
	ROW(HSTS,
	    "true (a year), false, or a number of seconds; then "
	    "includeSubDomains and preload.",
	    "false", "Strict-Transport-Security in answers over TLS.",
	    "31536000, includeSubDomains", "1y", "ssl_cert=shop-cert"),
	ROW(GRPC, "Boolean.", "false",
	    "The application speaks gRPC; clients come by HTTP/2 over TLS.",
	    "true", "h2c", "ssl_cert=shop-cert"),
	ROW(PROXY_PROTOCOL, "Boolean.", "false",
	    "A passed-through connection begins with a PROXY header (version "
	    "1), which tells the client's address.",
	    "true", "v2", "ssl_passthrough=true"),
	ROW(RATE_LIMIT, "N/s or N/m; then burst=M.", NULL,
	    "Requests from one address past this rate, at each proxy, are "
	    "answered by 429.",
	    "10/s, burst=20", "10/h", ""),
	ROW(ALLOW, "List of at most 256 addresses and networks.", NULL,
	    "All other clients are answered by 403.",
	    "10.0.0.0/8, 2001:db8::/32", "10.0.0.1/8", ""),
	ROW(DENY, "List of at most 256 addresses and networks.", NULL,
	    "These clients are answered by 403, whatever allow says.",
	    "192.0.2.7", "192.0.2", ""),
	ROW(BASIC_AUTH, "Name of a Docker secret.", NULL,
	    "Requests need a name and a password of this file in the form of "
	    "htpasswd.",
	    "shop-users", "user:password", ""),
	ROW(MAINTENANCE, "Boolean.", "false",
	    "Every request is answered by 503 with Retry-After.", "true",
	    "soon", ""),
	ROW(DRAIN, "Boolean.", "false", "The same as weight 0.", "true", "5m",
	    ""),
};

#undef ROW
#define ROW(id, meaning, remedy) [REJECT_##id] = { meaning, remedy }

static const struct code_manual codes[] = {
	ROW(MISSING_LABEL, "A label that is required is not there, or empty.",
	    "Give it."),
	ROW(BAD_VALUE,
	    "The value is not what the label takes; offset is the first byte "
	    "that breaks it.",
	    "Write what the reason says."),
	ROW(TOO_LONG,
	    "A value of more than 4096 bytes, or a name or path in it that is "
	    "longer than it may be.",
	    "Shorten it, or use several services."),
	ROW(TOO_MANY,
	    "More hosts, paths, redirects or networks than one service, or all "
	    "of a cluster, may have.",
	    "Spread them over several services; the operator can raise "
	    "max_hosts."),
	ROW(NO_SUCH_CLUSTER, "No service cluster has this name.",
	    "Correct service_cluster; proxyctl clusters lists them."),
	ROW(NO_SUCH_NETWORK, "No overlay network has this name or ID.",
	    "In a stack, put the stack's name and _ in front."),
	ROW(NETWORK_NOT_ATTACHED,
	    "The service is not on this network, or it is none that a proxy "
	    "can join.",
	    "Add the network to the service, or name another."),
	ROW(NETWORK_AMBIGUOUS,
	    "Several networks come into question, or several have this name.",
	    "Name one with the label network, by its ID where names clash."),
	ROW(NETWORK_NOT_LISTED,
	    "The cluster joins a fixed list of networks and the service is on "
	    "none of it.",
	    "Put the service on one of them; the operator can list another."),
	ROW(NO_ADDRESS,
	    "There is nothing to connect to: no network, a job, or (as a "
	    "remark) a task without address yet.",
	    "Put the service on an overlay network, or publish its port in "
	    "host mode."),
	ROW(HOST_TAKEN,
	    "An older service has this host, or a wildcard above it, and does "
	    "not share it with this one.",
	    "Use another host, or the same network as the owner."),
	ROW(HOST_NOT_ALLOWED,
	    "The cluster's hosts_allow does not have this host.",
	    "Ask the operator."),
	ROW(HOST_RESERVED, "The operator keeps this host for other use.",
	    "Use another host."),
	ROW(NO_SUCH_SECRET, "No Docker secret (or config) has this name.",
	    "Create it, or correct the name."),
	ROW(SECRET_NOT_GRANTED,
	    "In this cluster a secret must be granted to the services that "
	    "name it, and this one is not.",
	    "Mount it in the service, or name the service in the secret's "
	    "label com.docker.lb.allow."),
	ROW(BAD_CERTIFICATE,
	    "The certificate, its key or the authority cannot be used; where "
	    "an older one served, it serves on.",
	    "Create a good one as a new secret and name that."),
	ROW(NEEDS_PARTNER, "The label does nothing without another one.",
	    "Give the one that the reason names."),
	ROW(NO_VIP, "VIP mode, but the service has no virtual IP.",
	    "Use endpoint mode vip, or backend_mode task."),
	ROW(REDIRECT_LOOP, "A redirect leads back to where it began.",
	    "Break the circle."),
	ROW(DIFFERS_FROM_OWNER,
	    "A setting that the oldest service of the host or route decides is "
	    "another one there. "
	    "As a remark: that one holds.",
	    "Give both services the same."),
	ROW(BAD_OBJECT,
	    "What the Engine tells of this service, task or network makes no "
	    "sense; its last good version stays in force.",
	    "Look at the field that the reason names."),
	ROW(ENGINE_REFUSED,
	    "The proxy engine refused the configuration because of this "
	    "service; its last good one stays in force.",
	    "Report it, with the reason: nothing that passes the checks "
	    "should be refused."),
	ROW(UNKNOWN_LABEL, "No label has this name.",
	    "Use the name that the reason suggests."),
	ROW(NOT_IN_VIP_MODE, "In VIP mode Swarm chooses the task.",
	    "Leave the label out, or use backend_mode task."),
	ROW(CERTIFICATE_EXPIRES, "The certificate has expired or will soon.",
	    "Renew it, as a new secret."),
	ROW(CERTIFICATE_NAME, "The certificate is not for all of the hosts.",
	    "Get one that is."),
	ROW(NOT_YET, "Not all proxies are on the service's network yet.",
	    "Wait; the reason says what hinders them."),
	ROW(IGNORED, "Something has no effect here; the reason says what.",
	    "Leave it out."),
};

const struct label_manual *
label_manual(enum label_id id)
{
	return &labels[id];
}

const struct code_manual *
code_manual(enum reject_code code)
{
	return &codes[code];
}
