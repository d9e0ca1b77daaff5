#include "base/request_id.h"

#include <string.h>

#define RANDOM_BITS 18
#define DIGIT_BITS 5
#define COUNT_DIGITS_MAX 20

void request_ids_init(struct request_ids *ids, uint64_t wall_ms, uint32_t random)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* no i, l, o, u */
    uint64_t life = wall_ms << RANDOM_BITS | (random & ((1u << RANDOM_BITS) - 1));
    *ids = (struct request_ids){.digits = 1};
    for (size_t i = REQUEST_LIFE_SIZE - 1; i-- > 0; life >>= DIGIT_BITS)
        ids->life[i] = digits[life & ((1u << DIGIT_BITS) - 1)];
    memcpy(ids->last.text, ids->life, REQUEST_LIFE_SIZE - 1);
    memcpy(ids->last.text + REQUEST_LIFE_SIZE - 1, "-0", 2);
}

/* Increments the decimal text in place, since this runs once per request: usually only one digit
 * changes. */
static void count_up(struct request_ids *ids)
{
    char *digits = ids->last.text + REQUEST_LIFE_SIZE;
    size_t at = ids->digits;
    while (at > 0 && digits[at - 1] == '9')
        digits[--at] = '0';
    if (at > 0) {
        digits[at - 1]++;
        return;
    }
    CHECK(ids->digits < COUNT_DIGITS_MAX);
    digits[0] = '1';
    digits[ids->digits++] = '0';
}

void request_ids_next(struct request_ids *ids, struct request_id *id)
{
    count_up(ids);
    *id = ids->last;
}

const char *request_id_text(const struct request_id *id)
{
    return id && id->text[0] ? id->text : "-";
}
