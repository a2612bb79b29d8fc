"""Each picture: what is drawn, labels that are not cut off, and colours that can be told apart."""

from __future__ import annotations

from functools import partial

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from utils import plotting


@pytest.fixture(autouse=True)
def _course_style():
    with mpl.rc_context():
        plotting.use_course_style()
        yield


X = torch.linspace(0, 2, 30)
AXIS = torch.linspace(-5, 5, 101)
BUMP = (-(AXIS**2) / 2 - AXIS[:, None] ** 2 / 2).exp()
TILTED = (torch.tensor([1.0, -1.0]), torch.tensor([[2.0, 0.9], [0.9, 1.0]]))
GROUPS = {"left": (X, torch.rand(30)), "right": (X + 1, torch.rand(30))}
SLOW = 100 * np.exp(-np.arange(500) / 50) + 3
LABELS = {"xlabel": "length (m)", "ylabel": "mass (kg)", "title": "Longer is not heavier"}
BAND = [(X - 1, X + 1), (X - 0.5, X + 0.5)]
LINE = {"lines": {"left": X}, "bands": {"left": BAND}, "exact": torch.stack([X - 1, X, X + 1])}
LINES = dict.fromkeys(GROUPS, torch.linspace(-1, 1, 10)[:, None] * X)
DRAWS = torch.linspace(0.001, 0.999, 500).logit()
REGIONS = {"fit": (AXIS, AXIS, BUMP), "normal": TILTED, "exact": (AXIS, AXIS, BUMP**2)}
PICTURES = {
    "points": partial(plotting.regression, GROUPS),
    "a line with bands": partial(plotting.regression, {"left": (X, X)}, X, **LINE, start=1),
    "many lines": partial(plotting.regression, GROUPS, X, lines=LINES),
    "ELBOs": partial(plotting.elbo_curve, {"slow": SLOW, "fast": [3.0] * 500}, evidence=-2.9),
    "an ELBO": partial(plotting.elbo_curve, SLOW),
    "densities": partial(plotting.densities, {"a": DRAWS}, exact=DRAWS, marks={"0": 0.0}, start=2),
    "curves": partial(plotting.curves, {"a": (X, X**2)}, exact=(X, X), marks={"far": 1.9}),
    "log curve": partial(plotting.curves, {"a": (X + 1, X + 1)}, xscale="log", yscale="log"),
    "regions": partial(plotting.regions, REGIONS),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_labelled_and_nothing_is_cut_off(name):
    assert PICTURES[name](**LABELS) is None
    figure, ax = plt.gcf(), plt.gca()
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [ax.xaxis.label, ax.yaxis.label, ax._left_title, *ax.texts]
    assert [text.get_text() for text in texts[:3]] == list(LABELS.values())
    if ax.get_legend():
        texts += ax.get_legend().get_texts()
        box = ax.get_legend().get_window_extent(renderer)
        assert not box.overlaps(ax.get_window_extent(renderer)), "the legend hides data"
        assert not box.overlaps(ax.xaxis.label.get_window_extent(renderer))
    for text in texts:
        corners = text.get_window_extent(renderer).corners()
        assert figure.bbox.padded(1).count_contains(corners) == 4, f"{text.get_text()!r} is cut off"


@pytest.mark.parametrize("name", PICTURES)
def test_picture_can_be_part_of_a_figure(name):
    _, (left, right) = plt.subplots(1, 2)
    PICTURES[name](ax=right)
    assert len(plt.get_fignums()) == 1
    assert not left.has_data()
    assert right.has_data()


@pytest.mark.parametrize("name", ["a line with bands", "ELBOs", "densities", "curves", "regions"])
def test_what_is_exact_is_black_and_dashed_and_nothing_else_is_black(name):
    PICTURES[name]()
    black = [line for line in plt.gca().lines if line.get_color() == "black"]
    assert len(black) == (3 if name == "a line with bands" else 1)
    assert {line.get_linestyle() for line in black} == {"--"}
    assert black[-1].get_label().startswith(("exact", "_child"))


def test_groups_keep_their_colours_from_figure_to_figure():
    plotting.regression(GROUPS)
    both = [c.get_facecolor()[0] for c in plt.gca().collections]
    plotting.regression({"right": GROUPS["right"]}, start=1)
    (alone,) = [c.get_facecolor()[0] for c in plt.gca().collections]
    assert not np.allclose(both[0], both[1])
    assert np.allclose(alone, both[1])


def test_kernel_density_is_the_density():
    grid, density = plotting._kernel_density(np.random.default_rng(0).normal(2.0, 3.0, 200_000))
    exact = np.exp(-0.5 * ((grid - 2) / 3) ** 2) / (3 * np.sqrt(2 * np.pi))
    assert np.abs(density - exact).max() < 0.03 * exact.max()
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=0.005)


def test_constant_draws_have_a_density_too():
    plotting.densities({"constant": torch.ones(100)})
    assert np.isfinite(plt.gca().lines[0].get_ydata()).all()


def test_the_draws_decide_which_part_of_the_exact_density_is_shown():
    plotting.densities({"draws": torch.randn(500)}, exact=(100 * AXIS, AXIS.exp()))
    assert np.abs(plt.gca().get_xlim()).max() < 6


def test_regions_hold_their_mass():
    plotting.regions({"grid": (AXIS, AXIS, BUMP), "normal": TILTED})
    grid, normal = plt.gca().collections
    radii = sorted(np.abs(path.vertices).max() for path in grid.get_paths())
    assert radii == pytest.approx([np.sqrt(-2 * np.log(0.5)), np.sqrt(-2 * np.log(0.05))], rel=0.03)
    draws = torch.distributions.MultivariateNormal(*TILTED).sample((40_000,)).numpy()
    for path, mass in zip(normal.get_paths(), (0.95, 0.5), strict=True):
        assert path.contains_points(draws).mean() == pytest.approx(mass, abs=0.015)


def test_elbo_curve_zooms_to_where_it_settles():
    PICTURES["ELBOs"]()
    low, high = plt.gca().get_ylim()
    assert -60 < low < -3 < high
    assert plt.gca().get_ylabel() == "ELBO (nats)"


@pytest.mark.parametrize("shape", [(7, 784), (7, 28, 28)])
def test_image_grid(shape):
    texts = {"titles": "abcdefg", "row_names": ["first", "second"], "title": "Seven"}
    plotting.image_grid(torch.rand(shape), columns=4, **texts)
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes] == list("abcdefg")
    assert [ax.get_ylabel() for ax in axes[::4]] == ["first", "second"]
    assert {ax.images[0].get_array().shape for ax in axes} == {(28, 28)}
    assert {ax.images[0].get_clim() for ax in axes} == {(0, 1)}


def test_image_grid_refuses_what_is_not_square():
    with pytest.raises(ValueError, match="reshape"):
        plotting.image_grid(torch.rand(8, 18))


def test_colours_differ_in_lightness_or_hue_for_dichromats():
    # Viénot, Brettel & Mollon (1999): linear-RGB projections for protanopes and deuteranopes.
    protan = np.array([[0.1121, 0.8853, -0.0005], [0.1127, 0.8897, -0.0001], [0.0045, 0, 1.0019]])
    deutan = np.array([[0.2920, 0.7054, -0.0003], [0.2934, 0.7089, 0], [-0.0209, 0.0256, 1.0102]])
    assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == list(plotting.PALETTE)
    colours = np.array([to_rgb(c) for c in plotting.PALETTE]) ** 2.2
    for vision in (protan, deutan):
        seen = np.clip(colours @ vision.T, 0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen, axis=-1)
        assert distance[~np.eye(len(seen), dtype=bool)].min() > 0.1
