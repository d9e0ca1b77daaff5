/* Compares the order journal's file with the book, after the daemon's end. Nothing is kept. */
#pragma once

#include "base/check.h"

/* `deaths`: how often the daemon was killed; `lost_power`: the machine stopped once. */
void journal_judge(const char *path, unsigned deaths, bool lost_power);
