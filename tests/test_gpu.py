"""Every notebook on another device than the CPU: a pretended one, and CUDA where there is a GPU.

The guard itself is tested first: it has to refuse what CUDA refuses, and nothing else.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
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
from pyro.infer import MCMC, NUTS, Predictive
from pyro.infer.autoguide import AutoMultivariateNormal

from tools import notebooks
from utils import data, inference
from utils.checks.engine import CheckFailed, exercise
from utils.device import course_device

SOURCES = notebooks.sources()


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setenv("COURSE_DEVICE", DEVICE.type)
    with pretend_device():
        yield course_device()


def on_cpu(*values: float) -> torch.Tensor:
    return torch.tensor(values, device="cpu")


# ------------------------------------------------------------------------ the guard refuses ...

CPU_GENERATOR = torch.Generator("cpu").manual_seed(0)
MIXED = {
    "sum": lambda: torch.ones(3) + on_cpu(1.0, 2.0, 3.0),
    "one number in a list": lambda: torch.ones(1) * on_cpu(2.0),
    "in place": lambda: torch.ones(2).mul_(on_cpu(1.0, 2.0)),
    "in place, into the CPU": lambda: on_cpu(1.0, 2.0).add_(torch.ones(2)),
    "in place, one number into the CPU": lambda: torch.ones((), device="cpu").add_(torch.ones(())),
    "vector on the CPU, number on the device": lambda: on_cpu(1.0, 2.0) * torch.ones(()),
    "matrix product": lambda: torch.ones(2, 2) @ torch.ones(2, 2, device="cpu"),
    "stack of numbers": lambda: torch.stack([torch.ones(()), torch.ones((), device="cpu")]),
    "where": lambda: torch.where(torch.ones(2) > 0, on_cpu(1.0, 2.0), torch.zeros(2)),
    "index of a tensor on the CPU": lambda: on_cpu(1.0, 2.0)[torch.tensor([1, 0])],
    "mask of a tensor on the CPU": lambda: on_cpu(1.0, 2.0)[torch.ones(2) > 0],
    "values put in by index": lambda: torch.zeros(3).index_put_(
        (torch.tensor([0, 1]),), on_cpu(1.0, 2.0)
    ),
    "from numpy": lambda: torch.ones(2) - torch.from_numpy(np.ones(2, dtype=np.float32)),
    "as_tensor of a tensor": lambda: torch.ones(2) - torch.as_tensor(on_cpu(1.0, 2.0)),
    "scale of a distribution": lambda: dist.Normal(torch.zeros(2), on_cpu(1.0, 2.0)).sample(),
    "data of a log density": lambda: dist.Normal(torch.zeros(2), 1.0).log_prob(on_cpu(1.0, 2.0)),
    "layer": lambda: torch.nn.Linear(2, 1, device="cpu")(torch.ones(5, 2)),
    "quantile": lambda: torch.rand(9).quantile(on_cpu(0.1, 0.9)),
    "gradient": lambda: torch.ones(2, requires_grad=True).exp().backward(on_cpu(1.0, 1.0)),
}
TO_NUMPY = {
    "numpy()": lambda x: x.numpy(),
    "np.asarray": np.asarray,
    "np.log": np.log,
    "a list for numpy": lambda x: np.array([x[0], x[1]]),
    "plot": lambda x: plt.plot(x, on_cpu(0.0, 1.0)),
    "histogram": lambda x: plt.hist(x),
    "image": lambda x: plt.imshow(x[None]),
    "series": lambda x: pd.Series(x).mean(),
}


@pytest.mark.parametrize("fault", MIXED.values(), ids=MIXED)
def test_tensors_of_both_devices_do_not_mix(device, fault):
    with pytest.raises(RuntimeError, match="on the same device|expected device"):
        fault()


@pytest.mark.parametrize("fault", TO_NUMPY.values(), ids=TO_NUMPY)
def test_no_number_reaches_numpy_by_itself(device, fault):
    with pytest.raises(TypeError, match=r"can't convert lazy:0 device type tensor to numpy"):
        fault(torch.ones(2))


@pytest.mark.parametrize(
    "fault",
    [
        lambda: torch.randn(3, generator=CPU_GENERATOR),
        lambda: torch.randperm(3, generator=CPU_GENERATOR),
        lambda: torch.bernoulli(torch.ones(3), generator=CPU_GENERATOR),
        lambda: torch.ones(3).normal_(generator=CPU_GENERATOR),
    ],
)
def test_a_generator_of_the_cpu_serves_the_cpu_alone(device, fault):
    with pytest.raises(RuntimeError, match="device type for generator"):
        fault()


# -------------------------------------------------------------------------- ... and lets the rest

FINE = {
    "number on the CPU": lambda: torch.ones(2) * torch.tensor(3.0, device="cpu"),
    "number of Python": lambda: 2 - torch.ones(2) / 3,
    "index on the CPU": lambda: torch.ones(3)[torch.tensor([0, 2], device="cpu")],
    "moved there": lambda: torch.ones(2) + on_cpu(1.0, 2.0).to("lazy"),
    "copied into": lambda: torch.zeros(2).copy_(on_cpu(1.0, 2.0)),
    "numbers of the device in a list": lambda: torch.tensor([torch.ones(()), torch.zeros(())]),
    "like another": lambda: torch.zeros_like(torch.ones(2)) + torch.ones(2).new_tensor([1, 2]),
    "array of numpy": lambda: torch.tensor(np.ones(2)) + torch.as_tensor(np.ones(2)),
    "cholesky": lambda: torch.linalg.cholesky(torch.eye(3) * 4),
    "list as an index": lambda: torch.eye(3)[range(2), [0, 1]],
    "quantile": lambda: torch.rand(9, 2).quantile(torch.tensor([0.1, 0.9]), dim=0),
    "permutation": lambda: torch.randperm(3),
}


@pytest.mark.parametrize("make", FINE.values(), ids=FINE)
def test_what_cuda_takes_is_taken_and_stays_there(device, make):
    assert make().device == DEVICE


def test_numbers_come_back(device):
    x = torch.tensor([1.0, 2.0])
    assert x.cpu().numpy().tolist() == x.to("cpu").tolist() == x.tolist() == [1.0, 2.0]
    assert x[1].item() == float(x[1]) == 2.0
    assert f"{x[1]:.1f} {x}" == "2.0 tensor([1., 2.], device='lazy:0')"
    assert not isinstance(on_cpu(1.0).copy_(torch.ones(1)), PretendTensor)
    assert (on_cpu(1.0, 2.0) + x.cpu()).device.type == "cpu"


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


def test_inference_runs_there(device):
    x = torch.tensor([1.0, 2.0, 4.0])

    def model(x=None):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        sigma = pyro.sample("sigma", dist.LogNormal(0.0, 1.0))
        with pyro.plate("data", 3):
            return pyro.sample("x", dist.Normal(mu, sigma), obs=x)

    guide = AutoMultivariateNormal(model)
    rates = {"learning_rate": 0.1, "final_learning_rate": 0.1}
    losses = inference.fit(
        model, guide, x, steps=40, particles=50, max_plate_nesting=1, progress=False, **rates
    )
    assert losses[-1] < losses[0]
    draws = inference.draw(guide, x, max_plate_nesting=1, n=100)
    assert draws["mu"].device == DEVICE
    new = Predictive(model, {"mu": draws["mu"]}, parallel=False)()["x"]
    assert new.device == DEVICE
    assert Predictive(model, num_samples=10, parallel=True)()["x"].device == DEVICE
    engine = MCMC(NUTS(model), num_samples=3, warmup_steps=3, disable_progbar=True)
    engine.run(x)
    assert engine.get_samples()["mu"].device == DEVICE


def test_nothing_is_left_behind():
    tensor = torch.tensor
    with pretend_device() as device:
        torch.set_default_device(device)
    assert torch.zeros(2).device.type == torch.tensor([1.0]).device.type == "cpu"
    assert torch.tensor is tensor


# ----------------------------------------------------------------------------- the notebooks

# What makes a notebook short: (old, new) text of its cells.
SHORTER: dict[str, list[tuple[str, str]]] = {
    "1_probability_distributions": [
        ("step, n=20_000", "step, n=200"),
        ("(model, n=1000)", "(model, n=20)"),
        ("warmup_steps=200", "warmup_steps=10"),
        ("n=150)", "n=3)"),
    ],
    "2_probabilistic_models": [
        ("range(5000)", "range(50)"),
        (
            "steps, learning_rate, final_learning_rate = 1000",
            "steps, learning_rate, final_learning_rate = 20",
        ),
        ("arange(200)", "arange(20)"),
        ("path[:200]", "path[:20]"),
        ("(10, 100, 1000)", "(10, 100)"),
        ('"steps": 1000', '"steps": 10'),
    ],
    "3_ice_cream_shop": [('"steps": 600', '"steps": 10'), ('"steps": 400', '"steps": 5')],
    "1_bayesian_regression": [
        ("range(2000)", "range(20)"),
        ("final_learning_rate = 700", "final_learning_rate = 10"),
        ('"steps": 700', '"steps": 10'),
    ],
    "2_simple_gaussian_model": [
        ("int(1e6", "int(1e4"),
        ("steps=400", "steps=10"),
        ("steps=500", "steps=20"),
        ("steps=200", "steps=20"),
        ("arange(500)", "arange(20)"),
        ("steps=3000", "steps=20"),
        ("arange(3000)", "arange(20)"),
        ('"steps": 1000', '"steps": 5'),
    ],
    "3_bayesian_neural_networks": [
        ("steps=3000", "steps=10"),
        ("steps=2000", "steps=10"),
        ("steps=1000", "steps=10"),
        ("epochs, batch_size = 8, 500", "epochs, batch_size = 1, 500"),
        ("60_000", "3000"),
        ("10_000", "1000"),
    ],
    "4_factor_analysis": [
        ("steps=1000", "steps=10"),
        ("2, 600, first", "2, 10, first"),
        ("range(400)", "range(10)"),
        ("window = {}, 75", "window = {}, 3"),
        ("60_000", "3000"),
    ],
    "5_variational_autoencoder": [
        ("{2: 8, 50: 12}", "{2: 1, 50: 1}"),
        ('"draws": 4000', '"draws": 200'),
        ("((2, 3), (50, 8))", "((2, 1), (50, 1))"),
        ("order[250]", "order[25]"),
    ],
}
# After a fit that was cut short these checks may say that it is not good.
ABOUT_THE_FIT = {"african_fit", "gaussian_fit", "scorecard_within"}


def shortened(source: Path) -> list[str]:
    """The code cells, cut short."""
    cells = [cell.source for cell in notebooks.code_cells(notebooks.read_source(source))]
    for old, new in SHORTER[source.stem.removesuffix(notebooks.SUFFIX)]:
        assert any(old in cell for cell in cells), f"{source.stem} has no {old!r} to cut short"
        cells = [cell.replace(old, new) for cell in cells]
    return cells


def run_cell(cell: str, namespace: dict[str, Any]) -> None:
    """Execute a cell as a kernel does: what it ends in is shown, and figures are finished."""
    tree = ast.parse(cell)
    shown = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    if shown is not None:
        repr(eval(compile(ast.Expression(shown.value), "<cell>", "eval"), namespace))
    plt.close("all")


def only_first(load: Callable, train: int, test: int) -> Callable:
    """`load_mnist` with fewer images."""

    def load_fewer(*args, **kwargs):
        images, labels = load(*args, **kwargs)
        n = train if len(images) > 10_000 else test
        return images[:n], labels[:n]

    return load_fewer


def is_only_about_the_fit(cell: str, problem: CheckFailed) -> bool:
    """Whether a check finds a fit bad, and neither the answer wrong nor its code broken."""
    name = cell.partition("(")[0].removeprefix("check.")
    return name in ABOUT_THE_FIT and isinstance(problem.__context__, CheckFailed | None)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem.removesuffix(notebooks.SUFFIX))
def test_notebook_runs_on_a_device_that_is_not_the_cpu(source, device, monkeypatch):
    monkeypatch.setattr(data, "load_mnist", only_first(data.load_mnist, 3000, 1000))
    monkeypatch.chdir(source.parent)
    # What the setup cell adds to, so that it is undone:
    monkeypatch.setattr(sys, "path", [*sys.path])
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
    def african_fit(answer):
        torch.ones(2) + answer

    with pytest.raises(CheckFailed) as caught:
        african_fit(on_cpu(1.0, 2.0))
    assert not is_only_about_the_fit("check.african_fit(w)", caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_notebook_runs_on_cuda(monkeypatch):
    """In full, from a clean kernel, with all its checks and its scorecard."""
    monkeypatch.setenv("COURSE_DEVICE", "cuda")
    (source,) = (s for s in SOURCES if "bayesian_regression" in s.stem)
    notebook = notebooks.read_source(source)
    notebook.cells.append(nbformat.v4.new_code_cell("assert device.type == 'cuda'"))
    notebooks.run(notebook, source.parent)
