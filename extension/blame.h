/*
 * Which services an engine refuses, found by as few checks as can be: pure
 * decisions, no configuration is made here.
 *
 * The caller has a configuration that was refused and suspects in it.  It
 * renders what blame asks for (everybody else, and those suspects for which
 * blame_includes() is true), lets an engine check it, and tells the verdict;
 * until the state is no longer BLAME_TESTING.  Groups that are refused are
 * halved; what was accepted stays in for the tests that follow, so that of
 * two that are refused only together the later one is blamed.  Nobody is
 * convicted before the same engine has accepted something: a full disk must
 * not look like a bad service.
 */
#ifndef EXTENSION_BLAME_H
#define EXTENSION_BLAME_H

#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

/* Past so many tests all that are still under suspicion are convicted. */
#define BLAME_TESTS_MAX 100

enum blame_state {
	BLAME_TESTING,
	BLAME_DONE,	/* convicted suspects are to be set aside */
	BLAME_NOT_THEM, /* without any of them it is refused all the same */
};

struct blame_suspect {
	char *id;   /* of a service; owned */
	bool named; /* the engine's words point at it */
	bool good;
	bool dropped;
	bool convicted;
	char *words; /* owned; the engine's, on the convicted */
};

struct blame_group {
	size_t from, to; /* suspects */
};

struct blame {
	VEC(struct blame_suspect) suspects; /* the named last */
	VEC(struct blame_group) groups;	    /* the last is tested next */
	char *words;			    /* on all of them together; owned */
	bool all_known; /* all of them together are refused: no test needed */
	bool sound;	/* something was accepted */
	bool control;	/* the test under way is that without any suspect */
	bool pending;	/* the last group's verdict waits for the control */
	char *pending_words;
	unsigned tests;
	enum blame_state state;
};

/* In order of age; 'named' ones are tested last. */
void blame_add(struct blame *b, const char *id, bool named);
/*
 * After the last blame_add() on a zeroed struct.  'words' is what the engine
 * said; 'all_known': it said so of all the suspects together with what is
 * there besides.
 */
void blame_start(struct blame *b, const char *words, bool all_known);
void blame_fini(struct blame *b);

/* Whether suspect 'i' takes part in the test that is asked for. */
bool blame_includes(const struct blame *b, size_t i);
/* The verdict on that test; 'words' may be NULL unless refused. */
void blame_verdict(struct blame *b, bool refused, const char *words);
/*
 * Not the same service any more: neither tested further nor convicted.  A
 * test under way is void: render anew.  False: no suspect has that ID.
 */
bool blame_drop(struct blame *b, const char *id);

#endif
