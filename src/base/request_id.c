#include "base/request_id.h"

#include <string.h>

#define RANDOM_BITS 18
#define DIGIT_BITS 5

void request_ids_init(struct request_ids *ids, uint64_t wall_ms, uint32_t random)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* no i, l, o, u */
    uint64_t life = wall_ms << RANDOM_BITS | (random & ((1u << RANDOM_BITS) - 1));
    *ids = (struct request_ids){0};
    for (size_t i = REQUEST_LIFE_SIZE - 1; i-- > 0; life >>= DIGIT_BITS)
        ids->life[i] = digits[life & ((1u << DIGIT_BITS) - 1)];
}

void request_ids_next(struct request_ids *ids, struct request_id *id)
{
    char digits[20], *p = digits + sizeof digits;
    uint64_t n = ++ids->given;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    size_t len = (size_t)(digits + sizeof digits - p);
    memcpy(id->text, ids->life, REQUEST_LIFE_SIZE - 1);
    id->text[REQUEST_LIFE_SIZE - 1] = '-';
    memcpy(id->text + REQUEST_LIFE_SIZE, p, len);
    id->text[REQUEST_LIFE_SIZE + len] = '\0';
}

const char *request_id_text(const struct request_id *id)
{
    return id && id->text[0] ? id->text : "-";
}
