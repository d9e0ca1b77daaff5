#include "order_file_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char folder[64], path[96];

void begin_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/order_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/orders", folder);
}

void end_folder(void)
{
    char command[200];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    ck_assert_int_eq(system(command), 0);
}

struct order_file *opened(const char *life)
{
    char error[200] = "";
    struct order_file *f = order_file_open(path, life, error, sizeof error);
    ck_assert_msg(f != NULL, "%s", error);
    return f;
}

void append(struct order_file *f, const char *lines)
{
    size_t written;
    ck_assert_int_eq(order_file_append(f, span_of(lines), &written), 0);
    ck_assert_uint_eq(written, strlen(lines));
}

void contains(const char *expected)
{
    char found[4096] = "";
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(found, 1, sizeof found - 1, f);
    found[len] = '\0';
    fclose(f);
    ck_assert_str_eq(found, expected);
}
