/* Running our other programs: see sibling.h. */
#include "sibling.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void
sibling_exec(const char *program, char **argv)
{
	static const char *const places[] = { "", "../sbin/", "../bin/" };
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	if (len < 0) {
		perror("proxyctl: /proc/self/exe");
		return;
	}
	self[len] = '\0';
	*strrchr(self, '/') = '\0';
	for (i = 0; i < countof(places); i++) {
		char *path _cleanup_free_ =
		    xasprintf("%s/%s%s", self, places[i], program);

		argv[0] = path;
		if (access(path, X_OK) != 0)
			continue;
		(void)execv(path, argv);
		fprintf(stderr, "proxyctl: %s: %s\n", path, strerror(errno));
		return;
	}
	fprintf(stderr,
	    "proxyctl: %s is neither in %s nor in ../sbin; install it there\n",
	    program, self);
}
