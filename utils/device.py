"""The device on which the course computes, and the random state on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pyro
import torch


@contextmanager
def leaving_no_trace() -> Iterator[None]:
    """Restore, at the end, the random state of every device and Pyro's parameter store."""
    store = pyro.get_param_store()
    state = pyro.util.get_rng_state()  # of torch on the CPU, numpy and random
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with store.scope(store.get_state()):
            yield
    finally:
        pyro.util.set_rng_state(state)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


def course_device() -> torch.device:
    """Choose the course's device and make it torch's default.

    CUDA if there is a GPU, else Apple's MPS, else the CPU. The environment variable
    ``COURSE_DEVICE`` (``cpu``, ``cuda``, ``mps``) overrides the choice. Tensors made afterwards
    without a ``device`` argument, the reader's own included, land on this device.

    Raises:
        ValueError: ``COURSE_DEVICE`` names a device that torch does not have here.
    """
    mps_or_cpu = "mps" if torch.backends.mps.is_available() else "cpu"
    best = "cuda" if torch.cuda.is_available() else mps_or_cpu
    name = os.environ.get("COURSE_DEVICE") or best
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"COURSE_DEVICE={name!r}, but torch cannot use that device here. "
            "Unset the variable to let the course choose."
        ) from error
    if device != torch.get_default_device():
        torch.set_default_device(device)
    return device
