/*
 * Services that are set aside because an engine refuses them, or because they
 * end the extension: kept until they change, also across restarts
 * (run_dir/state/NAME/aside.json).
 */
#ifndef EXTENSION_ASIDE_H
#define EXTENSION_ASIDE_H

#include "base/error.h"
#include "base/sha256.h"
#include "routing.h"
#include "served.h"

struct aside_entry {
	char *service_id;
	char *signature; /* of the service as it was then */
	char *proxy;	 /* where it was refused; NULL: not by an engine */
	char *words;
	bool keeps; /* has labels that were in force before */
	struct label_copy labels;
	struct service instead; /* the service with those; not owned */
	struct set_aside verdict;
};

/* A zeroed struct has nobody. */
struct aside {
	struct map entries;  /* service ID -> struct aside_entry *, owned */
	struct map verdicts; /* the same, for routing_options.set_aside */
};

void aside_fini(struct aside *a);
/*
 * 'proxy' refuses 's' with 'words'.  'kept' are labels to put in its place;
 * they do not count when they are the ones that are refused.
 */
void aside_refused(struct aside *a, const struct service *s, const char *proxy,
    const char *words, const struct label_copy *kept);
/* Working on 's' ends the extension. */
void aside_deadly(struct aside *a, const struct service *s);
bool aside_remove(struct aside *a, const char *id);
/*
 * Makes the verdicts those for 'm': before each routing_build(), after the
 * routing before was freed.  Services that changed or are gone are let out;
 * returns how many.
 */
size_t aside_refresh(struct aside *a, const struct model *m);
/*
 * All that is about a service but its tasks and addresses, as one name: a new
 * one means that it is worth another try.
 */
void aside_signature(const struct service *s, char ret[SHA256_HEX_SIZE]);

int aside_store(
    const struct aside *a, const char *path, struct error *e) _warn_unused_;
/* What is damaged or absent is nobody. */
void aside_load(struct aside *a, const char *path);

#endif
