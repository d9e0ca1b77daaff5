/* The forms that rows of config.def require of a text. */
#include "config/form.h"

#include <stdio.h>
#include <string.h>

#include "config/directive.h"
#include "config/settings.h"
#include "suite.h"

static const struct {
    directive_form *form;
    const char *text, *value; /* NULL: refused */
} all[] = {
    {form_origin, "https://a.example", "https://a.example"},
    {form_origin, "http://[::1]:8080/", "http://[::1]:8080/"},
    {form_origin, "https://a.example/x", NULL},
    {form_origin, "", NULL},
    {form_preset, "okx", "okx"},
    {form_preset, "OKX", NULL},
    {form_host, "A.Example.", "a.example"},
    {form_host, "a b", NULL},
    {form_host, "", NULL},
    {form_header, "X-MBX-APIKEY", "X-MBX-APIKEY"},
    {form_header, "!#$%&'*+-.^_`|~", "!#$%&'*+-.^_`|~"},
    {form_header, "", NULL},
    {form_header, "X Y", NULL},
    {form_header, "X:", NULL},
    {form_header_pattern, "Sec-*", "Sec-*"},
    {form_header_pattern, "DNT", "DNT"},
    {form_header_pattern, "*", NULL},
    {form_parameter, "listenKey", "listenKey"},
    {form_parameter, "a=b", NULL},
    {form_parameter, "a&b", NULL},
    {form_parameter, "a b", NULL},
    {form_parameter, "", NULL},
    {form_body_prefix, "{\"error\":[\"E", "{\"error\":[\"E"},
    {form_body_prefix, "", NULL},
    {form_log_target, "off", "off"},
    {form_log_target, "stderr", "stderr"},
    {form_log_target, "./log", "./log"},
    {form_log_target, "log", NULL},
    {form_log_target, "", NULL},
    {form_off_or_path, "off", "off"},
    {form_off_or_path, "/var/lib/x", "/var/lib/x"},
    {form_off_or_path, "stderr", NULL},
    {form_off_or_path, "", NULL},
};

START_TEST(texts_have_the_form_or_are_refused)
{
    struct arena *a = arena_new();
    const char *value = NULL, *why = NULL;
    bool good = all[_i].form(a, all[_i].text, &value, &why);
    ck_assert_msg(good == (all[_i].value != NULL), "%s", all[_i].text);
    if (good) {
        ck_assert_str_eq(value, all[_i].value);
        ck_assert_ptr_ne(value, all[_i].text); /* a copy */
    }
    arena_free(a);
}
END_TEST

START_TEST(a_body_prefix_has_a_greatest_length)
{
    struct arena *a = arena_new();
    char text[ERROR_PREFIX_MAX + 2], length[20];
    const char *value, *why;
    memset(text, 'x', sizeof text);
    text[ERROR_PREFIX_MAX] = '\0';
    ck_assert(form_body_prefix(a, text, &value, &why));
    text[ERROR_PREFIX_MAX] = 'x';
    text[ERROR_PREFIX_MAX + 1] = '\0';
    ck_assert(!form_body_prefix(a, text, &value, &why));
    snprintf(length, sizeof length, " %d ", ERROR_PREFIX_MAX);
    ck_assert_ptr_nonnull(strstr(directives[ROW_error_prefix].words, length));
    arena_free(a);
}
END_TEST

START_TEST(an_unknown_preset_is_told_the_known_ones)
{
    struct arena *a = arena_new();
    const char *value, *why = NULL;
    ck_assert(!form_preset(a, "bitmex", &value, &why));
    ck_assert_ptr_nonnull(strstr(why, "must be one of binance "));
    ck_assert_ptr_nonnull(strstr(why, " okx"));
    arena_free(a);
}
END_TEST

SUITE()
{
    LOOP(texts_have_the_form_or_are_refused, 0, COUNT_OF(all));
    TEST(a_body_prefix_has_a_greatest_length);
    TEST(an_unknown_preset_is_told_the_known_ones);
}
