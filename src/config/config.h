/* A configuration: read once from a file, checked whole, then read-only.
 * Reference-counted: requests pin the snapshot they began with, a reload swaps
 * the daemon's. One row of config.def per directive makes the parser, the
 * structs below, `trunkline config`, the sample file and the man page. */
#pragma once

#include <sys/socket.h>

#include "base/check.h"

#define ERROR_PREFIX_MAX 256 /* bytes */

struct config_names {
    const char **at;
    size_t count;
};

struct config_rate { /* COUNT/DURATION; count 0: none */
    unsigned count;
    uint64_t per_ms;
};

/* An address to listen on or to dial: sockaddr_in, _in6 or _un. */
struct config_address {
    struct sockaddr_storage at;
    socklen_t len;
    const char *text; /* as written */
    int line;         /* where; 0: nowhere */
};

struct config_addresses {
    struct config_address *at;
    size_t count;
};

enum config_unlisted { UNLISTED_ALLOW, UNLISTED_DENY };
enum config_connect { CONNECT_TUNNEL, CONNECT_INTERCEPT, CONNECT_DENY };
enum config_on_limit { ON_LIMIT_WAIT, ON_LIMIT_REFUSE };
enum config_limit_scope { LIMIT_SCOPE_CREDENTIAL, LIMIT_SCOPE_IP };
enum config_http2 { HTTP2_AUTO, HTTP2_NEVER, HTTP2_ALWAYS };
enum config_log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct config_cidr {
    struct sockaddr_storage network;
    unsigned prefix;
};

struct config_cidrs {
    struct config_cidr *at;
    size_t count;
};

struct config_ports {
    uint16_t *at;
    size_t count;
};

struct config_statuses { /* of answers */
    uint16_t *at;
    size_t count;
};

/* Types of the columns in config.def. Durations are ms, sizes bytes. */
typedef uint64_t config_DURATION;
typedef uint64_t config_SIZE;
typedef unsigned config_COUNT;
typedef bool config_BOOL;
typedef const char *config_TEXT; /* NULL: none */
typedef struct config_names config_NAMES;
typedef struct config_addresses config_ADDRESSES;
typedef struct config_address config_ADDRESS; /* len 0: none */
typedef struct config_cidrs config_CIDRS;
typedef struct config_ports config_PORTS;
typedef struct config_statuses config_STATUSES;
typedef struct config_rate config_RATE;
typedef int config_CHOICE; /* of an enum above, or enum log_level, or 12/13 for tls_min */

/* path "/PREFIX" { … }: the settings for targets that begin so. */
struct config_path {
    const char *prefix;
    const struct upstream_config *settings; /* the upstream's, but for what the block sets */
};

struct upstream_config {
    const char *name; /* NULL in the defaults, which serve unlisted hosts */
    int line;
    int ca_file_line, cert_file_line, key_file_line; /* in defaults {} too; 0: nowhere */
    /* From url: */
    bool secure;
    const char *host; /* lower case, no trailing dot, IPv6 without brackets */
    uint16_t port;
    struct config_path *paths; /* of a path's settings: none */
    size_t path_count;
#define UPSTREAM(kind, directive, value, meaning) config_##kind directive;
#define GLOBAL(kind, directive, value, meaning)
#include "config/config.def"
#undef UPSTREAM
#undef GLOBAL
};

struct config {
    const char *path; /* of the file, absolute; "" for the built-in defaults */
    struct upstream_config defaults;
    struct upstream_config **upstreams;
    size_t upstream_count;
    int ca_cert_line, ca_key_line, access_log_line, listen_line; /* 0: nowhere */
#define UPSTREAM(kind, directive, value, meaning)
#define GLOBAL(kind, directive, value, meaning) config_##kind directive;
#include "config/config.def"
#undef UPSTREAM
#undef GLOBAL
};

/* Called with each error found: "FILE:LINE: message" (no newline). */
typedef void config_complain(void *context, const char *message);

/* Reads and checks a file. NULL after at least one complaint. A missing file is
 * one, unless `optional`: then the built-in defaults come. Thread-safe. */
struct config *config_load(const char *path, bool optional, config_complain *, void *context);

/* Likewise from memory, for tests and the fuzzer; `path` names it in errors. */
struct config *config_parse(const char *path, const char *text, size_t len, config_complain *,
                            void *context);

/* Appends the first address of `listen` as written, to find the daemon of a file by:
 * also where other lines are wrong, or name keys that only the daemon may read.
 * False: there is none, or not to be told. */
struct text;
bool config_first_listen(const char *path, struct text *to) MUST_CHECK;

struct config *config_ref(struct config *);
void config_unref(struct config *); /* NULL is fine */

/* The upstream of that name, or of that origin; NULL if there is none. */
const struct upstream_config *config_find(const struct config *, const char *name, size_t len);
const struct upstream_config *config_find_origin(const struct config *, bool secure,
                                                 const char *host, size_t len, uint16_t port);

/* The settings for a target: those of the longest path block it begins with, or
 * the upstream's own. */
const struct upstream_config *config_for_path(const struct upstream_config *, const char *target,
                                              size_t len);

/* Every directive with its value in the file's own syntax, to `out`. */
void config_dump(const struct config *, struct text *out);

/* Do two upstreams, or the defaults of two configurations, have the same values? */
bool config_same_settings(const struct upstream_config *, const struct upstream_config *);
