"""What all tests share: no network, no screen, one folder to run notebooks from."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch, as utils.start does
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: one thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Kernels and other child processes: see offline/sitecustomize.py. This process: pytest-socket.
os.environ["PYTHONPATH"] = str(Path(__file__).parent / "offline")

import matplotlib.pyplot as plt  # noqa: E402
import pyro  # noqa: E402
import pytest  # noqa: E402

from tools import build  # noqa: E402


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and item.get_closest_marker("ours"):
        hint = "This is about our plan, pages and size. Yours differ? `make test ADAPTED=1`"
        report.sections.append(("a course of your own", hint))
    return report


@pytest.fixture
def root() -> Path:
    return build.ROOT


@pytest.fixture(params=build.sources(), ids=lambda source: source.stem)
def source(request) -> Path:
    """That of a notebook: a test which asks for it is run with each."""
    return request.param


@pytest.fixture(scope="module")  # while it is open, its event loop keeps kernels from being run
def browser():
    from tests.browser import chromium  # not at the top: most tests need neither it nor JupyterLab

    with chromium() as launched:
        yield launched


@pytest.fixture(autouse=True)
def _clean_slate():
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    plt.close("all")
