#include "cli/ca_init.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libpsl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "config/host.h"
#include "net/ca.h"
#include "net/tls_context.h"

#define DIR_MODE 0755
#define CERT_MODE 0644
#define KEY_MODE 0600

/* What the options said. */
struct wish {
    const char *dir; /* NULL: not given */
    const char **hosts;
    size_t host_count;
    struct arena *arena; /* holds the names */
};

static int misused(const char *what, const char *which)
{
    fprintf(stderr, "trunkline: %s '%s'; see trunkline ca --help\n", what, which);
    return EX_USAGE;
}

/* ------------------------------------------------------------------- options */

/* Do names right below it belong to many (https://publicsuffix.org; registries' own, and
 * those of companies, as github.io)? Also if there is no list to tell. */
static bool is_public_suffix(const char *name)
{
    psl_ctx_t *latest = psl_latest(NULL); /* the distribution's, or the library's own */
    bool is_public = psl_is_public_suffix(latest ? latest : psl_builtin(), name);
    psl_free(latest);
    return is_public;
}

/* NULL, or what is wrong. Whoever may vouch for a top-level domain may vouch for
 * half the world. */
static const char *wrong_host(const char *given, const char *name)
{
    if (given[0] == '*' || given[0] == '.')
        return "subdomains are included: name the host alone, not";
    if (name == NULL)
        return "not a host name:";
    if (strspn(name, "0123456789.") == strlen(name))
        return "not a name but an address, for which the CA cannot vouch:";
    if (strchr(name, '.') == NULL && strcmp(name, "localhost") != 0)
        return "would cover a whole top-level domain:";
    if (strcmp(name, "localhost") != 0 && is_public_suffix(name))
        return "would cover hosts of many owners (public suffix):";
    return NULL;
}

static int add_host(struct wish *w, const char *given)
{
    const char *name = host_name_read(w->arena, span_of(given));
    const char *why = wrong_host(given, name);
    if (why)
        return misused(why, given);
    for (size_t i = 0; i < w->host_count; i++)
        if (strcmp(w->hosts[i], name) == 0)
            return EX_OK;
    w->hosts = must_realloc(w->hosts, (w->host_count + 1) * sizeof *w->hosts);
    w->hosts[w->host_count++] = name;
    return EX_OK;
}

/* EX_OK: go on; else, or after --help, the exit code is `*exit_code`. */
static bool read_options(struct wish *w, int argc, char **argv, const char *usage, int *exit_code)
{
    static const struct option names[] = {{"dir", required_argument, NULL, 'd'},
                                          {"host", required_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int found;
    *exit_code = EX_OK;
    optind = 0;
    while (*exit_code == EX_OK && (found = getopt_long(argc, argv, "+:h", names, NULL)) != -1) {
        switch (found) {
        case 'd': w->dir = optarg; break;
        case 'n': *exit_code = add_host(w, optarg); break;
        case 'h': printf("%s", usage); return false;
        case ':': *exit_code = misused("a value is missing after", argv[optind - 1]); break;
        default: *exit_code = misused("unknown option", argv[optind - 1]);
        }
    }
    if (*exit_code == EX_OK && optind < argc)
        *exit_code = misused("unexpected argument", argv[optind]);
    else if (*exit_code == EX_OK && w->dir == NULL)
        *exit_code = misused("an option is missing:", "--dir");
    else if (*exit_code == EX_OK && w->host_count == 0)
        *exit_code = misused("an option is missing:", "--host");
    return *exit_code == EX_OK;
}

/* --------------------------------------------------------------------- files */

/* Made anew, or not at all; the mode is that whatever the umask is. */
static bool write_file(const char *path, mode_t mode, const struct text *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        fprintf(stderr, "trunkline: %s: %m%s\n", path,
                errno == EEXIST ? "; it is not overwritten" : "");
        return false;
    }
    bool good = write(fd, content->at, content->len) == (ssize_t)content->len &&
                fchmod(fd, mode) == 0 && fsync(fd) == 0;
    if (!good)
        fprintf(stderr, "trunkline: %s: cannot be written: %m\n", path);
    close(fd);
    if (!good)
        unlink(path);
    return good;
}

/* One of those to be made. */
struct made {
    const char *path;
    mode_t mode;
    const struct text *content;
};

/* All, or none. The key first: a certificate without one is of no use, and looks whole. */
static bool write_files(const struct made *files, size_t count)
{
    struct stat st;
    for (size_t i = 0; i < count; i++) {
        if (lstat(files[i].path, &st) != 0)
            continue;
        fprintf(stderr, "trunkline: %s: File exists; it is not overwritten\n", files[i].path);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (write_file(files[i].path, files[i].mode, files[i].content))
            continue;
        while (i-- > 0)
            unlink(files[i].path);
        return false;
    }
    return true;
}

static void tell(const struct wish *w, const char *anchor, const char *issuer, const char *key)
{
    printf("%s (for the programs)\n%s\n%s (its key: for trunkline alone)\n\nIt can vouch for "
           "these, with their subdomains, and for nothing else:",
           anchor, issuer, key);
    for (size_t i = 0; i < w->host_count; i++)
        printf(" %s", w->hosts[i]);
    printf(
        "\n\nIn trunkline.conf, above the upstream blocks of these hosts:\n"
        "    connect = intercept\n"
        "    ca_cert = \"%s\"\n"
        "    ca_key  = \"%s\"\n"
        "The systemd service may not read the key: trunkline(8), SERVICE, tells how it gets it.\n\n"
        "For each program, beside HTTPS_PROXY=http://127.0.0.1:8642:\n"
        "    NODE_EXTRA_CA_CERTS=%s    Node\n"
        "    REQUESTS_CA_BUNDLE=%s     Python's requests\n"
        "    SSL_CERT_FILE=%s          Python's ssl (httpx, aiohttp, urllib), OpenSSL\n"
        "    curl --cacert %s\n"
        "All but the first take the place of the system's bundle. A program that also calls "
        "other\nhosts needs both in one file:\n"
        "    cat /etc/ssl/certs/ca-certificates.crt %s >bundle.pem\n",
        issuer, key, anchor, anchor, anchor, anchor, anchor);
}

static int save(const struct wish *w, const struct ca_files *ca)
{
    if (mkdir(w->dir, DIR_MODE) != 0 && errno != EEXIST) {
        fprintf(stderr, "trunkline: %s: %m\n", w->dir);
        return EX_CANTCREAT;
    }
    char *dir = realpath(w->dir, NULL);
    const char *root = dir ? dir : w->dir;
    const struct made files[] = {
        {arena_printf(w->arena, "%s/ca.key", root), KEY_MODE, &ca->key},
        {arena_printf(w->arena, "%s/issuer.pem", root), CERT_MODE, &ca->issuer},
        {arena_printf(w->arena, "%s/ca.pem", root), CERT_MODE, &ca->anchor},
    };
    bool good = write_files(files, COUNT_OF(files));
    if (good)
        tell(w, files[2].path, files[1].path, files[0].path);
    free(dir);
    return good ? EX_OK : EX_CANTCREAT;
}

static int make(const struct wish *w)
{
    char error[160];
    struct ca_files files = {0};
    int exit_code = EX_SOFTWARE;
    if (ca_make(w->hosts, w->host_count, time(NULL), &files, error, sizeof error))
        exit_code = save(w, &files);
    else
        fprintf(stderr, "trunkline: no CA could be made: %s\n", error);
    ca_files_free(&files);
    return exit_code;
}

static int init(int argc, char **argv, const char *usage)
{
    struct wish w = {.arena = arena_new()};
    int exit_code;
    if (read_options(&w, argc, argv, usage, &exit_code)) {
        tls_start();
        exit_code = make(&w);
    }
    free(w.hosts);
    arena_free(w.arena);
    return exit_code;
}

int ca_init(int argc, char **argv, const char *usage)
{
    if (argc >= 2 && strcmp(argv[1], "init") == 0)
        return init(argc - 1, argv + 1, usage);
    if (argc >= 2 && strcmp(argv[1], "--help") == 0)
        return init(argc, argv, usage);
    return argc >= 2 ? misused("unknown command", argv[1])
                     : misused("a command is missing after", "ca");
}
