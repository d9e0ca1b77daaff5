"""A network of its own for a test that needs addresses which loopback does not have."""
import ctypes
import os
import subprocess

from .wire import background

CLONE_NEWNET = 0x40000000
MISSING = os.geteuid() != 0     # only root may make one


def inside(work, *addresses):
    """What work() returns, called in a thread whose network is loopback alone, with `addresses` on it. What that thread
    starts (sockets, processes, further threads) belongs to the same network."""
    def enter():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'unshare')
        for command in ('link set lo up', *(f'addr add {a} dev lo' for a in addresses)):
            subprocess.run(['ip', *command.split()], check=True)
        return work()
    return background(enter).result(120)
