#include "proxy/order_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>

#include "base/list.h"
#include "proxy/order_file.h"
#include "proxy/order_line.h"

#define PIECE (64 * 1024)
#define LINE_MOST (1024 * 1024) /* a longer line is foreign */
#define STEP (1024 * 1024)      /* by which the place of a time is looked for, from the end */
#define TEXTS 8                 /* of a begin line */

struct past {
    struct order_past told;
    char id[REQUEST_ID_SIZE]; /* the key */
    char error[ORDER_ERROR_SIZE];
    UT_hash_handle hh;
    struct link link; /* in the order in which they were read */
    char texts[];
};

struct order_history {
    struct order_wish wish;
    struct past *by_id;
    struct list all;
    uint64_t foreign;
    int *files; /* open as long as it is: their locks say which lives are not over */
    size_t file_count;
    char life[REQUEST_LIFE_SIZE]; /* the one last asked for, and whether it is over */
    bool is_over;
};

const char *order_fate_name(enum order_fate f)
{
    static const char *const names[] = {
        [ORDER_OPEN] = "open", [ORDER_UNKNOWN] = "unknown", [ORDER_KNOWN] = "known"};
    return names[f];
}

/* ------------------------------------------------------------------------------ orders */

static void forget(struct order_history *h, struct past *p)
{
    HASH_DELETE(hh, h->by_id, p);
    list_remove(&p->link);
    free(p);
}

static struct past *find(struct order_history *h, const char *id)
{
    struct past *p;
    HASH_FIND_STR(h->by_id, id, p);
    return p;
}

/* The texts of a begin line: those of an object are its JSON. */
struct begin_texts {
    const char *at[TEXTS];
    char *ids;
};

static void take_texts(struct begin_texts *to, const json_t *o)
{
    static const char *const keys[TEXTS] = {"id",     "upstream", "bot", "client",
                                            "method", "target",   NULL,  "digest"};
    json_t *ids = json_object_get(o, "order_ids");
    to->ids = json_is_object(ids) ? json_dumps(ids, JSON_COMPACT) : NULL;
    for (size_t i = 0; i < TEXTS; i++) {
        to->at[i] = keys[i] ? json_string_value(json_object_get(o, keys[i])) : to->ids;
        if (to->at[i] == NULL)
            to->at[i] = "";
    }
}

static struct past *past_new(const struct order_line *l, const struct begin_texts *t)
{
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++)
        size += strlen(t->at[i]) + 1;
    struct past *p = must_calloc(1, sizeof *p + size);
    const char **places[TEXTS] = {&p->told.id,     &p->told.upstream, &p->told.bot,
                                  &p->told.client, &p->told.method,   &p->told.target,
                                  &p->told.ids,    &p->told.digest};
    char *end = p->texts;
    for (size_t i = 0; i < TEXTS; i++) {
        size_t len = strlen(t->at[i]) + 1;
        *places[i] = memcpy(end, t->at[i], len);
        end += len;
    }
    memcpy(p->id, p->told.id, strlen(p->told.id) + 1);
    p->told.error = p->error;
    p->told.began_us = l->at_us;
    return p;
}

static void begin(struct order_history *h, const struct order_line *l)
{
    struct begin_texts texts;
    const char *to = h->wish.upstream;
    take_texts(&texts, l->object);
    bool is_meant = l->at_us >= h->wish.since_us && (!to || strcmp(to, texts.at[1]) == 0);
    if (is_meant && !find(h, l->id)) {
        struct past *p = past_new(l, &texts);
        HASH_ADD_STR(h->by_id, id, p);
        list_push_back(&h->all, &p->link);
    }
    free(texts.ids);
    if (h->wish.most && h->all.count > h->wish.most)
        forget(h, container_of(list_first(&h->all), struct past, link));
}

static enum sent sent_of(const char *word)
{
    if (word && strcmp(word, "no") == 0)
        return SENT_NO;
    return word && strcmp(word, "partial") == 0 ? SENT_PARTIAL : SENT_YES;
}

static bool is_unknown(const json_t *o, const struct order_past *t)
{
    const json_t *said = json_object_get(o, "unknown");
    if (json_is_boolean(said))
        return json_is_true(said);
    return t->sent != SENT_NO && (*t->error || t->status >= 500 || t->status == 408);
}

void order_past_end(struct order_past *t, char error[ORDER_ERROR_SIZE], const struct order_line *l)
{
    const json_t *o = l->object;
    const char *word = json_string_value(json_object_get(o, "error"));
    json_int_t status = json_integer_value(json_object_get(o, "status"));
    t->ended_us = l->at_us;
    t->sent = sent_of(json_string_value(json_object_get(o, "sent")));
    t->status = status > 0 && status < 1000 ? (unsigned)status : 0;
    snprintf(error, ORDER_ERROR_SIZE, "%s", word ? word : "");
    t->left = json_is_true(json_object_get(o, "left"));
    t->total_ms = json_number_value(json_object_get(o, "total_ms"));
    t->fate = is_unknown(o, t) ? ORDER_UNKNOWN : ORDER_KNOWN;
}

static void end(struct order_history *h, const struct order_line *l)
{
    struct past *p = find(h, l->id);
    if (p == NULL)
        return;
    order_past_end(&p->told, p->error, l);
    if (h->wish.undecided && p->told.fate == ORDER_KNOWN)
        forget(h, p);
}

/* ----------------------------------------------------------------------------- reading */

static void take_line(struct order_history *h, struct span text)
{
    struct order_line l;
    if (text.len == 0)
        return;
    order_line_read(&l, text);
    switch (l.kind) {
    case ORDER_LINE_BEGIN: begin(h, &l); break;
    case ORDER_LINE_END: end(h, &l); break;
    case ORDER_LINE_FOREIGN: h->foreign++; break;
    case ORDER_LINE_START: break;
    }
    order_line_clear(&l);
}

/* Lines out of pieces. */
struct cutter {
    struct text rest;
    bool skips; /* what is left of a line that is too long */
    void (*take)(void *context, struct span line);
    void *context;
};

static void cut_all(struct cutter *c, struct span s)
{
    for (size_t end; (end = span_find(s, '\n')) < s.len; s = span_from(s, end + 1)) {
        if (!c->skips)
            c->take(c->context, span_first(s, end));
        c->skips = false;
    }
    text_drop(&c->rest, c->rest.len - s.len);
}

static void cutter_feed(struct cutter *c, const char *data, size_t len)
{
    text_add(&c->rest, (struct span){data, len});
    cut_all(c, text_span(&c->rest));
    if (c->rest.len <= LINE_MOST)
        return;
    if (!c->skips)
        c->take(c->context, text_span(&c->rest));
    c->skips = true;
    text_clear(&c->rest);
}

static void take(void *context, struct span line)
{
    take_line(context, line);
}

/* Reads from `at` on. Returns an errno, or 0. */
static int read_lines(struct order_history *h, int fd, off_t at)
{
    struct cutter cutter = {.take = take, .context = h};
    char *piece = must_malloc(PIECE);
    ssize_t n;
    (void)lseek(fd, at, SEEK_SET); /* a pipe is read as it comes */
    while ((n = read(fd, piece, PIECE)) > 0)
        cutter_feed(&cutter, piece, (size_t)n);
    int error = n < 0 ? errno : 0;
    if (!error && !cutter.skips)
        take_line(h, text_span(&cutter.rest)); /* its end is missing, perhaps only that */
    text_free(&cutter.rest);
    free(piece);
    return error;
}

/* The time of the first whole line behind `at`; INT64_MAX: there is none near. */
static int64_t time_behind(int fd, off_t at, char *piece)
{
    ssize_t n = pread(fd, piece, PIECE, at);
    struct span s = {piece, n > 0 ? (size_t)n : 0};
    for (s = at ? span_from(s, span_find(s, '\n') + 1) : s; s.len;
         s = span_from(s, span_find(s, '\n') + 1)) {
        struct order_line l;
        order_line_read(&l, span_first(s, span_find(s, '\n')));
        int64_t us = l.kind == ORDER_LINE_FOREIGN ? INT64_MAX : l.at_us;
        order_line_clear(&l);
        if (us != INT64_MAX)
            return us;
    }
    return INT64_MAX;
}

/* Where lines of that time begin, or a place before. */
static off_t place_of(int fd, int64_t since_us)
{
    off_t at = lseek(fd, 0, SEEK_END);
    char *piece = must_malloc(PIECE);
    while (since_us && at > 0) {
        at = at > STEP ? at - STEP : 0;
        if (at && time_behind(fd, at, piece) < since_us)
            break;
    }
    free(piece);
    return since_us && at > 0 ? at : 0;
}

/* Within a line, unless it is the beginning: that line is left out. */
static off_t line_at(int fd, off_t at)
{
    char piece[4096];
    ssize_t n;
    if (at == 0)
        return 0;
    for (; (n = pread(fd, piece, sizeof piece, at)) > 0; at += n) {
        size_t end = span_find((struct span){piece, (size_t)n}, '\n');
        if (end < (size_t)n)
            return at + (off_t)end + 1;
    }
    return at;
}

static int open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, 0); /* a pipe that has a writer is waited for */
    return fd;
}

bool order_history_read(struct order_history *h, const char *path, char *error, size_t size)
{
    int fd = open_to_read(path);
    int why = fd < 0 ? errno : read_lines(h, fd, line_at(fd, place_of(fd, h->wish.since_us)));
    if (fd >= 0) {
        h->files = must_realloc(h->files, (h->file_count + 1) * sizeof *h->files);
        h->files[h->file_count++] = fd;
    }
    if (why)
        snprintf(error, size, "%s: %s", path, strerror(why));
    return why == 0;
}

int64_t order_history_begins(const char *path)
{
    char *piece = must_malloc(PIECE);
    int fd = open_to_read(path);
    int64_t us = fd < 0 ? INT64_MAX : time_behind(fd, 0, piece);
    if (fd >= 0)
        close(fd);
    free(piece);
    return us;
}

/* ----------------------------------------------------------------------------- looking */

/* The life is the beginning of the id. */
static bool is_over(struct order_history *h, const char *id)
{
    if (strncmp(h->life, id, REQUEST_LIFE_SIZE - 1) == 0)
        return h->is_over;
    snprintf(h->life, sizeof h->life, "%s", id);
    h->is_over = true;
    for (size_t i = 0; i < h->file_count; i++)
        h->is_over &= !order_file_is_written(h->files[i], h->life);
    return h->is_over;
}

static int compare(const void *a, const void *b)
{
    const struct past *const *x = a, *const *y = b;
    int64_t left = (*x)->told.began_us, right = (*y)->told.began_us;
    return left < right ? -1 : left > right;
}

void order_history_each(struct order_history *h, order_history_listener *listener, void *context)
{
    struct past **sorted = must_malloc((h->all.count + 1) * sizeof *sorted);
    size_t count = 0;
    for (struct link *k = list_first(&h->all); k; k = list_next(k))
        sorted[count++] = container_of(k, struct past, link);
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count; i++) {
        struct order_past *t = &sorted[i]->told;
        if (t->ended_us == 0)
            t->fate = is_over(h, t->id) ? ORDER_UNKNOWN : ORDER_OPEN;
        listener(context, t);
    }
    free(sorted);
}

uint64_t order_history_foreign(const struct order_history *h)
{
    return h->foreign;
}

/* ---------------------------------------------------------------------------- its life */

struct order_history *order_history_new(const struct order_wish *wish)
{
    struct order_history *h = NEW(struct order_history);
    h->wish = *wish;
    list_init(&h->all);
    return h;
}

void order_history_free(struct order_history *h)
{
    struct link *k;
    while ((k = list_first(&h->all)))
        forget(h, container_of(k, struct past, link));
    for (size_t i = 0; i < h->file_count; i++)
        close(h->files[i]);
    free(h->files);
    free(h);
}
