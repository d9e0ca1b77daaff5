/* Tunnels by CONNECT and by an upgrade: clients that open them, and the far ends to which they lead:
 * where no upstream is, or at an origin that has switched. Each side sends bytes that are known beforehand, ends by FIN or RST, at any time, and checks
 * what arrives: in order, without a gap, and with a clean end only after all of it. One set for the
 * process; it lives as long. */
#pragma once

#include <jansson.h>

#include "tests/sim/names.h"
#include "tests/sim/net.h"

/* Names and what they resolve to, for the name server. */
#define TUNNEL_NAMES                                                                               \
    {"far.sim", 0x5db8d822},                                                                       \
    {                                                                                              \
        "inside.sim", 0x0a000032                                                                   \
    }
#define TUNNEL_PORTS "connect_ports = {443, 9443}\n"

/* Some clients begin, one tunnel after the other each; some may upgrade, and there may be a freeze. */
void tunnels_begin(uint16_t daemon_port, struct dice *, bool upgrades);
bool tunnels_are_done(void);

/* From now on the daemon may end them at any moment, and refuse further ones. */
void tunnels_let_go(void);
void tunnels_judge(void); /* after the daemon's end */

/* An upgrade's far end, after its 101. */
void tunnels_switch(struct end *);

/* /stats: what the sides of this life have sent and got. */
void tunnels_check_bytes(const json_t *all);

unsigned tunnels_asked(void);  /* CONNECTs and upgrades sent */
unsigned tunnels_opened(void); /* and that brought their client a byte */
unsigned tunnels_open(void);   /* as many at most, as the daemon can know */
