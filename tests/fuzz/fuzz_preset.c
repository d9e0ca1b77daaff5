/* The input is an upstream block's text behind a preset, which its first byte chooses. Every preset is
 * good as it is; with more directives the block is rejected with a message, or what it says is dumped
 * and reads back to the same. */
#include <string.h>

#include "base/text.h"
#include "config/config.h"
#include "config/dump.h"
#include "config/preset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void complain(void *context, const char *message)
{
    unsigned *count = context;
    CHECK(strncmp(message, "fuzz.conf:", 10) == 0);
    ++*count;
}

/* The dump of the configuration; NULL: it was rejected. */
static char *dumped(struct span text)
{
    unsigned complaints = 0;
    struct text out = {0};
    struct config *c = config_parse("fuzz.conf", text.at, text.len, complain, &complaints);
    CHECK((c == NULL) == (complaints > 0));
    if (c == NULL)
        return NULL;
    config_dump(c, &out);
    config_unref(c);
    text_add(&out, (struct span){"", 1});
    return out.at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = 0;
    struct text all = {0};
    while (presets[count].name)
        count++;
    const char *name = presets[size ? data[0] % count : 0].name;
    text_printf(&all, "upstream x {\npreset = %s\n", name);
    CHECK(preset_find(name) != NULL);
    if (size > 1)
        text_add(&all, (struct span){(const char *)data + 1, size - 1});
    text_add_str(&all, "\n}\n");
    char *once = dumped(text_span(&all));
    CHECK(once != NULL || size > 1);
    if (once) {
        char *again = dumped(span_of(once));
        CHECK(again != NULL && strcmp(once, again) == 0);
        free(again);
    }
    free(once);
    text_free(&all);
    return 0;
}
