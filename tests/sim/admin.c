#include "tests/sim/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static unsigned said;

struct admin {
    struct end *end;
    char request[200];
};

/* Where it cannot be written at once, the verb is not said. */
static void on_open(void *owner)
{
    struct admin *a = owner;
    (void)end_send(a->end, a->request, strlen(a->request));
}

static void on_data(void *owner, const char *data, size_t len)
{
    (void)owner;
    (void)data;
    (void)len;
}

static void on_end(void *owner, bool reset)
{
    struct admin *a = owner;
    (void)reset;
    end_close(a->end, false);
}

void admin_say(uint16_t port, const char *upstream, const char *verb)
{
    static const struct end_events events = {on_open, on_data, on_end};
    struct admin *a = NEW(struct admin);
    said++;
    snprintf(a->request, sizeof a->request,
             "POST /upstreams/%s/%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             upstream, verb, port);
    world_say("operator: %s %s", verb, upstream);
    a->end = end_dial(port, &events, a);
}

unsigned admin_said(void)
{
    return said;
}
