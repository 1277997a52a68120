/*
 * What the reader knows of the Swarm: every labelled service with its tasks,
 * networks, nodes, secrets and configs.  Pure: fed with batches of what was
 * asked of the Engine, it says what changed.
 *
 * Only tasks whose desired state is running are kept: nothing else is ever
 * routed.
 */
#ifndef SUPERVISOR_READER_SWARM_H
#define SUPERVISOR_READER_SWARM_H

#include "base/map.h"
#include "base/vec.h"
#include "docker/watch_message.h"
#include "model/model.h"

#include <stdbool.h>
#include <stdint.h>

/* Beside a service in the model. */
struct swarm_service {
	uint64_t moved_ms; /* when something of it changed last */
	bool updating;	   /* the Engine rolls an update out */
};

/* Answers that would take much away, and how often the same came. */
struct doubt {
	char *ids; /* the services in question; NULL: no doubt */
	unsigned times;
	uint64_t since_ms;
};

struct swarm {
	struct model *model; /* 'bad' is everything odd now */
	struct map services; /* ID -> struct swarm_service *, owned */
	/*
	 * Set of IDs: those that moved since swarm_moving() saw them settled.
	 * What it costs to look is in proportion to these.
	 */
	struct map restless;
	struct map regress; /* "KIND ID" -> how many answers were older */
	/*
	 * Task ID -> when Watch said that it shall not run any more.  States
	 * only grow: an answer that was on its way does not bring it back.
	 */
	struct map left;
	bool complete;	    /* a whole list of everything was taken */
	struct doubt doubt; /* reader_doubt */
};

void swarm_init(struct swarm *s);
void swarm_fini(struct swarm *s);

/* What was asked, and everything that came for it. */
struct swarm_batch {
	bool all_services;
	bool all_tasks;
	bool networks, nodes, secrets, configs; /* whole lists */
	bool manager;		 /* the node says that it is one */
	struct map asked;	 /* service IDs asked one by one */
	struct map asked_tasks;	 /* service IDs whose tasks were asked */
	struct map gone;	 /* service IDs that a 404 or event removed */
	struct map except;	 /* service IDs that were looked at since */
	struct map except_tasks; /* ... or whose tasks alone were */
	struct model *in;	 /* owned; services, networks ..., bad */
	struct map tasks;	 /* ID -> struct task *, owned */
	struct map updating;	 /* IDs of services with an update under way */
	struct map commits;	 /* ID -> UpdatedAt in us, as uintptr_t */
};
void swarm_batch_init(struct swarm_batch *b);
void swarm_batch_fini(struct swarm_batch *b);
/* One object of an answer, by the kind of its list. */
void swarm_batch_service(struct swarm_batch *b, const char *json, size_t len);
void swarm_batch_task(struct swarm_batch *b, const char *json, size_t len);
void swarm_batch_network(struct swarm_batch *b, const char *json, size_t len);
void swarm_batch_node(struct swarm_batch *b, const char *json, size_t len);
void swarm_batch_secret(struct swarm_batch *b, const char *json, size_t len);
void swarm_batch_config(struct swarm_batch *b, const char *json, size_t len);
/* One that was too large to be handed over whole. */
void swarm_batch_skipped(
    struct swarm_batch *b, const char *kind, const char *json, size_t len);

/*
 * What was looked at while this whole list was on its way is known better: the
 * services 'ids', the tasks of 'task_ids', and the lists of other objects that
 * are set.
 */
struct swarm_newer {
	struct map ids;
	struct map task_ids;
	bool networks, nodes, secrets, configs;
};
void swarm_newer_clear(struct swarm_newer *n);
void swarm_batch_except(struct swarm_batch *b, const struct swarm_newer *n);
/* The same for services alone, while the batch is being taken. */
void swarm_batch_newer(struct swarm_batch *b, const struct swarm_newer *n);

struct swarm_changes {
	VEC(char *) services; /* IDs, new or changed; owned */
	VEC(char *) removed;  /* IDs, owned */
	bool objects;	      /* networks, nodes, secrets or configs */
	bool bad;	      /* the list of odd objects */
	bool confirm;	      /* ask for all services again, in 2 s or so */
	bool missed;	      /* a whole list showed what no event had told */
	/* Service ID -> the Engine's time of its oldest change, us. */
	struct map commits;
};
/* It is empty afterwards. */
void swarm_changes_fini(struct swarm_changes *c);
/* Adds a service that is not there yet; 'commit_us' as for _commit. */
void swarm_changes_add(
    struct swarm_changes *c, const char *service_id, uint64_t commit_us);
/* Notes when the Engine made a change of a service; 0: unknown. */
void swarm_changes_commit_at(
    struct swarm_changes *c, const char *service_id, uint64_t commit_us);
/* When the oldest change of this service was made, by the Engine's clock. */
uint64_t
swarm_changes_commit(const struct swarm_changes *c, const char *service_id);

/*
 * Takes a batch that arrived whole; what is in it is moved out.  'dirty' (IDs,
 * may be NULL) is what events had told.
 */
void swarm_apply(struct swarm *s, struct swarm_batch *b,
    const struct map *dirty, uint64_t now_ms, struct swarm_changes *ret);
/*
 * The same in steps, for what is large: swarm_take_some() until it gives
 * false.  What Watch and other looks tell in between is taken as ever, and
 * stays where swarm_batch_newer() says so before the next step.  A step works
 * on about SWARM_STEP objects; 'ret' gathers over the steps, or is handed out
 * and empty again.  In the last step no service is new or changed but those
 * that nobody was told of before the first whole list.
 */
#define SWARM_STEP 1000
struct applying;
struct applying *
swarm_take(struct swarm *s, struct swarm_batch *b, uint64_t now_ms);
bool swarm_take_some(
    struct applying *a, const struct map *dirty, struct swarm_changes *ret);
void swarm_take_free(struct applying *a);

enum swarm_told {
	SWARM_NOTHING, /* nothing that routing would see */
	SWARM_CHANGED, /* it was taken, and is in 'ret' */
	SWARM_LOOK,    /* the tasks of its service have to be listed */
	SWARM_UNKNOWN, /* of no service that is known */
};
/*
 * A task's change as Watch tells it (reader_told.c).  What takes a task away
 * is taken at once; for what brings one its service's tasks have to be
 * listed.  'ret' gathers over several calls.
 */
enum swarm_told swarm_tell_task(struct swarm *s, const struct watch_event *ev,
    uint64_t now_ms, struct swarm_changes *ret);
/*
 * Whether what Watch tells takes a service's last upstream away, though that
 * still runs: Swarm sends its stop signal 2 s after this at the earliest
 * (measured).
 */
bool swarm_is_last_task(const struct swarm *s, const struct watch_event *ev);
/* Whether Watch said not long ago that this task is to go. */
bool
swarm_task_left(const struct swarm *s, const char *task_id, uint64_t now_ms);

/* How many of its tasks can be routed to. */
size_t swarm_routable(const struct service *s);
/* For so long after a change a service is looked at, settled or not. */
#define SWARM_JUST_MS 2000
/*
 * The services whose tasks may change any time now: IDs into 'ret' (a set).
 * Gives how soon to look again, at most 'slow_ms'.
 */
uint64_t swarm_moving(
    struct swarm *s, uint64_t now_ms, uint64_t slow_ms, struct map *ret);

#endif
