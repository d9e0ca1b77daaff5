#include "config_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct text complaints;

void complain(void *context, const char *message)
{
    struct text *to = context;
    text_add_str(to, message);
    text_add_str(to, "\n");
}

static struct config *parse(const char *text)
{
    text_free(&complaints);
    text_add_str(&complaints, "");
    return config_parse("t.conf", text, strlen(text), complain, &complaints);
}

struct config *parse_good(const char *text)
{
    struct config *c = parse(text);
    ck_assert_msg(c != NULL, "%s", complaints.at);
    ck_assert_str_eq(complaints.at, "");
    return c;
}

void refuse(const char *text, const char *expected)
{
    struct config *c = parse(text);
    ck_assert_str_eq(complaints.at, expected);
    ck_assert_ptr_null(c);
}

void refuse_at(const char *text, int line, const char *words)
{
    char start[40];
    struct config *c = parse(text);
    snprintf(start, sizeof start, "t.conf:%d: ", line);
    ck_assert_msg(c == NULL, "accepted: %s", text);
    ck_assert_msg(strncmp(complaints.at, start, strlen(start)) == 0, "%s\nwanted line %d: %s", text,
                  line, complaints.at);
    ck_assert_msg(strstr(complaints.at, words) != NULL, "%s\nwanted %s: %s", text, words,
                  complaints.at);
}

void refuse_in_upstream(const char *lines, const char *words)
{
    char text[2000];
    snprintf(text, sizeof text, "upstream a {\nurl = \"https://a.example\"\n%s\n}\n", lines);
    refuse_at(text, 3, words);
}

const struct upstream_config *find(const struct config *c, const char *name)
{
    return config_find(c, name, strlen(name));
}

const struct upstream_config *at(const struct upstream_config *u, const char *target)
{
    return config_for_path(u, target, strlen(target));
}

void forget(void)
{
    text_free(&complaints);
}
