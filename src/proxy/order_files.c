#include "proxy/order_files.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "proxy/order_history.h"

#define ROTATED "[.-][0-9]*"

/* As text for glob(3). */
static void add_quoted(struct text *to, const char *path)
{
    for (; *path; path++)
        text_printf(to, "%s%c", strchr("*?[]\\", *path) ? "\\" : "", *path);
}

void order_files_find(struct order_files *f, const char *journal)
{
    struct text pattern = {0};
    glob_t found = {0};
    add_quoted(&pattern, journal);
    (void)glob(pattern.at, 0, NULL, &found);
    text_add(&pattern, SPAN(ROTATED));
    (void)glob(pattern.at, GLOB_APPEND, NULL, &found);
    text_free(&pattern);
    f->count = found.gl_pathc;
    f->at = must_calloc(f->count + 1, sizeof *f->at);
    for (size_t i = 0; i < f->count; i++)
        f->at[i] = must_strdup(found.gl_pathv[i]);
    globfree(&found);
}

void order_files_clear(struct order_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->at[i]);
    free(f->at);
    *f = (struct order_files){0};
}

bool order_files_is_compressed(const char *path)
{
    static const char *const magics[] = {"\x1f\x8b",
                                         "\xfd"
                                         "7zXZ",
                                         "\x28\xb5\x2f\xfd", "BZh"};
    char start[8] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, start, sizeof start - 1, 0);
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; n > 0 && i < COUNT_OF(magics); i++)
        if (strncmp(start, magics[i], strlen(magics[i])) == 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------------------ sorting */

struct dated {
    char *path;
    int64_t begins_us;
};

static int compare(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    return x->begins_us < y->begins_us ? -1 : x->begins_us > y->begins_us;
}

void order_files_sort(char **paths, size_t count)
{
    struct dated *dated = must_calloc(count + 1, sizeof *dated);
    for (size_t i = 0; i < count; i++)
        dated[i] = (struct dated){paths[i], count > 1 ? order_history_begins(paths[i]) : 0};
    qsort(dated, count, sizeof *dated, compare);
    for (size_t i = 0; i < count; i++)
        paths[i] = dated[i].path;
    free(dated);
}
