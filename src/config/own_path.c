#include "config/own_path.h"

#include <string.h>

#include "base/check.h"

static const char *const paths[] = {
#define PATH(constant, path) path,
    OWN_PATHS(PATH)
#undef PATH
};

enum own_path own_path_of(struct span path)
{
    for (enum own_path i = 0; i < OWN_PATH_NONE; i++)
        if (span_is(path, span_of(paths[i])))
            return i;
    return OWN_PATH_NONE;
}

const char *own_path_text(enum own_path path)
{
    CHECK(path < OWN_PATH_NONE);
    return paths[path];
}

bool own_path_reserves(const char *segment)
{
    static const char *const others[] = {"upstreams", "http", "https", "ws", "wss"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strcmp(segment, others[i]) == 0)
            return true;
    for (enum own_path i = 0; i < OWN_PATH_NONE; i++)
        if (strcmp(segment, paths[i] + 1) == 0)
            return true;
    return false;
}
