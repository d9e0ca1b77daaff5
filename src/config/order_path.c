#include "config/order_path.h"

#include "base/check.h"

struct order_path order_path_parse(struct span text)
{
    size_t space = span_find(text, ' ');
    if (space == text.len)
        return (struct order_path){.prefix = text};
    return (struct order_path){span_first(text, space), span_trim(span_from(text, space))};
}

static bool is_method(struct span method)
{
    static const char *const known[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (span_is(method, span_of(known[i])))
            return true;
    return false;
}

static bool is_usual(char c)
{
    return c > ' ' && c < 0x7f && c != '%' && c != '\\' && c != ';' && c != '?' && c != '#';
}

static bool is_dots(struct span segment)
{
    return span_is(segment, SPAN(".")) || span_is(segment, SPAN(".."));
}

bool order_path_is_plain(struct span path)
{
    if (path.len == 0 || path.at[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++)
        if (!is_usual(path.at[i]))
            return false;
    struct span rest = span_from(path, 1);
    while (rest.len) {
        struct span segment = span_first(rest, span_find(rest, '/'));
        if (segment.len == 0 || is_dots(segment))
            return false;
        rest = span_from(rest, segment.len + 1);
    }
    return true;
}

const char *order_path_wrong(const struct order_path *p)
{
    if (p->method.len && !is_method(p->method))
        return "the method must be one of GET HEAD OPTIONS POST PUT PATCH DELETE";
    if (p->prefix.len == 0 || p->prefix.at[0] != '/')
        return "must be a path that begins with /, optionally after a method and a space";
    if (!order_path_is_plain(p->prefix))
        return "the path must have no query, no percent-encoding, no empty or dot segments and "
               "none of the characters \\ ; # and space";
    return NULL;
}
