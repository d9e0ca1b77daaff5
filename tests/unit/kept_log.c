#include "kept_log.h"

#include <stdio.h>
#include <unistd.h>

static FILE *file;
static int saved;

void kept_log_begin(enum log_level level)
{
    fflush(stderr);
    CHECK(file == NULL && (file = tmpfile()) != NULL);
    CHECK((saved = dup(STDERR_FILENO)) >= 0);
    CHECK(dup2(fileno(file), STDERR_FILENO) >= 0);
    log_set_level(level);
}

const char *kept_log_end(void)
{
    static char lines[8192];
    log_set_level(LOG_LEVEL_ERROR);
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    lines[fread(lines, 1, sizeof lines - 1, file)] = '\0';
    fclose(file);
    file = NULL;
    return lines;
}
