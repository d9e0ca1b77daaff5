/* One request over its tries: what can reach the origin, what trunkline reports of it, and
 * when it is sent again (src/proxy/fetch.c, attempt.c, delivery.c; contract 4 and 11;
 * RFC 9113 6.8, 7, 8.7; RFC 9110 15.5.20). States, results and rules have the names that
 * they have in the code; tests/models/run.sh checks that.
 *
 * Every try has a line of its own, which outlives the try: what was written to a line that
 * stays open can be read by the origin at any later time. The origin is honest where a
 * protocol says so (REFUSED_STREAM, GOAWAY, HTTP_1_1_REQUIRED, 421: it did not act on the
 * request, and never will) and otherwise does what it likes: it acts as soon as it has read
 * a part of the request or never, answers, answers early, resets, or is silent. The network
 * delivers, delays for ever, or breaks. The client leaves and time runs out at any moment.
 *
 * Proved for all interleavings of these:
 * - the origin acts on an order at most once;
 * - a request reported as sent=no is never acted on, neither before nor after the report;
 * - what is reported never falls below what the origin has read and not taken back;
 * - every request ends, and a try that is given up is accounted for.
 *
 * Each of these faults is refuted when it is put in:
 *   BUG=1: bytes that wait in the queue of an open connection count as unsent
 *   BUG=2: of several tries only the last one's result is kept
 *   BUG=3: the verdict is that of the present try
 *   BUG=4: an order that was sent in part is sent again
 *   BUG=5: whatever was lost on a reused connection is sent again
 *   BUG=6: a reset counts as a refusal
 *   BUG=7: what the kernel had taken counts as unsent once the connection is closed */

#ifndef BUG
#define BUG 0
#endif
#define TRIES 3 /* the first, a repetition, and one after a 421 */

/* How much of a request: of it nothing, a part, or all. */
#define SENT_NO 0
#define SENT_PARTIAL 1
#define SENT_YES 2

mtype = { FETCH_GATHERING, FETCH_GATED, FETCH_QUEUED, FETCH_TRYING, FETCH_FOLLOWED, FETCH_ENDED };
mtype = { ATTEMPT_IDLE, ATTEMPT_SENDING, ATTEMPT_RECEIVING, ATTEMPT_ENDED };

/* What the origin says on a line, in the order of the wire: one thing at most is under way. */
mtype = { QUIET, HEAD, WHOLE, REFUSED, HTTP1_REQUIRED, MISDIRECTED, RESET };

bool is_order, is_private, retry_private;

mtype fetch_state = FETCH_GATHERING;
mtype attempt_state = ATTEMPT_IDLE;
byte tries = 0;
bool elsewhere = false;
byte now = 0; /* the present try: its line */

/* struct delivery */
byte delivery = SENT_NO;
bool reported = false;
byte verdict = SENT_NO;

typedef line_t {
    bool is_h2;
    bool reused;
    bool open;      /* at our end */
    byte given;     /* by the exchange: over HTTP/2 what is not written yet can be taken back */
    byte written;   /* to the stream: over HTTP/2 other requests' frames follow, so it goes out */
    byte taken;     /* by the kernel */
    byte read;      /* by the origin */
    bool acted;
    bool vouched;   /* the origin has said that it did not act and will not */
    mtype said;
    bool began;     /* a response's head was received on it */
}
line_t line[TRIES];

byte acts = 0;
bool undone; /* of a lost try: the origin guarantees that it did nothing of it */

inline enter_fetch(to) { fetch_state = to }

/* What nothing reads any more is cleared, so that states which differ in it alone are one. */
inline forget_try()
{
    line[now].said = QUIET;
    line[now].began = false;
    line[now].reused = false;
    line[now].given = 0;
    undone = false
}

/* ------------------------------------------------------------------ the origin */

/* What the origin has read and may have acted on, over all tries. */
#define COVERED(i) (line[i].vouched -> SENT_NO : line[i].read)

inline act(i)
{
    assert(!(reported && verdict == SENT_NO)); /* sent=no, then it is delivered */
    line[i].acted = true;
    acts++;
    assert(!is_order || acts <= 1) /* an order is never sent twice */
}

/* What comes on a line whose try is over is heard by nothing, so it is left out. */
#define HEARD (i == now && (attempt_state == ATTEMPT_SENDING || attempt_state == ATTEMPT_RECEIVING))

/* One line: the kernel's side, the wire and the origin. */
proctype wire(byte i)
{
end:
    do
    /* The kernel takes what was written; the origin reads it. A part may come alone. */
    :: atomic { line[i].open && line[i].taken < line[i].written -> line[i].taken++ }
    :: atomic { line[i].read < line[i].taken && line[i].said != REFUSED ->
                line[i].read++;
                /* It acts on what it reads, or not at all. To act later is to read later. */
                if
                :: !line[i].acted && !line[i].vouched -> act(i)
                :: skip
                fi }
    /* It vouches, before a response. */
    :: atomic { HEARD && line[i].is_h2 && line[i].said == QUIET && !line[i].acted && line[i].written > 0 ->
                line[i].vouched = true; line[i].said = REFUSED }
    :: atomic { HEARD && line[i].is_h2 && line[i].said == QUIET && !line[i].acted && line[i].read > 0 ->
                line[i].vouched = true; line[i].said = HTTP1_REQUIRED }
    :: atomic { HEARD && line[i].said == QUIET && !line[i].acted && line[i].read > 0 ->
                line[i].vouched = true; line[i].said = MISDIRECTED }
    /* It answers, also before it has read all. */
    :: atomic { HEARD && line[i].said == QUIET && line[i].read > 0 -> line[i].said = HEAD }
    :: atomic { HEARD && line[i].said == HEAD -> line[i].said = WHOLE }
    /* The line breaks or the stream is reset, at any time. */
    :: atomic { HEARD && (line[i].said == QUIET || line[i].said == HEAD) -> line[i].said = RESET }
    od
}

/* ------------------------------------------------------------------ the line's answers */

byte sent; /* the result of what follows */

/* h2_exchange: sent_now(), h1_exchange: sent_now(). On a line that stays open what waits in
 * its queue counts; `yes` only if the kernel has taken all. */
inline exchange_sent(i)
{
    sent = line[i].written;
    if
    :: BUG == 1 -> sent = line[i].taken
    :: else
    fi;
    if
    :: sent == SENT_YES && line[i].taken < SENT_YES -> sent = SENT_PARTIAL
    :: else
    fi
}

/* A line that is closed takes its queue along. */
inline close_line(i)
{
    line[i].open = false;
    line[i].written = line[i].taken
}

/* ------------------------------------------------------------------ struct delivery */

inline delivery_end_try()
{
    if
    :: sent > delivery || BUG == 2 -> delivery = sent
    :: else
    fi
}

/* By now, the present try included. */
inline attempt_sent()
{
    sent = SENT_NO;
    if
    :: attempt_state == ATTEMPT_SENDING || attempt_state == ATTEMPT_RECEIVING -> exchange_sent(now)
    :: else
    fi;
    if
    :: delivery > sent && BUG != 3 -> sent = delivery
    :: else
    fi
}

/* attempt_end(), attempt_give_up(): cancels the stream over HTTP/2, whose line goes on, and
 * closes the line over HTTP/1.1 or if it stays open for no one. */
inline delivery_give_up()
{
    if
    :: attempt_state == ATTEMPT_SENDING || attempt_state == ATTEMPT_RECEIVING ->
        if
        :: line[now].is_h2 -> line[now].given = line[now].written
        :: else -> close_line(now)
        fi;
        exchange_sent(now);
        if
        :: BUG == 7 && !line[now].is_h2 -> sent = SENT_NO
        :: else
        fi;
        delivery_end_try()
    :: else
    fi
}

/* ------------------------------------------------------------------ fetch */

inline report()
{
    verdict = sent;
    reported = true;
    assert(verdict != SENT_NO || acts == 0);
    byte k = 0;
    do
    :: k < TRIES -> assert(verdict >= COVERED(k) || verdict > SENT_NO); k++
    :: else -> k = 0; break
    od;
    attempt_state = ATTEMPT_ENDED;
    enter_fetch(FETCH_ENDED);
    forget_try()
}

/* fail(): the verdict is of all tries. */
inline fail()
{
    delivery_give_up();
    sent = delivery;
    if
    :: BUG == 3 -> exchange_sent(now)
    :: else
    fi;
    report()
}

inline answered()
{
    sent = SENT_YES;
    delivery_end_try();
    report()
}

#define MAY_REPLAY (fetch_state == FETCH_TRYING && tries < TRIES)
#define IS_HARMLESS (!is_order && line[now].reused && (!is_private || retry_private))

/* on_lost(): `sent` and `undone` are of the try that was lost. */
inline on_lost(answer_began)
{
    delivery_end_try();
    attempt_state = ATTEMPT_IDLE;
    if
    :: MAY_REPLAY && !answer_began &&
       (sent == SENT_NO || undone || IS_HARMLESS || (BUG == 4 && sent == SENT_PARTIAL) ||
        (BUG == 5 && line[now].reused)) ->
        if
        :: sent == SENT_NO || undone -> enter_fetch(FETCH_QUEUED)
        :: else -> enter_fetch(FETCH_GATED)
        fi;
        forget_try()
    :: else ->
        sent = delivery;
        report()
    fi
}

/* What comes on the present line. */
inline on_line_event()
{
    if
    :: line[now].said == HEAD && !line[now].began ->
        line[now].began = true;
        attempt_state = ATTEMPT_RECEIVING
    :: line[now].said == WHOLE ->
        answered()
    :: line[now].said == REFUSED ->
        /* fail_refused(): what was sent is undone. */
        exchange_sent(now);
        undone = (sent != SENT_NO);
        line[now].given = line[now].written;
        sent = SENT_NO;
        on_lost(false)
    :: line[now].said == HTTP1_REQUIRED ->
        exchange_sent(now);
        undone = true;
        on_lost(false)
    :: line[now].said == MISDIRECTED ->
        line[now].began = true;
        if
        :: MAY_REPLAY && !elsewhere ->
            elsewhere = true;
            delivery_give_up();
            attempt_state = ATTEMPT_IDLE;
            enter_fetch(FETCH_GATED);
            forget_try()
        :: else -> answered()
        fi
    :: line[now].said == RESET ->
        close_line(now);
        exchange_sent(now);
        undone = (BUG == 6);
        if
        :: line[now].began -> fail() /* after the head there is no further try */
        :: else -> on_lost(false)
        fi
    fi
}

#define HAS_EVENT                                                                                  \
    ((line[now].said == HEAD && !line[now].began) ||                                               \
     (line[now].said != QUIET && line[now].said != HEAD))
#define IS_TRYING (attempt_state == ATTEMPT_SENDING || attempt_state == ATTEMPT_RECEIVING)

/* attempt_begin(): on a line of either protocol, new or used before. */
inline attempt_begin()
{
    now = tries;
    tries++;
    line[now].open = true;
    line[now].said = QUIET;
    if
    :: line[now].is_h2 = true
    :: line[now].is_h2 = false
    fi;
    if
    :: !elsewhere -> line[now].reused = true
    :: line[now].reused = false
    fi;
    attempt_state = ATTEMPT_SENDING;
    enter_fetch(FETCH_TRYING)
}

active proctype daemon()
{
    atomic {
        if
        :: is_order = true
        :: is_private = true
        :: is_private = true; retry_private = true
        :: skip
        fi;
        byte i = 0;
        do
        :: i < TRIES -> line[i].said = QUIET; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < TRIES -> run wire(i); i++
        :: else -> i = 0; break
        od
    }
    do
    :: atomic { fetch_state == FETCH_GATHERING -> enter_fetch(FETCH_GATED) }
    :: atomic { fetch_state == FETCH_GATED -> enter_fetch(FETCH_QUEUED) }
    :: atomic { fetch_state == FETCH_QUEUED -> attempt_begin() }
    /* The exchange gives, the connection writes. */
    :: atomic { attempt_state == ATTEMPT_SENDING && line[now].given < SENT_YES -> line[now].given++ }
    :: atomic { IS_TRYING && line[now].open && line[now].written < line[now].given ->
                line[now].written++ }
    :: atomic { IS_TRYING && HAS_EVENT -> on_line_event(); sent = 0 }
    /* The time is up, the very end, or the client leaves a request that is not sent whole. */
    :: atomic { fetch_state != FETCH_ENDED -> fail(); sent = 0 }
    /* The client leaves one that is sent whole: its response is still awaited. */
    :: atomic { fetch_state == FETCH_TRYING && IS_TRYING && line[now].taken == SENT_YES ->
                enter_fetch(FETCH_FOLLOWED) }
    :: atomic { fetch_state == FETCH_ENDED -> break }
    od;
    assert(reported)
}
