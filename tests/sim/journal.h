/* Compares the order journal's file with the book, after the daemon's end. Nothing is kept. */
#pragma once

void journal_judge(const char *path);
