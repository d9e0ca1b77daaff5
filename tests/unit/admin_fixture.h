/* The pages over pools that a test makes up: requests a page and collects the response. */
#pragma once

#include "base/text.h"
#include "pages/admin.h"
#include "pools_fixture.h"
#include "until.h"

extern struct pools pools;
extern struct admin admin;
extern struct loop *loop;

/* One response, collected. */
struct answer {
    unsigned status;
    char fields[1200];
    struct text body;
    uint64_t length;
    bool has_length, ended;
};

extern struct ingress local;

/* If set, called before waiting for the end of the response. */
extern void (*meanwhile)(const struct answer *);

/* Requests a page and waits for the end of the response. */
struct answer ask(const char *method, const char *path);

/* Checks that the response has this status, and contains `fields` and `body`. */
void expect(const char *method, const char *path, unsigned status, const char *fields,
            const char *body);
