"""Free loopback ports, reserved for the test, and the state of connections as the kernel reports it."""
import socket

_held = []
STATES = {'01': 'established', '08': 'ended by the peer'}


def free_port(address='127.0.0.1'):
    """A port on which no process listens, reserved until the end of the test: a socket is bound to it but does not listen, so
    that a process that sets SO_REUSEADDR can listen on it, while the kernel does not hand it out as an ephemeral port."""
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 0))
    _held.append(s)
    return s.getsockname()[1]


def release():
    while _held:
        _held.pop().close()


def connection(local, remote):
    """(state, number of unread bytes) of the endpoint of an IPv4 connection with this local and remote port; ('gone', 0) if there
    is none. With it a test can wait until data or a FIN has reached the kernel while the daemon itself is stopped. Both ports
    are needed, because either port alone may also belong to connections that ended within the last minute (TIME_WAIT)."""
    with open('/proc/net/tcp') as table:
        for line in list(table)[1:]:
            _, here, there, state, queues, *_ = line.split()
            if (port(here), port(there)) == (local, remote):
                return STATES.get(state, state), int(queues.partition(':')[2], 16)
    return 'gone', 0


def daemons_end(line):
    """connection() for the daemon's endpoint of a connection to an origin."""
    return connection(line.peer, line.origin.port)


def port(address):
    return int(address.rpartition(':')[2], 16)
