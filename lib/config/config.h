/*
 * The INI files: typed, checked, with every default filled in.
 *
 * One table (config/keys.c) drives parsing, defaults, range checks, the dump
 * of the effective configuration, the sample files and the manual page.
 * interfaces.md 1 is the contract.  A struct is immutable once loaded: a
 * reload loads a new one and swaps only on complete success.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_FILE_MAX (1024 * 1024)
#define CLUSTER_NAME_MAX 63

struct config_list {
	VEC(char *) items;
};

/* key = value of [proxy.labels] and the like, in the order of the file. */
struct config_pair {
	char *key;
	char *value;
};
struct config_pairs {
	VEC(struct config_pair) pairs;
};

/* bulkhead.ini.  Strings are NULL where "none" is the default. */
struct daemon_config {
	struct {
		char *url;
		char *api_version;
		char *tls_ca;
		char *tls_cert;
		char *tls_key;
		bool allow_insecure;
		char *watch; /* "auto", "off" or a path */
		uint64_t poll_interval_ms;
		uint64_t resync_interval_ms;
	} docker;
	struct {
		char *run_dir;
		char *clusters_dir;
		char *user;
	} supervisor;
	struct {
		char *socket; /* filled from run_dir where not set */
		char *listen;
		char *token_file;
	} admin;
	struct {
		char *level;
		char *format;
	} log;
	char *path;
	uint32_t *key_line; /* by row of the key table; 0 = not in the file */
};

enum config_secrets { SECRETS_ANY, SECRETS_GRANTED };
enum config_share { SHARE_SAME_NETWORK, SHARE_ANY, SHARE_NEVER };
enum config_default { DEFAULT_UNSET, DEFAULT_YES, DEFAULT_NO };
enum config_driver { DRIVER_SWARM, DRIVER_LOCAL, DRIVER_NONE };
enum config_engine { ENGINE_NGINX, ENGINE_HAPROXY };
enum config_publish { PUBLISH_INGRESS, PUBLISH_HOST };
enum config_order { ORDER_START_FIRST, ORDER_STOP_FIRST };
enum config_log_format { LOG_FORMAT_MAIN, LOG_FORMAT_TRACE };

/* clusters.d/NAME.ini */
struct cluster_config {
	/* config/template.h; NULL until loaded, or none */
	struct config_templates *templates;
	char *path;	    /* the file it was read from */
	uint32_t *key_line; /* by row of the key table; 0 = not in the file */
	struct {
		char *name;
		enum config_default is_default;
		struct config_list networks;
		struct config_list hosts_allow; /* empty = all names */
		struct config_list hosts_reserved;
		enum config_share share_host;
		enum config_secrets secrets;
		uint64_t claim_hold_ms;
		uint64_t network_release_delay_ms;
		uint32_t max_hosts;
	} cluster;
	struct {
		enum config_driver driver;
		enum config_engine engine;
		char *image;
		char *service; /* filled: bulkhead-proxy-NAME */
		uint32_t replicas;
		enum config_publish publish_mode;
		uint16_t published_port;
		uint16_t target_port;
		uint16_t published_ssl_port;
		uint16_t target_ssl_port;
		char *listen_address;
		struct config_list constraints;
		struct config_list placement_preferences;
		uint64_t update_delay_ms;
		uint32_t update_parallelism;
		enum config_order update_order; /* filled where not set */
		char *stop_signal;
		uint64_t drain_delay_ms;
		uint64_t stop_grace_period_ms; /* filled from drain_delay */
		char *health_listen;
		char *status_listen;
		char *secrets_dir;
		uint64_t memory_limit; /* bytes, 0 = none */
		char *cpu_limit;       /* "0.5", or NULL */
		bool stop_with_supervisor;
		struct config_pairs labels;
		struct config_pairs container_labels;
		struct config_pairs env;
	} proxy;
	struct {
		char *listen; /* config_listen_parse(); NULL = not set */
		char *url;
		char *tls_ca;
		char *tls_cert;
		char *tls_key;
		char *token_file;
		struct config_list agent_secrets;
		char *network;
	} control;
	struct {
		char *http_version;
		char *user;
		uint32_t worker_processes; /* 0 = auto */
		uint32_t rlimit_nofile;
		uint32_t max_connections;
		uint64_t connect_timeout_ms;
		uint64_t send_timeout_ms;
		uint64_t read_timeout_ms;
		bool ip_hash;
		char *ssl_options; /* raw */
		bool ssl_verify;   /* where no label says whether to */
		uint32_t ssl_default_dh_param; /* bits; 0 = not set */
		char *ssl_default_dh_param_path;
		char *ssl_ciphers;
		struct config_list ssl_protocols;
		bool http2;
		char *access_log; /* a path or "off" */
		char *error_log;  /* a path or "stderr" */
		enum config_log_format log_format;
		char *main_log_format;
		char *trace_log_format;
		uint64_t keepalive_timeout_ms;
		uint64_t client_max_body_size;
		uint64_t client_body_buffer_size;
		uint64_t client_header_buffer_size;
		uint32_t large_client_header_buffers;	  /* how many */
		uint64_t large_client_header_buffer_size; /* of each */
		uint64_t client_body_timeout_ms;
		bool underscores_in_headers;
		uint64_t upstream_zone_size;
		uint32_t upstream_keepalive;
		uint32_t vip_keepalive;
		uint64_t worker_shutdown_timeout_ms;
		bool hide_info_headers;
		struct config_list real_ip_from;
		bool accept_proxy_protocol;
		char *error_page_dir;
		char *template_dir;
		char *global_options; /* raw; lines joined by newlines */
		char *http_options;
		char *stream_options;
	} nginx;
	struct {
		uint32_t max_connections;
		uint64_t connect_timeout_ms;
		uint64_t client_timeout_ms;
		uint64_t server_timeout_ms;
		char *ssl_options;
		bool ssl_verify;
		uint32_t ssl_default_dh_param;
		char *ssl_default_dh_param_path;
		char *ssl_ciphers;
		struct config_list ssl_protocols;
		char *global_options;
		char *default_options;
	} haproxy;
};

/*
 * Everything that is wrong with a file, "FILE:LINE: sentence" each, so that
 * an operator mends it in one go.  After 100 lines only their number grows.
 */
struct config_errors {
	VEC(char *) lines; /* owned */
	size_t more;	   /* errors beyond 'lines' */
};
void config_errors_fini(struct config_errors *errors);
/* Adds "FILE:LINE: ..."; line 0 is left out. */
void config_errors_add(struct config_errors *errors, const char *path,
    uint32_t line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* All lines, each ended by a newline. */
void config_errors_print(const struct config_errors *errors, struct str *out);

/* NULL with at least one line in 'errors'. */
struct daemon_config *daemon_config_load(
    const char *path, struct config_errors *errors) _warn_unused_;
struct cluster_config *cluster_config_load(
    const char *path, struct config_errors *errors) _warn_unused_;
/* The same from memory; 'path' is for messages and the default name. */
struct daemon_config *daemon_config_parse(const char *path, const char *text,
    size_t len, struct config_errors *errors) _warn_unused_;
struct cluster_config *cluster_config_parse(const char *path, const char *text,
    size_t len, struct config_errors *errors) _warn_unused_;
void daemon_config_free(struct daemon_config *c);
void cluster_config_free(struct cluster_config *c);

/* All defaults, as of an empty file. */
struct daemon_config *daemon_config_default(void);

/* The effective configuration as INI text that parses to the same. */
void daemon_config_dump(const struct daemon_config *c, struct str *out);
void cluster_config_dump(const struct cluster_config *c, struct str *out);

/* A sample file: every key commented out with its default and its help. */
void daemon_config_sample(struct str *out);
void cluster_config_sample(struct str *out);

/* bulkhead.ini(5), in mdoc. */
void config_manpage(struct str *out);

/* [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])? */
bool config_is_cluster_name(const char *s, size_t len);

#endif
