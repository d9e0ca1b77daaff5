/* What a store of budgets answers: any bytes, split anywhere, through the callbacks of hiredis's
 * reader, then read as an answer of the script with its holds. Nothing is allocated beyond the
 * bounds, and every hold that is taken makes sense. */
#include "budget/store_conn.h"
#include "budget/store_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS 1000

static void check_hold(const struct hold *h)
{
    CHECK(h->until_ms > NOW_MS && h->until_ms <= NOW_MS + HOLD_MOST_MS);
    CHECK(h->status <= 599 && h->lasts_ms <= HOLD_MOST_MS && h->step_ms <= HOLD_MOST_MS);
    CHECK((h->scope == HOLD_CREDENTIAL) == (h->credential != 0));
    for (const char *p = h->path; *p; p++)
        CHECK(*p >= ' ' && *p < 0x7f);
}

static void look(const struct store_reply *r)
{
    char words[STORE_WHY_SIZE];
    struct store_answer a;
    struct hold h;
    if (r->type == STORE_ERROR)
        store_error_words(r->text, words);
    if (!store_script_read(r, &a))
        return;
    CHECK(a.weight_left_ms <= 60000);
    while (store_answer_hold(&a, NOW_MS, &h))
        check_hold(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = size ? data[0] : 0, at = size > 0;
    struct store_parser *p = store_parser_new();
    struct store_reply *r;
    bool good = true;
    while (good && at < size) {
        size_t len = piece && piece < size - at ? piece : size - at;
        good = store_parser_feed(p, (const char *)data + at, len);
        at += len;
        while (good && (r = store_parser_next(p))) {
            look(r);
            store_reply_free(r);
        }
        good = store_parser_error(p) == NULL;
    }
    store_parser_free(p);
    return 0;
}
