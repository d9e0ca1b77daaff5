#include "upstream/ways.h"

#include <string.h>

#include "config/exits.h"
#include "config/hosts.h"

/* ------------------------------------------------------------------- coming and going */

/* What was counted of an exit stays in the sum. */
static void free_left(struct ways *s, struct way *w)
{
    list_remove(&w->link);
    if (w->stats != s->common.stats && w->outlet->ways.count == 1)
        stats_add(s->common.stats, w->stats);
    way_free(w);
}

static void on_left(void *owner, struct way *w)
{
    free_left(owner, w);
}

static struct way *make(struct ways *s, const struct upstream_config *u, struct outlet *outlet,
                        const struct way_target *to, struct ways_mood mood)
{
    struct way *w = way_new(&s->common, u, outlet, to);
    if (mood.is_paused) {
        pool_queue_pause(&w->queue, true);
        way_pause(w);
    }
    if (mood.is_draining)
        lines_drain(&w->lines);
    return w;
}

static const char *keep_name(struct ways *s, const char *name)
{
    for (size_t i = 0; i < s->name_count; i++)
        if (strcmp(s->names[i], name) == 0)
            return s->names[i];
    s->names = must_realloc(s->names, (s->name_count + 1) * sizeof *s->names);
    return s->names[s->name_count++] = must_strdup(name);
}

static const struct way_host *keep_host(struct ways *s, const struct config_endpoint *e)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (hosts_same(&s->known[i]->at, e))
            return s->known[i];
    s->known = must_realloc(s->known, (s->known_count + 1) * sizeof *s->known);
    return s->known[s->known_count++] = way_host_new(e);
}

static struct way_exit exit_at(struct ways *s, const struct upstream_config *u, size_t i)
{
    if (u->exits.count == 0)
        return (struct way_exit){NULL, NULL};
    return (struct way_exit){&u->exits.at[i], keep_name(s, u->exits.at[i].name)};
}

/* What a change of the settings goes through. */
struct change {
    const struct upstream_config *settings;
    struct way **was; /* those that have been taken over are NULL */
    size_t was_count, was_hosts;
    struct way **now;
    size_t hosts;
    bool *is_kept, renew; /* of `now` */
    struct ways_mood mood;
};

static struct outlet *find_outlet(const struct change *c, const struct config_exit *exit)
{
    for (size_t i = 0; i < c->was_count; i++) {
        struct outlet *o = c->was[i] ? c->was[i]->outlet : NULL;
        if (o && (o->exit && exit ? exits_same(o->exit, exit) : o->exit == exit))
            return o;
    }
    return NULL;
}

static struct way *take(const struct change *c, const struct outlet *outlet,
                        const struct way_host *host)
{
    bool is_only = c->hosts == 1 && c->was_hosts == 1;
    for (size_t i = 0; i < c->was_count; i++) {
        struct way *w = c->was[i];
        if (w == NULL || w->outlet != outlet || !(is_only || w->host == host))
            continue;
        c->was[i] = NULL;
        return w;
    }
    return NULL;
}

static struct way_target target_at(struct ways *s, const struct change *c, size_t i)
{
    const struct config_endpoint e = hosts_at(c->settings, i % c->hosts);
    const struct way *w = c->now[i];
    bool is_in_use = i % c->hosts == 0 || (w && w->outlet->fast == w);
    return (struct way_target){keep_host(s, &e), c->hosts == 1, is_in_use};
}

static void on_hold(struct link *way)
{
    way_recall(container_of(way, struct way, beside));
}

/* The ways of one exit: those that were there, and new ones. */
static void set_exit(struct ways *s, struct change *c, size_t at)
{
    const struct way_exit exit = exit_at(s, c->settings, at / c->hosts);
    struct outlet *o = find_outlet(c, exit.at), *old = o;
    if (o == NULL)
        o = outlet_new(s->common.loop, c->settings, &exit, s->common.stats, on_hold);
    for (size_t i = at; i < at + c->hosts; i++) {
        const struct way_target to = target_at(s, c, i);
        c->now[i] = old ? take(c, o, to.host) : NULL;
        c->is_kept[i] = c->now[i] != NULL;
        if (!c->is_kept[i])
            c->now[i] = make(s, c->settings, o, &to, c->mood);
    }
    if (old)
        outlet_configure(o, c->settings, &exit);
    o->first = c->now[at];
    o->race.best = SIZE_MAX;
    for (size_t i = 0; i < c->hosts; i++)
        if (c->now[at + i] == o->fast)
            o->race.best = i;
}

static void configure(struct ways *s, struct change *c)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct way_target to = target_at(s, c, i);
        if (c->is_kept[i] && c->now[i]->host != to.host)
            way_redirect(c->now[i], c->settings, &to);
        else if (c->is_kept[i])
            way_configure(c->now[i], c->settings, &to, c->renew);
    }
}

static bool is_in_use(const struct ways *s, const struct outlet *o)
{
    EACH_EXIT(s, w)
    if (w->outlet == o)
        return true;
    return false;
}

static void leave_all(struct ways *s, const struct change *c, struct config *snapshot)
{
    for (size_t i = 0; i < c->was_count; i++) {
        struct way *w = c->was[i];
        if (w == NULL)
            continue;
        if (!w->outlet->leaving && !is_in_use(s, w->outlet))
            outlet_end(w->outlet, snapshot);
        list_push_back(&s->leaving, &w->link);
        way_leave(w, snapshot);
    }
}

void ways_set(struct ways *s, const struct upstream_config *u, struct config *snapshot, bool renew,
              struct ways_mood mood)
{
    size_t hosts = hosts_count(u), count = hosts * (u->exits.count ? u->exits.count : 1);
    struct change c = {.settings = u,
                       .was = s->at,
                       .was_count = s->count,
                       .was_hosts = s->hosts,
                       .now = must_calloc(count, sizeof(struct way *)),
                       .hosts = hosts,
                       .is_kept = must_calloc(count, sizeof(bool)),
                       .renew = renew,
                       .mood = mood};
    for (size_t i = 0; i < count; i += hosts)
        set_exit(s, &c, i);
    s->at = c.now;
    s->count = count;
    s->hosts = hosts;
    s->changes++;
    configure(s, &c);
    leave_all(s, &c, snapshot);
    free(c.is_kept);
    free(c.was);
}

/* ------------------------------------------------------------------------- choosing */

static uint64_t bits_of_exit(const struct ways *s, size_t first)
{
    uint64_t all = s->hosts == 64 ? UINT64_MAX : (UINT64_C(1) << s->hosts) - 1;
    return all << first;
}

/* The exits that have no way which is not in `tried`. */
static uint64_t exits_tried(const struct ways *s, uint64_t tried)
{
    uint64_t exits = 0;
    if (s->hosts == 1)
        return tried;
    for (size_t i = 0; i < s->count; i += s->hosts)
        if ((tried & bits_of_exit(s, i)) == bits_of_exit(s, i))
            exits |= UINT64_C(1) << i / s->hosts;
    return exits;
}

/* An exit is open if all its ways are. */
static void stand(const struct ways *s, size_t exit, const struct gate_waiter *kind,
                  struct way_standing *to)
{
    struct way_standing more;
    way_stand(s->at[exit * s->hosts], kind, to);
    for (size_t i = 1; i < s->hosts; i++) {
        way_stand(s->at[exit * s->hosts + i], kind, &more);
        to->is_open &= more.is_open;
        to->free_lines += more.free_lines;
    }
}

/* SIZE_MAX: all have been tried. */
static size_t choose_any(struct ways *s, const struct ways_wish *wish, size_t exits)
{
    struct way_standing at[EXITS_MAX];
    for (size_t i = 0; i < exits; i++)
        stand(s, i, wish->kind, &at[i]);
    size_t best = way_choice(at, exits, exits_tried(s, wish->tried), s->turn);
    if (best == SIZE_MAX)
        return SIZE_MAX;
    s->turn = (best + 1) % exits;
    for (size_t i = 0; !at[best].is_open && i < s->count; i++)
        way_probe(s->at[i]);
    return best;
}

static size_t place_of(const struct ways *s, uint64_t credential, size_t exits)
{
    uint64_t hashes[EXITS_MAX];
    for (size_t i = 0; i < exits; i++)
        hashes[i] = s->at[i * s->hosts]->outlet->hash;
    return way_choice_of(hashes, exits, credential);
}

struct way *ways_choose(struct ways *s, const struct ways_wish *wish, uint64_t *bit)
{
    size_t i = 0, exits = s->count / s->hosts;
    if (exits > 1)
        i = wish->credential ? place_of(s, wish->credential, exits) : choose_any(s, wish, exits);
    if (i == SIZE_MAX || exits_tried(s, wish->tried) >> i & 1)
        return NULL;
    *bit = UINT64_C(1) << i * s->hosts;
    return s->at[i * s->hosts];
}

/* Where the ways of its exit begin. SIZE_MAX: it is gone. */
static size_t exit_of(const struct ways *s, const struct way *w)
{
    for (size_t i = 0; i < s->count; i += s->hosts)
        if (s->at[i]->outlet == w->outlet)
            return i;
    return SIZE_MAX;
}

/* min_idle lines are kept to it, and no longer to the one that was in use before. */
static void note_use(struct way **role, struct way *w)
{
    struct way *old = *role;
    if (old == w)
        return;
    *role = w;
    if (old && old != w->outlet->first && old != w->outlet->fast)
        way_keep_floor(old, false);
    way_keep_floor(w, true);
}

static size_t choose_timed(struct way *const *at, size_t count, struct endpoint_standing *standing,
                           const struct ways_wish *wish, uint64_t tried)
{
    struct outlet *o = at[0]->outlet;
    size_t cold;
    size_t i = endpoint_fastest(&o->race, standing, count, tried, wish->is_new,
                                loop_now(at[0]->loop), &cold);
    if (cold != SIZE_MAX && !at[cold]->lines.closing && at[cold]->lines.connecting.count == 0)
        lines_dial(&at[cold]->lines, DIAL_FOR_WAITER);
    if (o->race.best < count && standing[o->race.best].pace->mean_us)
        note_use(&o->fast, at[o->race.best]);
    return i;
}

struct way *ways_settle(struct ways *s, const struct way *way, const struct ways_wish *wish,
                        uint64_t *bit)
{
    struct endpoint_standing standing[WAYS_MAX];
    size_t first = exit_of(s, way), i;
    if (first == SIZE_MAX)
        return NULL;
    struct way **at = &s->at[first];
    for (i = 0; i < s->hosts; i++)
        way_stand_as_endpoint(at[i], &standing[i]);
    uint64_t tried = (wish->tried & bits_of_exit(s, first)) >> first;
    i = wish->is_timed ? choose_timed(at, s->hosts, standing, wish, tried)
                       : endpoint_first(standing, s->hosts, tried);
    if (i == SIZE_MAX)
        return NULL;
    if (!wish->is_timed && !standing[i].is_open && tried == 0)
        note_use(&at[i]->outlet->first, at[i]);
    for (size_t k = 0; !standing[i].is_open && k < s->hosts; k++)
        way_probe(at[k]);
    *bit = UINT64_C(1) << (first + i);
    return at[i];
}

struct ways_roles ways_roles(const struct ways *s, size_t exit)
{
    struct endpoint_standing standing[WAYS_MAX];
    struct way **at = &s->at[exit * s->hosts];
    for (size_t i = 0; i < s->hosts; i++)
        way_stand_as_endpoint(at[i], &standing[i]);
    return (struct ways_roles){endpoint_first(standing, s->hosts, 0),
                               endpoint_best(&at[0]->outlet->race, standing, s->hosts)};
}

struct way *ways_toward(const struct ways *s, struct way *way, struct span host, uint16_t port)
{
    size_t first = exit_of(s, way);
    if (first == SIZE_MAX)
        return way;
    for (size_t i = first; i < first + s->hosts; i++) {
        const struct config_endpoint *e = &s->at[i]->host->at;
        if (e->port == port && span_is_nocase(span_of(e->host), host))
            return s->at[i];
    }
    return s->at[first];
}

uint64_t ways_exit_bits(const struct ways *s, const struct way *way)
{
    size_t first = exit_of(s, way);
    return first == SIZE_MAX ? 0 : bits_of_exit(s, first);
}

uint64_t ways_warm_bits(const struct ways *s)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < s->count; i++)
        bits |= (uint64_t)way_vouches(s->at[i]) << i;
    return bits;
}

void ways_resume(struct ways *s, bool ending)
{
    EACH_EXIT(s, w)
    gate_resume(w->gate);
    EACH_WAY (s, v)
        way_resume(v, ending);
    LIST_FOR (&s->leaving, v, struct way, link)
        way_resume(v, true);
}

bool ways_hold(const struct ways *s, const struct gate_waiter *kind)
{
    EACH_EXIT(s, w)
    if (!gate_holds(w->gate, kind))
        return false;
    return true;
}

size_t ways_lines(const struct ways *s)
{
    size_t n = 0;
    EACH_WAY (s, w)
        n += lines_open(&w->lines);
    LIST_FOR (&s->leaving, w, struct way, link)
        n += lines_open(&w->lines);
    return n;
}

struct address_sum {
    struct way_address *to;
    size_t count, most;
};

static void add_address(void *context, const struct line_view *v)
{
    struct address_sum *sum = context;
    if (v->protocol == NULL)
        return;
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->to[i].text, v->address) == 0) {
            sum->to[i].count++;
            return;
        }
    }
    if (sum->count == sum->most)
        return;
    struct way_address *a = &sum->to[sum->count++];
    snprintf(a->text, sizeof a->text, "%s", v->address);
    a->count = 1;
}

size_t ways_addresses(const struct ways *s, struct way_address *to, size_t most)
{
    struct address_sum sum = {.to = to, .most = most};
    EACH_WAY (s, w)
        lines_each(&w->lines, add_address, &sum);
    LIST_FOR (&s->leaving, w, struct way, link)
        lines_each(&w->lines, add_address, &sum);
    return sum.count;
}

/* ------------------------------------------------------------------------- its life */

void ways_init(struct ways *s, const struct way_common *common)
{
    *s = (struct ways){.common = *common};
    s->common.on_left = on_left;
    s->common.owner = s;
    list_init(&s->leaving);
}

void ways_free(struct ways *s)
{
    EACH_WAY (s, w)
        way_free(w);
    LIST_FOR (&s->leaving, w, struct way, link)
        free_left(s, w);
    for (size_t i = 0; i < s->name_count; i++)
        free(s->names[i]);
    free(s->names);
    for (size_t i = 0; i < s->known_count; i++)
        way_host_free(s->known[i]);
    free(s->known);
    free(s->at);
}
