/* SPDX-License-Identifier: GPL-2.0-only */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/smtp_reply.h"

void golden_open(struct golden *golden, const char *name)
{
	char path[256];

	*golden = (struct golden){0};
	(void)snprintf(path, sizeof(path), "tests/golden/%s", name);
	golden->file = fopen(path, "r");
	if (!golden->file)
		fail_msg("%s: not here; run from the top of the tree", path);
}

bool golden_next(struct golden *golden)
{
	while (fgets(golden->text, sizeof(golden->text), golden->file)) {
		char *rest = golden->text;

		golden->line++;
		golden->text[strcspn(golden->text, "\n")] = '\0';
		if (golden->text[0] == '#' || golden->text[0] == '\0')
			continue;
		golden->fields = 0;
		while (rest && golden->fields < GOLDEN_FIELDS_MAX)
			golden->field[golden->fields++] = strsep(&rest, "\t");
		return true;
	}
	(void)fclose(golden->file); /* only read from */
	return false;
}

void golden_enhanced(const char *field, struct smtp_enhanced *out_enhanced)
{
	*out_enhanced = (struct smtp_enhanced){0};
	if (strcmp(field, "-") != 0)
		assert_int_equal(smtp_parse_enhanced(field, strlen(field),
						     (unsigned int)(field[0] - '0') * 100,
						     out_enhanced),
				 strlen(field));
}
