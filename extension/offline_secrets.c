/* Secrets as an operator has them: see offline_secrets.h. */
#include "offline_secrets.h"

#include "base/mem.h"

static const struct secret_fact *
get(void *arg, const struct secret_use *use)
{
	struct offline_secrets *s = arg;
	struct secret_file file, key = { 0 };
	struct secret_fact *fact;
	char id[SECRET_ID_SIZE];

	secret_use_id(use, id);
	fact = map_get(&s->facts, id);
	if (fact != NULL)
		return fact;
	fact = xcalloc(1, sizeof(*fact));
	(void)map_set(&s->facts, id, fact);
	secret_file_read(s->dir, use->name, &file);
	if (use->key != NULL)
		secret_file_read(s->dir, use->key, &key);
	secret_judge(
	    use, &file, use->key == NULL ? NULL : &key, s->now_s, fact);
	secret_file_fini(&file);
	secret_file_fini(&key);
	return fact;
}

void
offline_secrets_init(struct offline_secrets *s, const char *dir, int64_t now_s)
{
	*s = (struct offline_secrets){ .dir = dir, .now_s = now_s };
	s->book = (struct secret_book){ .fact = get, .arg = s };
}

void
offline_secrets_fini(struct offline_secrets *s)
{
	struct map_entry *e;
	size_t i;

	for (i = 0; (e = map_next(&s->facts, &i)) != NULL;) {
		secret_fact_fini(e->value);
		free(e->value);
	}
	map_fini(&s->facts);
}
