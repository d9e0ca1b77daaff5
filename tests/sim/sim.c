/* Runs trunkline's daemon in a simulated world, one seed after the other, each in a process of its
 * own: see usage(). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/sandbox.h"
#include "tests/sim/book.h"
#include "tests/sim/client.h"
#include "tests/sim/kernel.h"
#include "tests/sim/life.h"
#include "tests/sim/script.h"
#include "tests/sim/threads.h"

#define STEPS_MOST 4000
#define CPU_SECONDS 5 /* of one seed: it hangs */
#define JOBS_MOST 64

/* What a run reports. */
struct outcome {
    char rule[40], words[400];
    uint64_t digest, us, turns;
    unsigned steps, tries, orders, answered;
};

static int report_to;
static char folder[64];

/* The process of a run is not confined: it makes the next one. */
void sandbox_enter(void)
{
}

const char *sandbox_words(void)
{
    return "simulated";
}

/* ------------------------------------------------------------------------------ one run */

static void report(void)
{
    struct outcome o = {.digest = world_digest(),
                        .us = world_us(),
                        .turns = kernel_turns(),
                        .steps = world_steps(),
                        .tries = book_tries(),
                        .orders = book_orders(),
                        .answered = clients_answered()};
    snprintf(o.rule, sizeof o.rule, "%s", world_rule());
    snprintf(o.words, sizeof o.words, "%s", world_words());
    fflush(stdout);
    if (syscall(SYS_write, report_to, &o, sizeof o) != sizeof o)
        _exit(EX_IOERR);
    _exit(EX_OK);
}

static void run(const struct world_setting *setting)
{
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = CPU_SECONDS}, NULL);
    world_begin(setting);
    threads_on_abandon(report);
    const char *config = script_begin();
    int status = life_run(config);
    world_say("script: the daemon has ended with status %d", status);
    script_judge(status);
    report();
}

/* A process that runs a seed in a folder of its own. */
struct child {
    pid_t pid;
    int from;
    unsigned slot;
    uint64_t seed;
};

static void path_of(unsigned slot, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%u%s", folder, slot, name);
}

static void enter_slot(unsigned slot, bool keeps_stderr)
{
    char path[128];
    path_of(slot, "", path);
    CHECK(chdir(path) == 0);
    if (!keeps_stderr)
        CHECK(freopen("stderr", "w", stderr));
}

static struct child start(const struct world_setting *setting, unsigned slot)
{
    int ends[2];
    CHECK(syscall(SYS_pipe2, ends, O_CLOEXEC) == 0);
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        report_to = ends[1];
        enter_slot(slot, setting->is_logged);
        run(setting);
    }
    syscall(SYS_close, ends[1]);
    return (struct child){pid, ends[0], slot, setting->seed};
}

/* What a crashed daemon said last. */
static void add_last_line(unsigned slot, char *words, size_t size)
{
    char path[128], line[300];
    path_of(slot, "/stderr", path);
    FILE *in = fopen(path, "r");
    size_t len = strlen(words);
    while (in && fgets(line, sizeof line, in))
        snprintf(words + len, size - len, ", %.*s", (int)strcspn(line, "\n"), line);
    if (in)
        fclose(in);
}

/* A run that crashes reports nothing: the signal is its fault. */
static void finish(const struct child *c, struct outcome *o)
{
    int status;
    *o = (struct outcome){0};
    ssize_t n = syscall(SYS_read, c->from, o, sizeof *o);
    syscall(SYS_close, c->from);
    CHECK(waitpid(c->pid, &status, 0) == c->pid);
    if (n == (ssize_t)sizeof *o)
        return;
    snprintf(o->rule, sizeof o->rule, "crash");
    if (WIFSIGNALED(status))
        snprintf(o->words, sizeof o->words, "signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(o->words, sizeof o->words, "status %d", WEXITSTATUS(status));
    add_last_line(c->slot, o->words, sizeof o->words);
}

static void run_apart(const struct world_setting *setting, struct outcome *o)
{
    struct child c = start(setting, 0);
    finish(&c, o);
}

/* ------------------------------------------------------------------------------ smaller */

static bool still_fails(struct world_setting *s, const char *rule, struct outcome *o)
{
    run_apart(s, o);
    return strcmp(o->rule, rule) == 0;
}

/* Leaves out what the fault does not need: first many steps at once, then each. */
static void shrink(struct world_setting *s, const struct outcome *failed)
{
    static unsigned kept[STEPS_MOST], attempt[STEPS_MOST];
    size_t count = 0;
    unsigned steps = failed->steps < STEPS_MOST ? failed->steps : STEPS_MOST;
    struct outcome o;
    for (unsigned size = steps / 2 ? steps / 2 : 1; size; size /= 2)
        for (unsigned from = 0; from < steps; from += size) {
            size_t n = 0;
            for (unsigned i = 0, k = 0; i < steps; i++) {
                while (k < count && kept[k] < i)
                    k++;
                if ((k < count && kept[k] == i) || (i >= from && i < from + size))
                    attempt[n++] = i;
            }
            if (n == count)
                continue;
            s->left_out = attempt;
            s->left_out_count = n;
            if (still_fails(s, failed->rule, &o)) {
                memcpy(kept, attempt, n * sizeof *kept);
                count = n;
            }
        }
    s->left_out = kept;
    s->left_out_count = count;
}

static int replay(uint64_t seed, bool whole, bool logged)
{
    struct world_setting s = {.seed = seed};
    struct outcome o;
    run_apart(&s, &o);
    if (*o.rule && !whole)
        shrink(&s, &o);
    s.is_traced = true;
    s.is_logged = logged;
    run_apart(&s, &o);
    printf("seed %" PRIu64 ": %s%s%s; digest %016" PRIx64 "\n", seed, *o.rule ? o.rule : "no fault",
           *o.rule ? ": " : "", o.words, o.digest);
    return *o.rule ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* -------------------------------------------------------------------------------- many */

/* What was asked for. */
struct wish {
    uint64_t first, count;
    unsigned jobs, most_faults;
};

struct sums {
    uint64_t seeds, tries, orders, answered, us, turns, digest;
    unsigned faults;
};

static void add(struct sums *s, uint64_t seed, const struct outcome *o)
{
    s->seeds++;
    s->tries += o->tries;
    s->orders += o->orders;
    s->answered += o->answered;
    s->us += o->us;
    s->turns += o->turns;
    s->digest = s->digest * UINT64_C(0x100000001b3) ^ o->digest;
    if (*o->rule == '\0')
        return;
    s->faults++;
    printf("seed %" PRIu64 ": %s: %s\n", seed, o->rule, o->words);
    fflush(stdout);
}

static uint64_t real_ms(void)
{
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Several at a time, and told of in the order of their seeds. */
static void run_window(const struct wish *w, struct sums *s)
{
    struct child children[JOBS_MOST];
    uint64_t begun = 0, ended = 0;
    while (ended < begun || (begun < w->count && s->faults < w->most_faults)) {
        if (begun < w->count && begun - ended < w->jobs && s->faults < w->most_faults) {
            unsigned slot = (unsigned)(begun % w->jobs);
            children[slot] = start(&(struct world_setting){.seed = w->first + begun}, slot);
            begun++;
            continue;
        }
        struct outcome o;
        struct child *c = &children[ended++ % w->jobs];
        finish(c, &o);
        if (s->faults < w->most_faults)
            add(s, c->seed, &o);
    }
}

static int run_many(const struct wish *w)
{
    struct sums s = {0};
    uint64_t began = real_ms();
    run_window(w, &s);
    printf("%" PRIu64 " seeds, %" PRIu64 " requests, %" PRIu64 " orders, %" PRIu64
           " answers, %.0f simulated s, digest %016" PRIx64 ", %.1f s, %u faults\n",
           s.seeds, s.tries, s.orders, s.answered, (double)s.us / 1e6, s.digest,
           (double)(real_ms() - began) / 1e3, s.faults);
    return s.faults ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --------------------------------------------------------------------------- arguments */

static int usage(void)
{
    puts(
        "usage: sim [--first SEED] [--seeds COUNT] [--jobs COUNT] [--faults MOST]\n"
        "       sim --replay SEED [--whole] [--log]\n\n"
        "Runs the daemon's own code in a simulated world, once per seed. Each fault that is found\n"
        "is one line, the last line sums up. --replay prints what happened, after leaving out\n"
        "what the fault does not need (--whole: nothing is left out); --log adds the daemon's "
        "log.");
    return EX_USAGE;
}

static void make_folders(unsigned jobs)
{
    char path[128];
    const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/trunkline-sim.XXXXXX", shm);
    CHECK(mkdtemp(folder));
    for (unsigned slot = 0; slot < jobs; slot++) {
        path_of(slot, "", path);
        CHECK(mkdir(path, 0700) == 0);
    }
}

static void remove_folders(unsigned jobs)
{
    static const char *const names[] = {"/sim.conf", "/orders.jsonl", "/state.json",
                                        "/state.json.new", "/stderr"};
    char path[128];
    for (unsigned slot = 0; slot < jobs; slot++) {
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            path_of(slot, names[i], path);
            (void)unlink(path);
        }
        path_of(slot, "", path);
        (void)rmdir(path);
    }
    (void)rmdir(folder);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"first", required_argument, NULL, 'f'},  {"seeds", required_argument, NULL, 'n'},
        {"faults", required_argument, NULL, 'm'}, {"jobs", required_argument, NULL, 'j'},
        {"replay", required_argument, NULL, 'r'}, {"whole", no_argument, NULL, 'w'},
        {"log", no_argument, NULL, 'l'},          {0}};
    struct wish wish = {.first = 1, .count = 1000, .jobs = 1, .most_faults = 10};
    uint64_t seed = 0;
    bool whole = false, logged = false, replays = false;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t n = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (o) {
        case 'f': wish.first = n; break;
        case 'n': wish.count = n; break;
        case 'm': wish.most_faults = (unsigned)n; break;
        case 'j': wish.jobs = n > JOBS_MOST ? JOBS_MOST : n ? (unsigned)n : 1; break;
        case 'r': seed = n, replays = true; break;
        case 'w': whole = true; break;
        case 'l': logged = true; break;
        default: return usage();
        }
    }
    make_folders(wish.jobs);
    int status = replays ? replay(seed, whole, logged) : run_many(&wish);
    remove_folders(wish.jobs);
    return status;
}
