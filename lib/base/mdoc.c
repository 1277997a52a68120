/* Running text of manual pages: see mdoc.h. */
#include "base/mdoc.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define COLUMNS 76

/* One word of running text: nothing in it is markup. */
static void
add_word(struct str *out, const char *s, size_t len, bool at_start)
{
	if (at_start && (s[0] == '.' || s[0] == '\''))
		str_add(out, "\\&");
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\\')
			str_add(out, "\\e");
		else
			str_addc(out, s[i]);
	}
}

void
mdoc_add_text(struct str *out, const char *s)
{
	size_t column = 0;

	while (*s != '\0') {
		size_t n = strcspn(s, " ");
		bool end = n > 1 && s[n - 1] == '.' && s[n] == ' ' &&
		    isupper((unsigned char)s[n + 1]);

		if (column > 0 && column + 1 + n > COLUMNS) {
			str_addc(out, '\n');
			column = 0;
		}
		if (column > 0)
			str_addc(out, ' ');
		add_word(out, s, n, column == 0);
		column += n + (column > 0);
		if (end) {
			str_addc(out, '\n');
			column = 0;
		}
		s += n + (s[n] == ' ');
	}
	if (column > 0)
		str_addc(out, '\n');
}
