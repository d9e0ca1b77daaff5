/* The values of a configuration, which the daemon reads while it runs. Owned by the snapshot that
 * config.h returns, or by a test; constant once in use, without states. Each directive's field and
 * enum are generated from its row in config.def. */
#pragma once

#include <sys/socket.h>

#include "base/check.h"

#define ERROR_PREFIX_MAX 256 /* bytes */
#define BUDGET_KEY_MAX 128   /* bytes */
#define CONFIG_NAMES_FIRSTS 32

struct config_names {
    const char **at;
    size_t count;
    bool are_known; /* what they look like: */
    uint32_t
        lengths[CONFIG_NAMES_FIRSTS]; /* of those whose first byte has the lower five bits n: bit
                                              m is set if one has a length whose lower five bits are m */
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
    int line;         /* line where it is set; 0: not in a file */
};

struct config_addresses {
    struct config_address *at;
    size_t count;
};

/* A way out of an upstream: see exits.h. */
#define EXITS_MAX 64 /* of one upstream */
enum config_exit_kind { EXIT_SOURCE, EXIT_HTTP, EXIT_SOCKS5 };
struct config_exit {
    enum config_exit_kind kind;
    struct sockaddr_storage source; /* EXIT_SOURCE: an IP address, port 0 */
    const char *host;               /* else of the proxy: as in upstream_config */
    uint16_t port;
    const char *user, *password; /* NULL: none */
    const char *text;            /* as written, with the password: for `trunkline config` alone */
    const char *name;            /* what is shown, without userinfo; unique in its upstream */
};

struct config_exits {
    struct config_exit *at;
    size_t count;
};

/* One of the hosts of an upstream: of `endpoints`, or the one of `url`. */
#define WAYS_MAX 64 /* of one upstream: exits times endpoints */
struct config_endpoint {
    bool secure;
    const char *host; /* lower case, no trailing dot, IPv6 without brackets */
    uint16_t port;
};

/* The enums of directives whose value is one of several words, generated from their rows. */
#define ONE_OF(name, ...) enum name { __VA_ARGS__ };
#define AS(word, constant) constant
#define KNOWN(name, ...)
#define RANGE(min, max)
#define RANGE_OF(unit, min, max)
#define MUST_BE(form, words)
#define ANY
#define GLOBAL(type, directive, value, bounds, text) bounds
#define UPSTREAM GLOBAL
#define BOT GLOBAL
#include "config/config.def"
#undef ONE_OF
#undef AS
#undef KNOWN
#undef RANGE
#undef RANGE_OF
#undef MUST_BE
#undef ANY

struct config_cidr {
    struct sockaddr_storage network;
    unsigned prefix;
};

struct config_cidrs {
    struct config_cidr *at;
    size_t count;
};

struct config_numbers { /* ports, statuses */
    uint16_t *at;
    size_t count;
};

/* Where a store of budgets is: a server with TCP, with TLS or not, or a unix socket. */
struct config_store {
    const char *text; /* as written, without its user and password; NULL: none */
    const char *host; /* NULL: a unix socket */
    const char *path; /* of the unix socket */
    bool secure;
    uint16_t port;
    unsigned db;
    const char *user, *password; /* NULL: none; secret */
};

/* The field that each TYPE of config.def makes. */
typedef uint64_t config_DURATION; /* ms */
typedef uint64_t config_MICROS;   /* us */
typedef uint64_t config_SIZE;     /* bytes */
typedef unsigned config_COUNT;
typedef bool config_BOOL;
typedef int config_CHOICE; /* of the enum that the row names */
typedef unsigned config_PERCENT;
typedef const char *config_TEXT; /* NULL: none */
typedef const char *config_FILE; /* NULL: none */
typedef struct config_rate config_RATE;
typedef struct config_address config_ADDRESS; /* len 0: none */
typedef struct config_addresses config_ADDRESSES;
typedef struct config_exits config_EXITS;
typedef struct config_cidrs config_CIDRS;
typedef struct config_numbers config_NUMBERS;
typedef struct config_names config_NAMES;
typedef struct config_store config_STORE;

/* A directive's field, and the line to name in an error about it: where it is set, otherwise the
 * line of its block; 0: not in a file. */
#define CONFIG_FIELD(type, directive)                                                              \
    config_##type directive;                                                                       \
    int directive##_line;

/* path "/PREFIX" { … }: the settings for request targets that begin with the prefix. */
struct config_path {
    const char *prefix;
    const struct upstream_config *settings; /* the upstream's and the block's */
};

struct upstream_config {
    const char *name; /* NULL in the defaults, which apply to hosts without a block */
    int line;
    /* From url, or the first of endpoints: */
    bool secure;
    const char *host; /* lower case, no trailing dot, IPv6 without brackets */
    uint16_t port;
    /* All of them; NULL in the defaults, and where there is no valid one. */
    const struct config_endpoint *hosts;
    size_t host_count;
    struct config_path *paths; /* empty in the settings of a path */
    size_t path_count;
#define UPSTREAM(type, directive, value, bounds, text) CONFIG_FIELD(type, directive)
#include "config/config.def"
};

/* bot NAME { … } */
#define CONFIG_BOTS_MAX 64
struct bot_config {
    const char *name; /* as in Trunkline-Client */
    int line;
#define BOT(type, directive, value, bounds, text) CONFIG_FIELD(type, directive)
#include "config/config.def"
};

struct config {
    const char *path; /* absolute path of the file; "" for the built-in defaults */
    struct upstream_config defaults;
    struct upstream_config **upstreams;
    size_t upstream_count;
    struct bot_config *bots;
    size_t bot_count;
#define GLOBAL(type, directive, value, bounds, text) CONFIG_FIELD(type, directive)
#include "config/config.def"
};
