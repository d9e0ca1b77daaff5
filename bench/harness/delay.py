#!/usr/bin/python3
"""delay NAMESPACE DEVICE NAMESPACE DEVICE MS: a link between two network namespaces that takes MS milliseconds in each direction.

A namespace is a name, as of `ip netns`, or a path (/proc/PID/ns/net). Both devices are TUN devices; one that does not exist is made, and
goes when the link ends. What one namespace sends, the other receives so much later: whole IP packets, in order,
so that TCP's and TLS's handshakes, acknowledgements and windows take as long as on a line of that length. netem does the same in the
kernel, but not every kernel has it."""
import collections
import ctypes
import fcntl
import os
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000


def attach(namespace, device):
    """The TUN device of that namespace, as a file descriptor."""
    with open(namespace if '/' in namespace else f'/run/netns/{namespace}') as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'setns')
    tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', device.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def relay(ends, delay):
    waiting = collections.deque()   # (when, to, packet), earliest first, because the delay is the same for all
    while True:
        pause = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        readable = select.select(ends, (), (), pause)[0]
        now = time.monotonic()
        for end in readable:
            try:
                packet = os.read(end, 65536)
            except BlockingIOError:
                continue
            waiting.append((now + delay, ends[end is ends[0]], packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, to, packet = waiting.popleft()
            try:
                os.write(to, packet)
            except OSError:
                pass    # a full queue drops packets, here as elsewhere, and so does a device that is not up yet (EIO)


def main():
    first, second, delay = sys.argv[1:3], sys.argv[3:5], float(sys.argv[5]) / 1000
    relay([attach(*first), attach(*second)], delay)


if __name__ == '__main__':
    main()
