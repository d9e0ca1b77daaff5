#include "cli/verbs.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/daemon_client.h"

#define RELOAD_PATIENCE_S 60 /* another reload may be under way, and the disk slow */

bool verb_takes_bot(const char *verb)
{
    return strcmp(verb, "freeze") == 0 || strcmp(verb, "unfreeze") == 0;
}

bool verb_takes(const char *verb, const char *upstream)
{
    static const char of_hosts[] = ".:[]abcdefghijklmnopqrstuvwxyz0123456789-";
    const char *letters = verb_takes_bot(verb) ? of_hosts : of_hosts + sizeof ".:[]" - 1;
    return *upstream && upstream[strspn(upstream, letters)] == '\0';
}

static long long count_at(json_t *row, const char *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(json_object_get(row, object), key));
}

static void print_row(json_t *row, const char *name)
{
    const char *state = json_string_value(json_object_get(row, "state"));
    printf("%s: %s, %lld active, %lld waiting, %lld lines open\n", name, state ? state : "-",
           count_at(row, "requests", "active"), count_at(row, "queue", "waiting"),
           count_at(row, "connections", "open"));
}

static void warn_of_tunnels(json_t *row, const char *name)
{
    long long open = count_at(row, "tunnels", "open");
    if (open)
        fprintf(stderr,
                "trunkline: %s: warning: %lld open CONNECT tunnels and upgraded connections go on: "
                "it is not known whether they carry orders\n",
                name, open);
}

static size_t print_rows(json_t *rows, const struct verb_call *c)
{
    size_t at, shown = 0;
    json_t *row;
    json_array_foreach (rows, at, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name == NULL || (c->upstream && strcmp(name, c->upstream) != 0))
            continue;
        print_row(row, name);
        if (strcmp(c->verb, "freeze") == 0)
            warn_of_tunnels(row, name);
        shown++;
    }
    return shown;
}

static void warn_of_state(json_t *stats)
{
    const json_t *file = json_object_get(stats, "state_file");
    const char *error = json_string_value(json_object_get(file, "error"));
    if (error)
        fprintf(stderr,
                "trunkline: warning: the state file cannot be written: %s: a restart would lose "
                "what changed\n",
                error);
}

/* The verb was applied already, so it is no failure if the outcome cannot be shown. */
static void print_outcome(const char *url, const struct verb_call *c)
{
    char why[200];
    struct text page = {0};
    json_t *o = NULL;
    if (daemon_client_page(url, "/stats", &page, why, sizeof why))
        o = json_loadb(page.at, page.len, 0, NULL);
    if (c->bot)
        printf("bot %s: %s: done\n", c->bot, c->verb);
    if (print_rows(json_object_get(o, "upstreams"), c) == 0 && !c->bot)
        printf("%s: %s: done\n", c->upstream ? c->upstream : "all", c->verb);
    warn_of_state(o);
    json_decref(o);
    text_free(&page);
}

/* In the daemon's own words, if it was the daemon that responded. */
static void print_refusal(const char *url, const char *verb, unsigned status,
                          const struct text *body)
{
    json_t *o = body->len ? json_loadb(body->at, body->len, 0, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(o, "detail"));
    if (detail)
        fprintf(stderr, "trunkline: %s: %s: %s\n", url, verb, detail);
    else
        fprintf(stderr, "trunkline: %s: %s: answered with status %u\n", url, verb, status);
    json_decref(o);
}

/* The errors are one per line, as from `trunkline check`. */
int verb_reload(const char *url)
{
    char why[200];
    struct text body = {0};
    unsigned status =
        daemon_client_ask(url, "POST", "/reload", RELOAD_PATIENCE_S, &body, why, sizeof why);
    if (status == 0)
        fprintf(stderr, "trunkline: %s: %s\n", url, why);
    else if (status == 204)
        printf("reloaded\n");
    else if (status == 409 && body.len)
        fprintf(stderr, "%s", body.at);
    else
        print_refusal(url, "reload", status, &body);
    text_free(&body);
    return status == 204 ? EX_OK : status == 409 ? EX_CONFIG : EX_UNAVAILABLE;
}

static void add_encoded(struct text *to, const char *name)
{
    for (const char *p = name; *p; p++)
        text_printf(to, "%%%02X", (unsigned char)*p);
}

int verb_say(const char *url, const struct verb_call *c)
{
    char why[200];
    struct text path = {0}, body = {0};
    text_printf(&path, "/upstreams/%s%s%s", c->upstream ? c->upstream : "", c->upstream ? "/" : "",
                c->verb);
    if (c->bot) {
        text_add_str(&path, "?bot=");
        add_encoded(&path, c->bot);
    }
    unsigned status =
        daemon_client_ask(url, "POST", path.at, FETCH_PATIENCE_S, &body, why, sizeof why);
    if (status == 0)
        fprintf(stderr, "trunkline: %s: %s\n", url, why);
    else if (status != 204)
        print_refusal(url, c->verb, status, &body);
    else if (c->upstream == NULL && strcmp(c->verb, "drain") == 0)
        printf("the daemon drains and ends\n");
    else
        print_outcome(url, c);
    text_free(&path);
    text_free(&body);
    return status == 204 ? EX_OK : EX_UNAVAILABLE;
}
