/* The clients of a storm over the proxy of transaction_fixture.h: each is free or has a request in
 * progress, which may be paused. For check_transaction_storm.c and check_coalescer_storm.c. */
#pragma once

#include "storm.h"
#include "transaction_fixture.h"

#define CLIENTS 30

struct storm_client {
    struct test_client its;
    bool used, paused;
};

extern struct storm_client clients[CLIENTS];

/* The number of requests, and how they ended: answered, failed, or without an event because their
 * client disconnected. */
extern unsigned begun, answered, failed, left;

/* Marks all clients as free and resets the counters. */
void clients_init(void);

/* The client's request is in progress: it has not ended, and the client has not disconnected. */
bool is_active(const struct storm_client *);
unsigned count_active(void);

/* Counts a request of this client; the test sends it with ask() or ask_whole(). */
void use(struct storm_client *);

/* Makes the client cancel or pause in one of ten of its events. */
enum recorder_event sometimes(void);
void pause_client(struct storm_client *);
void resume_client(struct storm_client *);

/* Frees the clients whose request has ended, each once, after calling `see` (unless NULL) for each
 * one that was answered. */
void reap(void (*see)(const struct test_client *));

/* Disconnects all clients with a request in progress, or only those that are paused. */
void cancel_all(bool only_paused);

/* Turns the loop this many times, `step_ms` apart, which is enough for every request to end. */
void let_end(unsigned turns, uint64_t step_ms);
