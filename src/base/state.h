/* States: an enum with names, a table of legal edges, and one way to change. A type with states
 * owns its state variable; its one transition function is the only code that writes it. Compiled
 * away to a bit test and a store where nothing is traced; no allocation, no registration.
 *
 * A type lists its states once, each with its name and the states it may go to (0: none, it is
 * final). An object starts in the first, which is 0:
 *
 * #define FETCH_STATES(S)                                               \ S(FETCH_QUEUED, "queued",
 * TO(FETCH_GATED) | TO(FETCH_ENDED))      \ S(FETCH_GATED, "gated", TO(FETCH_RUNNING) |
 * TO(FETCH_ENDED))      \ S(FETCH_RUNNING, "running", TO(FETCH_QUEUED) | TO(FETCH_ENDED))   \
 * S(FETCH_ENDED, "ended", 0) STATE_TYPE(fetch, FETCH_STATES)
 *
 * struct fetch { enum fetch_state state; ... };
 *
 * static void fetch_enter(struct fetch *f, enum fetch_state to) { STATE_ENTER(fetch, &f->state, to,
 * f->upstream, f->line); (what is to be done on entry) }
 *
 * fetch_enter(f, FETCH_GATED); json_string(fetch_state_name(f->state));
 *
 * At log_level debug each change is one line, about `object` as in log.h, in one format for all
 * types:
 *
 * debug binance: fetch: queued -> gated line=17 debug binance: fetch: queued -> gated
 * id=06f3k9d2q4ab-17
 *
 * Staying in a state is not a change: enter a state again only if the table has that edge. An
 * illegal edge is a bug, and aborts as CHECK() does, naming both states. STATE_TYPE() belongs in a
 * header if other files read the state, otherwise in the .c file. */
#pragma once

#include "base/check.h"
#include "base/log.h"
#include "base/request_id.h"

/* One edge of the table. */
#define TO(state) (1u << (state))

/* Defines, for STATE_TYPE(fetch, FETCH_STATES):
 *     enum fetch_state                       at most 32 states
 *     fetch_state_name(enum fetch_state)     "queued"
 *     fetch_state_edges(enum fetch_state)    the TO()s of its row */
#define STATE_TYPE(noun, STATES)                                                                   \
    enum noun##_state{STATES(STATE_ENUMERATOR_)};                                                  \
                                                                                                   \
    __attribute__((unused)) static inline const char *noun##_state_name(enum noun##_state s)       \
    {                                                                                              \
        static const char *const names[] = {STATES(STATE_NAME_)};                                  \
        return names[s];                                                                           \
    }                                                                                              \
                                                                                                   \
    __attribute__((unused)) static inline unsigned noun##_state_edges(enum noun##_state s)         \
    {                                                                                              \
        static const unsigned edges[] = {STATES(STATE_EDGES_)};                                    \
        return edges[s];                                                                           \
    }

#define STATE_ENUMERATOR_(state, name, edges) state,
#define STATE_NAME_(state, name, edges) [state] = (name),
#define STATE_EDGES_(state, name, edges) [state] = (edges),

/* Changes the state at `at` to `to`, which its row must allow, and traces that. `object`
 * (NULL: it has no name yet) and `line`, the number of the upstream connection that it is
 * or uses (uint64_t; 0: none), tell objects of one type apart, and are evaluated
 * only for the trace. To be used in the type's one transition function. */
#define STATE_ENTER(noun, at, to, object, line) STATE_ENTER_FOR(noun, at, to, object, line, NULL)

/* Likewise of an object that serves one request: the trace ends with its id, " id=...". */
#define STATE_ENTER_FOR(noun, at, to, object, line, request)                                       \
    do {                                                                                           \
        enum noun##_state *const at_ = (at), from_ = *at_, to_ = (to);                             \
        if (!(noun##_state_edges(from_) & TO(to_)))                                                \
            state_illegal(__FILE__, __LINE__, #noun, noun##_state_name(from_),                     \
                          noun##_state_name(to_));                                                 \
        *at_ = to_;                                                                                \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                          \
            state_trace(object, #noun, line, noun##_state_name(from_), noun##_state_name(to_),     \
                        request);                                                                  \
    } while (0)

/* Used by STATE_ENTER() alone: aborts; writes the line. */
_Noreturn void state_illegal(const char *file, int line, const char *noun, const char *from,
                             const char *to) __attribute__((cold));
void state_trace(const char *object, const char *noun, uint64_t line, const char *from,
                 const char *to, const struct request_id *) __attribute__((cold));
