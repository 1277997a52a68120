/* The account of an import, for people and as JSON. */
#include "import.h"

#include "base/mem.h"

const char *
import_action_name(enum import_action action)
{
	static const char *const names[] = { "taken", "default", "dropped",
		"unknown", "bad" };

	must((size_t)action < countof(names));
	return names[action];
}

void
import_free(struct import *im)
{
	if (im == NULL)
		return;
	for (size_t i = 0; i < im->records.len; i++) {
		struct import_record *r = &im->records.at[i];

		free(r->key);
		free(r->value);
		free(r->file);
		free(r->target);
		free(r->note);
	}
	for (size_t i = 0; i < im->files.len; i++) {
		free(im->files.at[i].name);
		free(im->files.at[i].text);
	}
	for (size_t i = 0; i < im->remarks.len; i++)
		free(im->remarks.at[i]);
	vec_fini(&im->records);
	vec_fini(&im->files);
	vec_fini(&im->remarks);
	free(im);
}

void
import_print(const struct import *im, struct str *out)
{
	for (size_t i = 0; i < im->records.len; i++) {
		const struct import_record *r = &im->records.at[i];

		str_addf(out, "line %u: %s = %s\n    %s", r->line, r->key,
		    r->value, import_action_name(r->action));
		if (r->target != NULL)
			str_addf(out, ": %s %s", r->file, r->target);
		if (r->note != NULL)
			str_addf(out, "%s%s", r->target != NULL ? "; " : ": ",
			    r->note);
		str_addc(out, '\n');
	}
	for (size_t i = 0; i < im->remarks.len; i++)
		str_addf(out, "to do: %s\n", im->remarks.at[i]);
}

static void
add_member(struct str *out, const char *name, const char *value)
{
	str_addf(out, ",\"%s\":", name);
	if (value == NULL)
		str_add(out, "null");
	else
		str_add_json(out, value, strlen(value));
}

void
import_print_json(const struct import *im, struct str *out)
{
	str_add(out, "{\"records\":[");
	for (size_t i = 0; i < im->records.len; i++) {
		const struct import_record *r = &im->records.at[i];

		str_addf(out, "%s{\"line\":%u", i > 0 ? "," : "", r->line);
		add_member(out, "key", r->key);
		add_member(out, "value", r->value);
		add_member(out, "action", import_action_name(r->action));
		add_member(out, "file", r->file);
		add_member(out, "target", r->target);
		add_member(out, "note", r->note);
		str_addc(out, '}');
	}
	str_add(out, "],\"files\":[");
	for (size_t i = 0; i < im->files.len; i++) {
		const char *name = im->files.at[i].name;

		str_add(out, i > 0 ? "," : "");
		str_add_json(out, name, strlen(name));
	}
	str_add(out, "],\"remarks\":[");
	for (size_t i = 0; i < im->remarks.len; i++) {
		const char *text = im->remarks.at[i];

		str_add(out, i > 0 ? "," : "");
		str_add_json(out, text, strlen(text));
	}
	str_add(out, "]}\n");
}
