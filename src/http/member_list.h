/* Lists of named members, as Proxy-Status and Cache-Status are (RFC 9209 2,
 * RFC 9211 2): each names who speaks, as a token or a string, with parameters
 * behind it, and commas within strings part nothing (RFC 9651 3.1). Pure. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

/* The list without the members of that name (in any case); all of it if there are
 * none, empty if nothing is left. One that cannot be parsed, since a string in it
 * does not end, is empty too: who would read it otherwise could find the name in it.
 * Borrowed from `list`, or in the arena. */
struct span member_list_without(struct arena *, struct span list, struct span name);
