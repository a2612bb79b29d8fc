"""Each picture: what is drawn, labels that are not cut off, and colours that can be told apart."""

from __future__ import annotations

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


GROUPS = {
    "left": (torch.rand(20), torch.rand(20)),
    "right": (torch.rand(20) + 1, torch.rand(20)),
}
LABELS = {"xlabel": "length (m)", "ylabel": "mass (kg)", "title": "Longer is not heavier"}
GRID = torch.linspace(0, 2, 30)


def draw_scatter():
    plotting.scatter(GROUPS, names={"here": (0.5, 0.5)}, **LABELS)


def draw_regression():
    bands = {"left": [(GRID - 1, GRID + 1), (GRID - 0.5, GRID + 0.5)]}
    plotting.regression(GROUPS, GRID, lines={"left": GRID}, bands=bands, **LABELS)


def draw_many_lines():
    lines = {"left": torch.randn(10, 1) * GRID}
    plotting.regression(GROUPS, GRID, lines=lines, **LABELS)


def draw_elbo():
    losses = {"slow": 100 * np.exp(-np.arange(500) / 50) + 3, "fast": np.full(500, 3.0)}
    plotting.elbo_curve(losses, evidence=-2.9, title="Both arrive")


def draw_densities():
    exact = (GRID - 1, torch.distributions.Normal(0, 1).log_prob(GRID - 1).exp())
    plotting.densities(
        {"draws": torch.randn(500)}, exact=exact, marks={"zero": 0.0}, xlabel="w (m)", title="Alike"
    )


def draw_histogram():
    draws = {"model": torch.randn(500)}
    plotting.histogram(draws, observed=1.0, xlabel="T (m)", title="Not unusual")


def draw_ellipses():
    tilted = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
    gaussians = {
        "exact": (torch.zeros(2), tilted),
        "mean-field": (torch.zeros(2), 0.36 * torch.eye(2)),
    }
    plotting.ellipses(gaussians, **LABELS)


def draw_boundary():
    p = torch.sigmoid(GRID[:, None] - GRID)
    plotting.decision_boundary(GROUPS, GRID, GRID, p, boundaries=torch.stack([p, p**2]), **LABELS)


def draw_latent():
    plotting.latent_scatter(torch.randn(200, 2), torch.arange(200) % 10, title="Ten clouds")


def draw_curves():
    plotting.curves(
        {"mine": (GRID, GRID**2), "yours": (GRID, GRID)}, exact=(GRID, GRID), marks={"here": 1.0},
        **LABELS,
    )  # fmt: skip


def draw_running_means():
    plotting.running_means(
        torch.randn(5, 2000), exact=0.0, sd=1.0, ylabel="mean (m)", title="They settle"
    )


def draw_intervals():
    centre = torch.tensor([1.0, 3.0, 2.0])
    groups = {
        "reading": (centre, centre, centre),
        "fit": (centre, centre - 1, centre + 1),
        "exact": (centre, centre - 0.5, centre + 2),
    }
    plotting.intervals(groups, marks={"prior": 2.0}, **LABELS)


def draw_landscape():
    height = -((GRID - 1) ** 2) - (GRID[:, None] - 1) ** 2
    paths = {"gradient": torch.tensor([[0.1, 0.2], [0.5, 0.6], [1.0, 1.0]])}
    plotting.landscape(
        GRID, GRID, height, [-1.5, -0.5, -0.1, -0.01], paths=paths, exact=(1.0, 1.0),
        colourbar="height (m)", **LABELS,
    )  # fmt: skip


def draw_regions():
    x = torch.linspace(-5, 5, 101)
    density = (-(x**2) / 2 - x[:, None] ** 2 / 2).exp()
    plotting.regions({"exact": (x, x, density), "fit": (x, x, density**2)}, **LABELS)


def draw_log_curves():
    plotting.curves({"error": (GRID + 1, 1 / (GRID + 1))}, scale="loglog", **LABELS)


def draw_manifold():
    plotting.manifold(torch.rand(25, 784), torch.linspace(-2, 2, 5), title="A plane of images")


AXES = [
    draw_landscape, draw_regions, draw_log_curves, draw_manifold,
    draw_scatter, draw_regression, draw_many_lines, draw_elbo, draw_densities, draw_histogram,
    draw_ellipses, draw_boundary, draw_latent, draw_curves, draw_running_means, draw_intervals,
]  # fmt: skip


@pytest.mark.parametrize("draw", AXES, ids=lambda f: f.__name__)
def test_picture_is_labelled_and_nothing_is_cut_off(draw):
    assert draw() is None
    figure = plt.gcf()
    assert figure.get_figwidth() <= 9
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    for ax in figure.axes:
        assert ax.get_ylabel()
    ax = figure.axes[0]
    assert ax.get_xlabel()
    assert ax.get_title(loc="left")
    texts = [ax.xaxis.label, ax.yaxis.label, ax._left_title]
    if ax.get_legend():
        texts += ax.get_legend().get_texts()
        box = ax.get_legend().get_window_extent(renderer)
        assert not box.overlaps(ax.get_window_extent(renderer)), "the legend hides data"
        assert not box.overlaps(ax.xaxis.label.get_window_extent(renderer))
    frame = figure.bbox.padded(1)
    for text in texts:
        extent = text.get_window_extent(renderer)
        assert frame.x0 <= extent.x0 <= extent.x1 <= frame.x1, f"{text.get_text()!r} is cut off"
        assert frame.y0 <= extent.y0 <= extent.y1 <= frame.y1, f"{text.get_text()!r} is cut off"


def test_distributions_have_bars_or_a_curve_as_they_are_discrete_or_not():
    panels = {
        "Poisson(3.0)": (torch.distributions.Poisson(3.0), torch.arange(10.0), "customers"),
        "Categorical": (torch.distributions.Categorical(torch.ones(3)), torch.arange(3), "kind"),
        "Exponential(0.5)": (torch.distributions.Exponential(0.5), GRID + 0.1, "wait (minutes)"),
    }
    plotting.distributions(panels, columns=2, title="Discrete or not")
    count, kind, wait, nothing = plt.gcf().axes
    assert len(count.patches) == 10
    assert [bar.get_height() for bar in kind.patches] == pytest.approx([1 / 3] * 3)
    assert [ax.get_ylabel() for ax in (count, kind, wait)] == ["probability"] * 2 + ["density"]
    assert np.allclose(wait.lines[0].get_ydata(), 0.5 * np.exp(-0.5 * (GRID.numpy() + 0.1)))
    assert [ax.lines[-1].get_xdata()[0] for ax in (count, wait)] == [3.0, 2.0]  # the means
    assert not kind.lines  # kinds have no mean
    assert not nothing.axison


def test_shapes_has_a_panel_for_each_sample_a_box_for_each_batch_entry_a_cell_for_each_number():
    normal = torch.distributions.Normal(torch.zeros(2, 3), 1.0)
    objects = {
        "apart": normal,
        "joined": torch.distributions.Independent(normal, 1),
        "one": torch.distributions.Normal(0.0, 1.0),
    }
    plotting.shapes(objects, (4,), title="Shapes")
    for ax, (panels, boxes, cells) in zip(
        plt.gcf().axes, [(4, 24, 24), (4, 8, 24), (4, 4, 4)], strict=True
    ):
        assert len(ax.patches) == panels + boxes + cells
        assert len(ax.texts) == boxes + cells  # a log-density for each box, a value for each cell
    titles = [ax.get_title(loc="left") for ax in plt.gcf().axes]
    assert titles[0] == "apart\nsample (4,) + batch (2, 3) + event () = (4, 2, 3)"
    assert titles[1] == "joined\nsample (4,) + batch (2,) + event (3,) = (4, 2, 3)"
    figure = plt.gcf()
    figure.canvas.draw()
    assert figure.get_figwidth() <= 9
    for ax in figure.axes:
        for text in [*ax.texts, ax._left_title]:
            extent = text.get_window_extent()
            assert figure.bbox.padded(1).contains(extent.x0, extent.y0)
            assert figure.bbox.padded(1).contains(extent.x1, extent.y1)


def test_intervals_reach_from_low_to_high_side_by_side():
    draw_intervals()
    containers = plt.gca().containers
    ends = [c.lines[2][0].get_segments()[1][:, 1].tolist() for c in containers]
    assert ends == [[2, 4], [2.5, 5]]
    (points,) = [line for line in plt.gca().lines if line.get_label() == "reading"]
    assert points.get_ydata()[1] == 3  # without width: a point, and no bar in the legend either
    second = [points.get_xdata()[1], *(c.lines[0].get_xdata()[1] for c in containers)]
    assert second == sorted(second)
    assert second[1] == pytest.approx(2)
    assert containers[1].lines[0].get_color() == "black"


def test_regions_hold_their_mass():
    draw_regions()
    exact = plt.gca().collections[0]
    radii = sorted(np.abs(path.vertices).max() for path in exact.get_paths())
    assert radii == pytest.approx([np.sqrt(-2 * np.log(0.5)), np.sqrt(-2 * np.log(0.05))], rel=0.03)


def test_shapes_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="matrix: "):
        plotting.shapes({"matrix": torch.distributions.Wishart(torch.tensor(3.0), torch.eye(2))})


def test_running_means_are_the_means_of_the_first_draws():
    runs = torch.randn(2, 500)
    plotting.running_means(runs, exact=0.0, sd=1.0, ylabel="mean")
    for line, run in zip(plt.gca().lines, runs, strict=False):
        n, mean = line.get_data()
        assert mean[0] == pytest.approx(run[:10].mean().item(), abs=1e-6)
        assert (n[0], n[-1]) == (10, 500)
        assert mean[-1] == pytest.approx(run.mean().item(), abs=1e-6)


def test_a_picture_can_be_part_of_a_figure():
    _, axes = plt.subplots(1, 2)
    plotting.scatter(GROUPS, **LABELS, ax=axes[1])
    assert not axes[0].collections
    assert axes[1].collections


def test_groups_keep_their_colours_from_figure_to_figure():
    plotting.scatter(GROUPS, **LABELS)
    both = [c.get_facecolor()[0] for c in plt.gca().collections]
    plotting.scatter({"right": GROUPS["right"]}, start=1, **LABELS)
    (alone,) = [c.get_facecolor()[0] for c in plt.gca().collections]
    assert np.allclose(alone, both[1])


def test_kernel_density_is_the_density():
    draws = np.random.default_rng(0).normal(2.0, 3.0, 200_000)
    grid, density = plotting._kernel_density(draws)
    exact = np.exp(-0.5 * ((grid - 2) / 3) ** 2) / (3 * np.sqrt(2 * np.pi))
    assert np.abs(density - exact).max() < 0.03 * exact.max()
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=0.005)


def test_constant_draws_have_a_density_too():
    plotting.densities({"constant": torch.ones(100)}, xlabel="w (m)")
    assert len(plt.gca().lines) == 1


def test_ellipse_holds_its_mass():
    covariance = torch.tensor([[2.0, 0.9], [0.9, 1.0]])
    mean = torch.tensor([1.0, -1.0])
    plotting.ellipses({"q": (mean, covariance)}, xlabel="a", ylabel="b")
    draws = torch.distributions.MultivariateNormal(mean, covariance).sample((40_000,)).numpy()
    for patch, mass in zip(plt.gca().patches, (0.5, 0.95), strict=True):
        path = patch.get_path().transformed(patch.get_patch_transform())
        assert path.contains_points(draws).mean() == pytest.approx(mass, abs=0.01)


def test_elbo_curve_zooms_to_where_it_settles():
    draw_elbo()
    low, high = plt.gca().get_ylim()
    assert low > -60
    assert low < -3 < high


def test_elbo_curve_names_its_unit():
    plotting.elbo_curve(np.arange(9.0), ylabel="ELBO per image (nats)")
    assert plt.gca().get_ylabel() == "ELBO per image (nats)"


def test_latent_scatter_keeps_the_numbers_apart():
    # Two pairs of classes lie on each other, and six stand alone.
    labels = np.arange(1000) % 10
    centres = np.array([[5.0 * d, 0.0] for d in range(8)] + [[0.0, 0.0], [5.02, 0.0]])
    z = centres[labels] + np.random.default_rng(0).normal(0, 0.5, (1000, 2))
    plotting.latent_scatter(z, labels)
    places = np.array([text.get_position() for text in plt.gca().texts])
    assert len(places) == 10
    distances = np.linalg.norm(places[:, None] - places, axis=-1)[~np.eye(10, dtype=bool)]
    assert distances.min() >= 0.06 * np.ptp(z, axis=0).max()
    moved = np.linalg.norm(places - centres, axis=1)
    assert moved[2:8].max() < 0.3  # those that stand alone stay
    assert moved.max() < 0.06 * np.ptp(z, axis=0).max()


@pytest.mark.parametrize("shape", [(7, 784), (7, 28, 28)])
def test_image_grid(shape):
    plotting.image_grid(torch.rand(shape), columns=4, titles=list("abcdefg"), title="Seven")
    axes = plt.gcf().axes
    assert len(axes) == 8
    assert [len(ax.images) for ax in axes] == [1] * 7 + [0]
    assert axes[0].images[0].get_array().shape == (28, 28)


def test_image_grid_refuses_what_is_not_square():
    with pytest.raises(ValueError, match="783 pixels"):
        plotting.image_grid(torch.rand(2, 783))


def test_colours_differ_in_lightness_or_hue_for_dichromats():
    # Viénot, Brettel & Mollon (1999): linear-RGB projections for protanopes and deuteranopes.
    protan = np.array([[0.1121, 0.8853, -0.0005], [0.1127, 0.8897, -0.0001], [0.0045, 0, 1.0019]])
    deutan = np.array([[0.2920, 0.7054, -0.0003], [0.2934, 0.7089, 0], [-0.0209, 0.0256, 1.0102]])
    colours = np.array([to_rgb(c) for c in plotting.PALETTE]) ** 2.2
    for vision in (protan, deutan):
        seen = np.clip(colours @ vision.T, 0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen, axis=-1)
        assert distance[~np.eye(len(seen), dtype=bool)].min() > 0.1


def test_regression_draws_exact_lines_black_and_dashed():
    _, ax = plt.subplots()
    exact = torch.stack([GRID - 1, GRID, GRID + 1])
    plotting.regression(GROUPS, GRID, lines={"left": GRID}, exact=exact, ax=ax, **LABELS)
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 3
    assert {line.get_color() for line in dashed} == {"black"}


def test_exact_density_may_be_given_as_draws():
    _, ax = plt.subplots()
    plotting.densities({"w": torch.randn(5000)}, exact=torch.randn(5000), xlabel="w", ax=ax)
    (exact,) = [line for line in ax.lines if line.get_label() == "exact"]
    x, y = exact.get_data()
    assert np.trapezoid(y, x) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("largest", [4, 45, 46, 140])
def test_histogram_bins_hold_equally_many_whole_numbers(largest):
    _, ax = plt.subplots()
    plotting.histogram({"n": torch.arange(largest + 1.0)}, xlabel="n", ax=ax)
    heights = {round(bar.get_height(), 9) for bar in ax.patches[:-1]}
    assert len(heights) == 1  # but for the last bin, which may reach beyond the largest number
    assert len(ax.patches) <= 46


def test_manifold_puts_each_image_where_its_code_is():
    images = torch.arange(9.0)[:, None].expand(9, 4)  # by cartesian_prod: z_1 is the slower one
    plotting.manifold(images, torch.tensor([-1.0, 0.0, 1.0]))
    shown = plt.gca().images[0].get_array()
    assert shown.shape == (6, 6)
    assert shown[::2, ::2].tolist() == [[2, 5, 8], [1, 4, 7], [0, 3, 6]]  # z_1 across, z_2 up
    assert [text.get_text() for text in plt.gca().get_xticklabels()] == ["-1.0", "0.0", "1.0"]


@pytest.mark.parametrize(
    ("scale", "axes"),
    [
        ("linear", ("linear", "linear")),
        ("log", ("linear", "log")),
        ("log x", ("log", "linear")),
        ("loglog", ("log", "log")),
    ],
)
def test_curves_have_the_axes_asked_for(scale, axes):
    plotting.curves({"error": (GRID + 1, GRID + 1)}, scale=scale, **LABELS)
    assert (plt.gca().get_xscale(), plt.gca().get_yscale()) == axes


def test_outlines_of_histograms_differ_in_line_and_colour():
    _, ax = plt.subplots()
    draws = {"a": torch.arange(9.0), "b": torch.arange(5.0)}
    plotting.histogram(draws, outlines=True, xlabel="x", ax=ax)
    first, second = ax.patches
    assert not first.get_fill()
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_edgecolor() != second.get_edgecolor()


def test_dodge_is_the_distance_of_neighbours():
    _, ax = plt.subplots()
    groups = {name: (torch.zeros(3),) * 3 for name in ("a", "exact")}
    plotting.intervals(groups, dodge=0.1, xlabel="x", ylabel="y", ax=ax)
    a, exact = (line.get_xdata() for line in ax.lines)
    assert exact - a == pytest.approx(0.1)
    assert ax.lines[1].get_markersize() > ax.lines[0].get_markersize()
