#include "config/scan.h"

#include <stdio.h>
#include <stdlib.h>

/* Characters that end an unquoted word: those that end it for libconfuse, and those that libconfuse
 * skips silently. */
#define NOT_WORD " \t\r\n#\"'={}()+,*|"

struct scanner {
    struct scan *scan;
    struct arena *arena;
    char *at, *end; /* the rest of the text */
    int line;
    int depth;
    int open_line;       /* line of the outermost open brace */
    int word_lines[2];   /* lines of the last word and of the one before it */
    bool after_equals;   /* the last token was '=' */
    bool after_defaults; /* the last token was the word defaults */
};

/* The text is cut off at the first error. */
static void fail(struct scanner *s, char *from, int line, const char *what)
{
    snprintf(s->scan->error, sizeof s->scan->error, "%s", what);
    s->scan->error_line = line;
    *from = '\0';
    s->at = s->end = from;
}

static bool sees(const struct scanner *s, const char *two)
{
    return s->end - s->at >= 2 && s->at[0] == two[0] && s->at[1] == two[1];
}

/* Replaces a comment by spaces, but keeps its newlines. */
static void comment(struct scanner *s, bool block)
{
    char *from = s->at;
    int line = s->line;
    if (block) {
        *s->at++ = ' ';
        *s->at++ = ' ';
    }
    for (; s->at < s->end; s->at++) {
        if (block ? sees(s, "*/") : *s->at == '\n')
            break;
        if (*s->at == '\n')
            s->line++;
        else
            *s->at = ' ';
    }
    if (!block)
        return;
    if (s->at == s->end) {
        fail(s, from, line, "this comment is never closed");
        return;
    }
    *s->at++ = ' ';
    *s->at++ = ' ';
}

/* The text between the braces is a name, optionally followed by ":-" and the value to use if the
 * variable is not set. */
static void look_up(struct scanner *s, struct span inside)
{
    size_t colon = span_find(inside, ':');
    bool has_value = span_starts(span_from(inside, colon), SPAN(":-"));
    const char *name = arena_span(s->arena, has_value ? span_first(inside, colon) : inside).at;
    if (has_value || getenv(name))
        return;
    size_t old = s->scan->unset_count * sizeof *s->scan->unset;
    s->scan->unset = arena_grow(s->arena, s->scan->unset, old, old + sizeof *s->scan->unset);
    s->scan->unset[s->scan->unset_count++] = (struct scan_unset){name, s->line};
}

/* "${NAME}" or "${NAME:-value}". libconfuse would read up to the next closing brace, even past
 * quotes and newlines. */
static bool variable(struct scanner *s)
{
    char *from = s->at + 2;
    for (char *p = from; p < s->end && *p != '\n' && *p != '"' && *p != '\0'; p++) {
        if (*p == '}') {
            look_up(s, (struct span){from, (size_t)(p - from)});
            s->at = p + 1;
            return true;
        }
    }
    return false;
}

static void note_word(struct scanner *s, const char *from, int line)
{
    s->word_lines[1] = s->word_lines[0];
    s->word_lines[0] = line;
    s->after_equals = false;
    s->after_defaults = span_is((struct span){from, (size_t)(s->at - from)}, SPAN("defaults"));
}

static void string(struct scanner *s)
{
    char *from = s->at, quote = *s->at++;
    int line = s->line;
    while (s->at < s->end && *s->at != quote && *s->at != '\0') {
        if (quote == '"' && sees(s, "${")) {
            if (!variable(s)) {
                fail(s, from, s->line, "'${' is never closed (write \\${ for the characters)");
                return;
            }
            continue;
        }
        if (*s->at == '\\' && s->end - s->at >= 2 && s->at[1] != '\0')
            s->at++;
        if (*s->at++ == '\n')
            s->line++;
    }
    if (s->at == s->end || *s->at == '\0') {
        fail(s, from, line, s->at == s->end ? "this string is never closed" : "NUL in a string");
        return;
    }
    s->at++;
    note_word(s, from, line);
}

static void open_brace(struct scanner *s)
{
    if (s->depth == 0)
        s->open_line = s->line;
    if (s->depth < SCAN_LEVELS && !s->after_equals) {
        struct scan_lines *l = &s->scan->blocks[s->depth];
        size_t old = l->count * sizeof *l->at;
        l->at = arena_grow(s->arena, l->at, old, old + sizeof *l->at);
        l->at[l->count++] = s->word_lines[s->after_defaults ? 0 : 1];
    }
    s->depth++;
    s->at++;
    s->after_equals = false;
}

static void bare_word(struct scanner *s)
{
    char *from = s->at;
    while (s->at < s->end && *s->at != '\0' && strchr(NOT_WORD, *s->at) == NULL) {
        if (sees(s, "/*") || (sees(s, "//") && s->at > from && s->at[-1] != ':'))
            break;
        s->at++;
    }
    if (s->at < s->end && *s->at == '{' && s->at[-1] == '$')
        fail(s, from, s->line, "a value that contains '${' must be quoted");
    else
        note_word(s, from, s->line);
}

static void odd_character(struct scanner *s)
{
    char what[60];
    if (sees(s, "+="))
        snprintf(what, sizeof what, "'+=' is not supported: give the whole list");
    else if (*s->at > ' ' && *s->at < 0x7f)
        snprintf(what, sizeof what, "unexpected '%c'", *s->at);
    else
        snprintf(what, sizeof what, "unexpected byte 0x%02x", (unsigned char)*s->at);
    fail(s, s->at, s->line, what);
}

static void punctuation(struct scanner *s)
{
    switch (*s->at) {
    case '\n':
        s->line++;
        s->at++;
        break;
    case '{': open_brace(s); break;
    case '}':
        if (s->depth > 0)
            s->depth--;
        s->at++;
        break;
    case '=':
        s->after_equals = true;
        s->at++;
        break;
    default: s->at++;
    }
}

static void token(struct scanner *s)
{
    char *from = s->at;
    if (*s->at == '#' || sees(s, "//"))
        comment(s, false);
    else if (sees(s, "/*"))
        comment(s, true);
    else if (*s->at == '"' || *s->at == '\'')
        string(s);
    else if (sees(s, "${")) {
        if (variable(s))
            note_word(s, from, s->line);
        else
            fail(s, from, s->line, "'${' is never closed");
    } else if (*s->at == '\0' || strchr("+*|", *s->at))
        odd_character(s);
    else if (strchr(NOT_WORD, *s->at))
        punctuation(s);
    else
        bare_word(s);
}

void scan_text(struct scan *scan, struct arena *arena, struct span text)
{
    struct scanner s = {.scan = scan, .arena = arena, .line = 1};
    *scan = (struct scan){0};
    scan->text = arena_alloc(arena, text.len + 1);
    if (text.len)
        memcpy(scan->text, text.at, text.len);
    s.at = scan->text;
    s.end = scan->text + text.len;
    while (s.at < s.end)
        token(&s);
    if (scan->error[0] == '\0' && s.depth > 0) {
        snprintf(scan->error, sizeof scan->error, "this '{' is never closed");
        scan->error_line = s.open_line;
    }
}
