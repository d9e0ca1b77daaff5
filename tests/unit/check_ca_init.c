/* Each call in a process of its own. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/ca_init.h"
#include "net/ca.h"
#include "net/tls_context.h"
#include "suite.h"

static char dir[64], out[8192], err[2000];

static void set_up(void)
{
    snprintf(dir, sizeof dir, "/tmp/check_ca_init.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void tear_down(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void read_back(int fd, char *to, size_t size)
{
    ssize_t n = pread(fd, to, size - 1, 0);
    ck_assert_int_ge(n, 0);
    to[n] = '\0';
    close(fd);
}

/* Runs `trunkline LINE` (split at spaces) and returns its exit code. */
static int call(const char *line)
{
    char copy[400], *rest = copy, *argv[16];
    int argc = 0, status, fds[2] = {memfd_create("out", 0), memfd_create("err", 0)};
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word && argc < 15)
            argv[argc++] = word;
    argv[argc] = NULL;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[0], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        int code = ca_init(argc, argv, "Usage: this\n");
        fflush(NULL);
        _exit(code);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    read_back(fds[0], out, sizeof out);
    read_back(fds[1], err, sizeof err);
    ck_assert_msg(WIFEXITED(status), "%s died: %s", line, err);
    return WEXITSTATUS(status);
}

/* Checks that stderr has one line with these words. */
static void fails(const char *line, int code, const char *words)
{
    int got = call(line);
    ck_assert_msg(got == code, "%s: exit %d, %s", line, got, err);
    ck_assert_msg(strstr(err, words) && strchr(err, '\n') == err + strlen(err) - 1, "%s: %s", line,
                  err);
    ck_assert_str_eq(out, "");
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    ck_assert_msg(stat(path, &st) == 0, "%s is not there", path);
    return st.st_mode & 0777;
}

static size_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

START_TEST(makes_a_ca_that_can_be_used)
{
    char expected[200];
    struct ca_error error;
    umask(0);
    ck_assert_int_eq(
        call("ca init --dir d --host Api.Binance.com. --host kraken.com --host=api.binance.com"),
        EX_OK);
    ck_assert_str_eq(err, "");
    ck_assert_uint_eq(mode_of("d/ca.pem"), 0644);
    ck_assert_uint_eq(mode_of("d/issuer.pem"), 0644);
    ck_assert_uint_eq(mode_of("d/ca.key"), 0600);
    tls_start();
    struct ca *ca = ca_load("d/issuer.pem", "d/ca.key", &error);
    ck_assert_msg(ca != NULL, "%s", error.words);
    ck_assert(ca_may_sign(ca, "api.binance.com", time(NULL)) &&
              ca_may_sign(ca, "futures.kraken.com", time(NULL)));
    ck_assert(!ca_may_sign(ca, "binance.com", time(NULL)) && !ca_key_is_exposed(ca));
    ca_unref(ca);
    static const char *const lines[] = {
        "    ca_cert = \"%s/d/issuer.pem\"\n",
        "    ca_key  = \"%s/d/ca.key\"\n",
        "    REQUESTS_CA_BUNDLE=%s/d/ca.pem ",
        "    SSL_CERT_FILE=%s/d/ca.pem ",
        "    NODE_EXTRA_CA_CERTS=%s/d/ca.pem ",
        "    curl --cacert %s/d/ca.pem\n",
        "    connect = intercept\n",
        ": api.binance.com kraken.com\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *hole = strstr(lines[i], "%s");
        snprintf(expected, sizeof expected, "%.*s%s%s",
                 (int)(hole ? hole - lines[i] : (long)strlen(lines[i])), lines[i], hole ? dir : "",
                 hole ? hole + 2 : "");
        ck_assert_msg(strstr(out, expected) != NULL, "%s: %s", expected, out);
    }
    ck_assert(strstr(out, "PRIVATE KEY") == NULL);
}
END_TEST

START_TEST(modes_do_not_hang_on_the_umask)
{
    umask(0777);
    ck_assert_int_eq(mkdir("d", 0755), 0);
    ck_assert_int_eq(chmod("d", 0755), 0);
    ck_assert_int_eq(call("ca init --dir d --host a.test"), EX_OK);
    ck_assert_uint_eq(mode_of("d/ca.pem"), 0644);
    ck_assert_uint_eq(mode_of("d/issuer.pem"), 0644);
    ck_assert_uint_eq(mode_of("d/ca.key"), 0600);
}
END_TEST

static void put(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs(content, f) >= 0 && fclose(f) == 0);
}

START_TEST(overwrites_nothing)
{
    put("ca.pem", "mine");
    fails("ca init --dir . --host a.test", EX_CANTCREAT, "/ca.pem: File exists");
    ck_assert(access("ca.key", F_OK) != 0 && size_of("ca.pem") == 4);
    ck_assert_int_eq(rename("ca.pem", "issuer.pem"), 0);
    fails("ca init --dir . --host a.test", EX_CANTCREAT, "/issuer.pem: File exists");
    ck_assert(access("ca.key", F_OK) != 0 && access("ca.pem", F_OK) != 0);
    ck_assert_int_eq(rename("issuer.pem", "ca.pem"), 0);
    ck_assert_int_eq(rename("ca.pem", "ca.key"), 0);
    fails("ca init --dir . --host a.test", EX_CANTCREAT, "/ca.key: File exists");
    ck_assert(access("ca.pem", F_OK) != 0 && size_of("ca.key") == 4);
    ck_assert_int_eq(rename("ca.key", "other"), 0);
    ck_assert_int_eq(symlink("other", "ca.key"), 0);
    fails("ca init --dir . --host a.test", EX_CANTCREAT, "/ca.key: File exists");
    ck_assert_uint_eq(size_of("other"), 4);
}
END_TEST

START_TEST(leaves_nothing_half_done)
{
    fails("ca init --dir no/where --host a.test", EX_CANTCREAT, "no/where: No such file");
    put("file", "");
    fails("ca init --dir file --host a.test", EX_CANTCREAT, "Not a directory");
    ck_assert_int_eq(symlink("nowhere/at/all", "ca.pem"),
                     0); /* nothing is there, yet it is taken */
    fails("ca init --dir . --host a.test", EX_CANTCREAT, "/ca.pem: File exists");
    ck_assert(access("ca.key", F_OK) != 0);
}
END_TEST

START_TEST(bad_usage_is_one_line_and_64)
{
    fails("ca", EX_USAGE, "a command is missing after 'ca'; see trunkline ca --help");
    fails("ca make", EX_USAGE, "unknown command 'make'");
    fails("ca init", EX_USAGE, "an option is missing: '--dir'");
    fails("ca init --dir d", EX_USAGE, "an option is missing: '--host'");
    fails("ca init --host a.test", EX_USAGE, "an option is missing: '--dir'");
    fails("ca init --dir d --host", EX_USAGE, "a value is missing after '--host'");
    fails("ca init --dir d --host a.test b.test", EX_USAGE, "unexpected argument 'b.test'");
    fails("ca init --nonsense", EX_USAGE, "unknown option '--nonsense'");
    ck_assert(access("d", F_OK) != 0);
}
END_TEST

START_TEST(names_are_looked_at)
{
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"*.binance.com", "subdomains are included"},
        {".binance.com", "subdomains are included"},
        {"com", "top-level domain"},
        {"com.", "top-level domain"},
        {"co.uk", "public suffix"},
        {"github.io", "public suffix"},
        {"GitHub.io.", "public suffix"},
        {"anything.ck", "public suffix"},
        {"xn--55qx5d.cn", "public suffix"},
        {"10.0.0.1", "an address"},
        {"::1", "not a host name"},
        {"api..com", "not a host name"},
        {"https://api.binance.com", "not a host name"},
        {"api.binance.com:443", "not a host name"},
        {"b\xc3\xbc"
         "cher.de",
         "not a host name"},
    };
    char line[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(line, sizeof line, "ca init --dir d --host a.test --host %s", cases[i].name);
        fails(line, EX_USAGE, cases[i].words);
    }
    ck_assert(access("d", F_OK) != 0);
    ck_assert_int_eq(call("ca init --dir d --host localhost"), EX_OK);
    ck_assert_int_eq(call("ca init --dir e --host www.ck --host api.co.uk --host me.github.io"),
                     EX_OK);
}
END_TEST

START_TEST(helps)
{
    ck_assert_int_eq(call("ca --help"), EX_OK);
    ck_assert_str_eq(out, "Usage: this\n");
    ck_assert_int_eq(call("ca init --help"), EX_OK);
    ck_assert_str_eq(out, "Usage: this\n");
}
END_TEST

SUITE()
{
    FIXTURE(set_up, tear_down);
    TEST(makes_a_ca_that_can_be_used);
    TEST(modes_do_not_hang_on_the_umask);
    TEST(overwrites_nothing);
    TEST(leaves_nothing_half_done);
    TEST(bad_usage_is_one_line_and_64);
    TEST(names_are_looked_at);
    TEST(helps);
}
