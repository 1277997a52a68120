/*
 * What is in the secrets that a service names, as far as somebody who can
 * read them has told.  See claims_judge.h.
 */
#include "claims_judge.h"

#include "base/mem.h"
#include "crypto/certificate.h"

#include <string.h>

bool
labels_secret(const struct labels *l, enum label_id id, struct secret_use *ret)
{
	switch (id) {
	case LABEL_SSL_CERT:
		*ret = (struct secret_use){ SECRET_CERTIFICATE, l->ssl_cert,
			l->ssl_key };
		break;
	case LABEL_SSL_BACKEND_CA:
		*ret = (struct secret_use){ SECRET_AUTHORITIES,
			l->ssl_backend_ca, NULL };
		break;
	case LABEL_BASIC_AUTH:
		*ret = (struct secret_use){ SECRET_PASSWORDS, l->basic_auth,
			NULL };
		break;
	default:
		return false;
	}
	return ret->name != NULL;
}

bool
accepted_secret(
    const struct accepted *a, enum label_id id, struct secret_use *ret)
{
	return (a->in_force >> id & 1) != 0 &&
	    labels_secret(&a->labels, id, ret);
}

/* What is of the host is its owner's word, what is of the route its owner's. */
static void
take_place(struct judge *j, const char *host)
{
	const struct labels *l = &j->a->labels;
	size_t i;

	if (claims_owner(j->k, j->v, host) == NULL)
		j->a->in_force |= 1ULL << LABEL_SSL_CERT;
	for (i = 0; i < l->context_roots.len; i++)
		if (claims_path_owner(
			j->k, j->v, host, l->context_roots.at[i].text) == NULL)
			j->a->in_force |= 1ULL << LABEL_SSL_BACKEND_CA |
			    1ULL << LABEL_BASIC_AUTH;
}

void
judge_in_force(struct judge *j)
{
	const struct labels *l = &j->a->labels;
	size_t i;

	for (i = 0; i < l->hosts.len; i++)
		take_place(j, l->hosts.at[i].text);
	if (l->default_backend)
		take_place(j, DEFAULT_HOST);
}

static const struct secret_fact *
fact_of(const struct judge *j, const struct secret_use *use)
{
	const struct secret_book *book = j->k->options.secrets;

	return book == NULL ? NULL : book->fact(book->arg, use);
}

static void
remark(struct judge *j, enum reject_code code, enum label_id id,
    const char *reason)
{
	finding_set(vec_add(&j->a->remarks.list), code, label_key(id),
	    label_value_offset(j->s, id), NULL, "%s", reason);
}

/* Hosts of its own that clients will not believe the certificate for. */
static void
remark_names(struct judge *j, const struct secret_fact *fact)
{
	const struct labels *l = &j->a->labels;
	STR_AUTO(reason, 2048);
	size_t i, missing = 0;

	if (!fact->all_names)
		return;
	for (i = 0; i < l->hosts.len; i++) {
		const char *host = l->hosts.at[i].text;

		if (claims_owner(j->k, j->v, host) != NULL ||
		    certificate_names_cover((const char *const *)fact->names.at,
			fact->names.len, host))
			continue;
		if (missing++ < 4)
			str_addf(
			    &reason, "%s%s", missing == 1 ? "" : ", ", host);
	}
	if (missing == 0)
		return;
	if (missing > 4)
		str_addf(&reason, " and %zu more", missing - 4);
	str_addf(&reason,
	    ": not in certificate %s, clients will refuse the connection",
	    l->ssl_cert);
	remark(j, REJECT_CERTIFICATE_NAME, LABEL_SSL_CERT, reason.p);
}

static enum reject_code
code_of(const struct secret_fact *fact, enum label_id id)
{
	if (fact->state == SECRET_MISSING)
		return REJECT_NO_SUCH_SECRET;
	/* A file that cannot be read is all that can be wrong with it. */
	return id == LABEL_BASIC_AUTH ? REJECT_BAD_VALUE
				      : REJECT_BAD_CERTIFICATE;
}

/*
 * Whether a secret that no label names any more may be used on.  The reader may
 * not tell of it then: the gate decides, and agents tell whether it is there.
 */
static bool
may_serve_on(const struct judge *j, enum label_id id, const char *name)
{
	struct finding f = { 0 };

	if (name == NULL || map_get(&j->k->model->secrets, name) == NULL)
		return true;
	if (claims_check_secret(j->k, j->s, id, name, &f) == 0)
		return true;
	finding_fini(&f);
	return false;
}

static void
put_last_good(struct judge *j, enum label_id id, const struct secret_use *last)
{
	struct labels *l = &j->a->labels;
	char **to = id == LABEL_SSL_CERT ? &l->ssl_cert
	    : id == LABEL_BASIC_AUTH	 ? &l->basic_auth
					 : &l->ssl_backend_ca;

	free(*to);
	*to = xstrdup(last->name);
	if (id != LABEL_SSL_CERT)
		return;
	free(l->ssl_key);
	l->ssl_key = last->key == NULL ? NULL : xstrdup(last->key);
	j->a->last_good_certificate = true;
}

/*
 * Whether what served last can serve on; it does, then.  Who may log in, and
 * whom to believe, only until the new file is there: not where it is bad.
 */
static bool
take_last_good(struct judge *j, enum label_id id, enum label_id at,
    const struct secret_use *use, const struct secret_fact *bad)
{
	const struct secret_book *book = j->k->options.secrets;
	const struct secret_fact *fact;
	const struct secret_use *last;
	char *reason _cleanup_free_ = NULL;

	if (book->last_good == NULL ||
	    (id != LABEL_SSL_CERT && bad->state != SECRET_MISSING))
		return false;
	last = book->last_good(book->arg, j->s->id, use->kind);
	if (last == NULL)
		return false;
	fact = fact_of(j, last);
	if (fact != NULL && fact->state != SECRET_GOOD && !fact->kept)
		return false;
	if (!may_serve_on(j, id, last->name) ||
	    !may_serve_on(j, LABEL_SSL_KEY, last->key))
		return false;
	reason = xasprintf("%s; the last good %s, %s, serves on", bad->reason,
	    id == LABEL_SSL_CERT ? "certificate" : "one", last->name);
	remark(j, code_of(bad, id), at, reason);
	put_last_good(j, id, last);
	return true;
}

static void
judge_content(struct judge *j, enum label_id id)
{
	const struct secret_fact *fact;
	struct secret_use use;
	enum label_id at = id;

	if (!accepted_secret(j->a, id, &use))
		return;
	/* A key whose label did not parse is at fault itself. */
	if (id == LABEL_SSL_CERT && use.key == NULL &&
	    label_given(&j->a->labels, LABEL_SSL_KEY))
		return;
	fact = fact_of(j, &use);
	if (fact == NULL)
		return;
	if (fact->in_key && use.key != NULL)
		at = LABEL_SSL_KEY;
	if (fact->state != SECRET_GOOD && fact->kept) {
		char *reason _cleanup_free_ = xasprintf(
		    "%s; what the proxies had before serves on", fact->reason);

		remark(j, code_of(fact, id), at, reason);
		return;
	}
	if (fact->state != SECRET_GOOD &&
	    take_last_good(j, id, at, &use, fact)) {
		(void)labels_secret(&j->a->labels, id, &use);
		fact = fact_of(j, &use);
		if (fact == NULL || fact->kept)
			return;
	}
	if (fact->state != SECRET_GOOD) {
		if (!judge_is_settled(j, (int)at))
			finding_set(judge_fault(j, (int)at), code_of(fact, id),
			    label_key(at), label_value_offset(j->s, at), NULL,
			    "%s", fact->reason);
		return;
	}
	if (fact->remark != NULL)
		remark(j,
		    id == LABEL_BASIC_AUTH ? REJECT_BAD_VALUE
					   : REJECT_CERTIFICATE_EXPIRES,
		    id, fact->remark);
	if (id == LABEL_SSL_CERT)
		remark_names(j, fact);
}

void
judge_contents(struct judge *j)
{
	judge_content(j, LABEL_SSL_CERT);
	judge_content(j, LABEL_SSL_BACKEND_CA);
	judge_content(j, LABEL_BASIC_AUTH);
}
