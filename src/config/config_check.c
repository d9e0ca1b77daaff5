#include "config/config_check.h"

#include <string.h>

#include "config/endpoint.h"
#include "config/exits.h"
#include "config/host.h"
#include "config/hosts.h"
#include "config/own_path.h"
#include "config/quantity.h"

#define NAME_MAX_LEN 63 /* NAME.localhost: RFC 1035 2.3.4 */

static const char *wrong_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return "has characters other than a-z, 0-9 and -";
    if (len > NAME_MAX_LEN)
        return "is longer than 63 characters";
    if (own_path_reserves(name))
        return "is a reserved word";
    return NULL;
}

static void check_name(const struct file *f, size_t i, struct complaints *to)
{
    const struct block *b = f->upstreams[i];
    const char *why = wrong_name(b->name);
    if (why)
        complaint_add(to, b->line, "upstream '%.100s': the name %s", b->name, why);
    for (size_t j = 0; j < i; j++) {
        if (strcmp(f->upstreams[j]->name, b->name) == 0) {
            complaint_add(to, b->line, "upstream '%.100s' is already defined on line %d", b->name,
                          f->upstreams[j]->line);
            return;
        }
    }
}

static bool shares_host(const struct upstream_config *a, const struct upstream_config *b)
{
    for (size_t i = 0; i < a->host_count; i++) {
        const struct config_endpoint *h = &a->hosts[i];
        if (hosts_has(b, h->secure, span_of(h->host), h->port))
            return true;
    }
    return false;
}

static void check_origin(const struct config *c, const struct file *f, size_t i,
                         struct complaints *to)
{
    const struct upstream_config *u = c->upstreams[i];
    const struct block *b = f->upstreams[i];
    if (!b->rows[ROW_url].set && !u->url && !block_is_bad(b, ROW_preset))
        complaint_add(to, b->line, "upstream '%.100s' has no url", b->name);
    for (size_t j = 0; j < i; j++) {
        const struct upstream_config *other = c->upstreams[j];
        if (shares_host(u, other) && strcmp(other->name, u->name) != 0) {
            complaint_add(to, b->line,
                          "upstream '%.100s' has the same origin as '%.100s' on line %d", b->name,
                          other->name, other->line);
            return;
        }
    }
}

static const char *wrong_prefix(const char *prefix)
{
    if (*prefix != '/')
        return "does not begin with /";
    for (const char *p = prefix; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
            return "has characters that no request target has";
    return NULL;
}

static void check_paths(const struct block *b, struct complaints *to)
{
    for (size_t i = 0; i < b->path_count; i++) {
        const struct block *path = b->paths[i];
        const char *why = wrong_prefix(path->name);
        if (why)
            complaint_add(to, path->line, "path '%.100s' %s", path->name, why);
        for (size_t j = 0; j < i; j++)
            if (strcmp(b->paths[j]->name, path->name) == 0)
                complaint_add(to, path->line, "path '%.100s' is already defined on line %d",
                              path->name, b->paths[j]->line);
    }
}

static uint64_t number_of(const void *base, enum directive_row row)
{
    const void *field = (const char *)base + directives[row].offset;
    return directives[row].type == TYPE_COUNT ? *(const config_COUNT *)field
                                              : *(const config_DURATION *)field;
}

/* Was there a complaint about the value that applies in this block, whether set by the block or
 * taken from the defaults? */
static bool is_bad(const struct file *f, const struct block *b, enum directive_row row)
{
    return block_is_bad(b->rows[row].set ? b : &f->defaults, row);
}

/* `low` must not be more than `high`. If the block sets neither, both come from the defaults, and
 * the complaint is made for the defaults block. */
static void check_pair(const struct file *f, const struct block *b, const void *base,
                       enum directive_row low, enum directive_row high, int line,
                       struct complaints *to)
{
    uint64_t a = number_of(base, low), z = number_of(base, high);
    struct text words = {0};
    if (a <= z || (!b->rows[low].set && !b->rows[high].set) || is_bad(f, b, low) ||
        is_bad(f, b, high))
        return;
    text_printf(&words, "%s (", directives[low].name);
    quantity_print(directives[low].type, a, &words);
    text_printf(&words, ") is more than %s (", directives[high].name);
    quantity_print(directives[high].type, z, &words);
    text_add_str(&words, ")");
    complaint_add(to, line, "%s", words.at);
    text_free(&words);
}

static void check_block(const struct file *f, const struct block *b,
                        const struct upstream_config *u, struct complaints *to)
{
    check_pair(f, b, u, ROW_min_idle, ROW_max_connections, b->line, to);
    check_pair(f, b, u, ROW_min_idle, ROW_max_idle, b->line, to);
    check_pair(f, b, u, ROW_breaker_min, ROW_breaker_max, b->line, to);
    check_pair(f, b, u, ROW_hold_default, ROW_hold_max, b->line, to);
    if (u->key_file && !u->cert_file && !is_bad(f, b, ROW_cert_file) &&
        (b->rows[ROW_key_file].set || b->rows[ROW_cert_file].set))
        complaint_add(to, b->line, "key_file needs cert_file");
}

/* An exit can neither dial a unix socket nor be two pools. */
static void check_exits(const struct block *b, const struct upstream_config *u,
                        struct complaints *to)
{
    const struct given_list *given = &b->rows[ROW_exits];
    size_t next = 0;
    for (size_t i = 0; i < given->count; i++) {
        if (given->at[i]->bad)
            continue;
        const struct config_exit *exit = &u->exits.at[next++];
        for (size_t j = 0; j + 1 < next; j++)
            if (exits_same(&u->exits.at[j], exit)) {
                complaint_add(to, given->at[i]->line, "exits: %.200s is there twice",
                              u->exits.at[j].name);
                break;
            }
    }
    if (next > EXITS_MAX)
        complaint_add(to, given->at[0]->line, "exits: there are %zu, at most %d are possible", next,
                      EXITS_MAX);
    if (given->count && u->connect_to.at.ss_family == AF_UNIX)
        complaint_add(to, u->connect_to_line,
                      "connect_to is a unix socket, which no exit can reach");
}

static void check_endpoint(const struct upstream_config *u, size_t i, int line,
                           struct complaints *to)
{
    const char *url = u->endpoints.at[i];
    for (size_t j = 0; j < i; j++) {
        if (hosts_same(&u->hosts[i], &u->hosts[j])) {
            complaint_add(to, line, "endpoints: %.200s is there twice", url);
            return;
        }
    }
    if (u->hosts[i].secure != u->hosts[0].secure)
        complaint_add(to, line, "endpoints: %.200s has another scheme than the first, %.200s", url,
                      u->endpoints.at[0]);
}

/* A url beside them is the first. */
static void check_first(const struct block *b, const struct upstream_config *u,
                        struct complaints *to)
{
    struct arena *scratch = arena_new();
    struct host_origin url;
    const char *why;
    if (b->rows[ROW_url].set && u->url && host_origin_read(scratch, u->url, &url, &why) &&
        !hosts_same(&(struct config_endpoint){url.secure, url.host, url.port}, &u->hosts[0]))
        complaint_add(to, u->url_line, "url must be the first of endpoints, %.200s, or absent",
                      u->endpoints.at[0]);
    arena_free(scratch);
}

/* Those of a preset are good. */
static void check_endpoints(const struct block *b, const struct upstream_config *u,
                            struct complaints *to)
{
    const struct given_list *given = &b->rows[ROW_endpoints];
    size_t next = 0, exits = u->exits.count ? u->exits.count : 1;
    for (size_t i = 0; i < given->count; i++)
        if (!given->at[i]->bad)
            check_endpoint(u, next++, given->at[i]->line, to);
    if (u->host_count > 1 && u->host_count * exits > WAYS_MAX)
        complaint_add(to, block_line(b, ROW_endpoints),
                      "endpoints and exits: there are %zu and %zu, at most %d pairs are possible",
                      u->host_count, u->exits.count, WAYS_MAX);
    if (next == 0)
        return;
    if (!block_is_bad(b, ROW_endpoints) && !block_is_bad(b, ROW_url))
        check_first(b, u, to);
    if (u->connect_to.len)
        complaint_add(
            to, u->connect_to_line,
            "connect_to is one address, and endpoints are several hosts: use one of both");
}

/* ca_cert and ca_key need each other, and intercept needs both. */
static void check_ca(const struct config *c, const struct file *f, struct complaints *to)
{
    if (block_is_bad(&f->globals, ROW_GLOBAL_ca_cert) ||
        block_is_bad(&f->globals, ROW_GLOBAL_ca_key))
        return;
    if (c->ca_cert && !c->ca_key)
        complaint_add(to, c->ca_cert_line, "ca_cert needs ca_key");
    if (c->ca_key && !c->ca_cert)
        complaint_add(to, c->ca_key_line, "ca_key needs ca_cert");
    if (c->connect == CONNECT_INTERCEPT && !c->ca_cert && !c->ca_key)
        complaint_add(
            to, block_line(&f->globals, ROW_GLOBAL_connect),
            "connect = intercept needs ca_cert and ca_key (trunkline ca init makes them)");
}

/* A token, as in Trunkline-Client (RFC 9110 5.6.2). */
static const char *wrong_bot(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        return "has characters that no token has";
    return len > 64 ? "is longer than 64 characters" : NULL;
}

static void check_bots(const struct file *f, struct complaints *to)
{
    for (size_t i = 0; i < f->bot_count; i++) {
        const struct block *b = f->bots[i];
        const char *why = wrong_bot(b->name);
        if (why)
            complaint_add(to, b->line, "bot '%.100s': the name %s", b->name, why);
        if (i == CONFIG_BOTS_MAX)
            complaint_add(to, b->line, "there are more than %d bots", CONFIG_BOTS_MAX);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(f->bots[j]->name, b->name) == 0) {
                complaint_add(to, b->line, "bot '%.100s' is already defined on line %d", b->name,
                              f->bots[j]->line);
                break;
            }
        }
    }
}

static void check_store(const struct config *c, const struct file *f, struct complaints *to)
{
    if (block_is_bad(&f->globals, ROW_GLOBAL_budget_store))
        return;
#ifndef HAVE_HIREDIS
    if (c->budget_store.text)
        complaint_add(to, c->budget_store_line, "budget_store: built without hiredis");
#endif
    if (c->budget_store_ca_file && !c->budget_store.secure)
        complaint_add(to, c->budget_store_ca_file_line,
                      "budget_store_ca_file needs a budget_store with rediss://");
}

static void check_globals(const struct config *c, const struct file *f, struct complaints *to)
{
    const struct block *b = &f->globals;
    int min = block_line(b, ROW_GLOBAL_dns_min_ttl), max = block_line(b, ROW_GLOBAL_dns_max_ttl);
    check_pair(f, b, c, ROW_GLOBAL_dns_min_ttl, ROW_GLOBAL_dns_max_ttl, min > max ? min : max, to);
    check_ca(c, f, to);
    check_store(c, f, to);
    check_bots(f, to);
}

/* All addresses to listen on so far, to find out which two collide. */
struct listening {
    const struct config *config;
    const struct file *file;
    struct complaints *to;
    size_t count;
    const struct config_address **at;
};

static void check_address(struct listening *l, const struct config_address *address, int line)
{
    if (!endpoint_is_local(address) && l->config->allow_clients.count == 0 &&
        !block_is_bad(&l->file->globals, ROW_GLOBAL_allow_clients))
        complaint_add(l->to, line, "%.150s is not a loopback address: set allow_clients first",
                      address->text);
    for (size_t i = 0; i < l->count; i++) {
        if (endpoint_collides(l->at[i], address)) {
            bool same = endpoint_is(l->at[i], address);
            complaint_add(l->to, line, "%.150s is already listened on%s%.150s", address->text,
                          same ? "" : " with ", same ? "" : l->at[i]->text);
            break;
        }
    }
    l->at = must_realloc(l->at, (l->count + 1) * sizeof(struct config_address *));
    l->at[l->count++] = address;
}

static void check_listen(struct listening *l, const struct config_addresses *addresses,
                         const struct given_list *given)
{
    size_t next = 0;
    for (size_t i = 0; i < given->count; i++) /* invalid ones are not among the addresses */
        if (!given->at[i]->bad)
            check_address(l, &addresses->at[next++], given->at[i]->line);
    for (; next < addresses->count; next++) /* the built-in default */
        check_address(l, &addresses->at[next], 0);
}

void config_check(const struct config *c, const struct file *f, struct complaints *to)
{
    struct listening l = {.config = c, .file = f, .to = to};
    check_globals(c, f, to);
    check_listen(&l, &c->listen, &f->globals.rows[ROW_GLOBAL_listen]);
    check_block(f, &f->defaults, &c->defaults, to);
    for (size_t i = 0; i < f->upstream_count; i++) {
        check_name(f, i, to);
        check_origin(c, f, i, to);
        check_paths(f->upstreams[i], to);
        check_block(f, f->upstreams[i], c->upstreams[i], to);
        check_exits(f->upstreams[i], c->upstreams[i], to);
        check_endpoints(f->upstreams[i], c->upstreams[i], to);
        check_listen(&l, &c->upstreams[i]->listen, &f->upstreams[i]->rows[ROW_listen]);
    }
    free(l.at);
}
