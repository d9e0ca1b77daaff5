/* The input is any bytes. Either they are not name constraints, or they are constraints whose names
 * can be written and read again; and a host is permitted if and only if one of the names covers it
 * and none excludes it. What the local CA may sign, the same constraints must permit in any CA,
 * within bounded work. */
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

static bool admits(struct span der, int kind, struct span value)
{
    struct general_name name = {kind, value};
    size_t work = 1000;
    bool admitted = name_constraints_admit(der, &name, &work);
    CHECK(work <= 1000);
    return admitted;
}

static void compare(const struct name_constraints *c, struct span der)
{
    for (size_t i = 0; i < c->permitted_count && c->permitted_count + c->excluded_count < 1000; i++)
        if (name_constraints_permit(c, c->permitted[i]))
            CHECK(admits(der, NAME_DNS, span_of(c->permitted[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct name_constraints c = {0};
    struct span der = {(const char *)data, size};
    const char *why = NULL;
    for (int kind = 0; kind < 9; kind++) /* the input's own bytes, as names of any kind */
        for (size_t from = 0; from < size && from < 64; from++)
            (void)admits(der, kind, span_from(der, from));
    (void)admits(der, NAME_ADDRESS, SPAN("\x7f\0\0\1"));
    if (name_constraints_read(&c, der, &why)) {
        read_back(&c);
        compare(&c, der);
        for (size_t i = 0; i < c.excluded_count; i++)
            CHECK(!name_constraints_permit(&c, c.excluded[i]));
    } else {
        CHECK(why != NULL);
    }
    name_constraints_free(&c);
    return 0;
}
