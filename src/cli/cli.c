#include "cli/cli.h"

#include <ares.h>
#include <confuse.h>
#include <jansson.h>
#include <libpsl.h>
#include <llhttp.h>
#include <mbedtls/version.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <uv.h>

#include "base/text.h"
#include "cli/ca_init.h"
#include "cli/daemon_client.h"
#include "cli/directive_help.h"
#include "cli/doctor.h"
#include "cli/main_process.h"
#include "cli/options.h"
#include "cli/orders.h"
#include "cli/rare_table.h"
#include "cli/requests_table.h"
#include "cli/stats_page.h"
#include "cli/stats_table.h"
#include "cli/top_page.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "config/config.h"
#include "config/directive.h"
#include "config/dump.h"
#include "daemon/daemon.h"
#include "daemon/loaded_config.h"
#include "daemon/sandbox.h"
#include "net/aead.h"

static int print_version(void)
{
    char mbedtls[16];
    mbedtls_version_get_string(mbedtls);
    printf("trunkline %s\n", PACKAGE_VERSION);
    printf("libuv %s\nllhttp %d.%d.%d\nnghttp2 %s\nmbedTLS %s\nc-ares %s\njansson %s\n"
           "libconfuse %s\nlibpsl %s\naead: %s\nsandbox: %s\n",
           uv_version_string(), LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH,
           nghttp2_version(0)->version_str, mbedtls, ares_version(NULL), jansson_version_str(),
           confuse_version, psl_get_version(), aead_words(), sandbox_words());
    return EX_OK;
}

static int run_daemon(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    struct options o = options_read(c, argc, argv, "+:c:vh", names);
    if (o.exit_code < 0 && o.version)
        o.exit_code = print_version();
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    return daemon_run(o.path ? o.path : DEFAULT_PATH, o.path == NULL, o.verbose);
}

static const struct option file_options[] = {{"help", no_argument, NULL, 'h'}, {0}};

static int run_check(int argc, char **argv, const struct command *c)
{
    struct options o = options_read(c, argc, argv, ":c:h", file_options);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    const char *path = o.path ? o.path : DEFAULT_PATH;
    char why[200];
    if (!main_process_join(why, sizeof why)) {
        fprintf(stderr, "trunkline: %s\n", why);
        return EX_OSERR;
    }
    struct text errors = {0};
    tls_start();
    bool good = loaded_config_check(path, &errors);
    if (errors.len)
        fputs(errors.at, stderr);
    text_free(&errors);
    if (!good)
        return EX_CONFIG;
    printf("%s: ok\n", path);
    return end_of_output(EX_OK);
}

static int run_config(int argc, char **argv, const struct command *c)
{
    struct options o = options_read(c, argc, argv, ":c:h", file_options);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    struct config *config =
        config_load(o.path ? o.path : DEFAULT_PATH, o.path == NULL, options_complain, NULL);
    if (config == NULL)
        return EX_CONFIG;
    struct text dump = {0};
    config_dump(config, &dump);
    fwrite(dump.at, 1, dump.len, stdout);
    text_free(&dump);
    config_unref(config);
    return end_of_output(EX_OK);
}

/* Prints what a page of the daemon was turned into, or why there is none. */
static int show(const char *url, bool fine, const struct text *out, const char *why)
{
    if (!fine) {
        fprintf(stderr, "trunkline: %s: %s\n", url, why);
        return EX_UNAVAILABLE;
    }
    if (out->len)
        fwrite(out->at, 1, out->len, stdout);
    if (out->len && out->at[out->len - 1] != '\n')
        putchar('\n');
    return end_of_output(EX_OK);
}

static int show_stats(const char *url, const struct options *o)
{
    char why[200];
    struct text page = {0}, table = {0};
    bool fine = daemon_client_page(url, o->rare ? "/stats?rare" : "/stats", &page, why, sizeof why);
    if (fine && !o->json && o->rare)
        fine = rare_table(text_span(&page), o->all, &table, why, sizeof why);
    else if (fine && !o->json)
        fine = stats_table(text_span(&page), &table, why, sizeof why);
    int exit_code = show(url, fine, o->json ? &page : &table, why);
    text_free(&page);
    text_free(&table);
    return exit_code;
}

static const char *stats_path(const void *context)
{
    (void)context;
    return "/stats?recent";
}

static bool compose_stats(const void *context, struct span before, struct span now,
                          const struct page_form *form, struct text *out, char *error, size_t size)
{
    (void)context;
    return stats_page(before, now, form, out, error, size);
}

/* Checks which options go together. */
static int check_ways(const struct options *o, const struct command *c)
{
    if (o->json && o->watch)
        return misused(c, "--json cannot be combined with", "--watch");
    if (o->rare && o->watch)
        return misused(c, "--rare cannot be combined with", "--watch");
    if (o->all && !o->rare)
        return misused(c, "only --rare can be combined with", "--all");
    return EX_OK;
}

static int run_stats(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {{"help", no_argument, NULL, 'h'},
                                          {"url", required_argument, NULL, 'u'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"watch", no_argument, NULL, 'w'},
                                          {"rare", no_argument, NULL, 'R'},
                                          {"all", no_argument, NULL, 'a'},
                                          {0}};
    static const struct watched watched = {.path = stats_path, .compose = compose_stats};
    struct options o = options_read(c, argc, argv, ":c:h", names);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    struct text url = {0};
    int exit_code = check_ways(&o, c);
    if (exit_code == EX_OK)
        exit_code = options_daemon(&o, c, &url);
    if (exit_code == EX_OK)
        exit_code = o.watch ? watch_run(url.at, &watched) : show_stats(url.at, &o);
    text_free(&url);
    return exit_code;
}

static int show_requests(const char *url, const struct options *o)
{
    static const struct page_form form;
    char why[200];
    struct text page = {0}, out = {0};
    bool fine = daemon_client_page(url, "/requests", &page, why, sizeof why);
    if (fine && o->json)
        fine = requests_of_upstream(text_span(&page), o->upstream, &out, why, sizeof why);
    else if (fine)
        fine = requests_table(text_span(&page), o->upstream, &form, &out, why, sizeof why);
    int exit_code = show(url, fine, &out, why);
    text_free(&page);
    text_free(&out);
    return exit_code;
}

static const char *requests_path(const void *upstream)
{
    (void)upstream;
    return "/requests";
}

static bool compose_requests(const void *upstream, struct span before, struct span now,
                             const struct page_form *form, struct text *out, char *error,
                             size_t size)
{
    (void)before;
    return requests_table(now, *(const char *const *)upstream, form, out, error, size);
}

static int run_requests(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'},           {"url", required_argument, NULL, 'u'},
        {"json", no_argument, NULL, 'j'},           {"watch", no_argument, NULL, 'w'},
        {"upstream", required_argument, NULL, 'U'}, {0}};
    struct options o = options_read(c, argc, argv, ":c:h", names);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    struct watched watched = {requests_path, compose_requests, NULL, &o.upstream};
    struct text url = {0};
    int exit_code = check_ways(&o, c);
    if (exit_code == EX_OK)
        exit_code = options_daemon(&o, c, &url);
    if (exit_code == EX_OK)
        exit_code = o.watch ? watch_run(url.at, &watched) : show_requests(url.at, &o);
    text_free(&url);
    return exit_code;
}

/* Of the journal that the configuration names. */
static int run_orders_of(const struct options *o, const struct orders_options *orders)
{
    const char *path = o->path ? o->path : DEFAULT_PATH;
    struct config *config = config_load(path, o->path == NULL, options_complain, NULL);
    if (config == NULL)
        return EX_CONFIG;
    int exit_code = EX_CONFIG;
    if (strcmp(config->order_journal, "off") != 0)
        exit_code = orders_run_on(orders, config->order_journal);
    else
        fprintf(stderr, "trunkline: name a FILE: %s has no order_journal\n", path);
    config_unref(config);
    return exit_code;
}

static int run_orders(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {{"help", no_argument, NULL, 'h'},
                                          {"unknown", no_argument, NULL, 'n'},
                                          {"open", no_argument, NULL, 'o'},
                                          {"since", required_argument, NULL, 's'},
                                          {"upstream", required_argument, NULL, 'U'},
                                          {"json", no_argument, NULL, 'j'},
                                          {0}};
    struct options o = options_read(c, argc, argv, ":c:h", names);
    int64_t ignored;
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    if (o.since && !orders_since(o.since, &ignored))
        return misused(c, "no time such as 90s, 5m, 1h or 2d:", o.since);
    if (o.path && o.word_count)
        return misused(c, "-c cannot be combined with", o.words[0]);
    const struct orders_options orders = {.upstream = o.upstream,
                                          .since = o.since,
                                          .open = o.open,
                                          .unknown = o.unknown,
                                          .json = o.json};
    return end_of_output(o.word_count ? orders_run(&orders, o.words, o.word_count)
                                      : run_orders_of(&o, &orders));
}

static const char *path_of_top(const void *top)
{
    return top_path(top);
}

static bool compose_top(const void *top, struct span before, struct span now,
                        const struct page_form *form, struct text *out, char *error, size_t size)
{
    return top_page(top, before, now, form, out, error, size);
}

static bool key_of_top(void *top, char key)
{
    return top_key(top, key);
}

/* Sets which table is shown, and how. Returns an exit code. */
static int set_top(struct top *top, const struct options *o, const struct command *c)
{
    static const char *const tables[] = {"requests", "connections", "upstreams", NULL};
    struct text titles = {0};
    int exit_code = EX_OK;
    top_init(top);
    top->upstream = o->upstream;
    if (o->word && !top_show(top, o->word))
        return misspelt(c, "there is no table", o->word, tables);
    if (o->sort && !top_sort(top, o->sort, &titles)) {
        fprintf(stderr, "trunkline: no column '%s'; the table has: %s\n", o->sort, titles.at);
        exit_code = EX_USAGE;
    }
    text_free(&titles);
    return exit_code;
}

static int show_top(const char *url, const struct top *top)
{
    static const struct page_form form;
    char why[200];
    struct text page = {0}, out = {0};
    bool fine = daemon_client_page(url, top_path(top), &page, why, sizeof why) &&
                top_page(top, (struct span){0}, text_span(&page), &form, &out, why, sizeof why);
    int exit_code = show(url, fine, &out, why);
    text_free(&page);
    text_free(&out);
    return exit_code;
}

static int run_top(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'},           {"url", required_argument, NULL, 'u'},
        {"once", no_argument, NULL, 'O'},           {"sort", required_argument, NULL, 'S'},
        {"upstream", required_argument, NULL, 'U'}, {0}};
    struct top top;
    struct watched watched = {path_of_top, compose_top, key_of_top, &top};
    struct options o = options_read(c, argc, argv, ":c:h", names);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    struct text url = {0};
    int exit_code = set_top(&top, &o, c);
    if (exit_code == EX_OK)
        exit_code = options_daemon(&o, c, &url);
    if (exit_code == EX_OK)
        exit_code = o.once ? show_top(url.at, &top) : watch_run(url.at, &watched);
    text_free(&url);
    return exit_code;
}

/* One upstream, or explicitly all of them, so that a forgotten name stops nothing; a bot alone is
 * meant at all of them. */
static int check_target(const struct options *o, const struct command *c)
{
    if (o->bot && !verb_takes_bot(c->name))
        return misused(c, "unknown option", "--bot");
    if (o->upstream == NULL && !o->all && !o->bot)
        return misused(c, "name an upstream, or all of them with", "--all");
    if (o->upstream && o->all)
        return misused(c, "a named upstream cannot be combined with", "--all");
    if (o->upstream && !verb_takes(c->name, o->upstream))
        return misused(c, "no upstream can have the name", o->upstream);
    return EX_OK;
}

static int run_verb(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {{"help", no_argument, NULL, 'h'},
                                          {"url", required_argument, NULL, 'u'},
                                          {"all", no_argument, NULL, 'a'},
                                          {"bot", required_argument, NULL, 'B'},
                                          {0}};
    struct options o = options_read(c, argc, argv, ":c:h", names);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    o.upstream = o.word;
    int wrong = check_target(&o, c);
    if (wrong)
        return wrong;
    struct text url = {0};
    int exit_code = options_daemon(&o, c, &url);
    if (exit_code == EX_OK)
        exit_code =
            end_of_output(verb_say(url.at, &(struct verb_call){c->name, o.upstream, o.bot}));
    text_free(&url);
    return exit_code;
}

static int run_reload(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'}, {"url", required_argument, NULL, 'u'}, {0}};
    struct options o = options_read(c, argc, argv, ":c:h", names);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    struct text url = {0};
    int exit_code = options_daemon(&o, c, &url);
    if (exit_code == EX_OK)
        exit_code = end_of_output(verb_reload(url.at));
    text_free(&url);
    return exit_code;
}

static int run_doctor(int argc, char **argv, const struct command *c)
{
    struct options o = options_read(c, argc, argv, ":c:h", file_options);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    return end_of_output(doctor_run(o.path ? o.path : DEFAULT_PATH, o.path == NULL, o.word));
}

#define WHERE_IT_IS                                                                                \
    "  --url URL  where it listens: HOST:PORT or unix:/path (" DEFAULT_URL ")\n"                   \
    "  -c FILE    take the first address its configuration listens on\n"
#define VERB_USAGE(verb, meaning)                                                                  \
    "Usage: trunkline " verb " UPSTREAM | --all [--url URL | -c FILE]\n" meaning                   \
    "  --all      at all upstreams\n" WHERE_IT_IS

#define FREEZE_USAGE(verb, meaning)                                                                \
    "Usage: trunkline " verb " [UPSTREAM | --all] [--bot NAME] [--url URL | -c FILE]\n" meaning    \
    "  --all      at all upstreams\n"                                                              \
    "  --bot NAME only orders that name this bot in Trunkline-Client; without an\n"                \
    "             upstream, at all of them\n" WHERE_IT_IS

static int run_help(int argc, char **argv, const struct command *);

static int run_ca(int argc, char **argv, const struct command *c)
{
    return end_of_output(ca_init(argc, argv, c->usage));
}

static const struct command commands[] = {
    {NULL, run_daemon,
     "Usage: trunkline [-c FILE] [-v]\n"
     "       trunkline check [-c FILE]\n"
     "       trunkline config [-c FILE]\n"
     "       trunkline stats [--url URL | -c FILE] [--json | --watch]\n"
     "       trunkline stats --rare [--all] [--url URL | -c FILE] [--json]\n"
     "       trunkline top [requests | connections | upstreams] [--url URL | -c FILE]\n"
     "       trunkline requests [--upstream NAME] [--url URL | -c FILE] [--json | --watch]\n"
     "       trunkline orders [--unknown] [--open] [--since TIME] [--upstream NAME] [--json]\n"
     "                        [-c FILE | FILE...]\n"
     "       trunkline pause|resume|reconnect|drain UPSTREAM | --all [--url URL | -c FILE]\n"
     "       trunkline freeze|unfreeze [UPSTREAM | --all] [--bot NAME] [--url URL | -c FILE]\n"
     "       trunkline reload [--url URL | -c FILE]\n"
     "       trunkline doctor [UPSTREAM] [-c FILE]\n"
     "       trunkline ca init --dir DIR --host NAME ...\n"
     "       trunkline help [COMMAND | DIRECTIVE]\n"
     "Keeps TLS connections to exchanges open and lends them to local programs.\n"
     "\n"
     "Without a command it runs in the foreground and logs to stderr.\n"
     "  -c FILE    the configuration (" DEFAULT_PATH ")\n"
     "  -v         log everything, as log_level = debug\n"
     "  --help     this text; COMMAND --help tells more\n"
     "  --version  the version, and those of its libraries\n",
     TAKES_NOTHING},
    {"check", run_check,
     "Usage: trunkline check [-c FILE]\n"
     "Reads the configuration and prints \"FILE: ok\", or each error in it.\n"
     "  -c FILE    the configuration (" DEFAULT_PATH ")\n",
     TAKES_NOTHING},
    {"config", run_config,
     "Usage: trunkline config [-c FILE]\n"
     "Prints every directive with its value, in the syntax of the file.\n"
     "  -c FILE    the configuration (" DEFAULT_PATH ")\n",
     TAKES_NOTHING},
    {"stats", run_stats,
     "Usage: trunkline stats [--url URL | -c FILE] [--json | --watch]\n"
     "       trunkline stats --rare [--all] [--url URL | -c FILE] [--json]\n"
     "Shows the pools of a running daemon.\n" WHERE_IT_IS
     "  --json     the document as it is, rather than a table\n"
     "  --watch    a page with rates per second, refreshed in place, until ^C or q\n"
     "  --rare     how often rare but legal branches were taken, instead of the pools\n"
     "  --all      those that never were, too\n",
     TAKES_NOTHING},
    {"top", run_top,
     "Usage: trunkline top [requests | connections | upstreams] [--sort COLUMN]\n"
     "                     [--upstream NAME] [--once] [--url URL | -c FILE]\n"
     "Shows what a running daemon does, refreshed each second. Keys: 1, 2, 3 or Tab for\n"
     "the table, < and > for the column to sort by, r to reverse, h for help, q to "
     "quit.\n" WHERE_IT_IS "  --sort COLUMN    the column to sort by\n"
     "  --upstream NAME  only what belongs to that upstream\n"
     "  --once           the table once, as text\n",
     TAKES_WORD},
    {"requests", run_requests,
     "Usage: trunkline requests [--upstream NAME] [--url URL | -c FILE] [--json | --watch]\n"
     "Shows the requests that are under way in a running daemon, the oldest first.\n" WHERE_IT_IS
     "  --upstream NAME  only those to that upstream\n"
     "  --json     the document as it is, rather than a table\n"
     "  --watch    the table, refreshed in place, until ^C or q\n",
     TAKES_NOTHING},
    {"orders", run_orders,
     "Usage: trunkline orders [--unknown] [--open] [--since TIME] [--upstream NAME] [--json]\n"
     "                        [-c FILE | FILE...]\n"
     "Reads order journals and prints the orders in them, the oldest first; no daemon is needed.\n"
     "Without FILE: the journal that the configuration names, and what was rotated away from it.\n"
     "  --unknown        only those whose fate is unknown: no answer, or one that leaves it open\n"
     "  --open           only those that are under way in a daemon that still runs\n"
     "  --since TIME     only those that began within the last 90s, 5m, 1h or 2d\n"
     "  --upstream NAME  only those to that upstream\n"
     "  --json           one JSON object for each order, on a line, rather than a table\n"
     "  -c FILE          the configuration (" DEFAULT_PATH ")\n",
     TAKES_WORDS},
    {"pause", run_verb,
     VERB_USAGE("pause", "Lets running requests finish and makes further ones wait.\n"),
     TAKES_WORD},
    {"resume", run_verb, VERB_USAGE("resume", "Ends pause and drain.\n"), TAKES_WORD},
    {"reconnect", run_verb,
     VERB_USAGE("reconnect", "Replaces every connection as it falls idle.\n"), TAKES_WORD},
    {"drain", run_verb,
     VERB_USAGE("drain",
                "Finishes running requests, closes the connections and refuses further requests\n"
                "until resume; --all drains the daemon, which then ends, as by SIGTERM.\n"),
     TAKES_WORD},
    {"freeze", run_verb,
     FREEZE_USAGE("freeze",
                  "Lets no order leave any more, until unfreeze: those that wait are refused too.\n"
                  "Cancels and reads pass.\n"),
     TAKES_WORD},
    {"unfreeze", run_verb, FREEZE_USAGE("unfreeze", "Ends a freeze.\n"), TAKES_WORD},
    {"reload", run_reload,
     "Usage: trunkline reload [--url URL | -c FILE]\n"
     "Makes a running daemon reload its configuration, and waits for the outcome: a file\n"
     "with errors is refused as a whole, they are printed, and the exit code is 78.\n" WHERE_IT_IS,
     TAKES_NOTHING},
    {"doctor", run_doctor,
     "Usage: trunkline doctor [UPSTREAM] [-c FILE]\n"
     "Checks each exchange, or one of them: addresses, TLS, certificate, times, clock and\n"
     "weight used. Exits with 1 if one has a problem, and says which.\n"
     "  -c FILE    the configuration (" DEFAULT_PATH ")\n",
     TAKES_WORD},
    {"ca", run_ca,
     "Usage: trunkline ca init --dir DIR --host NAME [--host NAME]...\n"
     "Makes the local CA for connect = intercept: DIR/ca.pem for the programs,\n"
     "DIR/issuer.pem (ca_cert) and DIR/ca.key (ca_key) for trunkline.\n"
     "  --dir DIR    where to; made if it is not there. Nothing is overwritten\n"
     "  --host NAME  a host that it can vouch for, with its subdomains\n",
     TAKES_NOTHING},
    {"help", run_help,
     "Usage: trunkline help [COMMAND | DIRECTIVE | --directives]\n"
     "Prints what trunkline or one of its commands takes, or what a directive of the\n"
     "configuration means.\n"
     "  --directives  the names of all directives\n",
     TAKES_WORD},
};

static const struct command *find_command(const char *word)
{
    for (size_t i = 1; i < COUNT_OF(commands); i++)
        if (strcmp(word, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

/* A word that is no command, nor, with `directives_too`, a directive. Returns the exit code. */
static int unknown_word(const char *what, const char *word, bool directives_too)
{
    const char *names[COUNT_OF(commands) + ALL_ROWS] = {NULL};
    size_t count = 0;
    for (size_t i = 1; i < COUNT_OF(commands); i++)
        names[count++] = commands[i].name;
    for (size_t i = 0; directives_too && i < ALL_ROWS; i++)
        names[count++] = directives[i].name;
    return misspelt(&commands[0], what, word, names);
}

static void print_directives(void)
{
    for (size_t i = 0; i < ALL_ROWS; i++)
        printf("%s\n", directives[i].name);
}

static int help_on(const char *word)
{
    const struct command *about = find_command(word);
    struct text out = {0};
    if (!about && !directive_help(&out, word))
        return unknown_word("neither a command nor a directive:", word, true);
    fputs(about ? about->usage : out.at, stdout);
    text_free(&out);
    return EX_OK;
}

static int run_help(int argc, char **argv, const struct command *c)
{
    static const struct option names[] = {
        {"help", no_argument, NULL, 'h'}, {"directives", no_argument, NULL, 'D'}, {0}};
    struct options o = options_read(c, argc, argv, ":h", names);
    if (o.exit_code >= 0)
        return end_of_output(o.exit_code);
    if (o.directives && o.word)
        return misused(c, "--directives cannot be combined with", o.word);
    if (o.directives)
        print_directives();
    else if (!o.word)
        fputs(commands[0].usage, stdout);
    return end_of_output(o.word ? help_on(o.word) : EX_OK);
}

int cli_main(int argc, char **argv)
{
    const struct command *daemon = &commands[0];
    if (argc < 2 || argv[1][0] == '-')
        return daemon->run(argc, argv, daemon);
    const struct command *c = find_command(argv[1]);
    return c ? c->run(argc - 1, argv + 1, c) : unknown_word("unknown command", argv[1], false);
}
