#include "cli/options.h"

#include <stdio.h>

#include "base/nearest.h"
#include "cli/daemon_client.h"
#include "config/config.h"

#define OPTIONS_MAX 16
#define OPTION_SIZE 24

int end_of_output(int exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    fprintf(stderr, "trunkline: cannot write: %m\n");
    return EX_IOERR;
}

int misused(const struct command *c, const char *what, const char *which)
{
    fprintf(stderr, "trunkline: %s '%s'; see trunkline%s%s --help\n", what, which,
            c->name ? " " : "", c->name ? c->name : "");
    return EX_USAGE;
}

int misspelt(const struct command *c, const char *what, const char *which, const char *const *words)
{
    struct nearest n;
    nearest_init(&n, span_of(which));
    for (; *words; words++)
        nearest_offer(&n, *words);
    if (n.word == NULL)
        return misused(c, what, which);
    fprintf(stderr, "trunkline: %s '%s'; did you mean '%s'? See trunkline%s%s --help\n", what,
            which, n.word, c->name ? " " : "", c->name ? c->name : "");
    return EX_USAGE;
}

/* The long options, as they are written. */
static int unknown_option(const struct command *c, const char *word, const struct option *names)
{
    char written[OPTIONS_MAX][OPTION_SIZE];
    const char *words[OPTIONS_MAX + 1] = {NULL};
    for (size_t i = 0; i < OPTIONS_MAX && names[i].name; i++) {
        snprintf(written[i], sizeof written[i], "--%s", names[i].name);
        words[i] = written[i];
    }
    return misspelt(c, "unknown option", word, words);
}

static int wrong_option(const struct command *c, char **argv, int found, const struct option *names)
{
    char letter[] = {'-', (char)optopt, '\0'};
    const char *word = argv[optind - 1];
    if (found == ':')
        return misused(c, "a value must follow", word);
    if (optopt && strchr(word, '=')) /* a long option: getopt_long(3) returns its letter */
        return misused(c, "no value is allowed in", word);
    return unknown_option(c, optopt ? letter : word, names);
}

struct options options_read(const struct command *c, int argc, char **argv, const char *letters,
                            const struct option *names)
{
    struct options o = {.exit_code = -1};
    int found;
    optind = 0;
    while (o.exit_code < 0 && (found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        switch (found) {
        case 'c': o.path = optarg; break;
        case 'v': o.verbose = true; break;
        case 'u': o.url = optarg; break;
        case 'j': o.json = true; break;
        case 'w': o.watch = true; break;
        case 'U': o.upstream = optarg; break;
        case 'R': o.rare = true; break;
        case 'B': o.bot = optarg; break;
        case 'S': o.sort = optarg; break;
        case 'O': o.once = true; break;
        case 's': o.since = optarg; break;
        case 'o': o.open = true; break;
        case 'n': o.unknown = true; break;
        case 'a': o.all = true; break;
        case 'D': o.directives = true; break;
        case 'h': o.exit_code = printf("%s", c->usage) < 0 ? EX_IOERR : EX_OK; break;
        case 'V': o.version = true; break;
        default: o.exit_code = wrong_option(c, argv, found, names);
        }
    }
    size_t most = c->takes == TAKES_NOTHING ? 0 : c->takes == TAKES_WORD ? 1 : SIZE_MAX;
    o.words = argv + optind;
    o.word_count = (size_t)(argc - optind);
    o.word = o.word_count ? o.words[0] : NULL;
    if (o.exit_code < 0 && o.word_count > most)
        o.exit_code = misused(c, "unexpected argument", o.words[most]);
    return o;
}

void options_complain(void *unused, const char *message)
{
    (void)unused;
    fprintf(stderr, "%s\n", message);
}

/* Finds the first address on which the daemon of this file listens. Returns an exit code. */
static int url_of_file(const char *path, struct text *url)
{
    struct text at = {0};
    bool found = config_first_listen(path, &at);
    if (found) {
        bool is_unix = span_starts(text_span(&at), SPAN("unix:"));
        text_printf(url, "%s%s", is_unix ? "" : "http://", at.at);
    }
    text_free(&at);
    if (found)
        return EX_OK;
    struct config *config = config_load(path, false, options_complain, NULL); /* to tell why not */
    if (config)
        fprintf(stderr, "trunkline: %s: it has no address to listen on\n", path);
    config_unref(config);
    return EX_CONFIG;
}

/* HOST:PORT is short for http://HOST:PORT. */
static void add_url(struct text *url, const char *word)
{
    bool is_short = strstr(word, "://") == NULL && !span_starts(span_of(word), SPAN("unix:"));
    text_printf(url, "%s%s", is_short ? "http://" : "", word);
}

int options_daemon(const struct options *o, const struct command *c, struct text *url)
{
    int exit_code = EX_OK;
    if (o->path && o->url)
        return misused(c, "-c cannot be combined with", "--url");
    if (o->path)
        exit_code = url_of_file(o->path, url);
    else
        add_url(url, o->url ? o->url : DEFAULT_URL);
    if (exit_code == EX_OK && !daemon_client_understands(url->at))
        exit_code = misused(c, "neither HOST:PORT nor unix:/path:", url->at);
    return exit_code;
}
