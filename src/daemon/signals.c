#include "daemon/signals.h"

#include <signal.h>

static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

struct signals {
    uv_signal_t handles[COUNT_OF(numbers)];
    size_t open;
    void (*on_signal)(void *owner, int number);
    void *owner;
};

static void on_uv_signal(uv_signal_t *handle, int number)
{
    struct signals *s = handle->data;
    s->on_signal(s->owner, number);
}

static void on_closed(uv_handle_t *handle)
{
    struct signals *s = handle->data;
    if (--s->open == 0)
        free(s);
}

struct signals *signals_new(struct loop *l, void (*on_signal)(void *owner, int number), void *owner)
{
    struct signals *s = NEW(struct signals);
    s->on_signal = on_signal;
    s->owner = owner;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write */
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        CHECK(uv_signal_init(loop_uv(l), &s->handles[i]) == 0);
        s->handles[i].data = s;
        s->open++;
        CHECK(uv_signal_start(&s->handles[i], on_uv_signal, numbers[i]) == 0);
        uv_unref((uv_handle_t *)&s->handles[i]);
    }
    return s;
}

void signals_free(struct signals *s)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uv_close((uv_handle_t *)&s->handles[i], on_closed);
        signal(numbers[i], SIG_IGN);
    }
}
