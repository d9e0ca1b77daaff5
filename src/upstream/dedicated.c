#include "upstream/dedicated.h"

static void close_line(struct dedicated *d, const char *detail)
{
    struct line *line = d->line;
    d->line = NULL;
    task_forget(&d->refusal);
    if (line)
        line_close(line, "upgrade", detail);
}

void dedicated_close(struct dedicated *d)
{
    if (d)
        close_line(d, "not needed any more");
}

static void on_refusal(struct task *task)
{
    struct dedicated *d = container_of(task, struct dedicated, refusal);
    d->on_failed(d->owner, &d->why);
}

static void on_up(void *owner, struct line *line)
{
    struct dedicated *d = owner;
    line_lend(line, true);
    d->on_line(d->owner, line);
}

static void on_failed(void *owner, struct line *line, enum failure why, const char *detail)
{
    struct dedicated *d = owner;
    struct verdict v = verdict_make(why, SENT_NO, "%s", detail);
    (void)line;
    close_line(d, detail);
    d->on_failed(d->owner, &v);
}

/* Its one exchange has ended, or was given up. */
static void on_room(void *owner, struct line *line)
{
    (void)line;
    close_line(owner, "its exchange is over");
}

static void on_gone(void *owner, struct line *line, enum close_reason why, const char *detail)
{
    (void)line, (void)why;
    close_line(owner, detail);
}

/* It never rests, so that on_due never comes. */
void dedicated_open(struct dedicated *d, struct loop *loop, struct pool *pool, struct way *way)
{
    static const struct line_events events = {
        .on_up = on_up, .on_failed = on_failed, .on_room = on_room, .on_gone = on_gone};
    CHECK(d->line == NULL);
    task_init(&d->refusal, on_refusal);
    if (!pool_admits(pool, &d->why)) {
        loop_defer(loop, &d->refusal);
        return;
    }
    struct upstream_config settings = *way->lines.settings;
    settings.http2 = HTTP2_NEVER;
    d->line = line_new(&way->lines.env, &settings, "an upgrade", &events, d);
}

struct dedicated *dedicated_new(void *owner, void (*line_event)(void *owner, struct line *),
                                void (*failed_event)(void *owner, const struct verdict *))
{
    struct dedicated *d = NEW(struct dedicated);
    d->owner = owner;
    d->on_line = line_event;
    d->on_failed = failed_event;
    return d;
}

bool dedicated_is_open(const struct dedicated *d)
{
    return d && d->line;
}
