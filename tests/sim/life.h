/* The lives of the simulated daemon: it runs until it ends by itself, or is killed at any moment and
 * started again on the same files, as kill -9 or a loss of power leave them. A killed one closes what
 * it had with the network as Linux does; its memory stays until the process ends. One for the
 * process. The daemon is on, or dead. */
#pragma once

#include "tests/sim/world.h"

/* Runs one life after the other until one has ended by itself: returns its status. */
int life_run(const char *config);

unsigned life_number(void); /* from 1 */
uint64_t life_began_us(void);
bool life_is_on(void);

/* It is killed: now, which may be inside any call of its own; the call does not return. `with_power`:
 * what it has written and not synced may be lost as well. Nothing happens if it is dead already. */
void life_kill(bool with_power);

/* It is killed at a write: the one after so many of that kind. */
enum life_write { LIFE_SOCKET, LIFE_FILE, LIFE_WRITES };
void life_kill_at(enum life_write, unsigned writes, bool with_power);

/* Asked at each write, by the kernel and the disk: how much of it still happens, `len` if it is not
 * the last one. life_after_write() follows, and does not return if it was. */
size_t life_writes(enum life_write, size_t len);
void life_after_write(enum life_write);

/* How long it stays dead, and who hears of each death, once nothing of it is left. */
void life_pause(uint64_t us);
void life_on_death(void (*told)(bool with_power));

/* Does it listen to this signal? One that it does not listen to would end the process. */
bool life_hears(int signal);
