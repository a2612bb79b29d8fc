"""The picture of a model: what it shows, that it is legible and alone, and how it fails."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.patches import FancyArrowPatch
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule, PyroSample
from torch import nn

from utils.model_picture import draw_model, model_graph


def regression(x, y=None):
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(2.0, 1.0))
    with pyro.plate("data", len(x)):
        mean = pyro.deterministic("mean", w0 + w1 * x)
        pyro.sample("y", dist.Normal(mean, sigma2.sqrt()), obs=y)


def series(days):
    gain = pyro.sample("gain", dist.Normal(0.0, 1.0))
    temp, humidity = torch.tensor(15.0), torch.tensor(0.5)
    for t in range(1, days + 1):
        temp = pyro.sample(f"temp_{t}", dist.Normal(temp, 1.0))
        humidity = pyro.sample(f"humidity_{t}", dist.Normal(humidity, 1.0))
        pyro.sample(f"sensor_{t}", dist.Normal(temp, 1.0), obs=torch.tensor(15.0))
        pyro.sample(f"sales_{t}", dist.Normal(gain * temp + humidity, 1.0), obs=torch.tensor(1.0))


def factors(x):
    w, sigma = pyro.param("W", torch.ones(5, 2)), pyro.param("sigma", torch.tensor(1.0))
    with pyro.plate("images", 60_000, subsample_size=len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z @ w.T, sigma).to_event(1), obs=x)


def nested():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("groups", 4, dim=-2):
        theta = pyro.sample("theta", dist.Normal(mu, 1.0))
        with pyro.plate("items", 9, dim=-1):
            pyro.sample("y", dist.Normal(theta, 1.0), obs=torch.zeros(4, 9))


def crossing():
    users, films = pyro.plate("users", 3, dim=-1), pyro.plate("films", 4, dim=-2)
    with users:
        u = pyro.sample("u", dist.Normal(0.0, 1.0))
    with films:
        v = pyro.sample("v", dist.Normal(0.0, 1.0))
    with users, films:
        pyro.sample("rating", dist.Normal(u * v, 1.0), obs=torch.zeros(4, 3))


layer = PyroModule[nn.Linear](1, 1)  # with random weights and a learnt bias
layer.weight = PyroSample(dist.Normal(torch.zeros(1, 1), 1.0).to_event(2))


def network(x):
    mean = layer(x).squeeze(-1)
    with pyro.plate("data", len(x)):
        pyro.sample("y", dist.Normal(mean, 0.1), obs=torch.zeros(len(x)))


def guide():
    rate = pyro.param("nu_rate", torch.tensor(1.0))
    pyro.sample("gamma", dist.Exponential(rate))  # a scalar site of one parameter


X = torch.arange(5.0)
MODELS = {
    "regression": (regression, X, X),
    "conditioned": (pyro.condition(regression, data={"y": X}), X),
    "series": (series, 3),
    "two steps": (series, 2),
    "factors": (factors, torch.zeros(4, 5)),
    "nested": (nested,),
    "crossing": (crossing,),
    "network": (network, torch.zeros(6, 1)),
    "guide": (guide,),
}
every_model = pytest.mark.parametrize("name", MODELS)


def graph_of(name):
    """The graph of one of MODELS, laid out."""
    model, *args = MODELS[name]
    graph, plates = model_graph(model, tuple(args), {}, {})
    graph.layout(prog="dot")
    return graph, {plate.graph_attr["text"]: set(plate.nodes()) for plate in plates}


def place(graph, node):
    """Its centre, in points; y grows upwards."""
    return tuple(map(float, graph.get_node(node).attr["pos"].split(",")))


@pytest.mark.parametrize(
    ("name", "arrows", "plates"),
    [
        ("regression", "w0→y w1→y sigma2→y", {"data · 5": {"y"}}),
        ("factors", "W→x sigma→x z→x", {"images · 60000": {"z", "x"}}),  # not the subsample's size
        ("nested", "mu→theta theta→y", {"groups · 4": {"theta", "y"}, "items · 9": {"y"}}),
        ("network", "weight→y", {"data · 6": {"y"}}),
        ("guide", "nu_rate→gamma", {}),
    ],
)
def test_arrows_show_what_depends_on_what_and_plates_what_is_repeated(name, arrows, plates):
    graph, found = graph_of(name)
    assert {"→".join(edge) for edge in graph.edges()} == set(arrows.split())
    assert set(graph.nodes()) == set(re.split("[→ ]", arrows))
    assert found == plates


def test_a_node_says_what_it_is():
    graph, _ = graph_of("factors")
    nodes = {n: [n.attr[a] for a in ("dist", "shape", "fillcolor")] for n in graph.nodes()}
    assert nodes == {
        "W": ["", "box", "#dcebf7"],
        "sigma": ["", "box", "#dcebf7"],
        "z": ["Normal", "ellipse", "white"],
        "x": ["Normal", "ellipse", "#d6d6d6"],
    }
    graph, _ = graph_of("conditioned")
    assert graph.get_node("y").attr["fillcolor"] == "#d6d6d6"


@pytest.mark.parametrize(("name", "steps"), [("series", 3), ("two steps", 2)])
def test_a_time_series_has_a_row_for_each_variable_and_a_column_for_each_step(name, steps):
    graph, _ = graph_of(name)
    kinds = ("temp", "sensor", "humidity", "sales")
    places = np.array([[place(graph, f"{k}_{t + 1}") for t in range(steps)] for k in kinds])
    assert np.ptp(places[..., 1], axis=1).max() == 0
    assert (np.diff(places[:, 0, 1]) < 0).all()  # below what it depends on, and not far below
    assert (np.diff(places[..., 0], axis=1) > 50).all()
    assert np.ptp(places[..., 0], axis=0).max() < 25


@every_model
def test_parents_are_above_children_or_one_step_before(name):
    graph, _ = graph_of(name)
    for parent, child in graph.edges():
        (x0, y0), (x1, y1) = place(graph, parent), place(graph, child)
        assert y0 > y1 + 20 or (y0 == y1 and x0 < x1)


@every_model
def test_it_is_legible_and_small(name, tmp_path):
    model, *args = MODELS[name]
    draw_model(model, *args)
    ax = plt.gca()
    ax.figure.savefig(tmp_path / "model.png", dpi=96)
    assert (tmp_path / "model.png").stat().st_size < 100_000
    assert ax.figure.get_figwidth() <= 9
    assert min(text.get_fontsize() for text in ax.texts) > 5.5
    outlines = [p.get_window_extent() for p in ax.patches if not isinstance(p, FancyArrowPatch)]
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    for box in boxes:
        assert any(outline.count_contains(box.corners()) == 4 for outline in outlines)
        assert ax.figure.bbox.count_contains(box.corners()) == 4
        assert not box.count_overlaps([other for other in boxes if other is not box])


def test_labels_and_title_may_be_mathematics():
    draw_model(regression, X, labels={"w0": r"$w_0$", "data": "countries"}, title=r"$\mu$")
    ax = plt.gca()
    texts = {text.get_text() for text in ax.texts}
    assert {"$w_0$", "w1", "countries · 5"} < texts
    assert "w0" not in texts
    assert ax.figure.bbox.count_contains(ax.title.get_window_extent().corners()) == 4
    with pytest.raises(ValueError, match="labels has w3, but .* only: w0, y, w1, sigma2, data"):
        draw_model(regression, X, labels={"w3": "w"})


def test_an_automatic_guide():
    autoguide = AutoNormal(nested)
    autoguide()
    graph, _ = model_graph(autoguide, (), {}, {})
    assert ("AutoNormal.locs.mu", "mu_unconstrained") in graph.edges()


def test_given_axes_are_drawn_on_and_the_alternative_text_tells_all_models():
    figure, axes = plt.subplots(1, 2, figsize=(6, 2), layout="none")
    draw_model(factors, torch.zeros(4, 5), ax=axes[1])
    assert not axes[0].texts
    draw_model(nested, ax=axes[0])
    for ax in axes:
        for text in ax.texts:
            assert ax.bbox.count_contains(text.get_window_extent().corners()) == 4
    _, metadata = DisplayFormatter().format(figure)
    assert metadata["image/png"]["alt"].splitlines() == [
        "Model: mu ~ Normal; theta ~ Normal given mu; y ~ Normal given theta; "
        "plate groups of 4; plate items of 9",
        "Model: z ~ Normal; x ~ Normal given W, sigma, z; plate images of 60000",
    ]


@pytest.mark.filterwarnings("error")
def test_nothing_is_printed(capfd):
    def model():
        with pyro.plate("μs", 3):
            pyro.sample("μ", dist.Normal(0.0, pyro.param("ν", torch.tensor(1.0))))

    draw_model(model)
    plt.gcf().canvas.draw()
    assert capfd.readouterr() == ("", "")


def test_state_is_left_as_it_was():
    pyro.param("sigma", torch.tensor(3.0))
    values = dict(pyro.get_param_store().items())
    pyro.set_rng_seed(7)
    expected = torch.rand(())
    pyro.set_rng_seed(7)
    draw_model(factors, torch.zeros(4, 5))
    assert torch.rand(()) == expected
    assert dict(pyro.get_param_store().items()) == values


@pytest.mark.parametrize(
    ("model", "args", "message"),
    [
        (lambda: 1 / 0, (), "cannot be drawn, because running it raised ZeroDivisionError: div"),
        (regression, (), r"raised TypeError: .*'x'. Make model\(x, ...\) run first"),
        (torch.zeros(3), (), r"raised TypeError: .*not callable. .*: draw_model\(model, x, ...\)"),
        (lambda: None, (), "no pyro.sample"),
    ],
)
def test_a_model_that_cannot_be_drawn(model, args, message):
    with pytest.raises(ValueError, match=message):
        draw_model(model, *args)
