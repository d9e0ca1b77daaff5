#include "proxy/upload.h"

#include "base/spares.h"

static struct spares bodies;

void upload_init(struct upload *u, enum framing framing, uint64_t length)
{
    *u = (struct upload){.replayable = true,
                         .length = framing == FRAMING_LENGTH ? length : UINT64_MAX};
}

void upload_free(struct upload *u)
{
    text_end(&u->kept, &bodies);
}

/* As long as a whole body could be kept, its end is waited for. */
bool upload_is_gathered(const struct upload *u)
{
    return u->kept.len > UPLOAD_KEPT_MAX;
}

static void keep(struct upload *u, const char *data, size_t len)
{
    if (!u->replayable)
        return;
    if (u->kept.at == NULL)
        text_begin(&u->kept, &bodies);
    text_add(&u->kept, (struct span){data, len});
}

/* A longer body is not kept for another try. */
static void stop_keeping_long(struct upload *u)
{
    if (u->kept.len <= UPLOAD_KEPT_MAX)
        return;
    u->replayable = false;
    text_end(&u->kept, &bodies);
}

/* Is the client's side to wait? Not for a body that has come whole: upload_is_gathered() or the
 * request's end follows at once. */
static bool is_held(const struct upload *u)
{
    return upload_is_gathered(u) && u->kept.len < u->length;
}

bool upload_gather(struct upload *u, const char *data, size_t len)
{
    keep(u, data, len);
    return !is_held(u);
}

bool upload_pass(struct upload *u, struct exchange *x, const char *data, size_t len)
{
    keep(u, data, len);
    stop_keeping_long(u);
    return exchange_body(x, data, len);
}

bool upload_begin(struct upload *u, struct exchange *x)
{
    bool more = u->kept.len == 0 || exchange_body(x, u->kept.at, u->kept.len);
    bool goes_on = !u->complete && is_held(u) && more;
    stop_keeping_long(u);
    return goes_on;
}
