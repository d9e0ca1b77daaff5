#include "pages/json_row.h"

#include "base/quoting.h"

static const struct span none = {"null", 4};

void json_row_bytes(struct text *to, struct span value)
{
    quote_add(to, value, true);
}

void json_row_word(struct text *to, const char *word)
{
    if (word)
        quote_add(to, span_of(word), true);
    else
        text_add(to, none);
}

void json_row_count(struct text *to, uint64_t n)
{
    if (n)
        text_add_number(to, n);
    else
        text_add(to, none);
}

void json_row_number(struct text *to, uint64_t n)
{
    text_add_number(to, n);
}

void json_row_ms(struct text *to, uint64_t us)
{
    text_printf(to, "%.3f", (double)us / 1000);
}

void json_row_flag(struct text *to, bool flag)
{
    text_add(to, flag ? SPAN("true") : SPAN("false"));
}
