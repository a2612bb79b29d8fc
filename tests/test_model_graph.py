"""The picture of a model: what it shows, that nothing in it overlaps, and how it fails."""

import random
from functools import cache
from itertools import combinations, pairwise

import matplotlib.pyplot as plt
import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import config_enumerate
from pyro.nn import PyroModule, PyroSample
from torch import nn

from utils import model_graph
from utils.model_graph import (
    CLEARANCE,
    Graph,
    Node,
    Rect,
    draw_model,
    inspect_model,
    layout,
)


def linear_regression():
    w0 = pyro.sample("w0", dist.Normal(0.0, 10.0))
    w1 = pyro.sample("w1", dist.Normal(0.0, 10.0))
    sigma2 = pyro.sample("sigma2", dist.Gamma(2.0, 1.0))
    x, y = torch.arange(121.0), torch.zeros(121)
    with pyro.plate("data", len(x)):
        pyro.sample("y", dist.Normal(w0 + w1 * x, sigma2.sqrt()), obs=y)


def logistic_regression():
    b = pyro.sample("b", dist.Normal(0.0, 1.0))
    w = pyro.sample("w", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    x = torch.ones(7, 2)
    with pyro.plate("data", len(x)):
        pyro.sample("y", dist.Bernoulli(logits=b + x @ w), obs=torch.zeros(7))


def thermometer():
    temp = pyro.sample("temp", dist.Normal(15.0, 2.0))
    pyro.sample("sensor", dist.Normal(temp, 1.0), obs=torch.tensor(18.0))


def thermometer_hierarchy():
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    sensor_sd = pyro.sample("sensor_sd", dist.HalfNormal(1.0))
    with pyro.plate("days", 30):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, sensor_sd), obs=torch.zeros(30))


def ice_cream_shop():
    mean_temp = pyro.sample("mean_temp", dist.Normal(15.0, 2.0))
    mean_humidity = pyro.sample("mean_humidity", dist.Normal(0.5, 0.1))
    alpha = pyro.sample("alpha", dist.Normal(0.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 10.0))
    gamma = pyro.sample("gamma", dist.Normal(0.0, 10.0))
    with pyro.plate("days", 30):
        temp = pyro.sample("temp", dist.Normal(mean_temp, 2.0))
        pyro.sample("sensor", dist.Normal(temp, 1.0), obs=torch.zeros(30))
        humidity = pyro.sample("humidity", dist.Normal(mean_humidity, 0.1))
        pyro.sample("humidity_sensor", dist.Normal(humidity, 0.1), obs=torch.zeros(30))
        mean = alpha + beta * temp + gamma * humidity
        pyro.sample("sales", dist.Normal(mean, 1.0), obs=torch.zeros(30))


def time_series(steps=10):
    temp = torch.tensor(15.0)
    for t in range(steps):
        temp = pyro.sample(f"temp_{t}", dist.Normal(temp, 1.0))
        pyro.sample(f"sensor_{t}", dist.Normal(temp, 1.0), obs=torch.tensor(15.0))


def shop_time_series(steps=10):
    temp, humidity = torch.tensor(15.0), torch.tensor(0.5)
    for t in range(steps):
        temp = pyro.sample(f"temp_{t}", dist.Normal(temp, 1.0))
        pyro.sample(f"sensor_{t}", dist.Normal(temp, 1.0), obs=torch.tensor(15.0))
        humidity = pyro.sample(f"humidity_{t}", dist.Normal(humidity, 1.0))
        sales = dist.Normal(temp + humidity, 1.0)
        pyro.sample(f"sales_{t}", sales, obs=torch.tensor(15.0))


def shop_time_series_with_priors(steps=5):
    drift = pyro.sample("drift", dist.Normal(0.0, 10.0))
    beta = pyro.sample("beta", dist.Normal(0.0, 10.0))
    temp = torch.tensor(15.0)
    for t in range(steps):
        temp = pyro.sample(f"temp_{t}", dist.Normal(temp + drift, 1.0))
        pyro.sample(f"sensor_{t}", dist.Normal(temp, 1.0), obs=torch.tensor(15.0))
        pyro.sample(f"sales_{t}", dist.Normal(beta * temp, 1.0), obs=torch.tensor(15.0))


def coupled_time_series():
    temp, humidity = torch.tensor(15.0), torch.tensor(0.5)
    for t in range(4):
        new_temp = pyro.sample(f"temp_{t}", dist.Normal(temp + humidity, 1.0))
        humidity = pyro.sample(f"humidity_{t}", dist.Normal(humidity + temp, 1.0))
        temp = new_temp


def weather_stations():
    temp = pyro.sample("temp", dist.Normal(15.0, 1.0))
    with pyro.plate("cities", 6):
        for t in range(1, 5):
            temp = pyro.sample(f"temp_{t}", dist.Normal(temp, 1.0))
            pyro.sample(f"sensor_{t}", dist.Normal(temp, 1.0), obs=torch.zeros(6))


def plates_beside_a_time_series():
    temp = torch.tensor(15.0)
    stations = pyro.plate("stations", 3)
    for t in range(4):
        temp = pyro.sample(f"temp_{t}", dist.Normal(temp, 1.0))
        with stations:
            pyro.sample(f"sensor_{t}", dist.Normal(temp, 1.0), obs=torch.zeros(3))
    pyro.sample("forecast", dist.Normal(temp, 1.0))


def sequential_plate():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    for i in pyro.plate("data", 5):
        pyro.sample(f"y_{i}", dist.Normal(mean, 1.0), obs=torch.tensor(0.0))


def single_site():
    pyro.sample(
        "x", dist.LowRankMultivariateNormal(torch.zeros(3), torch.ones(3, 1), torch.ones(3))
    )


def maximum_likelihood():
    mean_temp = pyro.param("mean_temp", torch.tensor(15.0))
    pyro.sample("sensor", dist.Normal(mean_temp, 1.0), obs=torch.tensor(18.0))


class NeuralNetwork(PyroModule):
    """A Bayesian neural network whose weights are sample sites."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = PyroModule[nn.Linear](1, 5), PyroModule[nn.Linear](5, 1)
        for layer in (self.fc1, self.fc2):
            for name in ("weight", "bias"):
                shape = getattr(layer, name).shape
                prior = dist.Normal(0.0, 1.0).expand(shape).to_event(len(shape))
                setattr(layer, name, PyroSample(prior))

    def forward(self, x, y=None):
        mean = self.fc2(self.fc1(x).tanh()).squeeze(-1)
        with pyro.plate("data", len(x)):
            return pyro.sample("y", dist.Normal(mean, 0.1), obs=y)


def neural_network():
    NeuralNetwork()(torch.zeros(20, 1), torch.zeros(20))


class LastLayer(PyroModule):
    """A network with learnt first layer and random last layer."""

    def __init__(self):
        super().__init__()
        self.features = PyroModule[nn.Sequential](PyroModule[nn.Linear](1, 5), nn.Tanh())
        self.head = PyroModule[nn.Linear](5, 1)
        self.head.weight = PyroSample(dist.Normal(torch.zeros(1, 5), 1.0).to_event(2))

    def forward(self, x):
        mean = self.head(self.features(x)).squeeze(-1)
        with pyro.plate("data", len(x)):
            return pyro.sample("y", dist.Normal(mean, 0.1), obs=torch.zeros(len(x)))


def last_layer():
    LastLayer()(torch.zeros(20, 1))


DECODER = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 5))


def autoencoder():
    x = torch.zeros(16, 5)
    pyro.module("decoder", DECODER)
    with pyro.plate("data", 60000, subsample_size=len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=DECODER(z)).to_event(1), obs=x)


def autoencoder_guide():
    x = torch.zeros(16, 5)
    encoder = nn.Linear(5, 4)
    pyro.module("encoder", encoder)
    with pyro.plate("data", len(x)):
        loc, log_scale = encoder(x).chunk(2, -1)
        pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))


def nested_plates():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    noise = pyro.sample("noise", dist.HalfNormal(1.0))
    with pyro.plate("groups", 4, dim=-2):
        theta = pyro.sample("theta", dist.Normal(mu, 1.0))
        with pyro.plate("items", 9, dim=-1):
            pyro.sample("y", dist.Normal(theta, noise), obs=torch.zeros(4, 9))
    with pyro.plate("controls", 5):
        pyro.sample("c", dist.Normal(mu, noise), obs=torch.zeros(5))


def crossing_plates():
    mean = pyro.sample("mean", dist.Normal(0.0, 1.0))
    users, films = pyro.plate("users", 3, dim=-1), pyro.plate("films", 4, dim=-2)
    with users:
        u = pyro.sample("u", dist.Normal(0.0, 1.0))
    with films:
        v = pyro.sample("v", dist.Normal(0.0, 1.0))
    with users, films:
        pyro.sample("rating", dist.Normal(mean + u * v, 1.0), obs=torch.zeros(4, 3))


@config_enumerate
def mixture():
    weights = pyro.sample("weights", dist.Dirichlet(torch.ones(3)))
    with pyro.plate("components", 3):
        locs = pyro.sample("locs", dist.Normal(0.0, 10.0))
    with pyro.plate("data", 50):
        assignment = pyro.sample("assignment", dist.Categorical(weights))
        pyro.sample("x", dist.Normal(locs[assignment], 1.0), obs=torch.zeros(50))


def simple_gaussian():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    gamma = pyro.sample("gamma", dist.Gamma(1.0, 1.0))
    with pyro.plate("data", 10):
        pyro.sample("x", dist.Normal(mu, gamma.rsqrt()), obs=torch.zeros(10))


def with_deterministic():
    w = pyro.sample("w", dist.Normal(0.0, 1.0))
    scale = pyro.deterministic("scale", pyro.param("log_scale", torch.tensor(0.0)).exp())
    with pyro.plate("data", 3):
        mean = pyro.deterministic("mean", w * torch.arange(3.0))
        twice = pyro.deterministic("twice", 2 * mean)
        pyro.sample("y", dist.Normal(twice, scale), obs=torch.zeros(3))


def shortcut():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a, 1.0))
    pyro.sample("c", dist.Normal(a + b, 1.0), obs=torch.tensor(0.0))


def long_shortcuts():
    sites = []
    for name in "abcdef":
        sites.append(pyro.sample(name, dist.Normal(sum(sites, torch.tensor(0.0)), 1.0)))


def chained_plates():
    with pyro.plate("components", 3):
        locs = pyro.sample("locs", dist.Normal(0.0, 10.0))
    with pyro.plate("intermediate", 5):
        h = pyro.sample("h", dist.Normal(locs.sum(), 1.0))
    with pyro.plate("observations", 50):
        pyro.sample("x", dist.Normal(h.sum(), 1.0), obs=torch.zeros(50))


def point_guide():
    for name in ("w0", "w1"):
        pyro.sample(name, dist.Delta(pyro.param(f"{name}_map", torch.tensor(0.0))))


MODELS = [
    linear_regression,
    logistic_regression,
    thermometer,
    thermometer_hierarchy,
    ice_cream_shop,
    time_series,
    shop_time_series,
    shop_time_series_with_priors,
    coupled_time_series,
    weather_stations,
    plates_beside_a_time_series,
    sequential_plate,
    single_site,
    maximum_likelihood,
    neural_network,
    last_layer,
    autoencoder,
    autoencoder_guide,
    nested_plates,
    crossing_plates,
    mixture,
    simple_gaussian,
    with_deterministic,
    shortcut,
    long_shortcuts,
    chained_plates,
    point_guide,
]


@pytest.fixture(autouse=True)
def _tidy():
    pyro.clear_param_store()
    yield
    plt.close("all")
    pyro.clear_param_store()


@cache
def drawn(model):
    """The graph of a model, and its layout."""
    graph = inspect_model(model)
    return graph, layout(graph)


def edges_of(model):
    return set(drawn(model)[0].edges)


def boxes_apart(first, second, gap=0.0):
    return (
        first.x1 + gap <= second.x0 + 1e-6
        or second.x1 + gap <= first.x0 + 1e-6
        or first.y1 + gap <= second.y0 + 1e-6
        or second.y1 + gap <= first.y0 + 1e-6
    )


def box_within(inner, outer, gap=0.0):
    return (
        outer.x0 + gap <= inner.x0 + 1e-6
        and outer.y0 + gap <= inner.y0 + 1e-6
        and inner.x1 <= outer.x1 - gap + 1e-6
        and inner.y1 <= outer.y1 - gap + 1e-6
    )


def level(node, box, points, margin=0.0):
    """Below one for the points inside the outline of the node (an ellipse, or a box)."""
    half = np.array([box.x1 - box.x0, box.y1 - box.y0]) / 2 + margin
    offset = np.abs(points - box.centre) / half
    return np.linalg.norm(offset, axis=1) if node.distribution else offset.max(axis=1)


def densely(line):
    share = np.linspace(0, 1, 4)[:, None]
    return np.concatenate([a + share * (b - a) for a, b in pairwise(line)])


def check_geometry(graph, picture):
    """Nothing overlaps; plates hold their members and nothing else; edges pass nodes by."""
    canvas = Rect(0, 0, picture.width, picture.height)
    assert set(picture.nodes) == set(graph.nodes)
    assert set(picture.edges) == set(graph.edges)
    assert all(box_within(box, canvas) for box in picture.nodes.values())
    assert all(box_within(box, canvas) for box in picture.plates.values())
    for a, b in combinations(picture.nodes.values(), 2):
        assert boxes_apart(a, b, gap=0.1)
    for plate, box in picture.plates.items():
        for name, node_box in picture.nodes.items():
            if name in graph.plates[plate]:
                assert box_within(node_box, box, gap=0.1)
            else:
                assert boxes_apart(node_box, box, gap=0.05)
    for a, b in combinations(graph.plates, 2):  # from the outside in
        if graph.plates[a] & graph.plates[b]:
            assert box_within(picture.plates[b], picture.plates[a], gap=0.05)
        else:
            assert boxes_apart(picture.plates[a], picture.plates[b], gap=0.05)
    for plate, label in picture.plate_labels.items():
        assert box_within(label, picture.plates[plate], gap=0.05)
        assert all(boxes_apart(label, box) for box in picture.nodes.values())
        for other, box in picture.plates.items():
            if not graph.plates[plate] < graph.plates[other] and other != plate:
                nested = box_within(picture.plates[plate], box)
                assert nested or boxes_apart(label, box)
    for (parent, child), line in picture.edges.items():
        points = densely(line)
        ends = {parent: line[:1], child: line[-1:]}
        assert box_within(Rect(*points.min(axis=0), *points.max(axis=0)), canvas)
        for name, box in picture.nodes.items():
            if name in ends:
                assert level(graph.nodes[name], box, ends[name]) == pytest.approx(1, abs=0.02)
                assert level(graph.nodes[name], box, points).min() > 0.98
            else:
                assert level(graph.nodes[name], box, points, CLEARANCE / 2).min() > 1


def check_labels_free(picture):
    for label in picture.plate_labels.values():
        for line in picture.edges.values():
            inside = (densely(line) > label[:2]) & (densely(line) < label[2:])
            assert not inside.all(axis=1).any()


@pytest.mark.parametrize("model", MODELS)
def test_nothing_overlaps(model):
    graph, picture = drawn(model)
    check_geometry(graph, picture)
    check_labels_free(picture)


@pytest.mark.parametrize("model", MODELS)
def test_parents_are_above_children_or_in_the_step_before(model):
    graph, picture = drawn(model)
    for parent, child in graph.edges:
        above, below = picture.nodes[parent], picture.nodes[child]
        if parent[-1:].isdigit() and child[-1:].isdigit() and parent[-1:] != child[-1:]:
            assert above.x1 < below.x0 or above.y1 < below.y0
        else:
            assert above.y1 < below.y0


def random_graph(seed):
    """Any graph with nested plates, parameters, and names of many lengths."""
    rng = random.Random(seed)
    names = [
        f"{'x' * rng.randint(1, 12)}{letter}" for letter in "abcdefghijk"[: rng.randint(2, 11)]
    ]
    sites, params = names[1:], names[:1]
    edges = [(a, b) for a, b in combinations(names, 2) if b in sites and rng.random() < 0.3]
    nodes = {n: Node(n, "", False, 0.1 * len(n) + 0.2, 0.32) for n in params}
    nodes |= {n: Node(n, "Normal", False, 0.1 * len(n) + 0.9, 0.62) for n in sites}
    outer = set(rng.sample(sites, rng.randint(0, len(sites))))
    inner = set(rng.sample(sorted(outer), rng.randint(0, len(outer))))
    other = {n for n in sites if n not in outer and rng.random() < 0.5}
    found = {"outer": outer, "inner": inner, "other": other}
    plates = {p: frozenset(members) for p, members in found.items() if members}
    return Graph(nodes, edges, plates, {p: f"{p} · 10" for p in plates})


@pytest.mark.parametrize("seed", range(15))
def test_nothing_overlaps_in_random_graphs(seed):
    graph = random_graph(seed)
    check_geometry(graph, layout(graph))


@pytest.mark.parametrize("model", MODELS)
def test_every_text_fits(model, monkeypatch):
    graph, picture = drawn(model)
    monkeypatch.setattr(model_graph, "inspect_model", lambda *args, **kwargs: graph)
    monkeypatch.setattr(model_graph, "layout", lambda graph: picture)
    draw_model(model)
    ax = plt.gca()
    ax.figure.canvas.draw()
    found = []
    for text in ax.texts:
        box = Rect(*ax.transData.inverted().transform(text.get_window_extent()).ravel())
        box = Rect(box.x0, box.y1, box.x1, box.y0)  # y grows downwards
        assert all(boxes_apart(box, other) for other in found), text
        found.append(box)
        corners = np.array([(x, y) for x in box[::2] for y in box[1::2]])
        levels = [level(graph.nodes[n], r, corners).max() for n, r in picture.nodes.items()]
        in_plates = [box_within(box, r) for r in picture.plates.values()]
        assert min(levels) < 1 or any(in_plates), text
    assert len(found) == len(graph.plates) + sum(
        1 + bool(n.distribution) for n in graph.nodes.values()
    )
    assert ax.figure.get_figwidth() <= 9


@pytest.mark.parametrize(
    ("model", "edges"),
    [
        (linear_regression, {("w0", "y"), ("w1", "y"), ("sigma2", "y")}),
        (thermometer, {("temp", "sensor")}),
        (maximum_likelihood, {("mean_temp", "sensor")}),
        (shortcut, {("a", "b"), ("b", "c"), ("a", "c")}),
        (with_deterministic, {("w", "y"), ("log_scale", "y")}),
        (autoencoder, {("decoder", "x"), ("z", "x")}),
        (autoencoder_guide, {("encoder", "z")}),
        (last_layer, {("features", "y"), ("head.bias", "y"), ("head.weight", "y")}),
        (point_guide, {("w0_map", "w0"), ("w1_map", "w1")}),
        (mixture, {("weights", "assignment"), ("assignment", "x"), ("locs", "x")}),
    ],
)
def test_arrows(model, edges):
    assert edges_of(model) == edges


def test_what_a_node_says():
    nodes = drawn(linear_regression)[0].nodes
    assert {n: (node.distribution, node.observed) for n, node in nodes.items()} == {
        "w0": ("Normal", False),
        "w1": ("Normal", False),
        "sigma2": ("Gamma", False),
        "y": ("Normal", True),
    }
    assert drawn(maximum_likelihood)[0].nodes["mean_temp"].distribution == ""
    assert set(drawn(with_deterministic)[0].nodes) == {"log_scale", "w", "y"}


def test_plate_names_and_sizes():
    assert drawn(linear_regression)[0].plate_labels == {"data": "data · 121"}
    assert drawn(autoencoder)[0].plate_labels == {"data": "data · 60000"}  # not the subsample
    crossing = drawn(crossing_plates)[0]
    assert sorted(crossing.plate_labels.values()) == ["films · 4", "films · 4", "users · 3"]
    assert {frozenset({"u", "rating"}), frozenset({"v"})} < set(crossing.plates.values())


def test_symmetric_models_look_symmetric():
    nodes = drawn(linear_regression)[1].nodes
    w0, w1, sigma2, y = (nodes[n].centre[0] for n in ("w0", "w1", "sigma2", "y"))
    assert w1 - w0 == pytest.approx(sigma2 - w1, abs=0.01)
    assert y == pytest.approx(w1, abs=0.01)
    nodes = drawn(simple_gaussian)[1].nodes
    mu, gamma, x = (nodes[n].centre[0] for n in ("mu", "gamma", "x"))
    assert x == pytest.approx((mu + gamma) / 2, abs=0.01)


def test_a_shortcut_goes_round_the_node_between():
    picture = drawn(shortcut)[1]
    assert np.ptp(picture.edges["a", "c"][:, 0]) > 0.2
    assert np.ptp(picture.edges["a", "b"][:, 0]) < 0.02


def test_a_time_series_runs_from_left_to_right_and_stays_legible():
    picture = drawn(shop_time_series)[1]
    for variable in ("temp", "humidity", "sensor", "sales"):
        steps = [picture.nodes[f"{variable}_{t}"] for t in range(10)]
        assert len({box.y0 for box in steps}) == 1
        assert all(a.x1 < b.x0 for a, b in pairwise(steps))
    assert 10.5 * 9 / picture.width > 6.5  # points


def test_labels_rename_sites_parameters_and_plates():
    labels = {"w0": r"$w_0$", "data": "countries"}
    draw_model(linear_regression, labels=labels, title="Regression")
    ax = plt.gca()
    texts = {text.get_text() for text in ax.texts}
    assert {"$w_0$", "w1", "countries · 121"} < texts
    assert "w0" not in texts
    assert ax.get_title() == "Regression"
    draw_model(maximum_likelihood, labels={"mean_temp": r"$\mu$"})
    ax = plt.gca()
    assert r"$\mu$" in {text.get_text() for text in ax.texts}
    with pytest.raises(ValueError, match="w3.*The model has: w0, w1, sigma2, y, data"):
        draw_model(linear_regression, labels={"w3": "w"})


def test_names_are_not_read_as_mathematics():
    draw_model(lambda: pyro.sample("price_$_in_$", dist.Normal(0.0, 1.0)))
    ax = plt.gca()
    ax.figure.canvas.draw()
    assert ax.texts[0].get_text() == r"price_\$_in_\$"


def test_arguments_go_to_the_model():
    def model(x, *, scale):
        with pyro.plate("data", len(x)):
            pyro.sample("y", dist.Normal(x, scale))

    draw_model(model, torch.zeros(8), scale=2.0)
    ax = plt.gca()
    assert "data · 8" in {text.get_text() for text in ax.texts}


def test_given_axes_are_drawn_on():
    figure, axes = plt.subplots(1, 2, figsize=(6, 2))
    draw_model(ice_cream_shop, ax=axes[1])
    assert axes[1].patches
    assert not axes[0].texts
    figure.canvas.draw()
    inside = axes[1].get_window_extent()
    for text in axes[1].texts:
        box = text.get_window_extent()
        assert inside.x0 - 1 <= box.x0 < box.x1 <= inside.x1 + 1
        assert inside.y0 - 1 <= box.y0 < box.y1 <= inside.y1 + 1


def draws():
    """One draw from each global random generator."""
    return torch.rand(()), np.random.rand(), random.random()  # noqa: NPY002


def test_state_is_left_as_it_was():
    pyro.param("mean_temp", torch.tensor(3.0))
    pyro.param("other", torch.tensor(2.0), constraint=dist.constraints.positive)
    store = pyro.get_param_store()
    before = {name: store._params[name] for name in store}
    weights = {name: value.clone() for name, value in DECODER.named_parameters()}
    identities = [id(value) for value in DECODER.parameters()]
    network = LastLayer()
    pyro.set_rng_seed(7)
    expected = draws()
    pyro.set_rng_seed(7)
    draw_model(autoencoder)
    draw_model(maximum_likelihood)
    draw_model(network, torch.zeros(3, 1))
    draw_model(lambda: pyro.sample("x", dist.Normal(pyro.param("new", draws()[0]), 1.0)))
    assert draws() == expected
    assert {name: store._params[name] for name in store} == before
    assert store["other"] == 2.0
    assert [id(value) for value in DECODER.parameters()] == identities
    for name, value in DECODER.named_parameters():
        assert type(value) is nn.Parameter
        assert torch.equal(value, weights[name])


def test_bad_input_says_what_to_do():
    def broken():
        raise RuntimeError("shape mismatch")

    with pytest.raises(ValueError, match="RuntimeError: shape mismatch.*Make it run first") as info:
        draw_model(broken)
    assert isinstance(info.value.__cause__, RuntimeError)
    with pytest.raises(TypeError, match="'x'.*draw_model\\(model, x, ...\\)") as info:
        draw_model(lambda x: x)
    assert isinstance(info.value.__cause__, TypeError)
    with pytest.raises(TypeError, match="a Tensor: write draw_model\\(model, x\\)"):
        draw_model(torch.zeros(3))
    with pytest.raises(ValueError, match="no pyro.sample"):
        draw_model(lambda: None)
