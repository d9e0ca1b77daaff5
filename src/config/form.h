/* The form that the text of a directive must have, where its type alone does not determine it: the
 * checks that rows of config.def name. Pure, without states; results are kept in the given
 * arena. */
#pragma once

#include "base/arena.h"

/* Each sets `value` to the content of the directive's field. False: the text does not have that
 * form; `why` may then be set to a more exact reason, in words that do not repeat the text, and is
 * left unchanged where the words of the row suffice. */
#define FORM(name)                                                                                 \
    bool form_##name(struct arena *, const char *text, const char **value, const char **why)

FORM(origin);         /* https://host[:port] or http://host[:port] */
FORM(preset);         /* the name of a preset */
FORM(host);           /* a plain name or an IP address; lower-cased */
FORM(header);         /* a token: RFC 9110 5.6.2 */
FORM(header_pattern); /* a token; with * at its end, the beginning of header names */
FORM(parameter);      /* the name of a query parameter, as written in a query */
FORM(body_prefix);    /* at most ERROR_PREFIX_MAX bytes */
FORM(log_target);     /* off, stderr or a path */
FORM(off_or_path);    /* off or a path */
FORM(order_id);       /* the name of a parameter, which is not redacted elsewhere */
FORM(order_path);     /* the beginning of a path, optionally after a method and a space */
FORM(budget_key);     /* a part of the keys in a store */

#undef FORM
