from __future__ import annotations

import pytest
import torch

from utils.device import course_device


@pytest.fixture(autouse=True)
def _restore_default_device():
    before = torch.get_default_device()
    yield
    torch.set_default_device(before)


def test_new_tensors_land_on_the_course_device(monkeypatch):
    monkeypatch.delenv("COURSE_DEVICE", raising=False)
    device = course_device()
    assert torch.zeros(1).device.type == device.type


def test_the_environment_overrides_the_choice(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", "meta")
    assert course_device().type == "meta"
    assert torch.zeros(1).device.type == "meta"


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setenv("COURSE_DEVICE", name)
    with pytest.raises(ValueError, match="Unset the variable"):
        course_device()
