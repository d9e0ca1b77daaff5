/* A folder of the test's own with the file of an order journal in it, for check_order_file*.c. Owned by
 * the test; it is there between begin_folder() and end_folder(). */
#pragma once

#include "proxy/order_file.h"

#define LIFE "06f3k9d2q4ab"
#define OTHER "06f3k9d2q4ac"

extern char folder[64], path[96]; /* `path` is that of the file, which is not there at first */

void begin_folder(void);
void end_folder(void);

/* Opens it for that life; appends whole lines. Both must succeed. */
struct order_file *opened(const char *life);
void append(struct order_file *, const char *lines);

/* The file contains exactly this. */
void contains(const char *expected);
