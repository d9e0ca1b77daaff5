#include "pages/admin.h"

#include <stdio.h>

#include "base/percent.h"
#include "config/own_path.h"
#include "http/reply.h"
#include "pages/caller.h"
#include "pages/connections.h"
#include "pages/dashboard.h"
#include "pages/metrics.h"
#include "pages/requests.h"
#include "pages/stats_document.h"
#include "proxy/bots.h"

struct page {
    struct admin *admin;
    const struct request *request;
    const struct ingress *ingress;
    const struct exchange_events *events;
    void *owner;
};

static struct response *make_head(const struct page *p, unsigned status, size_t length)
{
    struct response *r = arena_alloc(p->request->arena, sizeof *r);
    *r = (struct response){.status = status,
                           .reason = reply_reason(status),
                           .minor = 1,
                           .has_length = true,
                           .length = length,
                           .keeps_alive = true};
    r->framing = p->request->is_head ? FRAMING_NONE : FRAMING_LENGTH;
    return r;
}

static void add_field(const struct page *p, struct response *r, struct span name, struct span value)
{
    fields_add(&r->fields, p->request->arena, name, value);
}

static struct exchange *answer(const struct page *p, const struct response *r, struct span body)
{
    return reply_open(p->admin->loop, r, body, p->events, p->owner);
}

static struct response *make_page(const struct page *p, unsigned status, struct span type,
                                  size_t length)
{
    struct response *r = make_head(p, status, length);
    add_field(p, r, SPAN("Content-Type"), type);
    add_field(p, r, SPAN("Cache-Control"), SPAN("no-store"));
    add_field(p, r, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
    return r;
}

static struct exchange *send_page(const struct page *p, unsigned status, struct span type,
                                  struct span body)
{
    struct response *r = make_page(p, status, type, body.len);
    return answer(p, r, p->request->is_head ? SPAN("") : body);
}

static struct exchange *refuse(const struct page *p, const struct verdict *why, struct span allow)
{
    struct span body;
    struct response *r = reply_error(p->request->arena, p->request, why, NULL, NULL, &body);
    if (allow.len)
        add_field(p, r, SPAN("Allow"), allow);
    return answer(p, r, body);
}

static struct exchange *refuse_method(const struct page *p, struct span allow)
{
    struct verdict why =
        verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "this page takes %.*s", SPAN_ARG(allow));
    why.status = 405;
    return refuse(p, &why, allow);
}

static struct exchange *send_in_pieces(const struct page *p, struct span type,
                                       struct page_source *source)
{
    struct response *r = make_page(p, 200, type, 0);
    return page_stream_open(p->admin->loop, r, p->request->is_head, source, p->events, p->owner);
}

static enum stats_extra extra_of(struct span query)
{
    if (span_is(query, SPAN("?recent")))
        return STATS_RECENT;
    return span_is(query, SPAN("?rare")) ? STATS_RARE : STATS_PLAIN;
}

static struct order_journal_view view_journal(const struct admin *a)
{
    struct order_journal_view view = {0};
    if (a->journal && *a->journal)
        order_journal_describe(*a->journal, &view);
    return view;
}

static void fill_vitals(const struct admin *a, struct vitals *v)
{
    uint64_t up_us = loop_clock_us(a->loop) - a->started_us;
    process_figures_read(&v->process);
    v->started_s = loop_wall_s(a->loop) - (int64_t)(up_us / 1000000);
    v->reload = a->reloaded;
    a->view_state(a->context, &v->state);
}

static struct exchange *send_stats(const struct page *p, enum stats_extra extra)
{
    const struct admin *a = p->admin;
    struct stats_source s = {.loop = a->loop,
                             .pools = a->pools,
                             .totals = a->totals,
                             .freezes = a->freezes,
                             .store = a->store,
                             .config_path = a->config_path,
                             .started_us = a->started_us,
                             .draining = a->draining};
    a->count_clients(a->context, &s.clients);
    a->count_stored(a->context, &s.stored);
    fill_vitals(a, &s.vitals);
    s.journal = view_journal(a);
    return send_in_pieces(p, SPAN("application/json"), stats_document_new(&s, extra));
}

static struct exchange *send_metrics(const struct page *p)
{
    struct metrics m = {.pools = p->admin->pools,
                        .bots = &p->admin->totals->bots,
                        .freezes = p->admin->freezes,
                        .draining = p->admin->draining,
                        .journal = view_journal(p->admin)};
    p->admin->count_clients(p->admin->context, &m.clients);
    fill_vitals(p->admin, &m.vitals);
    if (p->admin->store)
        budget_store_describe(p->admin->store, &m.store);
    return send_in_pieces(p, SPAN("text/plain; version=0.0.4; charset=utf-8"), metrics_new(&m));
}

/* Its policy lists all that it may do; no page may frame it. */
static struct exchange *send_dashboard(const struct page *p)
{
    struct span page = dashboard_page();
    struct response *r = make_page(p, 200, SPAN("text/html; charset=utf-8"), page.len);
    add_field(p, r, SPAN("Content-Security-Policy"), dashboard_policy(p->request->arena));
    add_field(p, r, SPAN("Referrer-Policy"), SPAN("no-referrer"));
    return answer(p, r, p->request->is_head ? SPAN("") : page);
}

static struct exchange *send_health(const struct page *p)
{
    struct span type = SPAN("text/plain; charset=utf-8");
    if (p->admin->draining)
        return send_page(p, 503, type, SPAN("draining\n"));
    return send_page(p, 200, type, SPAN("ok\n"));
}

struct known {
    char names[sizeof((struct verdict *)NULL)->detail];
    size_t len;
};

/* As many names as fit, each of them whole. */
static void add_name(void *context, const struct pool *p)
{
    struct known *k = context;
    struct pool_view view;
    pool_describe(p, &view);
    size_t len = strlen(view.name);
    if (!view.listed || k->len + len + sizeof ", /" > sizeof k->names - sizeof "known: ")
        return;
    k->len += (size_t)snprintf(k->names + k->len, sizeof k->names - k->len, ", /%s", view.name);
}

static struct exchange *refuse_path(const struct page *p)
{
    struct known k = {0};
    for (enum own_path i = 0; i < OWN_RELOAD; i++)
        k.len += (size_t)snprintf(k.names + k.len, sizeof k.names - k.len, "%s%s", i ? ", " : "",
                                  own_path_text(i));
    pools_each(p->admin->pools, add_name, &k);
    struct verdict why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "known: %s", k.names);
    why.status = 404;
    return refuse(p, &why, (struct span){0});
}

static struct exchange *refuse_with(const struct page *p, enum failure error, int status,
                                    const char *words)
{
    struct verdict why = verdict_make(error, SENT_NO, "%s", words);
    why.status = status;
    return refuse(p, &why, (struct span){0});
}

static const char for_this_machine[] = "verbs are for callers on this machine";
static const char shutting_down[] = "trunkline is shutting down";

static struct response *make_done(const struct page *p)
{
    struct response *r = make_head(p, 204, 0);
    r->has_length = false;
    r->framing = FRAMING_NONE;
    return r;
}

static struct response *make_obeyed(const struct page *p, size_t tunnels)
{
    struct response *r = make_done(p);
    if (tunnels)
        add_field(p, r, SPAN("Trunkline-Open-Tunnels"),
                  span_of(arena_printf(p->request->arena, "%zu", tunnels)));
    return r;
}

/* A verb that was obeyed, and waits for the state file. Lives in the request's arena. */
struct saving {
    struct save_waiter waiter;
    struct page page;
    struct exchange *exchange;
    size_t tunnels;
};

static void on_saved(struct save_waiter *w, bool saved)
{
    struct saving *s = container_of(w, struct saving, waiter);
    struct response *head = make_obeyed(&s->page, s->tunnels);
    if (!saved)
        add_field(&s->page, head, SPAN("Trunkline-Saved"), SPAN("no"));
    reply_answer(s->exchange, head, SPAN(""));
}

static void forget_saving(void *context)
{
    struct saving *s = context;
    save_waiter_forget(&s->waiter);
}

static struct exchange *answer_when_saved(const struct page *p, size_t tunnels)
{
    const struct admin *a = p->admin;
    struct saving *s = arena_alloc(p->request->arena, sizeof *s);
    *s = (struct saving){.waiter = {.done = on_saved}, .page = *p, .tunnels = tunnels};
    if (a->save == NULL || !a->save(a->context, &s->waiter))
        return answer(p, make_obeyed(p, tunnels), SPAN(""));
    s->exchange = reply_open_later(a->loop, forget_saving, s, p->events, p->owner);
    return s->exchange;
}

/* The bot that ?bot=NAME names, decoded once; empty: there is no query. A query that is not
 * understood must not widen what the verb is for. */
static bool find_bot(const struct page *p, enum pool_verb verb, struct span query, struct span *bot)
{
    *bot = span_from(query, sizeof "?bot=" - 1);
    if (query.len == 0)
        return true;
    if ((verb != POOL_FREEZE && verb != POOL_UNFREEZE) || !span_starts(query, SPAN("?bot=")))
        return false;
    char *to = arena_alloc(p->request->arena, bot->len + 1);
    size_t len = 0;
    for (size_t i = 0; i < bot->len; i++) {
        int byte = bot->at[i] == '%' ? percent_byte(*bot, i + 1) : -1;
        to[len++] = byte < 0 ? bot->at[i] : (char)byte;
        i += byte < 0 ? 0 : 2;
    }
    *bot = (struct span){to, len};
    return bots_is_name(*bot);
}

static struct exchange *obey(const struct page *p, struct admin_command *c)
{
    enum admin_outcome outcome = p->admin->command(p->admin->context, c);
    if (outcome == ADMIN_UNKNOWN)
        return refuse_with(p, FAILURE_HTTP_REQUEST_ERROR, 404, "no upstream of that name");
    if (outcome == ADMIN_DRAINING)
        return refuse_with(p, FAILURE_DESTINATION_UNAVAILABLE, 503, shutting_down);
    if (outcome == ADMIN_FULL)
        return refuse_with(p, FAILURE_DESTINATION_UNAVAILABLE, 503, "too much is frozen already");
    return answer_when_saved(p, c->tunnels);
}

static struct exchange *open_verb(const struct page *p, struct span name, struct span verb,
                                  struct span query)
{
    struct admin_command c = {.upstream = name, .verb = pool_verb_of(verb)};
    if (c.verb == POOL_VERB_COUNT)
        return refuse_with(p, FAILURE_HTTP_REQUEST_ERROR, 404,
                           "verbs are pause, resume, reconnect, drain, freeze and unfreeze");
    if (!span_is(p->request->method, SPAN("POST")))
        return refuse_method(p, SPAN("POST"));
    if (!p->ingress->is_loopback)
        return refuse_with(p, FAILURE_HTTP_REQUEST_DENIED, 403, for_this_machine);
    if (!find_bot(p, c.verb, query, &c.bot))
        return refuse_with(p, FAILURE_HTTP_REQUEST_ERROR, 400,
                           "a verb takes no query but ?bot=NAME to freeze or unfreeze a bot");
    char who[CALLER_SIZE];
    c.who = caller_text(who, p->ingress, p->request);
    return obey(p, &c);
}

/* A POST /reload whose outcome is not known yet. Lives in the request's arena. */
struct reloading {
    struct reload_waiter waiter;
    struct page page;
    struct exchange *exchange;
};

static void on_reloaded(struct reload_waiter *w, enum reload_outcome outcome, struct span errors)
{
    struct reloading *r = container_of(w, struct reloading, waiter);
    const struct page *p = &r->page;
    struct span body = SPAN("");
    struct response *head;
    if (outcome == RELOAD_DONE) {
        head = make_done(p);
    } else if (outcome == RELOAD_REFUSED) {
        body = arena_span(p->request->arena, errors);
        head = make_page(p, 409, SPAN("text/plain; charset=utf-8"), body.len);
    } else {
        struct verdict why =
            verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "%s", shutting_down);
        head = reply_error(p->request->arena, p->request, &why, NULL, NULL, &body);
    }
    reply_answer(r->exchange, head, body);
}

static void forget_reload(void *context)
{
    struct reloading *r = context;
    list_remove(&r->waiter.link);
}

static struct exchange *open_reload(const struct page *p)
{
    char who[CALLER_SIZE];
    if (!span_is(p->request->method, SPAN("POST")))
        return refuse_method(p, SPAN("POST"));
    if (!p->ingress->is_loopback)
        return refuse_with(p, FAILURE_HTTP_REQUEST_DENIED, 403, for_this_machine);
    if (p->admin->draining)
        return refuse_with(p, FAILURE_DESTINATION_UNAVAILABLE, 503, shutting_down);
    struct reloading *r = arena_alloc(p->request->arena, sizeof *r);
    *r = (struct reloading){.waiter = {.done = on_reloaded}, .page = *p};
    r->exchange = reply_open_later(p->admin->loop, forget_reload, r, p->events, p->owner);
    p->admin->reload(p->admin->context, &r->waiter, caller_text(who, p->ingress, p->request));
    return r->exchange;
}

/* "OPTIONS *" asks about the server as a whole (RFC 9110 9.3.7). */
static struct exchange *open_server(const struct page *p)
{
    if (!span_is(p->request->method, SPAN("OPTIONS")))
        return refuse_method(p, SPAN("OPTIONS"));
    struct response *r = make_head(p, 200, 0);
    add_field(p, r, SPAN("Allow"),
              SPAN("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT"));
    return answer(p, r, SPAN(""));
}

/* /upstreams/NAME/VERB, or /upstreams/VERB: then the name is empty. */
static bool is_verb(struct span path, struct span *name, struct span *verb)
{
    if (!span_starts(path, SPAN(OWN_VERBS)))
        return false;
    struct span rest = span_from(path, sizeof OWN_VERBS - 1);
    size_t slash = span_find(rest, '/');
    *name = span_first(rest, 0);
    *verb = rest;
    if (slash == rest.len)
        return pool_verb_of(rest) != POOL_VERB_COUNT;
    *name = span_first(rest, slash);
    *verb = span_from(rest, slash + 1);
    return slash > 0 && verb->len > 0 && span_find(*verb, '/') == verb->len;
}

static struct exchange *open_page(const struct page *p, enum own_path path, struct span query)
{
    static const struct span json = {"application/json", 16};
    switch (path) {
    case OWN_DASHBOARD: return send_dashboard(p);
    case OWN_STATS: return send_stats(p, extra_of(query));
    case OWN_REQUESTS: return send_in_pieces(p, json, requests_page_new(p->admin->under_way));
    case OWN_CONNECTIONS: return send_in_pieces(p, json, connections_page_new(p->admin->pools));
    case OWN_METRICS: return send_metrics(p);
    case OWN_HEALTHZ: return send_health(p);
    case OWN_RELOAD:
    case OWN_PATH_NONE: break;
    }
    return refuse_path(p);
}

struct exchange *admin_open(struct admin *a, const struct request *request,
                            const struct ingress *ingress, const struct route *route,
                            const struct exchange_events *events, void *owner)
{
    struct page p = {a, request, ingress, events, owner};
    struct span name, verb, path = span_first(route->path, span_find(route->path, '?'));
    struct span query = span_from(route->path, path.len);
    if (span_is(path, SPAN("*")))
        return open_server(&p);
    if (is_verb(path, &name, &verb))
        return open_verb(&p, name, verb, query);
    enum own_path page = own_path_of(path);
    if (page == OWN_RELOAD)
        return open_reload(&p);
    if (page != OWN_PATH_NONE && !span_is(request->method, SPAN("GET")) && !request->is_head)
        return refuse_method(&p, SPAN("GET, HEAD"));
    return open_page(&p, page, query);
}
