/* The input is any text. Either it is rejected with a message, or it is read and dumped, and
 * reading the dump gives the same dump. Files that the configuration names are checked, but never
 * opened. */
#include <string.h>

#include "base/text.h"
#include "config/config.h"
#include "config/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void complain(void *context, const char *message)
{
    unsigned *count = context;
    CHECK(strncmp(message, "fuzz.conf:", 10) == 0);
    ++*count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned complaints = 0;
    struct text once = {0}, twice = {0};
    struct config *c = config_parse("fuzz.conf", (const char *)data, size, complain, &complaints);
    CHECK((c == NULL) == (complaints > 0));
    if (c == NULL)
        return 0;
    config_dump(c, &once);
    config_unref(c);
    c = config_parse("fuzz.conf", once.at, once.len, complain, &complaints);
    CHECK(c != NULL && complaints == 0);
    config_dump(c, &twice);
    config_unref(c);
    CHECK(span_is(text_span(&once), text_span(&twice)));
    text_free(&once);
    text_free(&twice);
    return 0;
}
