#include "examples/report.h"

#include <jansson.h>
#include <stdio.h>

#define MONEY_PLACES 8 /* in the table; the JSON has all of them */

/* ----------------------------------------------------------------------- table */

static void side_text(struct decimal price, char out[DECIMAL_TEXT_SIZE])
{
    if (decimal_sign(price) > 0)
        decimal_text(price, out);
    else
        snprintf(out, DECIMAL_TEXT_SIZE, "-");
}

/* Text from an exchange must not control the terminal. */
static void add_words(struct text *out, const char *words)
{
    for (const char *p = words; *p; p++) {
        char c = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
        text_add(out, (struct span){&c, 1});
    }
}

static void add_venue(const struct venue *v, struct text *out)
{
    char pair[PAIR_TEXT_SIZE], bid[DECIMAL_TEXT_SIZE] = "-", ask[DECIMAL_TEXT_SIZE] = "-";
    char age[24] = "-";
    if (v->answered) {
        side_text(v->quote.bid, bid);
        side_text(v->quote.ask, ask);
        snprintf(age, sizeof age, "%.1f s", (double)v->age_ms / 1000);
    }
    text_printf(out, "%-14s %-10s %14s %14s %7s  %s", v->name, pair_text(&v->quote.pair, pair), bid,
                ask, age, venue_state_name(v->state));
    if (v->error[0]) {
        text_add_str(out, ": ");
        add_words(out, v->error);
    }
    text_add_str(out, "\n");
}

static void add_opportunity(const struct opportunity *o, struct text *out)
{
    char pair[PAIR_TEXT_SIZE], ask[DECIMAL_TEXT_SIZE], bid[DECIMAL_TEXT_SIZE];
    char profit[DECIMAL_TEXT_SIZE], percent[DECIMAL_TEXT_SIZE];
    text_printf(out, "%-14s %-14s %-10s %14s %14s %14s %10s\n", o->buy->name, o->sell->name,
                pair_text(&o->buy->quote.pair, pair), decimal_text(o->buy->quote.ask, ask),
                decimal_text(o->sell->quote.bid, bid),
                decimal_text(decimal_floor(o->profit, MONEY_PLACES), profit),
                decimal_text(o->percent, percent));
}

void report_table(const struct findings *f, struct text *out)
{
    text_printf(out, "%-14s %-10s %14s %14s %7s  %s\n", "exchange", "pair", "bid", "ask", "age",
                "state");
    for (size_t i = 0; i < f->venue_count; i++)
        add_venue(&f->venues[i], out);
    text_add_str(out, "\n");
    if (f->opportunity_count == 0) {
        text_add_str(out, "no opportunity: no profit remains after fees\n");
        return;
    }
    text_printf(out, "%-14s %-14s %-10s %14s %14s %14s %10s\n", "buy at", "sell at", "pair", "ask",
                "bid", "net of fees", "per cent");
    for (size_t i = 0; i < f->opportunity_count; i++)
        add_opportunity(&f->opportunities[i], out);
}

/* ------------------------------------------------------------------------ JSON */

static json_t *money(struct decimal d)
{
    char text[DECIMAL_TEXT_SIZE];
    return json_string(decimal_text(d, text));
}

static json_t *side(struct decimal price)
{
    return decimal_sign(price) > 0 ? money(price) : json_null();
}

/* Text from an exchange that is not UTF-8 is replaced by a note. */
static json_t *words(const char *text)
{
    json_t *s = json_string(text);
    return s ? s : json_string("(not UTF-8)");
}

static json_t *venue_json(const struct venue *v)
{
    char pair[PAIR_TEXT_SIZE];
    json_t *o = json_object();
    json_object_set_new(o, "exchange", words(v->name));
    json_object_set_new(o, "state", json_string(venue_state_name(v->state)));
    json_object_set_new(o, "fee_percent", money(v->fee));
    json_object_set_new(o, "pair", json_string(pair_text(&v->quote.pair, pair)));
    if (v->answered) {
        json_object_set_new(o, "bid", side(v->quote.bid));
        json_object_set_new(o, "ask", side(v->quote.ask));
        json_object_set_new(o, "age_ms", json_integer((json_int_t)v->age_ms));
        json_object_set_new(o, "stale", json_boolean(v->stale));
    }
    if (v->error[0])
        json_object_set_new(o, "error", words(v->error));
    return o;
}

static json_t *opportunity_json(const struct opportunity *x)
{
    char pair[PAIR_TEXT_SIZE];
    json_t *o = json_object();
    json_object_set_new(o, "pair", json_string(pair_text(&x->buy->quote.pair, pair)));
    json_object_set_new(o, "buy", words(x->buy->name));
    json_object_set_new(o, "sell", words(x->sell->name));
    json_object_set_new(o, "ask", money(x->buy->quote.ask));
    json_object_set_new(o, "bid", money(x->sell->quote.bid));
    json_object_set_new(o, "cost", money(x->cost));
    json_object_set_new(o, "proceeds", money(x->proceeds));
    json_object_set_new(o, "profit", money(x->profit));
    json_object_set_new(o, "percent", money(x->percent));
    return o;
}

void report_json(const struct findings *f, int64_t at_ms, struct text *out)
{
    json_t *o = json_object(), *quotes = json_array(), *found = json_array();
    for (size_t i = 0; i < f->venue_count; i++)
        json_array_append_new(quotes, venue_json(&f->venues[i]));
    for (size_t i = 0; i < f->opportunity_count; i++)
        json_array_append_new(found, opportunity_json(&f->opportunities[i]));
    json_object_set_new(o, "at_ms", json_integer(at_ms));
    json_object_set_new(o, "quotes", quotes);
    json_object_set_new(o, "opportunities", found);
    char *dump = json_dumps(o, JSON_COMPACT);
    CHECK(dump != NULL);
    text_printf(out, "%s\n", dump);
    free(dump);
    json_decref(o);
}
