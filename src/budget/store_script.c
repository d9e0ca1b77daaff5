#include "budget/store_script.h"

#include <inttypes.h>
#include <mbedtls/sha1.h>
#include <stdio.h>
#include <string.h>

#include "budget/credential.h"

#define SHA1_SIZE 20
#define KEYS 4
#define HOLD_ARGUMENTS 3
#define HEAD_ELEMENTS 10

/* Numbers leave Lua as integers: tokens are told in thousandths, short times in microseconds. A
 * token is reserved as a debt of the bucket, at most `horizon` ms of its rate (or one token). */
static const char script[] =
    "if redis.replicate_commands then redis.replicate_commands() end\n"
    "local id, count, per, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), "
    "tonumber(ARGV[4])\n"
    "local want, credit, back = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])\n"
    "local horizon, told, lift = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[12] == '1'\n"
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + t[2] / 1000\n"
    "local have, later, wait, level = 0, 0, 0, 0\n"
    "if count > 0 then\n"
    "  local rate = count / per\n"
    "  local b = redis.call('HMGET', KEYS[1], 'level', 'at')\n"
    "  local at = tonumber(b[2]) or now\n"
    "  level = tonumber(b[1]) or burst\n"
    "  if now > at then level = level + (now - at) * rate; at = now end\n"
    "  level = math.min(burst, math.min(burst, level) + back - credit)\n"
    "  have = math.max(0, math.min(want, math.floor(level)))\n"
    "  level = level - have\n"
    "  if have < want then\n"
    "    local room = level + math.max(1, rate * horizon)\n"
    "    later = math.max(0, math.min(want - have, math.floor(room)))\n"
    "    wait = (1 - (later > 0 and level or room)) / rate\n"
    "    level = level - later\n"
    "  end\n"
    "  redis.call('HMSET', KEYS[1], 'level', string.format('%.6f', level), 'at', "
    "string.format('%.3f', at))\n"
    "  redis.call('PEXPIRE', KEYS[1], math.ceil((burst - level) / rate) + 60000)\n"
    "end\n"
    "local s = redis.call('HMGET', KEYS[2], 'epoch', 'version', 'lifts', 'minute', 'weight')\n"
    "local epoch, version, lifts = s[1], tonumber(s[2]) or 0, tonumber(s[3]) or 0\n"
    "if not epoch then\n"
    "  epoch = t[1] .. '.' .. t[2]\n"
    "  redis.call('HSET', KEYS[2], 'epoch', epoch)\n"
    "end\n"
    "local minute, into, weight = math.floor(now / 60000), now % 60000, -1\n"
    "if tonumber(s[4]) == minute then weight = tonumber(s[5]) end\n"
    "if told >= 0 and (told > weight or ((into < 5000 or into > 55000) and told < weight / 2)) "
    "then\n"
    "  weight = told\n"
    "  redis.call('HMSET', KEYS[2], 'minute', minute, 'weight', weight)\n"
    "end\n"
    "local changed = lift or epoch ~= ARGV[10] or version ~= tonumber(ARGV[11])\n"
    "if lift then\n"
    "  redis.call('DEL', KEYS[3])\n"
    "  lifts = lifts + 1\n"
    "  version = version + 1\n"
    "end\n"
    "for i = 13, #ARGV, 3 do\n"
    "  local ends = math.floor(now + tonumber(ARGV[i + 1]))\n"
    "  local old = redis.call('HGET', KEYS[3], ARGV[i])\n"
    "  if (not old and redis.call('HLEN', KEYS[3]) < 258) or\n"
    "     (old and ends > tonumber(string.match(old, '^%d+') or 0)) then\n"
    "    redis.call('HSET', KEYS[3], ARGV[i], string.format('%.0f', ends) .. '\\n' .. ARGV[i + "
    "2])\n"
    "    redis.call('PEXPIRE', KEYS[3], 3660000)\n"
    "    version = version + 1\n"
    "    changed = true\n"
    "  end\n"
    "end\n"
    "if version ~= (tonumber(s[2]) or 0) then\n"
    "  redis.call('HMSET', KEYS[2], 'version', version, 'lifts', lifts)\n"
    "end\n"
    "redis.call('PEXPIRE', KEYS[2], 7200000)\n"
    "redis.call('ZADD', KEYS[4], now, id)\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - 10000)\n"
    "redis.call('PEXPIRE', KEYS[4], 20000)\n"
    "local r = {have, later, math.ceil(wait * 1000), math.floor(level * 1000), "
    "redis.call('ZCARD', KEYS[4]), weight, math.ceil(60000 - into), epoch, version, lifts}\n"
    "if changed then\n"
    "  r[11] = 'holds'\n"
    "  local all = redis.call('HGETALL', KEYS[3])\n"
    "  for i = 1, #all, 2 do\n"
    "    local ends, data = string.match(all[i + 1], '^(%d+)\\n(.*)$')\n"
    "    if ends and tonumber(ends) > now then\n"
    "      r[#r + 1] = all[i]\n"
    "      r[#r + 1] = math.ceil(tonumber(ends) - now)\n"
    "      r[#r + 1] = data\n"
    "    else\n"
    "      redis.call('HDEL', KEYS[3], all[i])\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return r\n";

static const char *script_name(void)
{
    static char name[2 * SHA1_SIZE + 1];
    unsigned char hash[SHA1_SIZE];
    if (*name)
        return name;
    CHECK(mbedtls_sha1((const unsigned char *)script, sizeof script - 1, hash) == 0);
    for (size_t i = 0; i < SHA1_SIZE; i++)
        snprintf(name + 2 * i, sizeof name - 2 * i, "%02x", hash[i]);
    return name;
}

/* ---------------------------------------------------------------- the request */

static void add_argument(struct text *to, struct span s)
{
    text_printf(to, "$%zu\r\n", s.len);
    text_add(to, s);
    text_add(to, SPAN("\r\n"));
}

static void add_number(struct text *to, int64_t n)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n);
    add_argument(to, (struct span){digits, len});
}

static void add_key(const struct store_request *r, const char *part, struct text *to)
{
    struct text key = {0};
    text_printf(&key, "trunkline:{%.*s}:%s", SPAN_ARG(r->key), part);
    if (r->exit.len)
        text_printf(&key, ":%.*s", SPAN_ARG(r->exit));
    add_argument(to, text_span(&key));
    text_free(&key);
}

static void add_keys(const struct store_request *r, struct text *to)
{
    char tokens[60];
    snprintf(tokens, sizeof tokens, "tokens:%u/%" PRIu64, r->rate.count, r->rate.per_ms);
    add_number(to, KEYS);
    add_key(r, tokens, to);
    add_key(r, "state", to);
    add_key(r, "holds", to);
    add_key(r, "daemons", to);
}

static void add_hold(const struct hold *h, uint64_t now_ms, struct text *to)
{
    char whom[CREDENTIAL_NAME_SIZE + 2] = "c:", data[300];
    if (h->scope == HOLD_CREDENTIAL)
        credential_print(h->credential, whom + 2);
    else
        snprintf(whom, sizeof whom, "%s", hold_scope_name(h->scope));
    int len = snprintf(data, sizeof data, "%u\n%" PRIu64 "\n%" PRIu64 "\n%s\n%s", h->status,
                       h->lasts_ms, h->step_ms, h->bot, h->path);
    add_argument(to, span_of(whom));
    add_number(to, h->until_ms > now_ms ? (int64_t)(h->until_ms - now_ms) : 0);
    add_argument(to, (struct span){data, (size_t)len});
}

void store_script_write(const struct store_request *r, bool whole, struct text *to)
{
    text_printf(to, "*%zu\r\n", 3 + KEYS + 12 + HOLD_ARGUMENTS * r->hold_count);
    add_argument(to, whole ? SPAN("EVAL") : SPAN("EVALSHA"));
    add_argument(to, span_of(whole ? script : script_name()));
    add_keys(r, to);
    add_argument(to, r->id);
    add_number(to, r->rate.count);
    add_number(to, (int64_t)r->rate.per_ms);
    add_number(to, (int64_t)r->burst);
    add_number(to, (int64_t)r->batch.want);
    add_number(to, (int64_t)r->batch.credit);
    add_number(to, (int64_t)r->batch.back);
    add_number(to, (int64_t)r->horizon_ms);
    add_number(to, r->weight);
    add_argument(to, span_of(r->seen.epoch));
    add_number(to, r->seen.version);
    add_argument(to, r->lifts ? SPAN("1") : SPAN("0"));
    for (size_t i = 0; i < r->hold_count; i++)
        add_hold(&r->holds[i], r->now_ms, to);
}

/* ----------------------------------------------------------------- the answer */

#define ANSWER_MOST 2000000000 /* no number that makes sense is larger */

bool store_script_read(const struct store_reply *r, struct store_answer *a)
{
    static const size_t epoch = 7;
    int64_t n[HEAD_ELEMENTS] = {0};
    const struct store_reply *at = store_reply_at(r, 0), *name = NULL;
    if (r->type != STORE_LIST || r->count < HEAD_ELEMENTS)
        return false;
    for (size_t i = 0; i < HEAD_ELEMENTS; i++, at = at->next) {
        if (i == epoch)
            name = at;
        else if (at->type != STORE_INTEGER || at->integer > INT64_C(1000000) * ANSWER_MOST)
            return false;
        n[i] = at->integer;
    }
    if (n[0] < 0 || n[0] > ANSWER_MOST || n[1] < 0 || n[1] > ANSWER_MOST || n[4] < 0 ||
        n[4] > ANSWER_MOST || n[6] < 0 || n[6] > 60000 || name->type != STORE_TEXT ||
        name->text.len >= STORE_EPOCH_SIZE || name->text.len == 0)
        return false;
    *a = (struct store_answer){.grant = {(uint64_t)n[0], (uint64_t)n[1],
                                         n[2] > 0 ? (uint64_t)n[2] : 0, (double)n[3] / 1000,
                                         (unsigned)n[4]},
                               .weight = n[5],
                               .weight_left_ms = (uint64_t)n[6],
                               .seen = {.version = n[8], .lifts = n[9]},
                               .holds = at};
    memcpy(a->seen.epoch, name->text.at, name->text.len);
    return true;
}

/* The text up to the next newline, which is taken off. */
static struct span take_line(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = span_first(*rest, end);
    *rest = span_from(*rest, end < rest->len ? end + 1 : end);
    return line;
}

static bool take_number(struct span *rest, uint64_t most, uint64_t *n)
{
    struct span line = take_line(rest);
    *n = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] < '0' || line.at[i] > '9' || *n > most)
            return false;
        *n = *n * 10 + (uint64_t)(line.at[i] - '0');
    }
    return line.len > 0 && *n <= most;
}

/* What another daemon wrote is shown on pages: nothing but printable ASCII. */
static void take_words(struct span line, char *to, size_t size)
{
    size_t len = line.len < size - 1 ? line.len : size - 1;
    for (size_t i = 0; i < len; i++)
        to[i] = line.at[i] >= ' ' && line.at[i] < 0x7f ? line.at[i] : '?';
    to[len] = '\0';
}

static bool read_whom(struct span whom, struct hold *h)
{
    h->scope = span_is(whom, SPAN("all"))      ? HOLD_ALL
               : span_is(whom, SPAN("public")) ? HOLD_PUBLIC
                                               : HOLD_CREDENTIAL;
    if (h->scope != HOLD_CREDENTIAL)
        return true;
    h->credential = span_starts(whom, SPAN("c:")) ? credential_parse(span_from(whom, 2)) : 0;
    return h->credential != 0;
}

static bool read_hold(const struct store_reply *whom, uint64_t now_ms, struct hold *h)
{
    const struct store_reply *left = whom->next, *data = left ? left->next : NULL;
    uint64_t status;
    *h = (struct hold){0};
    if (data == NULL || whom->type != STORE_TEXT || left->type != STORE_INTEGER ||
        data->type != STORE_TEXT || left->integer <= 0 || !read_whom(whom->text, h))
        return false;
    struct span rest = data->text;
    if (!take_number(&rest, 599, &status) || !take_number(&rest, HOLD_MOST_MS, &h->lasts_ms) ||
        !take_number(&rest, HOLD_MOST_MS, &h->step_ms))
        return false;
    uint64_t left_ms = (uint64_t)left->integer;
    h->status = (unsigned)status;
    h->until_ms = now_ms + (left_ms < HOLD_MOST_MS ? left_ms : HOLD_MOST_MS);
    take_words(take_line(&rest), h->bot, sizeof h->bot);
    take_words(take_line(&rest), h->path, sizeof h->path);
    return true;
}

bool store_answer_hold(struct store_answer *a, uint64_t now_ms, struct hold *h)
{
    const struct store_reply *at = a->holds;
    if (at && at->type == STORE_TEXT && span_is(at->text, SPAN("holds")))
        at = at->next;
    while (at) {
        const struct store_reply *whom = at;
        for (size_t i = 0; i < HOLD_ARGUMENTS && at; i++)
            at = at->next;
        a->holds = at;
        if (read_hold(whom, now_ms, h))
            return true;
    }
    a->holds = NULL;
    return false;
}
