#include <stdlib.h>

#include "http/member_list.h"
#include "suite.h"

static const struct {
    const char *list, *left;
} cases[] = {
    /* none of our members: unchanged */
    {"edge", "edge"},
    {"edge ;  error=dns_error ,  other", "edge ;  error=dns_error ,  other"},
    {"edge; details=\"a, ours; error=x\"", "edge; details=\"a, ours; error=x\""},
    {"edge; details=\"\\\", ours\"", "edge; details=\"\\\", ours\""},
    {"oursX, Xours, edge; next-hop=ours", "oursX, Xours, edge; next-hop=ours"},
    {"", ""},
    /* our members are removed, wherever they are and however they are written */
    {"ours", ""},
    {"Ours; error=dns_error; details=\"a, b\"", ""},
    {"ours; error=x, edge; error=y", "edge; error=y"},
    {"edge; error=y,ours;error=x", "edge; error=y"},
    {"a, ours, b,\"ours\"; hit , c", "a, b, c"},
    {"\"ours\"", ""},
    {" ,, ours , ,edge", "edge"},
    {"edge; details=\"\\\\\", ours", "edge; details=\"\\\\\""},
    /* malformed lists */
    {"edge; details=\"ours, ours", ""},
    {"ours; details=\"", ""},
    {"edge; details=\"\\", ""},
};

START_TEST(members_go_by_name)
{
    struct arena *a = arena_new();
    struct span left = member_list_without(a, span_of(cases[_i].list), SPAN("ours"));
    ck_assert_msg(span_is(left, span_of(cases[_i].left)), "%s: %.*s", cases[_i].list,
                  SPAN_ARG(left));
    arena_free(a);
}
END_TEST

SUITE()
{
    LOOP(members_go_by_name, 0, (sizeof cases / sizeof *cases));
}
