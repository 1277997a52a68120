/* Files of one configuration, written one by one.  Used by render.c. */
#ifndef EXTENSION_RENDER_WRITE_H
#define EXTENSION_RENDER_WRITE_H

#include "nginx_context.h"
#include "render.h"

struct file_list {
	VEC(struct rendered_file *) files; /* each used once here */
	/* What is equal to a file of this one is shared with it; or NULL. */
	const struct rendered *last;
	struct error first; /* the first refusal of an emitter */
};

void file_list_fini(struct file_list *l);
/* By path. */
void file_list_sort(struct file_list *l);
/* The files of a site; none of the default backend's, which is common. */
void render_site(struct file_list *l, const struct nginx_context *x,
    const struct nginx_site *s);
/* What is not of a site. */
void render_common(struct file_list *l, const struct nginx_context *x);

#endif
