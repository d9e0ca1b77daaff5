#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/loaded_config.h"
#include "suite.h"
#include "until.h"

static struct loop *loop;
static struct worker *worker;
static struct reload *reload;
static char path[80];
static unsigned plans;
static bool good;
static char first_name[20], errors[300];

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static enum reload_outcome on_plan(void *owner, struct loaded_config *p)
{
    ck_assert_ptr_eq(owner, &plans);
    plans++;
    good = p->config != NULL;
    ck_assert_int_eq(good, p->tls != NULL);
    snprintf(errors, sizeof errors, "%s", p->errors.len ? p->errors.at : "");
    first_name[0] = '\0';
    if (good && p->config->upstream_count)
        snprintf(first_name, sizeof first_name, "%s", p->config->upstreams[0]->name);
    return good ? RELOAD_DONE : RELOAD_REFUSED;
}

struct waiter {
    struct reload_waiter base;
    unsigned told, plans; /* number of outcomes, and the number of plans when the last one came */
    enum reload_outcome outcome;
    char errors[300];
};

static void on_outcome(struct reload_waiter *base, enum reload_outcome outcome, struct span words)
{
    struct waiter *w = container_of(base, struct waiter, base);
    ck_assert_ptr_null(base->link.on);
    w->told++;
    w->plans = plans;
    w->outcome = outcome;
    snprintf(w->errors, sizeof w->errors, "%.*s", SPAN_ARG(words));
}

#define FILE_OF(name)                                                                              \
    "defaults { tls_verify = no }\nupstream " name " { url = \"http://a.example\" }\n"

static void begin(void)
{
    tls_start();
    snprintf(path, sizeof path, "/tmp/check_plan.%d", (int)getpid());
    write_file(FILE_OF("one"));
    plans = 0;
    loop = loop_new();
    worker = worker_new(loop);
    reload = reload_new(worker, path, false, on_plan, &plans);
}

static void finish(void)
{
    if (reload)
        reload_free(reload);
    reload = NULL;
    worker_free(worker);
    loop_run(loop);
    loop_free(loop);
    unlink(path);
}

static void on_awake(struct deadline *d)
{
    (void)d;
}

/* Asks for a reload; returns when the thread has finished, but the loop has not been notified
 * yet. */
static void ask_and_await_thread(struct reload_waiter *waiter, unsigned times)
{
    struct deadline awake; /* a loop with nothing to wait for would not poll */
    struct pollfd news = {.fd = uv_backend_fd(loop_uv(loop)), .events = POLLIN};
    deadline_init(&awake, loop, on_awake);
    deadline_in(&awake, 3600 * 1000);
    loop_turn(loop, false);
    while (times--)
        reload_ask(reload, waiter);
    ck_assert_int_eq(poll(&news, 1, 30000), 1);
    deadline_stop(&awake);
}

START_TEST(test_making)
{
    struct loaded_config p;
    begin();
    ck_assert(loaded_config_make(&p, path, false));
    ck_assert(p.config && p.tls && p.errors.len == 0);
    loaded_config_clear(&p);
    ck_assert(p.config == NULL && p.tls == NULL);
    loaded_config_clear(&p);
    write_file("upstream one {\nurl = \"gopher://a\"\n}\nmax_clients = x\n");
    ck_assert(!loaded_config_make(&p, path, false));
    ck_assert(p.config == NULL && p.tls == NULL);
    ck_assert_ptr_nonnull(strstr(p.errors.at, ":2: "));
    ck_assert_int_eq(p.errors.at[p.errors.len - 1], '\n');
    loaded_config_clear(&p);
    write_file("upstream one {\nurl = \"https://a.example\"\nca_file = \"/nowhere/ca.pem\"\n}\n");
    ck_assert(!loaded_config_make(&p, path, false)); /* valid syntax, but the file cannot be used */
    ck_assert_ptr_nonnull(strstr(p.errors.at, "/nowhere/ca.pem"));
    loaded_config_clear(&p);
    unlink(path);
    ck_assert(!loaded_config_make(&p, path, false));
    loaded_config_clear(&p);
    ck_assert(loaded_config_make(&p, path, true)); /* the built-in defaults */
    loaded_config_clear(&p);
    finish();
}
END_TEST

static void write_ca_config(const char *cert, const char *key)
{
    char text[400];
    snprintf(text, sizeof text, "log_level = info\nca_cert = \"%s\"\nca_key = \"%s\"\n", cert, key);
    write_file(text);
}

static void must_complain(int line, const char *words)
{
    char start[120];
    struct loaded_config p;
    snprintf(start, sizeof start, "%s:%d: ", path, line);
    ck_assert(!loaded_config_make(&p, path, false));
    ck_assert(p.config == NULL && p.tls == NULL && p.ca == NULL);
    ck_assert_msg(strncmp(p.errors.at, start, strlen(start)) == 0, "%s", p.errors.at);
    ck_assert_msg(strstr(p.errors.at, words) != NULL, "%s", p.errors.at);
    loaded_config_clear(&p);
}

START_TEST(test_ca)
{
    static const char *const host = "own.test";
    char cert_path[100], key_path[100], why[160];
    struct ca_files made = {0};
    struct loaded_config p;
    begin();
    snprintf(cert_path, sizeof cert_path, "%s.pem", path);
    snprintf(key_path, sizeof key_path, "%s.key", path);
    ck_assert(ca_make(&host, 1, time(NULL), &made, why, sizeof why));
    FILE *c = fopen(cert_path, "w"), *k = fopen(key_path, "w");
    ck_assert(c && k && fputs(made.issuer.at, c) >= 0 && fputs(made.key.at, k) >= 0);
    fclose(c), fclose(k);
    write_ca_config(cert_path, key_path);
    ck_assert_msg(loaded_config_make(&p, path, false), "%s", p.errors.at);
    ck_assert(p.ca && ca_may_sign(p.ca, "own.test", time(NULL)));
    loaded_config_clear(&p);
    ck_assert(p.ca == NULL);
    write_ca_config(key_path, key_path);
    must_complain(2, "ca_cert ");
    write_ca_config(cert_path, cert_path);
    must_complain(3, "ca_key ");
    write_ca_config(cert_path, "/nowhere/ca.key");
    must_complain(3, "No such file");
    write_file("ca_key = \"/etc/passwd\"\n");
    must_complain(1, "ca_key needs ca_cert");
    write_file("ca_cert = \"/etc/passwd\"\n");
    must_complain(1, "ca_cert needs ca_key");
    ca_files_free(&made);
    unlink(cert_path);
    unlink(key_path);
    finish();
}
END_TEST

START_TEST(test_reload)
{
    begin();
    reload_ask(reload, NULL);
    ck_assert_uint_eq(plans, 0); /* no event from inside the call */
    UNTIL(plans >= 1);
    ck_assert(good);
    ck_assert_str_eq(first_name, "one");
    write_file("max_clients = many\n");
    reload_ask(reload, NULL);
    UNTIL(plans >= 2);
    ck_assert(!good);
    ck_assert_ptr_nonnull(strstr(errors, ":1: "));
    finish();
}
END_TEST

/* If the file is optional and missing, the defaults apply until there is one; they do not apply
 * again once the file is removed. */
START_TEST(test_a_file_that_goes)
{
    begin();
    reload_free(reload);
    unlink(path);
    reload = reload_new(worker, path, true, on_plan, &plans);
    reload_ask(reload, NULL);
    UNTIL(plans >= 1);
    ck_assert(good);
    write_file(FILE_OF("one"));
    reload_ask(reload, NULL);
    UNTIL(plans >= 2);
    ck_assert_str_eq(first_name, "one");
    unlink(path);
    reload_ask(reload, NULL);
    UNTIL(plans >= 3);
    ck_assert(!good);
    ck_assert_ptr_nonnull(strstr(errors, "No such file"));
    finish();
}
END_TEST

/* Reloads that are requested while one is in progress are done after it, as a single reload, from
 * the file as it is by then. */
START_TEST(test_asked_again)
{
    begin();
    reload_ask(reload, NULL);
    write_file(FILE_OF("two"));
    reload_ask(reload, NULL);
    reload_ask(reload, NULL);
    UNTIL(plans >= 2);
    ck_assert_str_eq(first_name, "two");
    turn_for(loop, 50);
    ck_assert_uint_eq(plans, 2);
    finish();
}
END_TEST

/* Each waiter gets the result of a reading that began after its request. */
START_TEST(test_waiters)
{
    struct waiter first = {.base.done = on_outcome}, second = first, third = first, left = first;
    begin();
    ask_and_await_thread(&first.base, 1);
    ck_assert_uint_eq(first.told, 0);
    write_file("max_clients = many\n");
    reload_ask(reload, &second.base);
    reload_ask(reload, &left.base);
    reload_ask(reload, &third.base);
    list_remove(&left.base.link);
    UNTIL(plans >= 1);
    ck_assert(first.told == 1 && first.plans == 1 && first.outcome == RELOAD_DONE);
    UNTIL(plans >= 2);
    ck_assert(second.told == 1 && second.plans == 2 && second.outcome == RELOAD_REFUSED);
    ck_assert(third.told == 1 && third.plans == 2 && third.outcome == RELOAD_REFUSED);
    ck_assert_ptr_nonnull(strstr(second.errors, ":1: "));
    ck_assert_str_eq(first.errors, "");
    ck_assert_uint_eq(left.told, 0);
    ck_assert_uint_eq(first.told, 1);
    reload_ask(reload, &left.base);
    reload_free(reload);
    reload = NULL;
    ck_assert_ptr_null(left.base.link.on);
    finish();
    ck_assert_uint_eq(left.told, 0);
}
END_TEST

START_TEST(test_freed_while_running)
{
    begin();
    if (_i == 2)
        ask_and_await_thread(NULL, 2);
    else
        reload_ask(reload, NULL);
    if (_i == 1)
        reload_ask(reload, NULL);
    reload_free(reload);
    reload = NULL;
    finish();
    ck_assert_uint_eq(plans, 0);
}
END_TEST

START_TEST(test_freed_unused)
{
    begin();
    finish();
    begin();
    reload_ask(reload, NULL);
    UNTIL(plans >= 1);
    finish();
}
END_TEST

SUITE()
{
    TEST(test_making);
    TEST(test_ca);
    TEST(test_reload);
    TEST(test_a_file_that_goes);
    TEST(test_asked_again);
    TEST(test_waiters);
    LOOP(test_freed_while_running, 0, 3);
    TEST(test_freed_unused);
}
