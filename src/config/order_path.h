/* An entry of order_paths, cancel_paths and read_paths: the beginning of a path, and optionally
 * the method it is for. Pure functions, without owner or state. */
#pragma once

#include "base/span.h"

struct order_path {
    struct span method; /* empty: any method */
    struct span prefix; /* begins with a / and is plain */
};

/* The parts of an entry's text: "POST /0/private/AddOrder", "/0/private/AddOrder". */
struct order_path order_path_parse(struct span text);

/* What is wrong with an entry; NULL: nothing. */
const char *order_path_wrong(const struct order_path *);

/* Can this path (without a query) be read in one way only? Not if it has percent-encoded or other
 * unusual characters, a parameter (;), an empty segment or a dot segment (RFC 3986 3.3, 5.2.4):
 * servers disagree about what those name. */
bool order_path_is_plain(struct span path);
