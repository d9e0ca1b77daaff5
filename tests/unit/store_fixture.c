#include "store_fixture.h"

#include <check.h>
#include <string.h>

#include "config_fixture.h"

struct loop *loop;
struct store_peer peer;
struct budget_store *store;
static struct store_env env;

void begin_store(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new();
    loop_hold(loop);
    store_peer_start(&peer, loop);
    env = (struct store_env){loop, dns_new(loop, &(struct dns_limits){1000, 60000, 0}), NULL};
    ck_assert_ptr_nonnull(env.dns);
    store = budget_store_new(&env);
}

void end_store(void)
{
    budget_store_free(store);
    store_peer_end(&peer);
    loop_turn(loop, false);
    dns_free(env.dns);
    loop_run(loop);
    loop_free(loop);
    forget();
}

void configure_store(const char *login, const char *directives)
{
    struct config *c = store_peer_config(&peer, login, "", directives);
    budget_store_configure(store, c, NULL);
    config_unref(c);
}

struct budget_store_view look(void)
{
    struct budget_store_view v;
    budget_store_describe(store, &v);
    return v;
}

bool is(const char *word)
{
    return strcmp(look().word, word) == 0;
}
