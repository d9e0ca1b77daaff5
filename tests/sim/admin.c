#include "tests/sim/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/answer.h"

static unsigned said;

struct admin {
    struct end *end;
    char request[200];
    struct answer answer;
    void (*told)(int status);
};

/* Where it cannot be written at once, the verb is not said. */
static void on_open(void *owner)
{
    struct admin *a = owner;
    (void)end_send(a->end, a->request, strlen(a->request));
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct admin *a = owner;
    if (a->answer.is_whole)
        return;
    answer_feed(&a->answer, data, len);
    if (a->answer.is_whole && a->told)
        a->told(a->answer.status);
}

static void on_end(void *owner, bool reset)
{
    struct admin *a = owner;
    (void)reset;
    end_close(a->end, false);
}

void admin_say(uint16_t port, const char *upstream, const char *verb, void (*told)(int status))
{
    static const struct end_events events = {on_open, on_data, on_end};
    struct admin *a = NEW(struct admin);
    said++;
    a->told = told;
    snprintf(a->request, sizeof a->request,
             "POST /upstreams/%s%s%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             upstream ? upstream : "", upstream ? "/" : "", verb, port);
    world_say("operator: %s %s", verb, upstream ? upstream : "all");
    a->end = end_dial(port, &events, a);
}

unsigned admin_said(void)
{
    return said;
}
