#include "tests/sim/upgrades.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/sim/tunnels.h"

#define UPGRADES_MOST 1024
#define TARGET "GET /w/"

enum deed {
    DEED_SWITCH,
    DEED_REFUSE,
    DEED_ANSWER,
    DEED_SILENT_SWITCH, /* a 101 that does not say to what */
    DEED_GARBAGE,
    DEED_STALL,
    DEED_CLOSE,
    DEED_RESET,
    DEEDS
};

static const char *const answers[DEEDS] = {
    [DEED_SWITCH] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\n\r\n",
    [DEED_REFUSE] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
    [DEED_ANSWER] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    [DEED_SILENT_SWITCH] = "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    [DEED_GARBAGE] = "what?\r\n\r\n",
};

struct upgrade {
    struct origin_conn *conn;
    enum deed deed;
};

static bool was_read[UPGRADES_MOST];

void upgrade_write(unsigned number, struct text *to)
{
    text_printf(to,
                "GET /plain/w/%u HTTP/1.1\r\nHost: 127.0.0.1:8642\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                number);
    world_say("tunnel: side %u asks for an upgrade", number);
}

/* Its connection is a tunnel's from now on. */
static void switch_over(struct origin_conn *c)
{
    const char *answer = answers[DEED_SWITCH];
    if (end_send(c->end, answer, strlen(answer)) != (ssize_t)strlen(answer)) {
        origin_break(c);
        return;
    }
    c->over = true;
    tunnels_switch(c->end);
}

static void act(void *owner)
{
    struct upgrade *u = owner;
    struct origin_conn *c = u->conn;
    if (!c->over && !c->finishes) {
        switch (u->deed) {
        case DEED_SWITCH: switch_over(c); break;
        case DEED_STALL: break;
        case DEED_CLOSE: origin_finish(c); break;
        case DEED_RESET: origin_break(c); break;
        default: origin_write(c, answers[u->deed], strlen(answers[u->deed]));
        }
    }
    free(u);
}

bool upgrades_take(struct origin_conn *c, struct span in)
{
    struct span begins = SPAN(TARGET);
    if (!span_starts(in, begins))
        return in.len && span_starts(begins, in);
    if (memmem(in.at, in.len, "\r\n\r\n", 4) == NULL)
        return true;
    unsigned number = (unsigned)strtoul(in.at + begins.len, NULL, 10);
    CHECK(number < UPGRADES_MOST);
    if (was_read[number])
        world_fault("twice", "upgrade %u reached the exchange again", number);
    was_read[number] = true;
    struct dice d = dice_of("upgrade", number);
    struct upgrade *u = NEW(struct upgrade);
    *u = (struct upgrade){c, dice_chance(&d, 65) ? DEED_SWITCH : dice_draw(&d, DEEDS)};
    if (dice_chance(&d, 50))
        act(u);
    else
        origin_later(c, act, u);
    return true;
}
