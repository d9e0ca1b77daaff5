#include "tests/sim/names.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/kernel.h"

#define QUESTION_MOST 512
#define HEADER 12
#define TYPE_A 1

struct answer {
    int fd;
    unsigned generation;
    size_t len;
    unsigned char bytes[QUESTION_MOST + 64];
};

static const struct name_row *rows;
static size_t row_count;
static uint32_t trouble;
static struct dice dice;

/* The name as text; returns the offset behind the question's name. */
static size_t read_name(const unsigned char *at, size_t len, char *name, size_t size)
{
    size_t i = HEADER, n = 0;
    while (i < len && at[i] && i + at[i] < len && n + at[i] + 2 < size) {
        memcpy(name + n, at + i + 1, at[i]);
        n += at[i];
        name[n++] = '.';
        i += at[i] + 1u;
    }
    name[n ? n - 1 : 0] = '\0';
    return i + 1;
}

uint32_t names_address(const char *name)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].address;
    return 0;
}

static void deliver(void *owner)
{
    struct answer *a = owner;
    kernel_deliver(a->fd, a->generation, a->bytes, a->len);
    free(a);
}

static void add_address(struct answer *a, uint32_t address)
{
    const unsigned char record[] = {0xc0,
                                    HEADER,
                                    0,
                                    TYPE_A,
                                    0,
                                    1,
                                    0,
                                    0,
                                    0,
                                    5,
                                    0,
                                    4,
                                    (unsigned char)(address >> 24),
                                    (unsigned char)(address >> 16),
                                    (unsigned char)(address >> 8),
                                    (unsigned char)address};
    a->bytes[7] = 1; /* ANCOUNT */
    memcpy(a->bytes + a->len, record, sizeof record);
    a->len += sizeof record;
}

static void on_question(int fd, const char *data, size_t len)
{
    char name[256];
    if (len < HEADER + 5 || len > QUESTION_MOST)
        return;
    struct answer *a = NEW(struct answer);
    a->fd = fd;
    a->generation = kernel_generation(fd);
    memcpy(a->bytes, data, len);
    size_t at = read_name(a->bytes, len, name, sizeof name);
    unsigned type = a->bytes[at] << 8 | a->bytes[at + 1];
    uint32_t address = names_address(name);
    a->len = at + 4;
    a->bytes[2] |= 0x80;                                     /* an answer */
    a->bytes[3] = (unsigned char)(0x80 | (address ? 0 : 3)); /* NXDOMAIN */
    memset(a->bytes + 6, 0, 6);                              /* no records, EDNS included */
    bool fails = dice_chance(&dice, trouble);
    world_say("name server: %s, type %u%s", name, type, fails ? ": in trouble" : "");
    if (fails && dice_chance(&dice, 50)) {
        free(a);
        return;
    }
    if (fails)
        a->bytes[3] = 0x80 | 2; /* SERVFAIL */
    else if (address && type == TYPE_A)
        add_address(a, address);
    world_in(dice_between(&dice, 100, dice_chance(&dice, 10) ? 400000 : 3000), deliver, a);
}

void names_begin(const struct name_row *at, size_t count, uint32_t percent)
{
    rows = at;
    row_count = count;
    trouble = percent;
    dice = dice_of("names", 0);
    kernel_take_datagrams(on_question);
}
