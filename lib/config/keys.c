/*
 * The key table.  A new key is one row here and one member in config.h; the
 * parser, the defaults, the dump, the sample files and bulkhead.ini(5) follow.
 */
#include "config/keys.h"

#include "base/mem.h"
#include "config/config.h"
#include "config/values.h"

#include <string.h>

#define SEC UINT64_C(1000)
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
#define KB UINT64_C(1024)
#define MB (1024 * KB)
#define GB (1024 * MB)

#define D(member) offsetof(struct daemon_config, member)
#define C(member) offsetof(struct cluster_config, member)

/* Rows by type: where, name, place, then what the type needs, then help. */
#define TEXT(s, n, o, d, c, h)                                                 \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_TEXT, .offset = o,     \
		.def = d, .check = c, .help = h                                \
	}
#define TEXT_SHOWN(s, n, o, c, w, h)                                           \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_TEXT, .offset = o,     \
		.check = c, .shown = w, .help = h                              \
	}
#define RAW(s, n, o, h)                                                        \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_RAW, .offset = o,      \
		.help = h                                                      \
	}
#define WORD(s, n, o, d, v, h)                                                 \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_WORD, .offset = o,     \
		.def = d, .names = v, .help = h                                \
	}
#define ENUM(s, n, o, d, v, h)                                                 \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_ENUM, .offset = o,     \
		.def = d, .names = v, .help = h                                \
	}
#define BOOL(s, n, o, d, h)                                                    \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_BOOL, .offset = o,     \
		.def = d, .help = h                                            \
	}
#define NUMBER(t, s, n, o, d, lo, hi, h)                                       \
	{                                                                      \
		.section = s, .name = n, .type = t, .offset = o, .def = d,     \
		.min = lo, .max = hi, .help = h                                \
	}
#define U32(s, n, o, d, lo, hi, h) NUMBER(CONFIG_U32, s, n, o, d, lo, hi, h)
#define PORT(s, n, o, d, lo, h) NUMBER(CONFIG_PORT, s, n, o, d, lo, 65535, h)
#define TIME(s, n, o, d, lo, hi, h)                                            \
	NUMBER(CONFIG_DURATION, s, n, o, d, lo, hi, h)
#define SIZE(s, n, o, d, lo, hi, h) NUMBER(CONFIG_SIZE, s, n, o, d, lo, hi, h)
#define LIST(s, n, o, d, c, h)                                                 \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_LIST, .offset = o,     \
		.def = d, .check = c, .help = h                                \
	}
#define HOSTS(s, n, o, h)                                                      \
	{                                                                      \
		.section = s, .name = n, .type = CONFIG_LIST, .offset = o,     \
		.check = config_check_allowed_host, .fold = true, .help = h    \
	}
#define PAIRS(s, o, k, h)                                                      \
	{                                                                      \
		.section = s, .name = "*", .type = CONFIG_PAIRS, .offset = o,  \
		.check = config_check_any, .check_name = k, .help = h          \
	}

static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const formats[] = { "text", "json", NULL };

static const struct config_section daemon_sections[] = {
	{ "docker", "How the Swarm is reached and watched." },
	{ "supervisor", "Where things are, and as whom they run." },
	{ "admin", "The admin API, which bulkhead's own commands use." },
	{ "log", "What is logged to standard error." },
};

static const struct config_key daemon_keys[] = {
	TEXT("docker", "url", D(docker.url), "unix:///var/run/docker.sock",
	    config_check_docker_url,
	    "The Engine API of a Swarm manager: unix://PATH, tcp://HOST:PORT,"
	    " http://HOST:PORT or https://HOST:PORT."),
	TEXT_SHOWN("docker", "api_version", D(docker.api_version),
	    config_check_api_version, "negotiated",
	    "Fixes the version of the Engine API, such as 1.41."),
	TEXT("docker", "tls_ca", D(docker.tls_ca), NULL, config_check_path,
	    "File of the authorities that sign the Engine's certificate."),
	TEXT("docker", "tls_cert", D(docker.tls_cert), NULL, config_check_path,
	    "File of our certificate for the Engine. Needs tls_key."),
	TEXT("docker", "tls_key", D(docker.tls_key), NULL, config_check_path,
	    "File of the key of tls_cert."),
	BOOL("docker", "allow_insecure", D(docker.allow_insecure), "false",
	    "Does not verify the Engine's certificate."),
	TEXT("docker", "watch", D(docker.watch), "auto", config_check_watch,
	    "SwarmKit's push stream of task changes: auto (where the"
	    " manager's control socket is found beside the Docker socket, as"
	    " docker/swarm/control.sock), off (tasks are polled), or the path"
	    " of the control socket."),
	TIME("docker", "poll_interval", D(docker.poll_interval_ms), "3s", 100,
	    HOUR,
	    "How often tasks are listed where the push stream is not; less"
	    " often where that takes more than a twentieth of it."),
	TIME("docker", "resync_interval", D(docker.resync_interval_ms), "10s",
	    SEC, HOUR,
	    "How often everything is listed again, whatever the streams"
	    " said; less often where that takes more than a tenth of it."),
	TEXT("supervisor", "run_dir", D(supervisor.run_dir), "/run/bulkhead",
	    config_check_path,
	    "Folder of sockets, state and accepted configuration. At most 60"
	    " bytes, because socket paths start with it."),
	TEXT("supervisor", "clusters_dir", D(supervisor.clusters_dir),
	    "/etc/bulkhead/clusters.d", config_check_path,
	    "Folder of the cluster files, one NAME.ini per service cluster."),
	TEXT("supervisor", "user", D(supervisor.user), NULL, config_check_user,
	    "User that supervisor and extensions run as when started as"
	    " root."),
	TEXT_SHOWN("admin", "socket", D(admin.socket), config_check_path,
	    "run_dir/admin.sock", "Unix socket of the admin API."),
	TEXT("admin", "listen", D(admin.listen), NULL, config_check_listen,
	    "HOST:PORT where the admin API is served as well. Writes ask for"
	    " the token."),
	TEXT("admin", "token_file", D(admin.token_file), NULL,
	    config_check_path,
	    "File of the token that writes through listen must carry; without"
	    " it they are refused."),
	WORD("log", "level", D(log.level), "info", levels,
	    "How much is logged."),
	WORD("log", "format", D(log.format), "text", formats,
	    "text: a line per event; json: an object per line."),
};

const struct config_table config_daemon_table = {
	.file = "bulkhead.ini",
	.help = "The daemon's configuration.",
	.sections = daemon_sections,
	.n_sections = countof(daemon_sections),
	.keys = daemon_keys,
	.n_keys = countof(daemon_keys),
};

static const char *const shares[] = { "same-network", "any", "never", NULL };
static const char *const secrets[] = { "any", "granted", NULL };
static const char *const drivers[] = { "swarm", "local", "none", NULL };
static const char *const engines[] = { "nginx", "haproxy", NULL };
static const char *const publish[] = { "ingress", "host", NULL };
static const char *const orders[] = { "start-first", "stop-first", NULL };
static const char *const log_formats[] = { "main", "trace", NULL };
static const char *const http_versions[] = { "1.1", "1.0", NULL };
static const char *const signals[] = { "SIGQUIT", "SIGTERM", "SIGINT", "SIGHUP",
	"SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL", NULL };

static const struct config_section cluster_sections[] = {
	{ "cluster", "Which services belong here, and what they may claim." },
	{ "proxy", "The group of proxies that serves this cluster." },
	{ "proxy.labels", "Labels of the proxy service." },
	{ "proxy.container_labels", "Labels of the proxies' containers." },
	{ "proxy.env", "Environment of the proxies' containers." },
	{ "control", "How proxies fetch their configuration." },
	{ "nginx", "Settings of the nginx engine." },
	{ "haproxy", "Settings of the HAProxy engine." },
};

static const struct config_key cluster_keys[] = {
	TEXT_SHOWN("cluster", "name", C(cluster.name),
	    config_check_cluster_name, "the file's name without .ini",
	    "Name of the cluster, as in the label"
	    " com.docker.lb.service_cluster."),
	{ .section = "cluster",
	    .name = "default",
	    .type = CONFIG_TRI,
	    .offset = C(cluster.is_default),
	    .shown =
		"unset: yes for the only cluster, or the one named default",
	    .help = "Whether services that name no cluster come here." },
	LIST("cluster", "networks", C(cluster.networks), NULL,
	    config_check_network,
	    "Overlay networks that the proxies join, exactly these. Without"
	    " it they join those that the cluster's services need."),
	HOSTS("cluster", "hosts_allow", C(cluster.hosts_allow),
	    "Host names that services may claim: names, *.SUFFIX for"
	    " everything below it (wildcards included), * for all names."
	    " Without it all names, but no wildcards."),
	HOSTS("cluster", "hosts_reserved", C(cluster.hosts_reserved),
	    "Host names that no service may claim, written as in hosts_allow."),
	ENUM("cluster", "share_host", C(cluster.share_host), "same-network",
	    shares,
	    "Who may join a host that another service has: services on the"
	    " same network, any, or never."),
	ENUM("cluster", "secrets", C(cluster.secrets), "any", secrets,
	    "Which secrets a label may name: any, or only those granted to"
	    " the service."),
	TIME("cluster", "claim_hold", C(cluster.claim_hold_ms), "0", 0,
	    365 * DAY,
	    "How long a host that no service has any more stays reserved for"
	    " the name of its last owner: removed, rejected, or with other"
	    " hosts in its labels. Another service that claims it meanwhile is"
	    " rejected (host-taken, with that name as owner and the time when"
	    " it ends), and requests for it get 503, no other service's "
	    "wildcard"
	    " or default backend (over TLS those refuse the handshake). A"
	    " service of that name that comes in time keeps the"
	    " host, also from older services that waited. A host that was"
	    " shared goes to the oldest of those that shared it and is not"
	    " held. The time goes on while the cluster's process is restarted,"
	    " not while the machine is off; a service that went away meanwhile"
	    " is missed at the next start. 0: the host is free at once. render"
	    " and validate know no past and hold nothing."),
	TIME("cluster", "network_release_delay",
	    C(cluster.network_release_delay_ms), "10s", 0, DAY,
	    "How long after its last use the proxies leave a network."),
	U32("cluster", "max_hosts", C(cluster.max_hosts), "10000", 1, 1000000,
	    "Hosts that all services together may claim. Past it the newest"
	    " service is rejected."),

	ENUM("proxy", "driver", C(proxy.driver), "swarm", drivers,
	    "Who runs the proxies: swarm (a Swarm service), local (the"
	    " supervisor, on its own host), none (nobody: a trial of"
	    " everything but delivery)."),
	ENUM("proxy", "engine", C(proxy.engine), "nginx", engines,
	    "The engine of the proxies: nginx or haproxy."),
	TEXT("proxy", "image", C(proxy.image), "bulkhead-proxy",
	    config_check_image, "Image of the proxy service."),
	TEXT_SHOWN("proxy", "service", C(proxy.service), config_check_service,
	    "bulkhead-proxy-NAME", "Name of the proxy service."),
	U32("proxy", "replicas", C(proxy.replicas), "2", 0, 1000,
	    "How many proxies. Applied when it changes; a number set by"
	    " docker service scale or proxyctl scale stays until then."),
	ENUM("proxy", "publish_mode", C(proxy.publish_mode), "ingress", publish,
	    "ingress: the routing mesh; host: the ports of each proxy's node,"
	    " which keeps client addresses."),
	PORT("proxy", "published_port", C(proxy.published_port), "80", 0,
	    "Port for plain HTTP where clients come in. 0: not published."
	    " Driver local: proxy i listens on this port + i."),
	PORT("proxy", "target_port", C(proxy.target_port), "80", 1,
	    "Port for plain HTTP inside the proxies' containers."),
	PORT("proxy", "published_ssl_port", C(proxy.published_ssl_port), "443",
	    0,
	    "Port for TLS where clients come in. 0: not published. Driver"
	    " local: proxy i listens on this port + i."),
	PORT("proxy", "target_ssl_port", C(proxy.target_ssl_port), "443", 1,
	    "Port for TLS inside the proxies' containers."),
	TEXT("proxy", "listen_address", C(proxy.listen_address), "127.0.0.1",
	    config_check_address,
	    "Driver local: the address that the proxies listen on."),
	LIST("proxy", "constraints", C(proxy.constraints), NULL,
	    config_check_constraint,
	    "Placement constraints, such as node.labels.lb == true."),
	LIST("proxy", "placement_preferences", C(proxy.placement_preferences),
	    NULL, config_check_preference,
	    "Placement preferences, such as spread=node.labels.zone."),
	TIME("proxy", "update_delay", C(proxy.update_delay_ms), "0", 0, DAY,
	    "Pause between two proxies when the proxy service is updated."),
	U32("proxy", "update_parallelism", C(proxy.update_parallelism), "1", 1,
	    1000, "Proxies that are replaced at a time."),
	{ .section = "proxy",
	    .name = "update_order",
	    .type = CONFIG_ENUM,
	    .offset = C(proxy.update_order),
	    .def = "start-first",
	    .names = orders,
	    .shown =
		"start-first; stop-first where a fixed host port forbids it",
	    .help =
		"Whether a new proxy starts before its predecessor stops." },
	WORD("proxy", "stop_signal", C(proxy.stop_signal), "SIGQUIT", signals,
	    "Signal that tells a proxy to drain and end."),
	TIME("proxy", "drain_delay", C(proxy.drain_delay_ms), "5s", 0, HOUR,
	    "How long a proxy that is told to stop still takes new"
	    " connections, so that balancers in front notice first."),
	{ .section = "proxy",
	    .name = "stop_grace_period",
	    .type = CONFIG_DURATION,
	    .offset = C(proxy.stop_grace_period_ms),
	    .min = SEC,
	    .max = DAY,
	    .shown = "drain_delay + 15s",
	    .help = "How long a proxy may take to end before it is killed." },
	TEXT("proxy", "health_listen", C(proxy.health_listen), NULL,
	    config_check_listen,
	    "HOST:PORT where a proxy tells balancers whether to send to it."
	    " Driver local: proxy i takes PORT + i. Driver swarm with"
	    " publish_mode = host: published on the proxy's node, the same"
	    " number, unless HOST is 127.0.0.1."),
	TEXT("proxy", "status_listen", C(proxy.status_listen), NULL,
	    config_check_listen,
	    "HOST:PORT of the engine's status page. Driver local: proxy i"
	    " takes PORT + i. Never published."),
	TEXT("proxy", "secrets_dir", C(proxy.secrets_dir), "/run/secrets",
	    config_check_path,
	    "Folder where a proxy finds secrets (and the configs that"
	    " ssl_backend_ca names), one file per name."),
	SIZE("proxy", "memory_limit", C(proxy.memory_limit), NULL, 4 * MB,
	    1024 * GB, "Memory that a proxy's container may use."),
	TEXT("proxy", "cpu_limit", C(proxy.cpu_limit), NULL, config_check_cpu,
	    "CPUs that a proxy's container may use, such as 0.5."),
	BOOL("proxy", "stop_with_supervisor", C(proxy.stop_with_supervisor),
	    "true",
	    "Driver local: an orderly stop of the supervisor ends the proxies"
	    " too."),

	PAIRS("proxy.labels", C(proxy.labels), config_check_label_name,
	    "KEY = VALUE, any number."),
	PAIRS("proxy.container_labels", C(proxy.container_labels),
	    config_check_label_name, "KEY = VALUE, any number."),
	PAIRS("proxy.env", C(proxy.env), config_check_env_name,
	    "NAME = VALUE, any number."),

	TEXT_SHOWN("control", "listen", C(control.listen),
	    config_check_listen_unix, "driver local: a unix socket in run_dir",
	    "HOST:PORT (or unix:PATH) where proxies fetch their"
	    " configuration. Driver swarm needs it, on a network that"
	    " applications cannot reach."),
	TEXT_SHOWN("control", "url", C(control.url), config_check_control_url,
	    "made from listen",
	    "What proxies dial: http://HOST:PORT, https://HOST:PORT or"
	    " unix:PATH."),
	TEXT("control", "tls_ca", C(control.tls_ca), NULL, config_check_path,
	    "File of the authority that signs the certificates of proxies and"
	    " of this side. TLS is used where tls_ca, tls_cert and tls_key"
	    " are set."),
	TEXT("control", "tls_cert", C(control.tls_cert), NULL,
	    config_check_path, "File of this side's certificate."),
	TEXT("control", "tls_key", C(control.tls_key), NULL, config_check_path,
	    "File of the key of tls_cert."),
	TEXT("control", "token_file", C(control.token_file), NULL,
	    config_check_path, "File of the token that proxies must show."),
	LIST("control", "agent_secrets", C(control.agent_secrets), NULL,
	    config_check_secret,
	    "Docker secrets that the proxies get for talking to this side: the"
	    " one with the word ca, cert, key or token in its name is used as"
	    " that."),
	TEXT("control", "network", C(control.network), NULL,
	    config_check_network,
	    "Network on which proxies reach listen and each other."),

	WORD("nginx", "http_version", C(nginx.http_version), "1.1",
	    http_versions, "HTTP version towards applications."),
	TEXT("nginx", "user", C(nginx.user), NULL, config_check_user,
	    "User of the worker processes, where nginx runs as root."),
	NUMBER(CONFIG_AUTO, "nginx", "worker_processes",
	    C(nginx.worker_processes), "auto", 1, 1024,
	    "Worker processes. auto: as many as the container has CPUs."),
	U32("nginx", "rlimit_nofile", C(nginx.rlimit_nofile), "65535", 64,
	    1048576, "Descriptors of a worker process."),
	U32("nginx", "max_connections", C(nginx.max_connections), "1024", 32,
	    1048576, "Connections of a worker process."),
	TIME("nginx", "connect_timeout", C(nginx.connect_timeout_ms), "1s", 1,
	    75 * SEC,
	    "How long a connection to an application may take to stand. Kept"
	    " short, because a gone task swallows connections."),
	TIME("nginx", "send_timeout", C(nginx.send_timeout_ms), "600s", 1, DAY,
	    "Longest pause while a request is sent to an application."),
	TIME("nginx", "read_timeout", C(nginx.read_timeout_ms), "600s", 1, DAY,
	    "Longest pause while an answer is read from an application."),
	BOOL("nginx", "ip_hash", C(nginx.ip_hash), "false",
	    "Same client address, same task, for every service in task mode."),
	RAW("nginx", "ssl_options", C(nginx.ssl_options),
	    "Further TLS directives of nginx, written as they stand into the"
	    " http block."),
	BOOL("nginx", "ssl_verify", C(nginx.ssl_verify), "false",
	    "Verify the certificates of TLS upstreams where no label says"
	    " whether to."),
	U32("nginx", "ssl_default_dh_param", C(nginx.ssl_default_dh_param),
	    NULL, 1024, 8192,
	    "Bits of the Diffie-Hellman parameters. Only for HAProxy; nginx"
	    " takes ssl_default_dh_param_path."),
	TEXT("nginx", "ssl_default_dh_param_path",
	    C(nginx.ssl_default_dh_param_path), NULL, config_check_path,
	    "File of Diffie-Hellman parameters."),
	TEXT("nginx", "ssl_ciphers", C(nginx.ssl_ciphers), NULL,
	    config_check_ciphers,
	    "Ciphers for TLS up to 1.2, in OpenSSL's notation."),
	LIST("nginx", "ssl_protocols", C(nginx.ssl_protocols),
	    "TLSv1.2,TLSv1.3", config_check_protocol,
	    "TLS versions: TLSv1.2, TLSv1.3; also TLSv1 and TLSv1.1, which"
	    " today's OpenSSL speaks only at @SECLEVEL=0."),
	BOOL("nginx", "http2", C(nginx.http2), "true",
	    "HTTP/2 for clients that speak TLS."),
	TEXT("nginx", "access_log", C(nginx.access_log), "/dev/stdout",
	    config_check_path_or_off, "File of the access log, or off."),
	TEXT("nginx", "error_log", C(nginx.error_log), "stderr",
	    config_check_error_log, "File of the error log, or stderr."),
	ENUM("nginx", "log_format", C(nginx.log_format), "main", log_formats,
	    "Format of the access log: main, or trace with ids and times."),
	TEXT_SHOWN("nginx", "main_log_format", C(nginx.main_log_format),
	    config_check_any, "built in",
	    "Text of the format main, with nginx's variables, without quotes"
	    " around it."),
	TEXT_SHOWN("nginx", "trace_log_format", C(nginx.trace_log_format),
	    config_check_any, "built in", "Text of the format trace."),
	TIME("nginx", "keepalive_timeout", C(nginx.keepalive_timeout_ms), "75s",
	    0, DAY, "How long an idle client connection is kept. 0: not."),
	SIZE("nginx", "client_max_body_size", C(nginx.client_max_body_size),
	    "32m", 0, 1024 * GB, "Largest request body. 0: any."),
	SIZE("nginx", "client_body_buffer_size",
	    C(nginx.client_body_buffer_size), "8k", KB, GB,
	    "Larger request bodies are written to disk."),
	SIZE("nginx", "client_header_buffer_size",
	    C(nginx.client_header_buffer_size), "1k", 256, MB,
	    "Buffer for ordinary request headers."),
	{ .section = "nginx",
	    .name = "large_client_header_buffers",
	    .type = CONFIG_BUFFERS,
	    .offset = C(nginx.large_client_header_buffers),
	    .offset2 = C(nginx.large_client_header_buffer_size),
	    .def = "4 8k",
	    .min = KB,
	    .max = MB,
	    .help = "Number and size of buffers for large request headers." },
	TIME("nginx", "client_body_timeout", C(nginx.client_body_timeout_ms),
	    "60s", 1, DAY, "Longest pause while a request body is read."),
	BOOL("nginx", "underscores_in_headers", C(nginx.underscores_in_headers),
	    "false", "Header names may contain underscores."),
	SIZE("nginx", "upstream_zone_size", C(nginx.upstream_zone_size), "64k",
	    32 * KB, GB, "Shared memory of each group of upstreams."),
	U32("nginx", "upstream_keepalive", C(nginx.upstream_keepalive), "32", 0,
	    65535,
	    "Idle connections a worker keeps to each group of upstreams."),
	U32("nginx", "vip_keepalive", C(nginx.vip_keepalive), "0", 0, 65535,
	    "The same in VIP mode, where the VIP balances connections, not"
	    " requests."),
	TIME("nginx", "worker_shutdown_timeout",
	    C(nginx.worker_shutdown_timeout_ms), "10m", SEC, 7 * DAY,
	    "How long old workers live on with open connections (websockets)"
	    " after a reload."),
	BOOL("nginx", "hide_info_headers", C(nginx.hide_info_headers), "false",
	    "Leaves out x-request-id, x-proxy-id, x-server-info,"
	    " x-upstream-addr and x-upstream-response-time."),
	LIST("nginx", "real_ip_from", C(nginx.real_ip_from), NULL,
	    config_check_cidr,
	    "Balancers in front whose X-Forwarded-For, or PROXY protocol, is"
	    " believed: addresses or CIDR. So is their X-Forwarded-Proto: one"
	    " that only passes bytes on passes the client's, so do not list it"
	    " here and set accept_proxy_protocol alone. Beside a passthrough a"
	    " request over TLS for which one tells no client counts as that"
	    " balancer's for ip_hash and rate_limit; allow and deny let it in"
	    " where they would let in all balancers listed here."),
	BOOL("nginx", "accept_proxy_protocol", C(nginx.accept_proxy_protocol),
	    "false",
	    "Clients come through a balancer that speaks the PROXY protocol,"
	    " version 1 or 2, on both ports: who sends no such header is not"
	    " served. With"
	    " real_ip_from the header tells the client's address only where one"
	    " of those sends it, and X-Forwarded-For tells it no more."),
	TEXT("nginx", "error_page_dir", C(nginx.error_page_dir), NULL,
	    config_check_path,
	    "Folder of the operator's own pages for what a proxy answers"
	    " itself: 403.html, 404.html, 413.html, 429.html, 500.html,"
	    " 502.html, 503.html and 504.html, each may be absent. It is in"
	    " the proxies: with driver = swarm in an image made from theirs."),
	TEXT("nginx", "template_dir", C(nginx.template_dir), NULL,
	    config_check_path,
	    "Folder of own fragments, which the supervisor reads: main.conf,"
	    " http.conf, server.conf and location.conf, each written into every"
	    " block of its kind; see FRAGMENTS."),
	RAW("nginx", "global_options", C(nginx.global_options),
	    "Directives written as they stand into the main block."),
	RAW("nginx", "http_options", C(nginx.http_options),
	    "Directives written as they stand into the http block."),
	RAW("nginx", "stream_options", C(nginx.stream_options),
	    "Directives written as they stand into the stream block."),

	U32("haproxy", "max_connections", C(haproxy.max_connections), "1024",
	    32, 1048576, "Connections of the process."),
	TIME("haproxy", "connect_timeout", C(haproxy.connect_timeout_ms), "1s",
	    1, 75 * SEC,
	    "How long a connection to an application may take to stand."),
	TIME("haproxy", "client_timeout", C(haproxy.client_timeout_ms), "600s",
	    1, DAY, "Longest pause of a client."),
	TIME("haproxy", "server_timeout", C(haproxy.server_timeout_ms), "600s",
	    1, DAY, "Longest pause of an application."),
	TEXT("haproxy", "ssl_options", C(haproxy.ssl_options), NULL,
	    config_check_words,
	    "Words for ssl-default-bind-options, such as no-tls-tickets."),
	BOOL("haproxy", "ssl_verify", C(haproxy.ssl_verify), "false",
	    "Verify the certificates of TLS upstreams where no label says"
	    " whether to."),
	U32("haproxy", "ssl_default_dh_param", C(haproxy.ssl_default_dh_param),
	    NULL, 1024, 8192, "Bits of the Diffie-Hellman parameters."),
	TEXT("haproxy", "ssl_default_dh_param_path",
	    C(haproxy.ssl_default_dh_param_path), NULL, config_check_path,
	    "File of Diffie-Hellman parameters."),
	TEXT("haproxy", "ssl_ciphers", C(haproxy.ssl_ciphers), NULL,
	    config_check_ciphers,
	    "Ciphers for TLS up to 1.2, in OpenSSL's notation."),
	LIST("haproxy", "ssl_protocols", C(haproxy.ssl_protocols),
	    "TLSv1.2,TLSv1.3", config_check_protocol,
	    "TLS versions: TLSv1.2, TLSv1.3; also TLSv1 and TLSv1.1, which"
	    " today's OpenSSL speaks only at @SECLEVEL=0."),
	RAW("haproxy", "global_options", C(haproxy.global_options),
	    "Lines written as they stand into the global section."),
	RAW("haproxy", "default_options", C(haproxy.default_options),
	    "Lines written as they stand into the defaults section."),
};

const struct config_table config_cluster_table = {
	.file = "clusters.d/NAME.ini",
	.help = "The configuration of one service cluster.",
	.sections = cluster_sections,
	.n_sections = countof(cluster_sections),
	.keys = cluster_keys,
	.n_keys = countof(cluster_keys),
};

_Static_assert(countof(cluster_keys) <= CONFIG_KEYS_MAX, "too many keys");
_Static_assert(countof(daemon_keys) <= CONFIG_KEYS_MAX, "too many keys");

const struct config_key *
config_key_find(
    const struct config_table *t, const char *section, const char *name)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		const struct config_key *k = &t->keys[i];

		if (strcmp(k->section, section) == 0 &&
		    (k->type == CONFIG_PAIRS || strcmp(k->name, name) == 0))
			return k;
	}
	return NULL;
}
