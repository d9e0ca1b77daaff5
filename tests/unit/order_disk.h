/* The file of an order journal, as a fake: a disk that fills, fails to sync, or stops. It stands in the
 * place of order_file.c in the program that includes it, which owns it. It takes what is
 * appended, or as much as it has room for; or it is stopped, and appending blocks. */
#pragma once

#include <errno.h>

#include "base/alloc.h"
#include "base/text.h"
#include "net/loop.h"
#include "proxy/order_file.h"
#include "proxy/order_line.h"
#include "suite.h"

#define LIFE "06f3k9d2q4ab" /* of the daemon that opens it */

struct order_file {
    char *path;
};

static uv_mutex_t disk;
static uv_cond_t disk_moves;
static struct text content;    /* of all files, one behind the other */
static size_t room = SIZE_MAX; /* bytes that it still takes */
static size_t at_once;         /* bytes that it takes without waiting */
static size_t begun;           /* of a line that was taken so in part */
static int sync_error;
static int syncs_left = -1;       /* that fail; -1: all */
static bool stopped, stops_again; /* before it writes; again, once it has written */
static bool moved;                /* the path names another file */
static int opened, closed, given_up, appends;

struct order_file *order_file_open(const char *path, const char *life, char *error, size_t size)
{
    ck_assert_str_eq(life, LIFE);
    (void)error, (void)size;
    struct order_file *f = NEW(struct order_file);
    f->path = must_strdup(path);
    opened++;
    return f;
}

bool order_file_is_at(const struct order_file *f, const char *path)
{
    (void)f, (void)path;
    return !moved;
}

int order_file_append(struct order_file *f, struct span lines, size_t *written)
{
    (void)f;
    uv_mutex_lock(&disk);
    while (stopped)
        uv_cond_wait(&disk_moves, &disk);
    stopped = stops_again;
    appends++;
    struct span rest = span_from(lines, begun);
    size_t len = rest.len < room ? rest.len : room;
    text_add(&content, span_first(rest, len));
    room -= room == SIZE_MAX ? 0 : len;
    *written = begun + len;
    begun = 0;
    uv_mutex_unlock(&disk);
    return *written < lines.len ? ENOSPC : 0;
}

size_t order_file_append_at_once(struct order_file *f, struct span lines)
{
    (void)f;
    uv_mutex_lock(&disk);
    size_t len = lines.len < at_once ? lines.len : at_once, whole = len;
    while (whole && lines.at[whole - 1] != '\n')
        whole--;
    begun = len - whole;
    text_add(&content, span_first(lines, len));
    uv_mutex_unlock(&disk);
    return len;
}

int order_file_sync(struct order_file *f)
{
    (void)f;
    uv_mutex_lock(&disk);
    int error = syncs_left ? sync_error : 0;
    syncs_left -= syncs_left > 0;
    uv_mutex_unlock(&disk);
    return error;
}

/* The beginning of a line, up to its id; an order of another life. */
#define T "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\""
#define OTHER "06f3k9d2q4ac-1"

/* What others have appended, told once. */
static const char *of_others;

static inline void others_append(const char *lines)
{
    uv_mutex_lock(&disk);
    of_others = lines;
    uv_mutex_unlock(&disk);
}

bool order_file_take_others(struct order_file *f, struct text *piece)
{
    (void)f;
    uv_mutex_lock(&disk);
    const char *lines = of_others;
    of_others = NULL;
    uv_mutex_unlock(&disk);
    text_clear(piece);
    text_add_str(piece, lines ? lines : "");
    return lines != NULL;
}

bool order_file_takes_at_once(const struct order_file *f)
{
    (void)f;
    uv_mutex_lock(&disk);
    bool takes = at_once > 0;
    uv_mutex_unlock(&disk);
    return takes;
}

bool order_file_is_written(int fd, const char *life)
{
    (void)fd, (void)life;
    return false;
}

const char *order_file_life(const struct order_file *f)
{
    (void)f;
    return LIFE;
}

void order_file_give_up(struct order_file *f)
{
    (void)f;
    given_up++;
}

bool order_file_take_back(struct order_file *f, char *error, size_t size)
{
    (void)f, (void)error, (void)size;
    given_up--;
    return true;
}

void order_file_close(struct order_file *f)
{
    uv_mutex_lock(&disk);
    text_printf(&content, "[%s closed]\n", f->path);
    closed++;
    uv_mutex_unlock(&disk);
    free(f->path);
    free(f);
}

static void set_disk(size_t bytes, int error, bool stops)
{
    uv_mutex_lock(&disk);
    room = bytes;
    sync_error = error;
    stopped = stops;
    uv_cond_signal(&disk_moves);
    uv_mutex_unlock(&disk);
}

/* What is on the disk: the event of each line, "start", "begin 1", "end 1 yes", or what else it
 * says. Valid until the next call. */
static inline const char *on_disk(void)
{
    static struct text words;
    text_clear(&words);
    text_add_str(&words, "");
    uv_mutex_lock(&disk);
    struct span rest = text_span(&content);
    for (size_t end; rest.len; rest = span_from(rest, end + 1)) {
        struct order_line l;
        end = span_find(rest, '\n');
        struct span line = span_first(rest, end);
        order_line_read(&l, line);
        const char *id = l.id ? strchr(l.id, '-') + 1 : "";
        if (l.kind == ORDER_LINE_FOREIGN)
            text_add(&words, line);
        else
            text_printf(&words, "%s%s%s", json_string_value(json_object_get(l.object, "ev")),
                        *id ? " " : "", id);
        if (l.kind == ORDER_LINE_END)
            text_printf(&words, " %s", json_string_value(json_object_get(l.object, "sent")));
        text_add(&words, SPAN("; "));
        order_line_clear(&l);
    }
    uv_mutex_unlock(&disk);
    return words.at;
}
