/* Tunnels by CONNECT: clients that open them, and the far ends to which they lead, where no upstream
 * is. Each side sends bytes that are known beforehand, ends by FIN or RST, at any time, and checks
 * what arrives: in order, without a gap, and with a clean end only after all of it. One set for the
 * process; it lives as long. */
#pragma once

#include "tests/sim/names.h"
#include "tests/sim/net.h"

/* Names and what they resolve to, for the name server. */
#define TUNNEL_NAMES                                                                               \
    {"far.sim", 0x5db8d822},                                                                       \
    {                                                                                              \
        "inside.sim", 0x0a000032                                                                   \
    }
#define TUNNEL_PORTS "connect_ports = {443, 9443}\n"

/* So many clients begin, one tunnel after the other each. */
void tunnels_begin(uint16_t daemon_port, struct dice *);
bool tunnels_are_done(void);

/* From now on the daemon may end them at any moment, and refuse further ones. */
void tunnels_let_go(void);
void tunnels_judge(void); /* after the daemon's end */

unsigned tunnels_asked(void);  /* CONNECTs sent */
unsigned tunnels_opened(void); /* and that brought their client a byte */
unsigned tunnels_open(void);   /* as many at most, as the daemon can know */
