/* One look at one upstream, reached as the daemon would reach it: resolves its name, opens a
 * line (dial, TLS, ALPN), requests one small public page, and records what it saw. Owned by
 * the code that started it (`doctor`). It is resolving, connecting, asking or over, and is
 * always over within CHECKUP_PATIENCE_MS. */
#pragma once

#include "upstream/connect.h"

#define CHECKUP_PATIENCE_MS 15000

struct checkup;

struct checkup_facts {
    const char *exit;     /* the name of the one it went by; NULL: none */
    char addresses[400];  /* all of them, "IP:PORT, …"; a long list is cut */
    enum failure failure; /* FAILURE_NONE: it responded */
    char detail[200];     /* describes the failure */
    bool connected;       /* what follows is known: */
    bool secure;
    char peer[128];                 /* the address it connected to; "": a unix socket */
    char tls_version[16], alpn[16]; /* "": no TLS; nothing chosen */
    uint64_t dns_us, connect_us, tls_us;
    int64_t valid_from_s, valid_until_s; /* see struct tls_report */
    const char *path;                    /* what was requested; known_path: it should exist */
    bool known_path;
    unsigned status;               /* 0: no response */
    int64_t asked_ms, answered_ms; /* since 1970, by the local clock */
    uint64_t answer_us;            /* from the request to the response's head */
    bool has_date, has_weight;     /* whether the response has: */
    int64_t date_s;                /* the time there, truncated to a second */
    int64_t weight;                /* used up, as weight_header says */
};

/* Starts it, by one of the upstream's exits (NULL: straight). `done` is called once, later. All
 * arguments must outlive it. */
struct checkup *checkup_start(const struct connect_env *, struct tls_context *,
                              const struct upstream_config *, const struct config_exit *,
                              void (*done)(void *owner), void *owner);
const struct checkup_facts *checkup_facts(const struct checkup *);

/* At any time; the loop must turn once more after. */
void checkup_free(struct checkup *);
