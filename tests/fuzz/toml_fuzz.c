/*
 * Interlock's TOML of any bytes: whatever parses gives files that a reader of
 * INI accepts or says, in a remark, why it does not.
 */
#include <string.h>

#include "../../proxyctl/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each file's values were tried alone: only errors across keys may be left. */
static void
check_file(const struct import *im, const struct import_file *f)
{
	struct config_errors errors = { 0 };
	size_t len = strlen(f->text);

	if (strcmp(f->name, "bulkhead.ini") == 0)
		daemon_config_free(
		    daemon_config_parse(f->name, f->text, len, &errors));
	else
		cluster_config_free(
		    cluster_config_parse(f->name, f->text, len, &errors));
	must(errors.lines.len == 0 || im->needs_human);
	must(errors.lines.len <= im->remarks.len);
	config_errors_fini(&errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e;
	struct import *im =
	    import_interlock("fuzz", (const char *)data, size, &e);

	if (im == NULL)
		return 0;
	for (size_t i = 0; i < im->files.len; i++)
		check_file(im, &im->files.at[i]);
	import_free(im);
	return 0;
}
