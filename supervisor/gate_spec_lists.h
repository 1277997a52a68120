/*
 * The lists in a proxy service's spec, each laid over what is there.  For
 * gate_spec.c alone.
 */
#ifndef SUPERVISOR_GATE_SPEC_LISTS_H
#define SUPERVISOR_GATE_SPEC_LISTS_H

#include "base/str.h"
#include "config/config.h"
#include "gate_spec.h"

struct json_t;

/*
 * Sets the pairs in the object of labels; what the INI named before ('was',
 * words KIND:KEY) and does not any more goes.  Adds its own words to 'set'.
 */
void gate_lists_pairs(struct json_t *labels, const struct config_pairs *pairs,
    const char *kind, const char *was, struct str *set);
/* The same for "KEY=VALUE" in container.Env. */
void gate_lists_env(struct json_t *container, const struct config_pairs *pairs,
    const char *was, struct str *set);
/* A folder in memory at 'target', beside other mounts. */
void gate_lists_mount(struct json_t *container, const char *target);
/* Exactly the secrets, and the configs, of 'w'. */
void gate_lists_secrets(struct json_t *container, const struct gate_wish *w);
void gate_lists_configs(struct json_t *container, const struct gate_wish *w);
/* Exactly its networks; those that are there keep their place. */
void gate_lists_networks(struct json_t *template, const struct gate_wish *w);
struct json_t *gate_lists_texts(const struct config_list *list);
struct json_t *gate_lists_preferences(const struct config_list *list);

#endif
