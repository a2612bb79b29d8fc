"""Every notebook on another device than the CPU: a pretended one, and CUDA where there is a GPU.

The guard itself is tested first: it has to refuse what CUDA refuses, and nothing else.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import pytest
import torch
from pretend_device import DEVICE, PretendTensor, pretend_device

import utils.start  # of this process, restored after each test
from checks.engine import CheckFailed, exercise
from tools import build
from utils import data
from utils.device import course_device


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", DEVICE.type)
    with pretend_device():
        yield course_device()


def cpu(*values: float) -> torch.Tensor:
    return torch.tensor(values, device="cpu")


def value_of(code: str) -> Any:
    names = {"np": np, "pd": pd, "plt": plt, "torch": torch, "dist": dist, "cpu": cpu}
    generator = torch.Generator("cpu").manual_seed(0)
    return eval(code, names | {"ones": torch.ones, "generator": generator})


# ------------------------------------------------------------------------ the guard refuses ...


MIXED = [
    "ones(3) + cpu(1.0, 2.0, 3.0)",
    "ones(1) * cpu(2.0)",
    "ones(2).mul_(cpu(1.0, 2.0))",
    "cpu(1.0, 2.0) * ones(())",
    "ones(2, 2) @ ones(2, 2, device='cpu')",
    "torch.stack([ones(()), cpu(1.0)[0]])",
    "cpu(1.0, 2.0)[torch.tensor([1, 0])]",
    "torch.zeros(3).index_put_((torch.tensor([0, 1]),), cpu(1.0, 2.0))",
    "ones(2) - torch.from_numpy(np.ones(2, dtype=np.float32))",
    "dist.Normal(torch.zeros(2), cpu(1.0, 2.0)).sample()",
    "dist.Normal(torch.zeros(2), 1.0).log_prob(cpu(1.0, 2.0))",
    "torch.nn.Linear(2, 1, device='cpu')(ones(5, 2))",
    "torch.rand(9).quantile(cpu(0.1, 0.9))",
    "ones(2, requires_grad=True).exp().backward(cpu(1.0, 1.0))",
    "torch.randn(3, generator=generator)",
    "ones(3).normal_(generator=generator)",
]
TO_NUMPY = [
    "ones(2).numpy()",
    "np.asarray(ones(2))",
    "np.log(ones(2))",
    "plt.plot(ones(2), cpu(0.0, 1.0))",
    "pd.Series(ones(2)).mean()",
]
REFUSED = [(RuntimeError, "on the same device|expected device|type for gen", c) for c in MIXED]
REFUSED += [(TypeError, "can't convert lazy:0 device type tensor to numpy", c) for c in TO_NUMPY]


@pytest.mark.parametrize(("error", "message", "code"), REFUSED)
def test_devices_do_not_mix_and_no_number_reaches_numpy_by_itself(device, error, message, code):
    with pytest.raises(error, match=message):
        value_of(code)


# -------------------------------------------------------------------------- ... and lets the rest


@pytest.mark.parametrize(
    "code",
    [
        "ones(2) * cpu(3.0)[0]",
        "ones(3)[torch.tensor([0, 2], device='cpu')]",
        "ones(2) + cpu(1.0, 2.0).to('lazy')",
        "torch.zeros(2).copy_(cpu(1.0, 2.0))",
        "torch.tensor([ones(()), torch.zeros(())])",
        "torch.zeros_like(ones(2)) + ones(2).new_tensor([1, 2])",
        "torch.tensor(np.ones(2)) + torch.as_tensor(np.ones(2))",
        "torch.eye(3)[range(2), [0, 1]]",
        "torch.rand(9, 2).quantile(torch.tensor([0.1, 0.9]), dim=0)",
    ],
)
def test_what_cuda_takes_is_taken_and_stays_there(device, code):
    assert value_of(code).device == DEVICE


def test_numbers_come_back(device):
    x = torch.tensor([1.0, 2.0])
    assert x.cpu().numpy().tolist() == x.to("cpu").tolist() == x.tolist() == [1.0, 2.0]
    assert x[1].item() == float(x[1]) == 2.0
    assert f"{x[1]:.1f} {x}" == "2.0 tensor([1., 2.], device='lazy:0')"
    assert not isinstance(cpu(1.0).copy_(torch.ones(1)), PretendTensor)
    assert (cpu(1.0, 2.0) + x.cpu()).device.type == "cpu"


def test_what_is_changed_in_place_is_changed_for_good(device):
    x = torch.zeros(2, 2)
    x[0, 1] = 1.0
    x.view(4)[2:] += torch.tensor([2.0, 3.0])
    x[[1], [0]] = 4.0
    assert x.tolist() == [[0.0, 1.0], [4.0, 3.0]]
    y = torch.zeros(2)
    assert y.unsqueeze_(0).shape == y.shape == (1, 2)
    with pytest.raises(NotImplementedError, match="cannot change a shape"):
        x.squeeze_()  # rather than a wrong answer


def test_the_same_random_numbers_as_on_the_cpu(device):
    pyro.set_rng_seed(1)
    there = torch.randn(5)
    pyro.set_rng_seed(1)
    assert torch.equal(there.cpu(), torch.randn(5, device="cpu"))


def test_new_tensors_land_on_the_device_that_the_environment_names(device):
    assert device == torch.device(DEVICE.type)
    assert torch.zeros(1).device == DEVICE


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setenv("COURSE_DEVICE", name)
    with pytest.raises(ValueError, match="Unset the variable"):
        course_device()


def test_nothing_is_left_behind():
    tensor = torch.tensor
    with pretend_device() as device:
        torch.set_default_device(device)
    assert torch.zeros(2).device.type == torch.tensor([1.0]).device.type == "cpu"
    assert torch.tensor is tensor


# ----------------------------------------------------------------------------- the notebooks

SHORTER = {  # what makes a notebook short: patterns in its cells, and what takes their place
    r'((?:warmup_)?steps"?(?:, learning_rate, final_learning_rate)? ?[:=] ?)\d+': r"\g<1>10",
    r"(\b(?:t?range|arange)\()(?:[2-9]\d\d|\d{4,})\)": r"\g<1>10)",
    r"(\bn=|path\[:)\d[\d_]{2,}": r"\g<1>10",
    r"\b([16])0_000\b": r"\g<1>000",
    r"(\biterations=)\d+": r"\g<1>16",
    r"(\bwarmup=)\d+": r"\g<1>4",
    r'("epochs": )\{.*?\}': r"\g<1>{2: 1, 50: 1}",
}
IMAGES = {True: 6000, False: 1000}  # so many are left to train, and to test
ABOUT_THE_FIT = {"gaussian_fit", "scorecard_within"}  # checks that may then fail


def shortened(source: Path) -> list[str]:
    """The code cells, cut short."""
    text = "\0".join(c.source for c in build.code_cells(build.read_source(source)))
    for pattern, replacement in SHORTER.items():
        text = re.sub(pattern, replacement, text)
    return text.split("\0")


def run_cell(cell: str, namespace: dict[str, Any]) -> None:
    """Execute a cell as a kernel does: what it ends in is shown, and figures are finished."""
    tree = ast.parse(cell)
    shown = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    if shown is not None:
        repr(eval(compile(ast.Expression(shown.value), "<cell>", "eval"), namespace))
    plt.close("all")


def is_only_about_the_fit(cell: str, problem: CheckFailed) -> bool:
    """Whether a check finds a fit bad, and neither the answer wrong nor its code broken."""
    name = cell.partition("(")[0].removeprefix("check.")
    return name in ABOUT_THE_FIT and isinstance(problem.__context__, CheckFailed | None)


def test_notebook_runs_on_a_device_that_is_not_the_cpu(source, device, monkeypatch):
    def load_fewer(train: bool = True) -> list[torch.Tensor]:
        return [tensor[: IMAGES[train]] for tensor in load_mnist(train)]

    load_mnist = data.load_mnist
    monkeypatch.setattr(data, "load_mnist", load_fewer)
    monkeypatch.chdir(source.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])  # what the setup cell adds to is undone
    monkeypatch.delitem(sys.modules, "utils.start")  # so that it chooses the device again
    monkeypatch.delattr(utils, "start")
    monkeypatch.setenv("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with mpl.rc_context():
        for cell in shortened(source):
            try:
                run_cell(cell, namespace)
            except CheckFailed as problem:
                if not is_only_about_the_fit(cell, problem):
                    raise
    made = [value for value in namespace.values() if isinstance(value, torch.Tensor)]
    assert any(tensor.device == DEVICE for tensor in made), "nothing was computed there"


def test_a_fault_in_a_check_is_no_verdict_on_a_fit(device):
    @exercise("Exercise 0")
    def gaussian_fit(answer):
        torch.ones(2) + answer

    with pytest.raises(CheckFailed) as caught:
        gaussian_fit(cpu(1.0, 2.0))
    assert not is_only_about_the_fit("check.gaussian_fit(w)", caught.value)


@pytest.mark.ours
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_notebook_runs_on_cuda(monkeypatch):
    """In full, from a clean kernel, with all its checks and its scorecard."""
    monkeypatch.setenv("COURSE_DEVICE", "cuda")
    (source,) = (s for s in build.sources() if "bayesian_regression" in s.stem)
    notebook = build.read_source(source)
    notebook.cells.append(nbformat.v4.new_code_cell("assert device.type == 'cuda'"))
    build.run(notebook, source.parent)
