/* What each key of Interlock's becomes: see import_map.h. */
#include "import_map.h"

#include <strings.h>

#include "base/mem.h"
#include "base/nearest.h"

#define CORE(k, s, n, c)                                                       \
	{                                                                      \
		SCOPE_CORE, k, s, n, c, NULL, NULL                             \
	}
#define EXT(k, s, n, c)                                                        \
	{                                                                      \
		SCOPE_EXTENSION, k, s, n, c, NULL, NULL                        \
	}
#define NGINX(k, n, c)                                                         \
	{                                                                      \
		SCOPE_NGINX, k, "nginx", n, c, NULL, NULL                      \
	}
#define HAPROXY(k, n, c)                                                       \
	{                                                                      \
		SCOPE_HAPROXY, k, "haproxy", n, c, NULL, NULL                  \
	}
/* Taken unless it is what Interlock's generated file says by itself. */
#define BETTER(scope, k, s, n, c, theirs, why)                                 \
	{                                                                      \
		SCOPE_##scope, k, s, n, c, theirs, why                         \
	}
#define NONE(scope, k, why)                                                    \
	{                                                                      \
		SCOPE_##scope, k, NULL, NULL, NULL, NULL, why                  \
	}

#define NO_SERVICE                                                             \
	"the extension is a process of the control plane here, not a service"

static const struct import_row rows[] = {
	NONE(CORE, "ListenAddr",
	    "there is no API for extensions; where proxies fetch their"
	    " configuration is [control] listen of each cluster"),
	CORE("DockerURL", "docker", "url", convert_docker_url),
	CORE("TLSCACert", "docker", "tls_ca", convert_text),
	CORE("TLSCert", "docker", "tls_cert", convert_text),
	CORE("TLSKey", "docker", "tls_key", convert_text),
	CORE("AllowInsecure", "docker", "allow_insecure", convert_text),
	CORE("PollInterval", "docker", "poll_interval", convert_duration),
	NONE(CORE, "EndpointOverride", "there is no API for extensions"),

	NONE(EXTENSION, "Image", NO_SERVICE),
	NONE(EXTENSION, "ConfigImage", NO_SERVICE),
	NONE(EXTENSION, "Args", NO_SERVICE),
	NONE(EXTENSION, "Labels", NO_SERVICE),
	NONE(EXTENSION, "ContainerLabels", NO_SERVICE),
	NONE(EXTENSION, "Constraints", NO_SERVICE),
	NONE(EXTENSION, "PlacementPreferences", NO_SERVICE),
	NONE(EXTENSION, "ServiceName", NO_SERVICE),
	NONE(EXTENSION, "ProxyImage",
	    "an image of Interlock's does not run our agent; [proxy] image"
	    " names ours"),
	NONE(EXTENSION, "ProxyArgs", "the proxies' command line is ours"),
	NONE(EXTENSION, "ProxyServiceName",
	    "the running proxies keep that name while both systems run;"
	    " [proxy] service names ours"),
	NONE(EXTENSION, "ProxyConfigPath", "the agent knows the place"),
	EXT("ProxyReplicas", "proxy", "replicas", convert_text),
	EXT("ProxyStopSignal", "proxy", "stop_signal", convert_text),
	BETTER(EXTENSION, "ProxyStopGracePeriod", "proxy", "stop_grace_period",
	    convert_duration, "5s",
	    "proxies drain first, so they get drain_delay + 15s"),
	EXT("ProxyConstraints", "proxy", "constraints", convert_list),
	EXT("ProxyPlacementPreferences", "proxy", "placement_preferences",
	    convert_preferences),
	EXT("ProxyUpdateDelay", "proxy", "update_delay", convert_duration),
	EXT("ServiceCluster", "cluster", "name", convert_text),
	EXT("Networks", "cluster", "networks", convert_list),
	EXT("PublishMode", "proxy", "publish_mode", convert_text),
	EXT("PublishedPort", "proxy", "published_port", convert_text),
	EXT("TargetPort", "proxy", "target_port", convert_text),
	EXT("PublishedSSLPort", "proxy", "published_ssl_port", convert_text),
	EXT("TargetSSLPort", "proxy", "target_ssl_port", convert_text),
	NONE(EXTENSION, "Template",
	    "a template of Interlock's is for its own renderer; see [nginx]"
	    " template_dir"),
	NONE(EXTENSION, "HitlessServiceUpdate",
	    "updates of services never restart a proxy here"),

	NGINX("HTTPVersion", "http_version", convert_text),
	NONE(NGINX, "Version", "the image has its version"),
	BETTER(NGINX, "User", "nginx", "user", convert_text, "nginx",
	    "our image has no user of that name; proxies run unprivileged"),
	NONE(NGINX, "PidPath", "the agent knows the place"),
	BETTER(NGINX, "WorkerProcesses", "nginx", "worker_processes",
	    convert_text, "1", "auto takes as many as there are CPUs"),
	NGINX("RLimitNoFile", "rlimit_nofile", convert_text),
	NGINX("MaxConnections", "max_connections", convert_text),
	BETTER(NGINX, "ConnectTimeout", "nginx", "connect_timeout",
	    convert_seconds, "600",
	    "a gone task swallows connections, so it is 1s"),
	NGINX("SendTimeout", "send_timeout", convert_seconds),
	NGINX("ReadTimeout", "read_timeout", convert_seconds),
	NGINX("IPHash", "ip_hash", convert_text),
	NONE(NGINX, "AdminUser", "the status page is on [proxy] status_listen"),
	NONE(NGINX, "AdminPass", "the status page is on [proxy] status_listen"),
	NGINX("SSLOpts", "ssl_options", convert_directives),
	NONE(NGINX, "SSLVerify",
	    "services say it: ssl_backend_tls_verify; for all of them it is"
	    " [nginx] ssl_verify"),
	NONE(NGINX, "SSLDefaultDHParam",
	    "nginx takes parameters from a file: ssl_default_dh_param_path"),
	NGINX(
	    "SSLDefaultDHParamPath", "ssl_default_dh_param_path", convert_text),
	BETTER(NGINX, "SSLCiphers", "nginx", "ssl_ciphers", convert_text,
	    "HIGH:!aNULL:!MD5", "the engine's own choice is in force"),
	BETTER(NGINX, "SSLProtocols", "nginx", "ssl_protocols",
	    convert_protocols, "TLSv1.2", "TLSv1.3 is spoken as well"),
	NGINX("AccessLogPath", "access_log", convert_text),
	BETTER(NGINX, "ErrorLogPath", "nginx", "error_log", convert_text,
	    "/dev/stdout", "errors go to stderr"),
	NGINX("MainLogFormat", "main_log_format", convert_log_format),
	NGINX("TraceLogFormat", "trace_log_format", convert_log_format),
	NGINX("KeepaliveTimeout", "keepalive_timeout", convert_duration),
	NGINX("ClientMaxBodySize", "client_max_body_size", convert_text),
	NGINX("ClientBodyBufferSize", "client_body_buffer_size", convert_text),
	NGINX("ClientHeaderBufferSize", "client_header_buffer_size",
	    convert_text),
	NGINX("LargeClientHeaderBuffers", "large_client_header_buffers",
	    convert_text),
	NGINX("ClientBodyTimeout", "client_body_timeout", convert_duration),
	NGINX("UnderscoresInHeaders", "underscores_in_headers", convert_text),
	NGINX("UpstreamZoneSize", "upstream_zone_size", convert_kilobytes),
	NONE(NGINX, "ServerNamesHashBucketSize", "it is computed"),
	NGINX("GlobalOptions", "global_options", convert_directives),
	NGINX("HTTPOptions", "http_options", convert_directives),
	NGINX("TCPOptions", "stream_options", convert_directives),
	NGINX("HideInfoHeaders", "hide_info_headers", convert_text),

	NONE(HAPROXY, "Version", "the image has its version"),
	NONE(HAPROXY, "User", "proxies run unprivileged"),
	NONE(HAPROXY, "PidPath", "the agent knows the place"),
	HAPROXY("MaxConnections", "max_connections", convert_text),
	BETTER(HAPROXY, "ConnectTimeout", "haproxy", "connect_timeout",
	    convert_milliseconds, "5000",
	    "a gone task swallows connections, so it is 1s"),
	HAPROXY("ClientTimeout", "client_timeout", convert_milliseconds),
	HAPROXY("ServerTimeout", "server_timeout", convert_milliseconds),
	NONE(HAPROXY, "AdminUser",
	    "the status page is on [proxy] status_listen"),
	NONE(HAPROXY, "AdminPass",
	    "the status page is on [proxy] status_listen"),
	HAPROXY("SSLOpts", "ssl_options", convert_text),
	BETTER(HAPROXY, "SSLDefaultDHParam", "haproxy", "ssl_default_dh_param",
	    convert_text, "1024",
	    "1024 bits are refused by today's TLS libraries"),
	HAPROXY(
	    "SSLDefaultDHParamPath", "ssl_default_dh_param_path", convert_text),
	BETTER(HAPROXY, "SSLVerify", "haproxy", "ssl_verify", convert_verify,
	    "required", "services say it: ssl_backend_tls_verify"),
	BETTER(HAPROXY, "SSLCiphers", "haproxy", "ssl_ciphers", convert_text,
	    "HIGH:!aNULL:!MD5", "the engine's own choice is in force"),
	BETTER(HAPROXY, "SSLProtocols", "haproxy", "ssl_protocols",
	    convert_protocols, "TLSv1.2", "TLSv1.3 is spoken as well"),
	HAPROXY("GlobalOptions", "global_options", convert_lines),
	HAPROXY("DefaultOptions", "default_options", convert_lines),
};

const struct import_row *
import_row_find(
    enum import_scope scope, const char *key, const char **ret_nearest)
{
	const char *names[countof(rows)];
	size_t n = 0;

	for (size_t i = 0; i < countof(rows); i++) {
		if (rows[i].scope != scope)
			continue;
		if (strcasecmp(rows[i].key, key) == 0)
			return &rows[i];
		names[n++] = rows[i].key;
	}
	*ret_nearest = nearest_name(key, names, n);
	return NULL;
}
