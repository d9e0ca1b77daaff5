/* The command line, with each call in a process of its own; a stub for the daemon, and a process
 * that serves one canned response. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "daemon/daemon.h"
#include "suite.h"

int daemon_run(const char *path, bool optional, bool verbose)
{
    printf("daemon %s%s%s\n", path, optional ? " optional" : "", verbose ? " verbose" : "");
    fflush(stdout);
    return 42;
}

static char directory[64], config_path[100], out[32768], err[8192];

static void setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/check_cli.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(config_path, sizeof config_path, "%s/t.conf", directory);
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static void write_config(const char *content)
{
    FILE *f = fopen(config_path, "w");
    ck_assert(f && fputs(content, f) >= 0 && fclose(f) == 0);
}

static void read_back(int fd, char *to, size_t size)
{
    ssize_t n = pread(fd, to, size - 1, 0);
    ck_assert_int_ge(n, 0);
    to[n] = '\0';
    close(fd);
}

/* Runs `trunkline LINE` (split at spaces) and returns its exit code. `out` and `err` are what it
 * wrote. */
static int call(const char *line)
{
    char copy[400], *rest = copy, *argv[16] = {(char *)(uintptr_t) "trunkline"};
    int argc = 1, status, fds[2] = {memfd_create("out", 0), memfd_create("err", 0)};
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word && argc < 15)
            argv[argc++] = word;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[0], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        int code = cli_main(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    read_back(fds[0], out, sizeof out);
    read_back(fds[1], err, sizeof err);
    ck_assert_msg(WIFEXITED(status), "%s died: %s", line, err);
    return WEXITSTATUS(status);
}

static size_t lines_of(const char *text)
{
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

/* Checks that the call fails with this exit code, and with one line on stderr that has these
 * words. */
static void fails(const char *line, int code, const char *words)
{
    int got = call(line);
    ck_assert_msg(got == code, "%s: exit %d, %s", line, got, err);
    ck_assert_msg(lines_of(err) == 1 && strstr(err, words), "%s: %s", line, err);
    ck_assert_str_eq(out, "");
}

static void prints(const char *line, const char *words)
{
    int got = call(line);
    ck_assert_msg(got == 0, "%s: exit %d, %s", line, got, err);
    ck_assert_msg(strstr(out, words) != NULL, "%s: %s", line, out);
    ck_assert_str_eq(err, "");
}

START_TEST(without_a_command_it_is_the_daemon)
{
    ck_assert_int_eq(call(""), 42);
    ck_assert_str_eq(out, "daemon " SYSCONFDIR "/trunkline/trunkline.conf optional\n");
    ck_assert_int_eq(call("-v -c /x.conf"), 42);
    ck_assert_str_eq(out, "daemon /x.conf verbose\n");
}
END_TEST

START_TEST(bad_usage_is_one_line_and_64)
{
    fails("--nonsense", EX_USAGE, "unknown option '--nonsense'; see trunkline --help");
    fails("-x", EX_USAGE, "unknown option '-x'");
    fails("-vx", EX_USAGE, "unknown option '-x'");
    fails("-c", EX_USAGE, "a value must follow '-c'");
    fails("-v extra", EX_USAGE, "unexpected argument 'extra'");
    fails("frobnicate", EX_USAGE, "unknown command 'frobnicate'");
    fails("check --nonsense", EX_USAGE, "see trunkline check --help");
    fails("check a b", EX_USAGE, "unexpected argument 'a'");
    fails("config -v", EX_USAGE, "unknown option '-v'");
    fails("doctor a b", EX_USAGE, "unexpected argument 'b'");
    fails("stats --watch --json", EX_USAGE, "--json cannot be combined with '--watch'");
    fails("stats --url", EX_USAGE, "a value must follow '--url'");
    fails("stats --url http://a -c /x", EX_USAGE, "--url");
    fails("stats --json=1", EX_USAGE, "no value is allowed in '--json=1'");
    fails("stats -x", EX_USAGE, "unknown option '-x'");
    fails("stats --url ftp://a", EX_USAGE, "ftp://a");
    fails("stats --url http://", EX_USAGE, "http://");
    fails("stats --url http://u@h/", EX_USAGE, "http://u@h/");
    fails("stats --url http://h/path", EX_USAGE, "http://h/path");
    fails("stats --url http://127.0.0.1:74178", EX_USAGE, "http://127.0.0.1:74178");
    fails("stats --url http://h:x", EX_USAGE, "http://h:x");
    fails("stats --url http://h:0", EX_USAGE, "http://h:0");
    fails("stats --url http://::1:80", EX_USAGE, "http://::1:80");
    fails("stats --url http://[::1", EX_USAGE, "http://[::1");
    fails("stats --url http://[::1]80", EX_USAGE, "http://[::1]80");
    fails("stats binance", EX_USAGE, "unexpected argument 'binance'");
    fails("help max_conections", EX_USAGE, "did you mean 'max_connections'?");
    fails("help chek", EX_USAGE, "did you mean 'check'?");
    fails("help --directives check", EX_USAGE, "cannot be combined with 'check'");
    fails("pause a b", EX_USAGE, "unexpected argument 'b'");
    fails("pause ../stats", EX_USAGE, "no upstream can have the name '../stats'");
    fails("drain --json", EX_USAGE, "see trunkline drain --help");
    fails("resume a -c /x --url http://h", EX_USAGE, "--url");
}
END_TEST

START_TEST(verbs_for_all_want_to_be_told)
{
    static const char *const verbs[] = {"pause", "resume", "reconnect", "drain"};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        char line[80], see[80];
        snprintf(see, sizeof see, "'--all'; see trunkline %s --help", verbs[i]);
        fails(verbs[i], EX_USAGE, see);
        snprintf(line, sizeof line, "%s --url http://127.0.0.1:1", verbs[i]);
        fails(line, EX_USAGE, see);
        snprintf(line, sizeof line, "%s binance --all", verbs[i]);
        fails(line, EX_USAGE, "a named upstream cannot be combined with '--all'");
        snprintf(line, sizeof line, "%s --all binance", verbs[i]);
        fails(line, EX_USAGE, "a named upstream cannot be combined with '--all'");
    }
    fails("stats --all", EX_USAGE, "only --rare can be combined with '--all'");
}
END_TEST

START_TEST(help_and_version)
{
    prints("--help", "Usage: trunkline [-c FILE] [-v]\n");
    prints("check --help", "Usage: trunkline check");
    prints("config --help", "Usage: trunkline config");
    prints("stats --help", "--json");
    prints("pause --help", "Usage: trunkline pause UPSTREAM | --all [--url URL");
    prints("drain --help", "drains the daemon");
    prints("doctor --help", "Usage: trunkline doctor [UPSTREAM]");
    prints("help", "Usage: trunkline [-c FILE] [-v]\n");
    prints("help stats", "Usage: trunkline stats");
    prints("help max_connections",
           "max_connections = number of connections, 1 to 65535\n"
           "  default  16\n  where    upstream and defaults blocks\n\nThe maximum");
    prints("help on_limit", "on_limit = one of wait, refuse\n");
    prints("help listen", "\n\nlisten = list of addresses");
    prints("help order_rate", "  default  none\n  where    bot blocks\n");
    prints("help --directives", "\nmax_connections\n");
    prints("--version", "trunkline " PACKAGE_VERSION "\n");
    static const char *const libraries[] = {"libuv 1.",  "llhttp 9.",  "mbedTLS 3.",
                                            "c-ares 1.", "jansson 2.", "libconfuse 3.",
                                            "libpsl 0."};
    for (size_t i = 0; i < COUNT_OF(libraries); i++)
        ck_assert_msg(strstr(out, libraries[i]) != NULL, "no %s in %s", libraries[i], out);
}
END_TEST

START_TEST(output_that_is_lost_is_an_error)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {(char *)(uintptr_t) "trunkline", (char *)(uintptr_t) "--help", NULL};
        dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        _exit(cli_main(2, argv));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), EX_IOERR);
}
END_TEST

START_TEST(check_says_ok_or_what_is_wrong)
{
    char line[200], words[200];
    write_config("upstream kraken { url = \"https://api.kraken.com\" }\n");
    snprintf(line, sizeof line, "check -c %s", config_path);
    snprintf(words, sizeof words, "%s: ok\n", config_path);
    prints(line, words);
    ck_assert_str_eq(out, words);
    write_config("\n\nnonsense = 3\n");
    snprintf(words, sizeof words, "%s:3: ", config_path);
    fails(line, EX_CONFIG, words);
    fails("check -c /nowhere/t.conf", EX_CONFIG, "/nowhere/t.conf");
    fails("check", EX_CONFIG, SYSCONFDIR);
}
END_TEST

START_TEST(config_prints_what_reads_back)
{
    char line[200];
    write_config("upstream kraken { url = \"https://api.kraken.com\" min_idle = 3 }\n");
    snprintf(line, sizeof line, "config -c %s", config_path);
    prints(line, "kraken");
    char *first = must_strdup(out);
    write_config(first);
    prints(line, "min_idle");
    ck_assert_str_eq(out, first);
    free(first);
    prints("config", "127.0.0.1:8642");
    fails("config -c /nowhere/t.conf", EX_CONFIG, "/nowhere/t.conf");
}
END_TEST

/* Answers each connection with the same bytes, once a request's head is in. A process of its
 * own: a program with a second thread must not fork, as call() does, since the thread may hold
 * a lock at that moment (of malloc, or of a sanitizer) that nobody releases in the child. */
#define REQUEST_MAX 500

struct server {
    int fd;
    uint16_t port;
    char path[108];
    pid_t process;
    const char *answer; /* NULL: none */
    char *request;      /* shared with the process */
};

static void serve(const struct server *s)
{
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) {
        size_t len = 0;
        memset(s->request, 0, REQUEST_MAX);
        while (!strstr(s->request, "\r\n\r\n")) {
            ssize_t n = recv(fd, s->request + len, REQUEST_MAX - 1 - len, 0);
            if (n <= 0)
                break;
            len += (size_t)n;
        }
        if (s->answer)
            send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    }
}

static void start_process(struct server *s)
{
    s->request = mmap(NULL, REQUEST_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(s->request, MAP_FAILED);
    ck_assert_int_eq(listen(s->fd, 5), 0);
    fflush(NULL);
    s->process = fork();
    ck_assert_int_ge(s->process, 0);
    if (s->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(s);
        _exit(0);
    }
}

static void start(struct server *s, const char *answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *s = (struct server){.answer = answer, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    start_process(s);
}

static void start_unix(struct server *s, const char *answer)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    *s = (struct server){.answer = answer, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(s->path, sizeof s->path, "%s/socket", directory);
    memcpy(at.sun_path, s->path, sizeof at.sun_path);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    start_process(s);
}

static void stop(struct server *s)
{
    kill(s->process, SIGKILL);
    ck_assert_int_eq(waitpid(s->process, NULL, 0), s->process);
    munmap(s->request, REQUEST_MAX);
    close(s->fd);
}

static const char *url_call(const struct server *s, const char *options)
{
    static char line[200];
    if (s->path[0])
        snprintf(line, sizeof line, "stats --url unix:%s%s", s->path, options);
    else
        snprintf(line, sizeof line, "stats --url http://127.0.0.1:%u%s", s->port, options);
    return line;
}

#define LATENCY                                                                                    \
    "\"latency_ms\":{\"total\":{\"count\":118,\"p50\":1.2,\"p99\":1234.5},"                        \
    "\"queue\":{\"count\":120}}"
#define STATS                                                                                      \
    "{\"version\":\"1.2.3\",\"pid\":77,\"uptime_s\":7384.5,\"draining\":false,"                    \
    "\"clients\":{\"open\":3},\"requests\":{\"active\":1,\"total\":120,\"succeeded\":118,"         \
    "\"failed\":1},\"upstreams\":[{\"name\":\"binance\",\"tls_verify\":true,\"state\":\"up\","     \
    "\"connections\":{\"open\":16,\"idle\":14,\"active\":2,\"opened\":20,\"reused\":90},"          \
    "\"queue\":{\"waiting\":5},\"requests\":{\"unknown\":2,\"total\":1234567,\"succeeded\":118,"   \
    "\"failed\":1,"                                                                                \
    "\"errors\":{\"dns_error\":2,\"connection_refused\":1}}," LATENCY "},"                         \
    "{\"name\":\"test\\u001bnet\",\"tls_verify\":false,\"state\":\"draining\",\"tunnels\":{"       \
    "\"bypassing\":2,\"tls_failed\":3},"                                                           \
    "\"connections\":{\"open\":0,\"idle\":0,\"active\":0,\"opened\":0,\"reused\":0},"              \
    "\"queue\":{\"waiting\":0},\"requests\":{\"total\":0,\"succeeded\":0,\"failed\":0,"            \
    "\"errors\":{}},\"latency_ms\":{\"total\":{\"count\":0},\"queue\":{\"count\":0}}}]}"
#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

START_TEST(stats_as_a_table)
{
    struct server s;
    start(&s, OK_HEAD "\r\n" STATS);
    prints(url_call(&s, ""), "trunkline 1.2.3, pid 77, up 2h 3m: 3 clients, 120 requests, "
                             "1 active, 99.1 % ok, 2 orders of unknown fate\n");
    ck_assert_ptr_nonnull(strstr(s.request, "GET /stats HTTP/1.1\r\nHost: 127.0.0.1:"));
    stop(&s);
    ck_assert_uint_eq(lines_of(out), 9);
    ck_assert_ptr_nonnull(strstr(out, "\nhint: test?net: requests are refused until: "));
    char header[200], first[200], second[200];
    int found = sscanf(out, "%*[^\n]\n%199[^\n]\n%199[^\n]\n%199[^\n]\n", header, first, second);
    ck_assert_int_eq(found, 3);
    ck_assert_str_eq(header, "upstream state    open idle busy wait opened reused%  reqs  ok% "
                             "p50ms p99ms errs unknown");
    ck_assert_str_eq(first, "binance  up         16   14    2    5     20    75.0 1.23M 99.1  "
                            "1.20  1234    3       2");
    ck_assert_str_eq(second, "test?net draining    0    0    0    0      0       -     0    -     "
                             "-     -    0       0");
    ck_assert_uint_le(strlen(header) - strlen(" unknown"), 80);
    ck_assert_ptr_nonnull(strstr(out, "\nwarning: binance: 2 orders of unknown fate: see the "
                                      "log\n"));
    ck_assert_ptr_nonnull(strstr(out, "\nwarning: test?net: tls_verify = no"));
    ck_assert_ptr_nonnull(strstr(out, "\nwarning: test?net: 2 tunnels by CONNECT"));
    ck_assert_ptr_nonnull(strstr(out, "\nwarning: test?net: 3 TLS handshakes inside CONNECT"));
    ck_assert_ptr_null(strstr(out, "warning: binance: tls_verify"));
}
END_TEST

/* Without an order of unknown fate, the table has no column for them. */
START_TEST(stats_name_the_journal)
{
    struct server s;
    start(&s, OK_HEAD "\r\n{\"version\":\"1\",\"order_journal\":{\"path\":\"/j\"},\"upstreams\":"
                      "[{\"name\":\"a\",\"requests\":{\"unknown\":1}}]}");
    prints(url_call(&s, ""), "warning: a: 1 orders of unknown fate: see trunkline orders "
                             "--unknown\n");
    stop(&s);
    start(&s, OK_HEAD "\r\n{\"version\":\"1\",\"upstreams\":[{\"name\":\"a\"}]}");
    prints(url_call(&s, ""), " errs\na");
    stop(&s);
}
END_TEST

START_TEST(stats_as_json)
{
    struct server s;
    start_unix(&s, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n4\r\n [1]\r\n1\r\n}"
                           "\r\n0\r\n\r\n");
    prints(url_call(&s, " --json"), "{\"a\": [1]}\n");
    ck_assert_str_eq(out, "{\"a\": [1]}\n");
    ck_assert_ptr_nonnull(strstr(s.request, "Host: localhost\r\n"));
    stop(&s);
}
END_TEST

START_TEST(stats_of_the_file_s_first_address)
{
    struct server s;
    char content[300], line[200];
    start(&s, OK_HEAD "\r\n" STATS);
    snprintf(content, sizeof content, "listen = {\"127.0.0.1:%u\", \"127.0.0.1:1\"}\n", s.port);
    write_config(content);
    snprintf(line, sizeof line, "stats -c %s", config_path);
    prints(line, "binance");
    stop(&s);
    fails("stats -c /nowhere/t.conf", EX_CONFIG, "/nowhere/t.conf");
    write_config("listen = {}\nupstream a { url = http://a listen = {\"127.0.0.1:1\"} }\n");
    fails(line, EX_CONFIG, "it has no address to listen on");
    write_config("nosuch = 1\nlisten = {\"127.0.0.1:1\"}\n"); /* the reading ends before it */
    fails(line, EX_CONFIG, "t.conf:1: unknown directive 'nosuch'");
}
END_TEST

/* The daemon is found by a configuration file that it would not accept, or that only the daemon can
 * read completely. */
START_TEST(a_wrong_file_still_has_an_address)
{
    struct server s;
    char content[300], line[200];
    start(&s, OK_HEAD "\r\n" STATS);
    snprintf(line, sizeof line, "stats -c %s", config_path);
    snprintf(
        content, sizeof content,
        "ca_key = \"${NOT_SET_HERE}/k\"\nlisten = {\"nonsense\", \"127.0.0.1:%u\"}\nnosuch = 1\n",
        s.port);
    write_config(content);
    prints(line, "binance");
    stop(&s);
}
END_TEST

static void answer_fails(const char *answer, const char *words)
{
    struct server s;
    start(&s, answer);
    fails(url_call(&s, ""), EX_UNAVAILABLE, words);
    stop(&s);
}

START_TEST(a_daemon_that_cannot_be_asked_is_69)
{
    struct server s;
    start(&s, NULL);
    stop(&s);
    fails(url_call(&s, ""), EX_UNAVAILABLE, "Connection refused");
    fails("stats --url unix:/nowhere/socket", EX_UNAVAILABLE, "No such file");
    fails("stats --url http://no.such.name.invalid:1", EX_UNAVAILABLE, "no.such.name.invalid");
    answer_fails(NULL, "cut off");
    answer_fails(OK_HEAD "Content-Length: 100\r\n\r\nabc", "cut off");
    answer_fails("SSH-2.0-x\r\n\r\n", "not HTTP");
    answer_fails("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "status 404");
    answer_fails(OK_HEAD "\r\nhello", "not the /stats of a trunkline");
    answer_fails(OK_HEAD "\r\n{}", "it lists no upstreams");
}
END_TEST

static const char *verb_call(const struct server *s, const char *verb)
{
    static char line[200];
    snprintf(line, sizeof line, "%s --url http://127.0.0.1:%u", verb, s->port);
    return line;
}

START_TEST(verbs_say_what_became_of_it)
{
    struct server s;
    start(&s, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    prints(verb_call(&s, "pause binance"), "binance: pause: done\n"); /* no /stats: no details */
    prints(verb_call(&s, "resume --all"), "all: resume: done\n");
    prints(verb_call(&s, "drain --all"), "the daemon drains and ends\n");
    ck_assert_ptr_nonnull(strstr(s.request, "POST /upstreams/drain HTTP/1.1\r\nHost: 127.0.0.1:"));
    ck_assert_ptr_nonnull(strstr(s.request, "\r\nContent-Length: 0\r\n"));
    stop(&s);
    start(&s, "HTTP/1.1 404 Not Found\r\n\r\n{\"detail\":\"no upstream of that name\"}");
    fails(verb_call(&s, "drain nosuch"), EX_UNAVAILABLE, "drain: no upstream of that name");
    ck_assert_ptr_nonnull(strstr(s.request, "POST /upstreams/nosuch/drain HTTP/1.1\r\n"));
    stop(&s);
    start(&s, "HTTP/1.1 503 Not Now\r\n\r\nnot JSON");
    fails(verb_call(&s, "pause --all"), EX_UNAVAILABLE, "pause: answered with status 503");
    stop(&s);
    fails(verb_call(&s, "reconnect --all"), EX_UNAVAILABLE, "Connection refused");
}
END_TEST

START_TEST(reload_tells_its_outcome)
{
    struct server s;
    start(&s, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    prints(verb_call(&s, "reload"), "reloaded\n");
    ck_assert_ptr_nonnull(strstr(s.request, "POST /reload HTTP/1.1\r\n"));
    stop(&s);
    start(&s, "HTTP/1.1 409 Conflict\r\n\r\n/t.conf:3: first\n/t.conf:4: second\n");
    ck_assert_int_eq(call(verb_call(&s, "reload")), EX_CONFIG);
    ck_assert_str_eq(err, "/t.conf:3: first\n/t.conf:4: second\n");
    ck_assert_str_eq(out, "");
    stop(&s);
    start(&s, "HTTP/1.1 503 Not Now\r\n\r\n{\"detail\":\"trunkline is shutting down\"}");
    fails(verb_call(&s, "reload"), EX_UNAVAILABLE, "reload: trunkline is shutting down");
    stop(&s);
    fails(verb_call(&s, "reload"), EX_UNAVAILABLE, "Connection refused");
    fails("reload binance", EX_USAGE, "unexpected argument 'binance'");
    prints("reload --help", "Usage: trunkline reload [--url URL | -c FILE]\n");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(without_a_command_it_is_the_daemon);
    TEST(bad_usage_is_one_line_and_64);
    TEST(verbs_for_all_want_to_be_told);
    TEST(help_and_version);
    TEST(output_that_is_lost_is_an_error);
    TEST(check_says_ok_or_what_is_wrong);
    TEST(config_prints_what_reads_back);
    TEST(stats_as_a_table);
    TEST(stats_name_the_journal);
    TEST(stats_as_json);
    TEST(stats_of_the_file_s_first_address);
    TEST(a_wrong_file_still_has_an_address);
    TEST(a_daemon_that_cannot_be_asked_is_69);
    TEST(verbs_say_what_became_of_it);
    TEST(reload_tells_its_outcome);
}
