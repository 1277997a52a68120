/*
 * INI files of any bytes, both kinds.  What parses must dump, parse again and
 * dump the same; the scan and inih must never disagree.
 */
#include <string.h>

#include "config/check.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The words of load.c for a line that scan and inih see differently. */
static const char misread[] = "read reliably; write it more plainly";

static void
check_errors(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->lines.len; i++) {
		const char *line = errors->lines.at[i];
		size_t len = strlen(line), n = strlen(misread);

		must(len < n || strcmp(line + len - n, misread) != 0);
	}
	config_errors_fini(errors);
}

static void
try_cluster(const char *text, size_t len)
{
	struct config_errors errors = { 0 };
	struct cluster_config *a =
	    cluster_config_parse("fuzz.ini", text, len, &errors);
	struct cluster_config *b;
	STR_AUTO(first, 8 * CONFIG_FILE_MAX);
	STR_AUTO(second, 8 * CONFIG_FILE_MAX);

	must((a == NULL) == (errors.lines.len > 0));
	check_errors(&errors);
	if (a == NULL)
		return;
	if (cluster_config_check_run(a, &errors) != 0)
		check_errors(&errors);
	cluster_config_dump(a, &first);
	b = cluster_config_parse("fuzz.ini", first.p, first.len, &errors);
	must(b != NULL);
	cluster_config_dump(b, &second);
	must(strcmp(first.p, second.p) == 0);
	cluster_config_free(a);
	cluster_config_free(b);
}

static void
try_daemon(const char *text, size_t len)
{
	struct config_errors errors = { 0 };
	struct daemon_config *a =
	    daemon_config_parse("fuzz.ini", text, len, &errors);
	struct daemon_config *b;
	STR_AUTO(first, 8 * CONFIG_FILE_MAX);
	STR_AUTO(second, 8 * CONFIG_FILE_MAX);

	must((a == NULL) == (errors.lines.len > 0));
	check_errors(&errors);
	if (a == NULL)
		return;
	daemon_config_dump(a, &first);
	b = daemon_config_parse("fuzz.ini", first.p, first.len, &errors);
	must(b != NULL);
	daemon_config_dump(b, &second);
	must(strcmp(first.p, second.p) == 0);
	daemon_config_free(a);
	daemon_config_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= CONFIG_FILE_MAX) {
		try_cluster((const char *)data, size);
		try_daemon((const char *)data, size);
	}
	return 0;
}
