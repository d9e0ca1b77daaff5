#include "base/quoting.h"

static void add_escaped(struct text *to, char c, bool json)
{
    if (c == '"' || c == '\\')
        text_printf(to, "\\%c", c);
    else
        text_printf(to, json ? "\\u%04x" : "\\x%02x", (unsigned char)c);
}

void quote_add(struct text *to, struct span s, bool json)
{
    text_add(to, SPAN("\""));
    while (s.len) {
        size_t plain = 0;
        while (plain < s.len && quote_is_plain(s.at[plain]))
            plain++;
        text_add(to, span_first(s, plain));
        if (plain < s.len)
            add_escaped(to, s.at[plain++], json);
        s = span_from(s, plain);
    }
    text_add(to, SPAN("\""));
}
