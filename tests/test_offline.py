"""The guard against the network guards."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from pytest_socket import SocketConnectBlockedError

ELSEWHERE = "192.0.2.1"  # reserved for documentation (RFC 5737): nobody answers there
TO_ITSELF = "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_this_process_cannot_leave_the_machine():
    with pytest.raises(SocketConnectBlockedError), socket.socket() as s:
        s.connect((ELSEWHERE, 80))


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        (f"socket.socket().connect(({ELSEWHERE!r}, 80))", False),
        (f"socket.socket().connect_ex(({ELSEWHERE!r}, 80))", False),
        ("urllib.request.urlopen('http://example.org')", False),
        (TO_ITSELF, True),
    ],
)
def test_no_child_process_can_but_it_may_talk_to_itself(code, allowed):
    command = [sys.executable, "-c", f"import socket, urllib.request; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == allowed
    assert ("the tests run without a network" in done.stderr) != allowed
