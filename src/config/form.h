/* What the text of a directive must look like where its type does not say it: the checks
 * that rows of config.def name. Pure, without states; what is handed out lives in the given
 * arena. */
#pragma once

#include "base/arena.h"

/* Each sets `value` to what the directive's field is to hold. False: the text is not of
 * that form; `why` may then have closer words, which do not repeat the text, and is left
 * alone where the row's own words say it all. */
#define FORM(name)                                                                                 \
    bool form_##name(struct arena *, const char *text, const char **value, const char **why)

FORM(origin);         /* https://host[:port] or http://host[:port] */
FORM(preset);         /* the name of one */
FORM(host);           /* a plain name or an IP address; lower-cased */
FORM(header);         /* a token: RFC 9110 5.6.2 */
FORM(header_pattern); /* a token; one that ends in * is the beginning of names */
FORM(parameter);      /* of a query, as it stands there */
FORM(body_prefix);    /* at most ERROR_PREFIX_MAX bytes */
FORM(log_target);     /* off, stderr or a path */

#undef FORM
