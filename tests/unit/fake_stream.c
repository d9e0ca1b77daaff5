#include "fake_stream.h"

static struct fake_stream *self(struct stream *s)
{
    return container_of(s, struct fake_stream, base);
}

static bool fake_write(struct stream *s, const uv_buf_t *pieces, size_t count)
{
    struct fake_stream *f = self(s);
    CHECK(!f->closed && !f->shut);
    f->writes++;
    for (size_t i = 0; i < count; i++) {
        text_add(&f->written, (struct span){pieces[i].base, pieces[i].len});
        s->queued += pieces[i].len;
        s->written += pieces[i].len;
    }
    if (!f->stuck) {
        s->taken += s->queued;
        s->queued = 0;
    }
    f->full |= s->queued > STREAM_HIGH;
    return !f->full;
}

static void fake_shutdown(struct stream *s)
{
    self(s)->shut = true;
}

static void fake_pause(struct stream *s)
{
    self(s)->paused = true;
}

static void fake_resume(struct stream *s)
{
    self(s)->paused = false;
}

static bool fake_is_quiet(struct stream *s, uint64_t within_us)
{
    (void)within_us;
    return !self(s)->loud;
}

static bool fake_is_broken(struct stream *s)
{
    return self(s)->broken;
}

static void fake_close(struct stream *s, bool reset)
{
    self(s)->reset = reset;
    CHECK(!self(s)->closed);
    self(s)->closed = true;
}

void fake_stream_init(struct fake_stream *f)
{
    static const struct stream_ops ops = {
        .write = fake_write,
        .shutdown = fake_shutdown,
        .pause = fake_pause,
        .resume = fake_resume,
        .is_quiet = fake_is_quiet,
        .is_broken = fake_is_broken,
        .close = fake_close,
    };
    *f = (struct fake_stream){.base.ops = &ops, .paused = true};
}

void fake_stream_free(struct fake_stream *f)
{
    CHECK(f->closed);
    text_free(&f->written);
}

/* The bytes are in memory of exactly their size, so that ASan detects a read past the end. */
bool fake_stream_feed(struct fake_stream *f, const char *data, size_t len)
{
    if (f->paused || f->closed || f->ended)
        return false;
    char *copy = malloc(len ? len : 1);
    CHECK(copy != NULL);
    memcpy(copy, data, len);
    f->base.events->on_data(f->base.owner, copy, len);
    free(copy);
    return true;
}

void fake_stream_end(struct fake_stream *f, enum stream_end how)
{
    if (f->closed || f->ended)
        return;
    f->ended = true;
    f->base.events->on_end(f->base.owner, how, "the test says so");
}

void fake_stream_take(struct fake_stream *f, size_t len)
{
    size_t n = len < f->base.queued ? len : f->base.queued;
    f->base.taken += n;
    f->base.queued -= n;
    if (!f->full || f->base.queued >= STREAM_LOW || f->closed)
        return;
    f->full = false;
    f->base.events->on_drain(f->base.owner);
}
