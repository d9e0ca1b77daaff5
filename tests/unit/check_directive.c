/* The rows of config.def: each row has everything that its type requires, in the form in which
 * messages and documents show it. */
#include "config/directive.h"

#include <string.h>

#include "base/text.h"
#include "config/quantity.h"
#include "suite.h"

static void bound_is_canonical(const struct directive *d, const char *bound)
{
    char why[300];
    uint64_t number;
    struct text shown = {0};
    ck_assert_msg(quantity_read(d, bound, &number, why, sizeof why), "%s: %s", d->name, why);
    quantity_print(d->type, number, &shown);
    ck_assert_str_eq(shown.at, bound);
    text_free(&shown);
}

START_TEST(numbers_have_a_range)
{
    struct config_rate rate;
    char why[300];
    for (const struct directive *d = directives; d < directives + ALL_ROWS; d++) {
        bool is_quantity = d->type == TYPE_DURATION || d->type == TYPE_MICROS ||
                           d->type == TYPE_SIZE || d->type == TYPE_COUNT ||
                           d->type == TYPE_PERCENT || d->type == TYPE_NUMBERS;
        ck_assert_msg((d->min && d->max) == (is_quantity || d->type == TYPE_RATE), "%s", d->name);
        ck_assert_msg(
            !d->unit == !(d->type == TYPE_COUNT || d->type == TYPE_NUMBERS || d->type == TYPE_RATE),
            "%s", d->name);
        if (is_quantity) {
            bound_is_canonical(d, d->min);
            bound_is_canonical(d, d->max);
        }
        if (d->type == TYPE_RATE) {
            ck_assert(quantity_read_rate(d, d->min, &rate, why, sizeof why));
            ck_assert(quantity_read_rate(d, d->max, &rate, why, sizeof why));
        }
    }
}
END_TEST

START_TEST(choices_and_forms_are_complete)
{
    for (const struct directive *d = directives; d < directives + ALL_ROWS; d++) {
        ck_assert_msg((d->choices != NULL) == (d->type == TYPE_CHOICE), "%s", d->name);
        ck_assert_msg(!d->choices || (d->choices[0].word && d->choices[1].word), "%s", d->name);
        ck_assert_msg((d->form != NULL) == (d->type == TYPE_TEXT || d->type == TYPE_NAMES), "%s",
                      d->name);
        ck_assert_msg((d->form != NULL) == (d->words != NULL), "%s", d->name);
        ck_assert_msg(d->is_list == (d->type == TYPE_ADDRESSES || d->type == TYPE_CIDRS ||
                                     d->type == TYPE_NUMBERS || d->type == TYPE_NAMES ||
                                     d->type == TYPE_EXITS),
                      "%s", d->name);
    }
}
END_TEST

START_TEST(scopes_agree_with_places)
{
    for (size_t row = 0; row < ALL_ROWS; row++) {
        ck_assert_msg((row < GLOBAL_ROWS) == (directives[row].scope == SCOPE_GLOBAL), "%s",
                      directives[row].name);
        ck_assert_uint_eq(directive_row(&directives[row]), row);
    }
    ck_assert_str_eq(directives[ROW_GLOBAL_listen].name, "listen");
    ck_assert_str_eq(directives[ROW_listen].name, "listen");
    ck_assert_int_eq(directives[ROW_listen].scope, SCOPE_UPSTREAM);
    ck_assert_int_eq(directives[ROW_rate].scope, SCOPE_DEFAULTS);
    ck_assert_int_eq(directives[ROW_BOT_order_rate].scope, SCOPE_BOT);
    ck_assert_int_eq(directives[ROW_fresh].scope, SCOPE_PATH);
    ck_assert(directives[ROW_url].is_required && !directives[ROW_preset].is_required);
}
END_TEST

SUITE()
{
    TEST(numbers_have_a_range);
    TEST(choices_and_forms_are_complete);
    TEST(scopes_agree_with_places);
}
