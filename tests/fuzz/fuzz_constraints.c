/* Any bytes: are no name constraints, or some whose names can be written and read
 * again; and a host is permitted just if a name is above it and none excludes it. */
#include "base/text.h"
#include "net/name_constraints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const struct name_constraints *c)
{
    struct name_constraints again = {0};
    struct text der = {0};
    const char *why = "";
    name_constraints_write((const char *const *)c->permitted, c->permitted_count, &der);
    CHECK(name_constraints_read(&again, text_span(&der), &why));
    CHECK(again.permitted_count == c->permitted_count && again.excluded_count == 0);
    for (size_t i = 0; i < c->permitted_count; i++) {
        CHECK(strcmp(again.permitted[i], c->permitted[i]) == 0);
        CHECK(name_constraints_permit(&again, c->permitted[i]));
    }
    name_constraints_free(&again);
    text_free(&der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct name_constraints c = {0};
    const char *why = NULL;
    if (name_constraints_read(&c, (struct span){(const char *)data, size}, &why)) {
        read_back(&c);
        for (size_t i = 0; i < c.excluded_count; i++)
            CHECK(!name_constraints_permit(&c, c.excluded[i]));
    } else {
        CHECK(why != NULL);
    }
    name_constraints_free(&c);
    return 0;
}
