"""The guard against the network guards."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from pytest_socket import SocketConnectBlockedError

ELSEWHERE = "192.0.2.1"  # reserved for documentation (RFC 5737): nobody answers there


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_this_process_cannot_leave_the_machine():
    with pytest.raises(SocketConnectBlockedError), socket.socket() as s:
        s.connect((ELSEWHERE, 80))


@pytest.mark.parametrize(
    "code",
    [
        f"import socket; socket.socket().connect(('{ELSEWHERE}', 80))",
        f"import socket; socket.create_connection(('{ELSEWHERE}', 80), timeout=1)",
        "import urllib.request; urllib.request.urlopen('http://example.org')",
    ],
)
def test_no_child_process_can(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "the tests run without a network" in done.stderr


def test_a_child_process_may_talk_to_itself():
    code = (
        "import socket; a = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(a.getsockname())"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
