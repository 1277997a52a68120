/* proxyctl import: Interlock's TOML to INI files, with an account. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "commands.h"
#include "import.h"

struct options {
	const char *source;
	const char *out;
	bool force;
};

static int
parse_options(int argc, char **argv, struct options *ret)
{
	struct options o = { .out = "." };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--force") == 0) {
			o.force = true;
		} else if (strcmp(argv[i], "--out") == 0) {
			if (i + 1 == argc)
				return command_usage(
				    "import", "--out needs a folder");
			o.out = argv[++i];
		} else if (strncmp(argv[i], "--out=", 6) == 0) {
			o.out = argv[i] + 6;
		} else if (argv[i][0] == '-' && argv[i][1] != '\0') {
			return command_usage(
			    "import", "unknown option %s", argv[i]);
		} else if (o.source != NULL) {
			return command_usage("import", "one file at a time");
		} else {
			o.source = argv[i];
		}
	}
	if (o.source == NULL)
		return command_usage("import", "a file is missing");
	*ret = o;
	return 0;
}

/* Refuses to replace what is there, before anything is written. */
static int
check_free(const struct import *im, const struct options *o, struct error *e)
{
	for (size_t i = 0; i < im->files.len && !o->force; i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s", o->out, im->files.at[i].name);

		if (access(path, F_OK) == 0)
			return error_set(e, EEXIST,
			    "%s is there already; nothing was written (--force"
			    " replaces, --out writes elsewhere)",
			    path);
	}
	return 0;
}

static int
write_files(const struct import *im, const struct options *o, struct error *e)
{
	char *folder _cleanup_free_ = xasprintf("%s/clusters.d", o->out);

	if (fs_mkdirs(folder, 0755, e) != 0)
		return -1;
	for (size_t i = 0; i < im->files.len; i++) {
		const struct import_file *f = &im->files.at[i];
		char *path _cleanup_free_ = xasprintf("%s/%s", o->out, f->name);

		if (fs_write(path, f->text, strlen(f->text), 0644, e) != 0)
			return -1;
	}
	return 0;
}

static int
import(const struct cli *cli, const struct options *o, struct error *e)
{
	bool standard_input = strcmp(o->source, "-") == 0;
	const char *source = standard_input ? "standard input" : o->source;
	STR_AUTO(text, TOML_MAX);
	STR_AUTO(account, 64 * TOML_MAX);
	struct import *im;
	int code = CTL_NO;

	if (fs_read(standard_input ? "/dev/stdin" : source, &text, e) != 0)
		return -1;
	im = import_interlock(source, text.p, text.len, e);
	if (im == NULL)
		return error_wrap(e, "%s", source);
	if (check_free(im, o, e) != 0 || write_files(im, o, e) != 0) {
		import_free(im);
		return -1;
	}
	if (cli->json)
		import_print_json(im, &account);
	else
		import_print(im, &account);
	fputs(account.p, stdout);
	for (size_t i = 0; i < im->files.len && !cli->json; i++)
		printf("written: %s/%s\n", o->out, im->files.at[i].name);
	code = im->needs_human ? CTL_NO : CTL_OK;
	import_free(im);
	return code;
}

int
cmd_import(const struct cli *cli, int argc, char **argv)
{
	struct options o = { 0 };
	struct error e;
	int code = parse_options(argc, argv, &o);

	if (code != 0)
		return code;
	code = import(cli, &o, &e);
	if (code >= 0)
		return code;
	fprintf(stderr, "proxyctl import: %s\n", e.msg);
	return CTL_NO;
}
