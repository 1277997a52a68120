/*
 * Grammar of single INI values: whole strings by (pointer, length), by
 * allow-lists.  Used by the key table; config_listen_parse() also by the
 * programs that open or dial what a key names.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_UNIX_MAX 107

struct config_listen {
	bool is_unix;
	char host[254]; /* "" = every address; IPv6 without brackets; a path */
	uint16_t port;
};

/*
 * "HOST:PORT", "[IPV6]:PORT", "*:PORT" or ":PORT", and "unix:PATH" where
 * 'unix_allowed'.
 */
int config_listen_parse(const char *s, size_t len, bool unix_allowed,
    struct config_listen *ret, struct error *e) _warn_unused_;

/* Checks for the key table: 0, or -1 with a sentence. */
int config_check_any(const char *s, size_t len, struct error *e);
int config_check_path(const char *s, size_t len, struct error *e);
int config_check_path_or_off(const char *s, size_t len, struct error *e);
int config_check_error_log(const char *s, size_t len, struct error *e);
int config_check_watch(const char *s, size_t len, struct error *e);
int config_check_docker_url(const char *s, size_t len, struct error *e);
int config_check_api_version(const char *s, size_t len, struct error *e);
int config_check_user(const char *s, size_t len, struct error *e);
int config_check_listen(const char *s, size_t len, struct error *e);
int config_check_listen_unix(const char *s, size_t len, struct error *e);
int config_check_address(const char *s, size_t len, struct error *e);
int config_check_cidr(const char *s, size_t len, struct error *e);
int config_check_control_url(const char *s, size_t len, struct error *e);
int config_check_cluster_name(const char *s, size_t len, struct error *e);
int config_check_service(const char *s, size_t len, struct error *e);
int config_check_network(const char *s, size_t len, struct error *e);
int config_check_secret(const char *s, size_t len, struct error *e);
int config_check_image(const char *s, size_t len, struct error *e);
int config_check_allowed_host(const char *s, size_t len, struct error *e);
int config_check_constraint(const char *s, size_t len, struct error *e);
int config_check_preference(const char *s, size_t len, struct error *e);
int config_check_cpu(const char *s, size_t len, struct error *e);
int config_check_ciphers(const char *s, size_t len, struct error *e);
int config_check_protocol(const char *s, size_t len, struct error *e);
int config_check_words(const char *s, size_t len, struct error *e);
int config_check_label_name(const char *s, size_t len, struct error *e);
int config_check_env_name(const char *s, size_t len, struct error *e);

#endif
