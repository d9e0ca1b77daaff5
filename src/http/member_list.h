/* Lists of named members, such as Proxy-Status and Cache-Status (RFC 9209 2, RFC 9211 2):
 * each member is the name of an intermediary, as a token or a string, followed by
 * parameters; a comma inside a string separates nothing (RFC 9651 3.1). A pure function. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

/* The list without the members of that name (case is ignored); empty if none is left. A list
 * that cannot be parsed, because a string in it does not end, becomes empty too: another
 * parser could find the name in it. Borrowed from `list`, or in the arena. */
struct span member_list_without(struct arena *, struct span list, struct span name);
