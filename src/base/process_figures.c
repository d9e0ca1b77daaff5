#include "base/process_figures.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_memory(struct process_figures *p)
{
    unsigned long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return;
    if (fscanf(f, "%llu %llu", &size, &resident) == 2) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        p->virtual_bytes = size * page;
        p->resident_bytes = resident * page;
    }
    fclose(f);
}

/* Since Linux 6.2 the size of the directory is their number (proc(5)); before it is 0. */
static uint64_t count_descriptors(void)
{
    struct stat st;
    uint64_t count = 0;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    for (const struct dirent *e; (e = readdir(folder));)
        count += *e->d_name != '.';
    closedir(folder);
    return count ? count - 1 : 0; /* the folder's own is closed again */
}

void process_figures_read(struct process_figures *p)
{
    struct rusage used;
    struct rlimit limit;
    *p = (struct process_figures){.descriptors = count_descriptors()};
    read_memory(p);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        p->descriptors_most = limit.rlim_cur;
    if (getrusage(RUSAGE_SELF, &used) == 0)
        p->cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                    (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}
