/* Clients of a storm over the proxy of transaction_fixture.h: each is free, or has a
 * request under way, perhaps paused. For check_transaction_storm.c and
 * check_coalescer_storm.c. */
#pragma once

#include "storm.h"
#include "transaction_fixture.h"

#define CLIENTS 30

struct storm_client {
    struct test_client its;
    bool used, paused;
};

extern struct storm_client clients[CLIENTS];

/* Requests, and how they ended: answered, failed, or without a word as their client left. */
extern unsigned begun, answered, failed, left;

/* All are free; what was counted is forgotten. */
void clients_init(void);

/* Its request is under way, not ended and not left. */
bool is_active(const struct storm_client *);
unsigned count_active(void);

/* Counts this one's request; the test makes it by ask() or ask_whole(). */
void use(struct storm_client *);

/* At one event in ten that this client hears it cancels, or pauses. */
enum recorder_event sometimes(void);
void pause_client(struct storm_client *);
void resume_client(struct storm_client *);

/* Frees those whose request has ended, once each; `see` (NULL: none) is shown the answered. */
void reap(void (*see)(const struct test_client *));

/* Their clients leave: of all, or of those alone that are paused. */
void cancel_all(bool only_paused);

/* Lets the loop turn so many times, `step_ms` apart: time enough for every end. */
void let_end(unsigned turns, uint64_t step_ms);
