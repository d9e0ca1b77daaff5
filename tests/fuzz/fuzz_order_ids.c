/* The input is the target and, behind a NUL, the body of an order. What is noted of its ids is one
 * JSON object on one line of ASCII, with the names that were asked for alone, and with as many values
 * of bounded length as are allowed; the same for the same input. */
#include <jansson.h>
#include <string.h>

#include "proxy/order_ids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *wanted[] = {"clientOrderId", "orderLinkId", "id"};
static const struct config_names names = {wanted, COUNT_OF(wanted)};

static bool is_wanted(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        if (strcmp(name, wanted[i]) == 0)
            return true;
    return false;
}

static size_t check_value(const json_t *value)
{
    CHECK(json_is_string(value) && json_string_length(value) > 0);
    CHECK(json_string_length(value) <= ORDER_ID_MOST);
    return 1;
}

static void check_noted(struct span noted)
{
    json_t *object = json_loadb(noted.at, noted.len, JSON_REJECT_DUPLICATES, NULL), *value, *one;
    const char *name;
    size_t count = 0, i;
    for (i = 0; i < noted.len; i++)
        CHECK(noted.at[i] >= ' ' && noted.at[i] < 0x7f);
    CHECK(json_is_object(object) && json_object_size(object) > 0);
    json_object_foreach (object, name, value) {
        CHECK(is_wanted(name));
        CHECK(!json_is_array(value) || json_array_size(value) > 1);
        if (!json_is_array(value))
            count += check_value(value);
        json_array_foreach (value, i, one)
            count += check_value(one);
    }
    CHECK(count <= ORDER_IDS_MAX);
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {(const char *)data, size};
    struct span target = span_first(all, span_find(all, '\0'));
    struct span body = target.len < all.len ? span_from(all, target.len + 1) : SPAN("");
    struct text once = {0}, again = {0};
    order_ids_add(&once, &names, target, body);
    order_ids_add(&again, &names, target, body);
    CHECK(span_is(text_span(&once), text_span(&again)));
    if (once.len)
        check_noted(text_span(&once));
    text_free(&once);
    text_free(&again);
    return 0;
}
