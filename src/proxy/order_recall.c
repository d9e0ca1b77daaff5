#include "proxy/order_recall.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "proxy/order_files.h"
#include "proxy/order_history.h"
#include "proxy/order_other.h"
#include "proxy/order_rules.h"

/* The longest that an order may have been under way when its process ended, where no
 * total_timeout bounds that. */
#define UNDER_WAY_MS 60000

struct recall {
    struct dedupe *dedupe;
    const struct config *config;
    int64_t now_us; /* of the wall clock */
    size_t remembered, left_out;
};

static uint64_t longest_total(const struct upstream_config *u)
{
    return u->total_timeout > UNDER_WAY_MS ? u->total_timeout : UNDER_WAY_MS;
}

/* Orders that began earlier than this before now count no more. 0: none does. */
static uint64_t horizon_ms(const struct config *c)
{
    uint64_t horizon = 0;
    for (size_t i = 0; i <= c->upstream_count; i++) {
        const struct upstream_config *u = i ? c->upstreams[i - 1] : &c->defaults;
        uint64_t dedupe = order_dedupe_longest(u);
        if (dedupe && dedupe + longest_total(u) > horizon)
            horizon = dedupe + longest_total(u);
    }
    return horizon;
}

static enum failure failure_of(const char *name)
{
    for (int i = 0; i < FAILURE_COUNT; i++)
        if (strcmp(failure_name((enum failure)i), name) == 0)
            return (enum failure)i;
    return FAILURE_NONE;
}

static uint64_t ms_since(const struct recall *r, int64_t us)
{
    return us < r->now_us ? (uint64_t)(r->now_us - us) / 1000 : 0;
}

/* An order without an end was perhaps sent whole, and hardly so long ago as it began. */
static struct dedupe_fate fate_of(const struct recall *r, const struct order_past *p)
{
    bool ended = p->ended_us != 0;
    struct dedupe_fate f = {.age_ms = ms_since(r, p->began_us),
                            .sent = ended ? p->sent : SENT_YES,
                            .error = ended ? failure_of(p->error) : FAILURE_NONE,
                            .is_open = p->fate == ORDER_OPEN};
    if (ended && f.error == FAILURE_NONE)
        f.status = p->status;
    return f;
}

/* From when on its time counts, see dedupe_enter(). */
static uint64_t since_ms(const struct recall *r, const struct order_past *p,
                         const struct dedupe_fate *f)
{
    if (p->ended_us == 0)
        return 0;
    return f->status ? f->age_ms : ms_since(r, p->ended_us);
}

static void recall_one(void *context, const struct order_past *p)
{
    struct recall *r = context;
    struct order_digest digest;
    struct request_id id = {0};
    const struct upstream_config *u = config_find(r->config, p->upstream, strlen(p->upstream));
    uint64_t within = order_dedupe_longest(u ? u : &r->config->defaults);
    struct dedupe_fate f = fate_of(r, p);
    uint64_t since = since_ms(r, p, &f);
    if (f.sent == SENT_NO || since >= within || strlen(p->id) >= sizeof id.text ||
        !order_digest_read(span_of(p->digest), &digest))
        return;
    strcpy(id.text, p->id);
    f.id = &id;
    if (dedupe_recall(r->dedupe, p->upstream, &digest, &f, since, within))
        r->remembered++;
    else
        r->left_out++;
}

/* A pipe or a terminal keeps nothing that could be read, and reading it would wait. A file to which
 * nothing was written of late has nothing that counts. */
static bool is_of_use(const struct order_wish *wish, const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) &&
           (int64_t)about.st_mtim.tv_sec + 1 >= wish->since_us / 1000000 &&
           !order_files_is_compressed(path);
}

static void read_file(struct order_history *h, const char *path)
{
    char error[200];
    if (!order_history_read(h, path, error, sizeof error))
        log_write(LOG_LEVEL_WARN, "order journal",
                  "copies of orders in %s cannot be recognised: %s", path, error);
}

static void read_files(struct order_history *h, const struct order_wish *wish, const char *journal)
{
    struct order_files files;
    size_t count = 0;
    order_files_find(&files, journal);
    char **of_use = must_calloc(files.count + 1, sizeof *of_use);
    for (size_t i = 0; i < files.count; i++)
        if (is_of_use(wish, files.at[i]))
            of_use[count++] = files.at[i];
    order_files_sort(of_use, count);
    for (size_t i = 0; i < count; i++)
        read_file(h, of_use[i]);
    free(of_use);
    order_files_clear(&files);
}

static struct recall recall_by(struct dedupe *dedupe, struct loop *loop, const struct config *c)
{
    struct timespec wall = loop_wall(loop);
    return (struct recall){.dedupe = dedupe,
                           .config = c,
                           .now_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000};
}

static void settle(const struct recall *r, const struct order_past *p)
{
    struct request_id id = {0};
    struct dedupe_fate f = fate_of(r, p);
    snprintf(id.text, sizeof id.text, "%s", p->id);
    f.id = &id;
    dedupe_settle(r->dedupe, &f);
}

void order_recall_other(struct dedupe *dedupe, struct loop *loop, const struct config *c,
                        const struct order_other *o)
{
    struct recall r = recall_by(dedupe, loop, c);
    if (o->is_end)
        settle(&r, &o->past);
    else
        recall_one(&r, &o->past);
}

size_t order_recall(struct dedupe *dedupe, struct loop *loop, const struct config *c,
                    const char *path)
{
    struct recall r = recall_by(dedupe, loop, c);
    uint64_t horizon = horizon_ms(c);
    if (horizon == 0)
        return 0;
    struct order_wish wish = {.since_us = r.now_us - (int64_t)horizon * 1000,
                              .most = DEDUPE_ORDERS_MAX};
    struct order_history *h = order_history_new(&wish);
    read_files(h, &wish, path);
    order_history_each(h, recall_one, &r);
    order_history_free(h);
    if (r.left_out)
        log_write(LOG_LEVEL_WARN, "order journal",
                  "%zu orders of the last minutes are too many to be remembered (dedupe)",
                  r.left_out);
    return r.remembered;
}
