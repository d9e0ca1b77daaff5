#include "front/order_warning.h"

#include <stdio.h>

#include "base/log.h"
#include "front/access_line.h"

void order_warning(const struct record *r)
{
    char object[80];
    struct text words = {0};
    CHECK(r->unknown);
    snprintf(object, sizeof object, "upstream %s", r->upstream ? r->upstream : "-");
    access_line_of_order(&words, r);
    log_write(LOG_LEVEL_WARN, object, "order of unknown fate: %.*s", SPAN_ARG(text_span(&words)));
    text_free(&words);
}
