/*
 * Objects as SwarmKit has them, in protocol buffers: the members that a
 * router could want, with the field numbers of moby/swarmkit.
 */
#include "sim_watch.h"

#include "docker/proto.h"
#include "sim_net.h"

#define OBJECT_MAX ((size_t)4 * 1024 * 1024)

/* Nothing for 0, as SwarmKit's encoder does. */
static void
add_number(struct str *out, uint32_t field, uint64_t value)
{
	if (value != 0)
		proto_add_number(out, field, value);
}

static void
add_text(struct str *out, uint32_t field, const char *text)
{
	if (text != NULL && text[0] != '\0')
		proto_add_text(out, field, text);
}

static void
add_part(struct str *out, uint32_t field, const struct str *part)
{
	proto_add_bytes(out, field, part->p, part->len);
}

static void
add_time(struct str *out, uint32_t field, int64_t ns)
{
	STR_AUTO(time, 64);

	add_number(&time, 1, (uint64_t)(ns / 1000000000));
	add_number(&time, 2, (uint64_t)(ns % 1000000000));
	add_part(out, field, &time);
}

static void
add_meta(struct str *out, const struct sim_object *o)
{
	STR_AUTO(meta, 256);
	STR_AUTO(version, 64);

	add_number(&version, 1, o->version);
	add_part(&meta, 1, &version);
	add_time(&meta, 2, o->created_ns);
	add_time(&meta, 3, o->updated_ns);
	add_part(out, 2, &meta);
}

/* Annotations {name=1}. */
static void
add_annotations(struct str *out, uint32_t field, const char *name)
{
	STR_AUTO(annotations, 65536);

	add_text(&annotations, 1, name);
	add_part(out, field, &annotations);
}

/* TaskStatus {timestamp=1, state=2, message=3, err=4}. */
static void
add_status(struct str *out, const struct sim_task *t)
{
	STR_AUTO(status, 65536);

	add_time(&status, 1, t->status_ns);
	add_number(&status, 2, t->state);
	add_text(&status, 3, t->message);
	add_text(&status, 4, t->err);
	add_part(out, 9, &status);
}

/* NetworkAttachment {network=1 {id=1}, addresses=2}. */
static void
add_networks(struct str *out, const struct sim_task *t)
{
	for (size_t i = 0; i < t->addresses.len; i++) {
		const struct sim_address *a = &t->addresses.at[i];
		char text[16], address[24];
		STR_AUTO(attachment, 1024);
		STR_AUTO(network, 512);

		(void)snprintf(address, sizeof(address), "%s/%u",
		    sim_net_text(a->address, text), a->network->prefix);
		add_text(&network, 1, a->network->o.id);
		add_part(&attachment, 1, &network);
		add_text(&attachment, 2, address);
		add_part(out, 11, &attachment);
	}
}

static void
add_task(struct str *out, const struct sim_task *t)
{
	STR_AUTO(spec, 64);

	add_part(out, 3, &spec);
	add_text(out, 4, t->service_id);
	add_number(out, 5, t->slot);
	if (t->node != NULL)
		add_text(out, 6, t->node->o.id);
	add_annotations(out, 7, NULL);
	add_annotations(out, 8, t->service_name);
	add_status(out, t);
	add_number(out, 10, t->desired);
	add_networks(out, t);
}

static void
add_spec(struct str *out, const struct sim_object *o)
{
	STR_AUTO(spec, 65536);

	add_annotations(&spec, 1, o->name);
	add_part(out, 3, &spec);
}

void
sim_watch_encode_event(
    struct str *out, const struct sim_object *o, unsigned action)
{
	static const uint32_t fields[SIM_KINDS] = {
		[SIM_NODE] = 1,
		[SIM_SERVICE] = 2,
		[SIM_NETWORK] = 3,
		[SIM_TASK] = 4,
		[SIM_SECRET] = 6,
		[SIM_CONFIG] = 9,
	};
	STR_AUTO(object, OBJECT_MAX);
	STR_AUTO(choice, OBJECT_MAX);
	STR_AUTO(event, OBJECT_MAX);

	add_text(&object, 1, o->id);
	add_meta(&object, o);
	if (o->kind == SIM_TASK)
		add_task(&object, (const struct sim_task *)(const void *)o);
	else
		add_spec(&object, o);
	add_part(&choice, fields[o->kind], &object);
	add_number(&event, 1, action);
	add_part(&event, 2, &choice);
	add_part(out, 1, &event);
}
