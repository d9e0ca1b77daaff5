/* A proxy with one upstream, "a", whose origin is in the same loop, and requests
 * to it. For check_transaction*.c. */
#pragma once

#include "base/log.h"
#include "config_fixture.h"
#include "http/framing.h"
#include "plain_origin.h"
#include "proxy/proxy.h"
#include "recorder.h"
#include "stopwatch.h"
#include "until.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct test_client {
    struct arena *arena;
    struct request request;
    struct recorder recorder;
    struct text heard;
    bool finished;
};

extern struct loop *loop;
extern struct plain_origin origin;
extern struct config *config;
extern struct tls_set *tls;
extern struct pools *pools;
extern struct proxy *proxy;
extern struct record last_record;
extern unsigned records;
extern const struct ingress ingress;

void begin(const char *directives);
void finish(void);

extern bool resolves;          /* set before begin(): hosts are resolved, there is no connect_to */
extern const char *asked_path; /* of ask(); "/x?y" from begin() on */

/* `fields`: "Name: value\r\n" each. */
void prepare(struct test_client *a, const char *method, const char *fields);
void ask(struct test_client *a, const char *method, const char *fields);
void conclude(struct test_client *a);

/* A request with no body, or with one of five bytes. */
void ask_whole(struct test_client *a, const char *method, const char *fields);

/* Frees the client and everything that belongs to it. */
bool depart(struct test_client *a);
void clear(struct test_client *a);
bool heard_part(const struct test_client *a, const char *part);
struct pool_view look(void);

/* One successful request, so that the next one finds an idle line. */
void warm_up(void);
