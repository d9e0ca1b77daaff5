/* Reads configurations from text and checks the complaints, for the tests of src/config. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "config/dump.h"

extern struct text complaints;

void complain(void *context, const char *message);
struct config *parse_good(const char *text);

/* Checks that `expected` lists all complaints, one per line. */
void refuse(const char *text, const char *expected);

/* Checks that the first complaint is about `line` and contains `words`. */
void refuse_at(const char *text, int line, const char *words);
void refuse_in_upstream(const char *lines, const char *words);
const struct upstream_config *find(const struct config *c, const char *name);

/* The settings for a target. */
const struct upstream_config *at(const struct upstream_config *u, const char *target);
void forget(void);
