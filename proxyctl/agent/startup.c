/* What nginx serves when a worker starts: see startup.h. */
#include "startup.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "procs.h"

#define SETTLE_MS 3000

static void
finish(struct startup *s, bool same)
{
	startup_fn *done = s->done;

	startup_fini(s);
	done(s->arg, same);
}

static void
on_proof(
    void *arg, uint64_t live_us, uint64_t settled_us, const struct error *e)
{
	(void)live_us;
	(void)settled_us;
	finish(arg, e == NULL);
}

static void
on_answer(void *arg, const char *answer, const struct error *e)
{
	struct startup *s = arg;
	struct procs none = { 0 };

	(void)e;
	if (answer == NULL || strcmp(answer, s->fragments->proof) != 0) {
		finish(s, false);
		return;
	}
	proof_start(s->proof,
	    &(struct proof_case){
		.expected = s->fragments->proof,
		.before = &none,
		.master = s->master,
		.workers = s->fragments->workers,
		.deadline_ms = SETTLE_MS,
	    },
	    on_proof, s);
}

void
startup_ask(struct startup *s, struct proof *proof,
    const struct agent_options *o, struct folder *folder,
    const struct manifest *m, int master, startup_fn *done, void *arg)
{
	must(s->done == NULL);
	*s = (struct startup){
		.proof = proof,
		.fragments =
		    engine_nginx_fragments(o, m, folder_uses_status(folder, m)),
		.master = master,
		.done = done,
		.arg = arg,
	};
	proof_ask(proof, on_answer, s);
}

bool
startup_asking(const struct startup *s)
{
	return s->done != NULL;
}

void
startup_fini(struct startup *s)
{
	fragments_free(s->fragments);
	s->fragments = NULL;
	s->done = NULL;
}
