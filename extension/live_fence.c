/* What the live extension gives up before it opens anything. */
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "live_object.h"

#define FILES_MAX 8192

/* Writing is for three folders only, where the kernel can do that. */
void
live_fence(const struct live *l)
{
	const char *run_dir = l->options->run_dir;
	const char *name = l->config->cluster.name;
	const char *listen = l->config->control.listen;
	char *state _cleanup_free_ = xasprintf("%s/state/%s", run_dir, name);
	char *bus _cleanup_free_ = xasprintf("%s/bus/%s", run_dir, name);
	char *control _cleanup_free_ = xasprintf("%s/control", run_dir);
	char *own _cleanup_free_ = NULL;
	const char *folders[] = { state, bus, control, control };
	struct error e;
	size_t i;

	if (listen != NULL && strncmp(listen, "unix:/", 6) == 0) {
		own = xstrdup(listen + 5);
		*(strrchr(own, '/') + 1) = '\0';
		folders[3] = own;
	}
	for (i = 0; i < countof(folders); i++) {
		if (fs_mkdirs(folders[i], 0750, &e) != 0)
			log_debug("%s", e.msg);
	}
	sandbox_limit(FILES_MAX);
	/* Without [supervisor] user we may still be root. */
	if (sandbox_drop_capabilities(&e) != 0)
		log_warn("more rights than needed: %s", e.msg);
	if (sandbox_fence(folders, countof(folders), &e) != 0)
		log_info("no fence around the file system (%s): the rights of "
			 "this user are the limit",
		    e.msg);
}
