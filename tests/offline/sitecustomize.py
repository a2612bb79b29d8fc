"""Refuse connections to other machines, in every Python that starts with this folder on its path.

The tests put it on PYTHONPATH, so that the kernels which execute notebooks run without a network.
"""

import ipaddress
import socket
import sys


def _refuse_unless_local(event, arguments):
    match event, arguments:
        case "socket.getaddrinfo", (host, *_):
            host = host.decode() if isinstance(host, bytes) else host
        case "socket.connect" | "socket.sendto", (asking, (host, *_)):
            if asking.family not in (socket.AF_INET, socket.AF_INET6):
                return
        case _:
            return
    if host in ("", "localhost", None):
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ConnectionRefusedError(f"the tests run without a network, and this asks for {host!r}")


sys.addaudithook(_refuse_unless_local)  # see the table of audit events in Python's documentation
