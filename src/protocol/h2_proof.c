#include "protocol/h2_proof.h"

#include "base/rare.h"

static uint64_t quiet_limit(const struct h2_proof *p)
{
    return p->open->count ? H2_BUSY_PING_MS : H2_IDLE_PING_MS;
}

/* When the next step is due. While the origin is heard, never later than the PING of an idle
 * connection, since a busy one may become idle. */
static uint64_t next_step_at(const struct h2_proof *p)
{
    uint64_t due = p->heard_at + quiet_limit(p), soon = loop_now(p->loop) + H2_IDLE_PING_MS;
    switch (p->state) {
    case H2_PROOF_HEARD: return due < soon ? due : soon;
    case H2_PROOF_ASKED: return p->asked_at + H2_DOUBT_MS;
    case H2_PROOF_DOUBTED: break;
    }
    return p->asked_at + H2_PONG_MS;
}

/* When the origin is heard from, the deadline stays: it is moved when it expires. */
static void enter(struct h2_proof *p, enum h2_proof_state to)
{
    STATE_ENTER(h2_proof, &p->state, to, p->conn->log_object, p->conn->log_id);
    p->conn->doubted = to == H2_PROOF_DOUBTED;
    if (to != H2_PROOF_HEARD)
        deadline_at(&p->due, next_step_at(p));
}

static void ask(struct h2_proof *p)
{
    p->asked_at = loop_now(p->loop);
    enter(p, H2_PROOF_ASKED);
    p->events->on_ping_due(p->conn);
}

static void doubt(struct h2_proof *p)
{
    rare_note(RARE_H2_DOUBTED);
    p->conn->awaited_until = p->asked_at + H2_DOUBT_MS;
    enter(p, H2_PROOF_DOUBTED);
    p->events->on_doubted(p->conn);
}

static void on_due(struct deadline *d)
{
    struct h2_proof *p = container_of(d, struct h2_proof, due);
    uint64_t now = loop_now(p->loop);
    if (p->state != H2_PROOF_HEARD && now >= p->asked_at + H2_PONG_MS)
        p->events->on_dead(p->conn);
    else if (p->state == H2_PROOF_ASKED)
        doubt(p);
    else if (p->state == H2_PROOF_HEARD && now >= p->heard_at + quiet_limit(p))
        ask(p);
    else
        deadline_at(&p->due, next_step_at(p));
}

void h2_proof_heard(struct h2_proof *p)
{
    p->heard_at = loop_now(p->loop);
    p->unanswered_since = 0;
    if (p->state == H2_PROOF_HEARD)
        return;
    bool was_doubted = p->state == H2_PROOF_DOUBTED;
    enter(p, H2_PROOF_HEARD);
    if (was_doubted)
        p->events->on_proved(p->conn);
}

/* A connection on which nothing was received since then may be dead. If several exchanges are
 * given up after a short wait each, one after the other, the silence counts from the first. */
void h2_proof_unanswered(struct h2_proof *p, uint64_t since, bool late)
{
    if (p->heard_at > since || p->state == H2_PROOF_DOUBTED)
        return;
    if (p->unanswered_since == 0)
        p->unanswered_since = since;
    if (!late && loop_now(p->loop) - p->unanswered_since < H2_SILENCE_MS)
        return;
    if (p->state == H2_PROOF_HEARD)
        ask(p);
    doubt(p);
}

void h2_proof_stop(struct h2_proof *p)
{
    deadline_stop(&p->due);
}

void h2_proof_init(struct h2_proof *p, struct loop *l, struct conn *c, const struct list *open,
                   const struct h2_proof_events *events)
{
    *p = (struct h2_proof){
        .events = events, .conn = c, .loop = l, .open = open, .heard_at = loop_now(l)};
    deadline_init(&p->due, l, on_due);
    deadline_at(&p->due, next_step_at(p));
}
