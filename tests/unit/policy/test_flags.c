/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/abi.h"
#include "policy/flags.h"

static void every_name_leads_to_its_bit_and_back(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < FLAG_COUNT; i++) {
		const uint16_t bit = (uint16_t)(1u << i);
		const char *name = flag_name(bit);

		assert_string_not_equal(name, "-");
		assert_string_not_equal(flag_meaning(bit), "-");
		assert_int_equal(flag_from_name(name, strlen(name)), bit);
	}
	assert_string_equal(flag_name(1u << FLAG_COUNT), "-");
	assert_string_equal(flag_meaning(0), "-");
}

static const struct {
	const char *text;
	size_t len;
	uint16_t want;
} names[] = {
	{"PA", 2, FLAG_PA},   {"pa", 2, FLAG_PA}, {"Pa", 2, FLAG_PA},
	{"PAX", 2, FLAG_PA}, /* len decides */
	{"PAX", 3, 0},	      {"P", 1, 0},	  {"", 0, 0},
	{"BAN", 3, FLAG_BAN}, {"BAN", 2, 0},	  {"RBL", 3, FLAG_RBL},
	{"BL", 2, FLAG_BL},   {"-", 1, 0},	  {"HE", 2, FLAG_HE},
	{"PA\0", 3, 0},
};

static void names_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flag_from_name(names[i].text, names[i].len) != names[i].want)
			fail_msg("'%s' of %zu", names[i].text, names[i].len);
	}
}

static void flags_are_written_in_one_order(void **state)
{
	char text[FLAGS_TEXT_MAX];

	(void)state;
	assert_string_equal(flags_format(0, text), "-");
	assert_string_equal(flags_format(FLAG_LL | FLAG_PA | FLAG_AS, text), "PA AS LL");
	assert_string_equal(flags_format(FLAGS_ALL, text),
			    "PA AA AS AM AR RBL BAN LL BL PTR HE GL SPF DR");
	assert_string_equal(flags_format((uint16_t)~FLAGS_ALL, text), "-");
}

static void the_kernel_knows_the_same_bits(void **state)
{
	(void)state;
	assert_int_equal(FLAG_PA, ABI_FLAG_PA);
	assert_int_equal(FLAG_BL, ABI_FLAG_BL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_leads_to_its_bit_and_back),
		cmocka_unit_test(names_hold),
		cmocka_unit_test(flags_are_written_in_one_order),
		cmocka_unit_test(the_kernel_knows_the_same_bits),
	};

	return cmocka_run_group_tests_name("policy/flags", tests, NULL, NULL);
}
