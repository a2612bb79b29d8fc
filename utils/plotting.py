"""One call a picture, in one style.

Colours are those of Okabe & Ito (2008), told apart by readers with any colour vision; groups also
differ in marker or line. An exact answer is always black and dashed. The functions draw on ``ax``,
or on a new figure, and return nothing, so that a notebook cell shows the picture alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.patheffects import withStroke
from torch.distributions import Distribution

from utils.model_graph import draw_model

__all__ = [
    "PALETTE",
    "curves",
    "decision_boundary",
    "densities",
    "distributions",
    "draw_model",
    "elbo_curve",
    "ellipses",
    "histogram",
    "image_grid",
    "intervals",
    "landscape",
    "latent_scatter",
    "manifold",
    "regions",
    "regression",
    "running_means",
    "scatter",
    "shapes",
    "use_course_style",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "^", "s", "D", "v", "P")
LINES = ("-", (0, (6, 1)), "-.", (0, (1, 1)), (0, (4, 1, 1, 1, 1, 1)), (0, (8, 2)))
PROBABILITY = LinearSegmentedColormap.from_list("probability", [PALETTE[0], "#F7F7F7", PALETTE[1]])
DIGITS = ListedColormap([*PALETTE, "#F0C808", "#8C6D31", "#999999", "#000000"])

Array = torch.Tensor | np.ndarray | Sequence[float]


def use_course_style() -> None:
    """Set the course's matplotlib style: colours, sizes, a quiet grid."""
    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=PALETTE),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "figure.constrained_layout.use": True,
            "figure.dpi": 96,
            "figure.figsize": (7.0, 3.8),
            "font.size": 10,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "image.cmap": "gray_r",
        }
    )


def _numpy(values: Array) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    return np.asarray(values)


def _axes(ax: Axes | None, figsize: tuple[float, float] | None = None) -> Axes:
    return ax if ax is not None else plt.subplots(figsize=figsize)[1]


def _finish(
    ax: Axes, xlabel: str, ylabel: str, title: str, *, legend: bool = True, below: float = 0.5
) -> None:
    """Label the axes; put the legend ``below`` (inches) the axes, where it hides nothing."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title)
    if legend:
        place = ax.get_subplotspec()
        rows = place.get_gridspec().nrows if place else 1
        height = 0.75 * ax.figure.get_figheight() / rows
        n = len(ax.get_legend_handles_labels()[1])
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -below / height), ncols=2 if n == 4 else 3,
            columnspacing=1.2, handlelength=1.8,
        )  # fmt: skip


def _name_points(ax: Axes, names: Mapping[str, tuple[float, float]] | None) -> None:
    halo = [withStroke(linewidth=2, foreground="white", alpha=0.8)]
    left, right = ax.get_xlim()
    for name, point in (names or {}).items():
        on_the_left = (point[0] - left) > 0.85 * (right - left)  # no room on the right
        ax.annotate(
            name, point, xytext=(-5 if on_the_left else 5, 3), textcoords="offset points",
            ha="right" if on_the_left else "left", fontsize=8, path_effects=halo,
        )  # fmt: skip


def scatter(
    groups: Mapping[str, tuple[Array, Array]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    names: Mapping[str, tuple[float, float]] | None = None,
    start: int = 0,
    ax: Axes | None = None,
) -> None:
    """Draw groups of points, each with its own colour and marker.

    Args:
        groups: name -> (x, y), each of shape (n,).
        names: text -> the (x, y) of the point it names.
        start: index of the first group's colour, to keep colours from figure to figure.
    """
    ax = _axes(ax)
    for i, (group, (x, y)) in enumerate(groups.items(), start):
        ax.scatter(
            _numpy(x), _numpy(y), s=22, c=PALETTE[i], marker=MARKERS[i], alpha=0.65, lw=0, zorder=3,
            label=group,
        )  # fmt: skip
    _name_points(ax, names)
    _finish(ax, xlabel, ylabel, title, legend=len(groups) > 1)


def regression(
    groups: Mapping[str, tuple[Array, Array]],
    x_line: Array,
    *,
    lines: Mapping[str, Array] | None = None,
    bands: Mapping[str, Sequence[tuple[Array, Array]]] | None = None,
    exact: Array | None = None,
    xlabel: str,
    ylabel: str,
    title: str = "",
    names: Mapping[str, tuple[float, float]] | None = None,
    start: int = 0,
    ax: Axes | None = None,
) -> None:
    """Draw groups of points with a line, or many, and bands around it.

    Args:
        groups: name -> (x, y), each of shape (n,).
        x_line: where lines and bands are evaluated, shape (g,).
        lines: group -> one line, shape (g,), or several, shape (k, g).
        bands: group -> (lower, upper) pairs, each of shape (g,), the widest first.
        exact: exact lines, shape (k, g), say a mean and the borders of its band.
        names, start: as in :func:`scatter`.
    """
    ax = _axes(ax)
    scatter(groups, xlabel=xlabel, ylabel=ylabel, title=title, names=names, start=start, ax=ax)
    x_line = _numpy(x_line)
    for i, group in enumerate(groups, start):
        colour, style = PALETTE[i], LINES[i]
        for k, (low, high) in enumerate((bands or {}).get(group, ())):
            ax.fill_between(
                x_line, _numpy(low), _numpy(high), color=colour, alpha=0.14 + 0.16 * k, lw=0
            )
        if lines and group in lines:
            y = np.atleast_2d(_numpy(lines[group]))
            many = len(y) > 1
            faint = {"ls": "-", "lw": 0.5, "alpha": 0.6}
            ax.plot(x_line, y.T, color=colour, **(faint if many else {"ls": style, "lw": 2}))
    if exact is not None:
        ax.plot(x_line, np.atleast_2d(_numpy(exact)).T, color="black", ls="--", lw=1.2)


def elbo_curve(
    losses: Mapping[str, Sequence[float]] | Sequence[float],
    *,
    evidence: float | None = None,
    ylabel: str = "ELBO (nats)",
    title: str = "",
    ax: Axes | None = None,
) -> None:
    """Draw the ELBO against the step, zoomed to where it settles.

    The faint line is each step's estimate, the strong one its running mean over 2 % of the steps.

    Args:
        losses: the loss (minus the ELBO) of each step, or name -> losses.
        evidence: the exact ln p(data), if known; no ELBO can be above it.
    """
    ax = _axes(ax)
    if not isinstance(losses, Mapping):
        losses = {"ELBO": losses}
    low, high = math.inf, -math.inf if evidence is None else evidence
    for i, (name, loss) in enumerate(losses.items()):
        elbo = -np.asarray(loss)
        window = max(1, len(elbo) // 50)
        mean = np.convolve(elbo, np.ones(window) / window, mode="valid")
        steps = np.arange(len(elbo))
        ax.plot(steps, elbo, color=PALETTE[i], alpha=0.25, lw=0.7)
        ax.plot(steps[window - 1 :], mean, color=PALETTE[i], ls=LINES[i], label=name)
        low = min(low, np.quantile(mean, 0.15))
        high = max(high, np.quantile(elbo, 0.99))
    if evidence is not None:
        ax.axhline(evidence, color="black", ls="--", lw=1.2, label="exact ln p(data)")
    margin = 0.1 * (high - low) or 1.0
    ax.set_ylim(low - margin, high + margin)
    _finish(ax, "step", ylabel, title)


def densities(
    draws: Mapping[str, Array],
    *,
    exact: tuple[Array, Array] | Array | None = None,
    marks: Mapping[str, float] | None = None,
    xlabel: str,
    title: str = "",
    start: int = 0,
    ax: Axes | None = None,
) -> None:
    """Draw the density of each set of draws, and the exact one as a black dashed line.

    Args:
        draws: name -> draws, shape (S,). They are smoothed with a Gaussian kernel (Silverman's
            bandwidth).
        exact: (values, density), each of shape (g,), or draws, shape (S,).
        marks: text -> position of a thin vertical line.
    """
    ax = _axes(ax)
    for i, (name, values) in enumerate(draws.items(), start):
        grid, density = _kernel_density(_numpy(values).astype(float).ravel())
        ax.fill_between(grid, density, color=PALETTE[i], alpha=0.12, lw=0)
        ax.plot(grid, density, color=PALETTE[i], ls=LINES[i], label=name)
    if exact is not None:
        ax.set_xlim(*ax.get_xlim())  # the draws decide which part of the exact density matters
        if not isinstance(exact, tuple):
            exact = _kernel_density(_numpy(exact).astype(float).ravel())
        ax.plot(_numpy(exact[0]), _numpy(exact[1]), color="black", ls="--", label="exact")
    for text, position in (marks or {}).items():
        ax.axvline(position, color="0.35", lw=1, ls=":")
        ax.annotate(
            text,
            (position, 0.98),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            va="top",
            fontsize=8,
        )
    ax.set_ylim(0, ax.get_ylim()[1] * (1.1 if marks else 1.0))  # room for the texts
    ax.locator_params(axis="x", nbins=7)
    _finish(ax, xlabel, "density", title)


def _kernel_density(values: np.ndarray, points: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian kernel density estimate on a grid, by convolving a fine histogram."""
    low, high = np.quantile(values, [0.0005, 0.9995])
    spread = min(values.std(), (np.subtract(*np.quantile(values, [0.75, 0.25]))) / 1.349)
    bandwidth = 0.9 * (spread or values.std() or 1.0) * len(values) ** -0.2
    edges = np.linspace(low - 4 * bandwidth, high + 4 * bandwidth, points + 1)
    counts, _ = np.histogram(values, edges)
    width = edges[1] - edges[0]
    half = min(math.ceil(4 * bandwidth / width), (points - 1) // 2)
    reach = np.arange(-half, half + 1)
    kernel = np.exp(-0.5 * (reach * width / bandwidth) ** 2)
    density = np.convolve(counts, kernel / kernel.sum(), mode="same") / (len(values) * width)
    return (edges[:-1] + edges[1:]) / 2, density


def histogram(
    draws: Mapping[str, Array],
    *,
    observed: float | None = None,
    outlines: bool = False,
    xlabel: str,
    title: str = "",
    start: int = 0,
    ax: Axes | None = None,
) -> None:
    """Draw histograms of draws; ``observed`` is marked by a black line.

    ``outlines`` draws their contours alone, each with a line style of its own: better if several
    lie upon one another.

    Whole numbers get bins that each hold as many of them, so that no bar stands out by accident.
    """
    ax = _axes(ax)
    arrays = {name: _numpy(values).ravel() for name, values in draws.items()}
    everything = np.concatenate(list(arrays.values()))
    edges = np.histogram_bin_edges(everything, bins=45)
    if np.array_equal(everything, np.round(everything)):  # as many whole numbers in each bin
        low, high = everything.min() - 0.5, everything.max() + 0.5
        edges = np.arange(low, high + (width := math.ceil((high - low) / 45)), width)
    for i, (name, values) in enumerate(arrays.items(), start):
        look = {"histtype": "step", "ls": LINES[i], "lw": 1.8} if outlines else {"alpha": 0.55}
        ax.hist(values, edges, color=PALETTE[i], label=name, density=True, **look)
    if observed is not None:
        ax.axvline(observed, color="black", lw=2, label="observed")
    _finish(ax, xlabel, "density", title)


def ellipses(
    gaussians: Mapping[str, tuple[Array, Array]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> None:
    """Draw the 50 % and 95 % regions of two-dimensional normal distributions.

    Args:
        gaussians: name -> (mean of shape (2,), covariance of shape (2, 2)). The name ``exact``
            is drawn black and dashed.
    """
    ax = _axes(ax, (4.6, 3.8))
    others = iter(range(len(PALETTE)))
    for name, (mean, covariance) in gaussians.items():
        mean, covariance = _numpy(mean), _numpy(covariance)
        exact = name == "exact"
        i = None if exact else next(others)
        colour, style = ("black", "--") if exact else (PALETTE[i], LINES[i])
        values, vectors = np.linalg.eigh(covariance)
        angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
        for mass in (0.5, 0.95):
            # The squared radius of a standard normal pair is chi-squared with 2 degrees.
            radius = math.sqrt(-2 * math.log(1 - mass))
            width, height = 2 * radius * np.sqrt(values[::-1])
            label = name if mass == 0.5 else None
            ax.add_patch(
                Ellipse(
                    mean, width, height, angle=angle, fill=False, ec=colour, ls=style, lw=1.8,
                    label=label, zorder=4 if exact else 3,
                )
            )  # fmt: skip
    ax.autoscale_view()
    _finish(ax, xlabel, ylabel, title)


def landscape(
    x_grid: Array,
    y_grid: Array,
    height: Array,
    levels: Sequence[float],
    *,
    paths: Mapping[str, Array] | None = None,
    exact: tuple[float, float] | None = None,
    xlabel: str,
    ylabel: str,
    title: str = "",
    colourbar: str,
) -> None:
    """Draw a function of two variables as a map, with the paths of optimisers to its top.

    Args:
        x_grid, y_grid: the axes of the grid, shapes (g,) and (h,).
        height: the function, shape (h, g).
        levels: the heights of the contour lines, in increasing order, not evenly spaced.
        paths: name -> points, shape (t, 2), from a start (circle) to an end (square).
        exact: where the top is.
    """
    ax = _axes(None, (7.2, 4.4))
    x_grid, y_grid, height = _numpy(x_grid), _numpy(y_grid), _numpy(height)
    shades = mpl.colormaps["Greys"](np.linspace(0.42, 0.0, len(levels) + 1))
    filled = ax.contourf(x_grid, y_grid, height, levels, colors=shades, extend="both")
    ax.contour(x_grid, y_grid, height, levels, colors="0.6", linewidths=0.5)
    for i, (name, points) in enumerate((paths or {}).items()):
        x, y = _numpy(points).T
        ax.plot(x, y, color=PALETTE[i], ls=LINES[i], lw=1.6, label=name, zorder=3)
        for k, marker in ((0, "o"), (-1, "s")):
            ax.plot(x[k], y[k], marker, color=PALETTE[i], ms=6, mec="white", zorder=4)
    if exact is not None:
        ax.plot(*exact, "+", color="black", ms=13, mew=2, label="exact", ls="none", zorder=5)
    ax.set(xlim=(x_grid[0], x_grid[-1]), ylim=(y_grid[0], y_grid[-1]))
    ax.grid(visible=False)
    ax.figure.colorbar(filled, ax=ax, label=colourbar, spacing="uniform")
    _finish(ax, xlabel, ylabel, title, legend=bool(paths) or exact is not None)


def regions(
    densities: Mapping[str, tuple[Array, Array, Array]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> None:
    """Draw the smallest regions that hold 50 % and 95 % of two-dimensional densities.

    Args:
        densities: name -> (x of shape (g,), y of shape (h,), density of shape (h, g)), on an even
            grid that holds nearly all of it. The name ``exact`` is drawn black and dashed.
    """
    ax = _axes(ax, (4.6, 3.8))
    others = iter(range(len(PALETTE)))
    for name, (x, y, density) in densities.items():
        x, y, density = _numpy(x), _numpy(y), _numpy(density)
        i = None if name == "exact" else next(others)
        colour, style = ("black", (0, (4, 2))) if i is None else (PALETTE[i], LINES[i])
        ordered = np.sort(density.ravel())[::-1]
        mass = np.cumsum(ordered) / ordered.sum()
        levels = [ordered[np.searchsorted(mass, share)] for share in (0.95, 0.5)]
        zorder = 4 if i is None else 3
        ax.contour(
            x, y, density, levels, colors=[colour], linestyles=[style], linewidths=1.8,
            zorder=zorder,
        )  # fmt: skip
        ax.plot([], [], color=colour, ls=style, label=name)
    _finish(ax, xlabel, ylabel, title)


def decision_boundary(
    points: Mapping[str, tuple[Array, Array]],
    x_grid: Array,
    y_grid: Array,
    probability: Array,
    *,
    boundaries: Array | None = None,
    xlabel: str,
    ylabel: str,
    title: str = "",
    colourbar: str = "probability",
    names: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Draw a predictive probability over the plane, its boundaries and the data.

    Args:
        points: name of a class -> (x, y), each of shape (n,).
        x_grid, y_grid: the axes of the grid, shapes (g,) and (h,).
        probability: predictive probability of the second class, shape (h, g).
        boundaries: probabilities of single draws, shape (k, h, g); the line of one half is drawn
            for each and shows how well the boundary is known.
    """
    ax = _axes(None, (7.0, 4.4))
    x_grid, y_grid, probability = _numpy(x_grid), _numpy(y_grid), _numpy(probability)
    mesh = ax.pcolormesh(
        x_grid, y_grid, probability, cmap=PROBABILITY, vmin=0, vmax=1, alpha=0.7, shading="auto",
        rasterized=True,
    )  # fmt: skip
    for single in () if boundaries is None else _numpy(boundaries):
        ax.contour(x_grid, y_grid, single, [0.5], colors="0.3", linewidths=0.5, alpha=0.5)
    ax.contour(x_grid, y_grid, probability, [0.5], colors="black", linewidths=2)
    scatter(points, xlabel=xlabel, ylabel=ylabel, title=title, names=names, ax=ax)
    for collection in ax.collections[-len(points) :]:
        collection.set(alpha=1, edgecolor="white", linewidth=0.6)
    ax.set(xlim=(x_grid[0], x_grid[-1]), ylim=(y_grid[0], y_grid[-1]))
    ax.grid(visible=False)
    ax.figure.colorbar(mesh, ax=ax, label=colourbar)


def image_grid(
    images: Array,
    *,
    columns: int = 10,
    titles: Sequence[str] | None = None,
    row_names: Sequence[str] | None = None,
    title: str = "",
    vmin: float | None = 0.0,
    vmax: float | None = 1.0,
    cmap: str | None = None,
) -> None:
    """Draw square images in a grid, row by row.

    Args:
        images: shape (n, pixels) or (n, height, width), with a square number of pixels.
        titles: a short text above each image, or above those of the first row alone.
        row_names: a short text on the left of each row.
        vmin, vmax: grey levels of white and black; None takes the images' own range.

    Raises:
        ValueError: the images are not square.
    """
    images = _numpy(images)
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        if side * side != images.shape[1]:
            raise ValueError(f"{images.shape[1]} pixels do not make a square image.")
        images = images.reshape(-1, side, side)
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    size = min(0.9, 7.5 / columns)
    width = columns * size + (1.0 if row_names else 0.0)
    height = rows * size + 0.22 * math.ceil(len(titles or ()) / columns) + (0.35 if title else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for ax in axes.flat[len(images) :]:
        ax.set_axis_off()
    for image, ax in zip(images, axes.flat, strict=False):
        ax.imshow(image, vmin=vmin, vmax=vmax, cmap=cmap, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="0.8", linewidth=0.6)  # an empty image shows, too
    for ax, text in zip(axes.flat, titles or (), strict=False):
        ax.set_title(text, fontsize=8, loc="center")
    for ax, text in zip(axes[:, 0], row_names or (), strict=False):
        ax.set_ylabel(text, fontsize=8, rotation=0, ha="right", va="center")
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")


def _apart(points: np.ndarray, distance: float) -> np.ndarray:
    """The points, shape (n, 2), moved as little as it takes to be ``distance`` from each other."""
    points = points + 1e-6 * distance * np.arange(2 * len(points)).reshape(-1, 2)  # none coincide
    for _ in range(200):
        step = points[:, None] - points
        far = np.linalg.norm(step, axis=-1) + np.eye(len(points)) * 2 * distance
        if far.min() >= distance:
            break
        points = points + 0.5 * (np.maximum(distance * 1.01 / far - 1, 0)[..., None] * step).sum(1)
    return points


def latent_scatter(
    z: Array, labels: Array, *, title: str = "", limit: float | None = None, ax: Axes | None = None
) -> None:
    """Draw latent codes of shape (n, 2), coloured by class, each class's number at its median.

    Numbers that would hide one another are pushed apart; a line leads to the median.

    Args:
        labels: integer class (0 to 9) of each code, shape (n,).
        limit: half the width of the square that is shown; by default all points.
    """
    ax = _axes(ax, (5.2, 5.0))
    z, labels = _numpy(z), _numpy(labels)
    ax.scatter(z[:, 0], z[:, 1], c=labels, cmap=DIGITS, vmin=-0.5, vmax=9.5, s=4, alpha=0.5, lw=0)
    digits = np.unique(labels)
    medians = np.array([np.median(z[labels == digit], axis=0) for digit in digits])
    width = np.ptp(z, axis=0).max() if limit is None else 2 * limit
    for digit, median, place in zip(digits, medians, _apart(medians, 0.06 * width), strict=True):
        colour = DIGITS(int(digit))
        ax.plot(*np.transpose([median, place]), color="0.2", lw=0.8)
        box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": colour, "alpha": 0.85}
        ax.text(*place, str(digit), ha="center", va="center", fontweight="bold", bbox=box)
    if limit is not None:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set_aspect("equal", adjustable="datalim" if limit is None else "box")
    _finish(ax, "$z_1$", "$z_2$", title, legend=False)


def manifold(images: Array, grid: Array, *, title: str = "", ax: Axes | None = None) -> None:
    """Draw the images decoded on a square grid of latent codes, each where its code is.

    Args:
        images: shape (g * g, pixels), of a square number of pixels each; first z_1 = grid[0] with
            every z_2 in increasing order, then z_1 = grid[1], as by ``torch.cartesian_prod``.
        grid: the g values of either coordinate, in increasing order.
    """
    ax = _axes(ax, (6.4, 6.6))
    images, grid = _numpy(images), _numpy(grid)
    g, side = len(grid), math.isqrt(images.shape[1])
    tiles = images.reshape(g, g, side, side)[:, ::-1]  # z_2 upwards, and rows count downwards
    ax.imshow(
        tiles.transpose(1, 2, 0, 3).reshape(g * side, g * side), vmin=0, vmax=1,
        extent=(0, g, 0, g), interpolation="antialiased",
    )  # fmt: skip
    shown = np.unique(np.linspace(0, g - 1, 7).round().astype(int))
    ticks = {"ticks": shown + 0.5, "labels": [f"{value:.1f}" for value in grid[shown]]}
    ax.set_xticks(**ticks)
    ax.set_yticks(**ticks)
    ax.grid(visible=False)
    _finish(ax, "$z_1$", "$z_2$", title, legend=False)


def curves(
    lines: Mapping[str, tuple[Array, Array]],
    *,
    exact: tuple[Array, Array] | None = None,
    marks: Mapping[str, float] | None = None,
    xlabel: str,
    ylabel: str,
    title: str = "",
    scale: str = "linear",
    ax: Axes | None = None,
) -> None:
    """Draw functions of one variable, and the exact one as a black dashed line.

    Args:
        lines: name -> (x, y), each of shape (g,).
        exact: (x, y), each of shape (g,).
        marks: text -> position of a thin vertical line.
        scale: of the y axis, ``linear`` or ``log``; or ``log x``, of the x axis alone; or
            ``loglog``, of both axes.
    """
    ax = _axes(ax)
    ax.set_xscale("log" if scale in ("log x", "loglog") else "linear")
    ax.set_yscale("log" if scale in ("log", "loglog") else "linear")
    for i, (name, (x, y)) in enumerate(lines.items()):
        ax.plot(_numpy(x), _numpy(y), color=PALETTE[i], ls=LINES[i], label=name)
    if exact is not None:
        ax.plot(_numpy(exact[0]), _numpy(exact[1]), color="black", ls="--", label="exact")
    for text, position in (marks or {}).items():
        ax.axvline(position, color="0.35", lw=1, ls=":")
        ax.annotate(
            text, (position, 0.02), xycoords=("data", "axes fraction"), xytext=(3, 0),
            textcoords="offset points", va="bottom", fontsize=8,
        )  # fmt: skip
    _finish(ax, xlabel, ylabel, title, legend=len(lines) > 1 or exact is not None)


def distributions(
    panels: Mapping[str, tuple[Distribution, Array, str]], *, columns: int = 3, title: str = ""
) -> None:
    """Draw distributions of one number side by side: bars of probability, or a density.

    Args:
        panels: what the distribution is -> (distribution, values, label of the values). A
            triangle below the axis marks the mean, if the values are ordered.
    """
    rows = math.ceil(len(panels) / columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(8.4, 2.35 * rows + 0.3), squeeze=False, layout="constrained"
    )
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for (name, (distribution, values, label)), ax in zip(panels.items(), axes.flat, strict=False):
        height = _numpy(distribution.log_prob(values).exp())
        discrete = distribution.support.is_discrete
        colour = PALETTE[0] if discrete else PALETTE[1]
        if discrete:
            ax.bar(_numpy(values), height, color=colour, width=0.6 if len(values) < 6 else 0.8)
            if len(values) < 6:
                ax.set_xticks(_numpy(values))
        else:
            ax.fill_between(_numpy(values), height, color=colour, alpha=0.15, lw=0)
            ax.plot(_numpy(values), height, color=colour)
        ax.set_ylim(bottom=0)
        if math.isfinite(mean := float(distribution.mean)):
            ax.plot(
                mean, 0, marker="^", ms=9, color="black", clip_on=False, zorder=5,
                transform=ax.get_xaxis_transform(),
            )  # fmt: skip
        _finish(ax, label, "probability" if discrete else "density", name, legend=False)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")


def shapes(
    objects: Mapping[str, Distribution], sample_shape: Sequence[int] = (), *, title: str = ""
) -> None:
    """Draw one draw of each object as cells that show its sample, batch and event shape.

    Each entry of the sample shape is a grey panel; in it each entry of the batch shape is an
    outlined box with a colour of its own; the cells inside an outline are one event. Below each
    box stands its log-density: one number for each event.

    Args:
        objects: name -> distribution, with up to two batch dimensions and one event dimension.
        sample_shape: of the draw, with up to one dimension.

    Raises:
        ValueError: more dimensions than can be drawn.
    """
    figure, axes = plt.subplots(
        len(objects), 1, figsize=(8.4, 0.25), squeeze=False, layout="constrained"
    )
    heights, widths = [], []
    for ax, (name, distribution) in zip(axes[:, 0], objects.items(), strict=True):
        width, height = _draw_cells(ax, name, distribution, tuple(sample_shape))
        widths.append(width)
        heights.append(height)
    for ax, height in zip(axes[:, 0], heights, strict=True):
        ax.set(xlim=(-0.1, max(widths) + 0.1), ylim=(height + 0.05, -0.05))
        ax.set_aspect("equal", anchor="W")
        ax.set_axis_off()
    axes[0, 0].get_gridspec().set_height_ratios(heights)
    inches = min(0.62, 8.2 / max(widths))
    figure.set_size_inches(
        max(7.0, max(widths) * inches + 0.2), sum(heights) * inches + 0.55 * len(objects) + 0.3
    )
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")


def _draw_cells(
    ax: Axes, name: str, distribution: Distribution, sample_shape: tuple[int, ...]
) -> tuple[float, float]:
    """Draw one object of :func:`shapes`; return the width and height, in cells."""
    batch, event = tuple(distribution.batch_shape), tuple(distribution.event_shape)
    if len(sample_shape) > 1 or len(batch) > 2 or len(event) > 1:
        raise ValueError(
            f"{name}: {sample_shape} + {batch} + {event} is more than one sample, two batch and "
            "one event dimension."
        )
    draw = distribution.sample(sample_shape)
    log_prob = _numpy(distribution.log_prob(draw))
    # As the tensor is printed: its last dimension goes across, the others down.
    boxes_down, boxes_across = (
        (1, *batch, 1)[-2:] if event and len(batch) < 2 else (1, 1, *batch)[-2:]
    )
    cells = event[0] if event else 1
    values = _numpy(draw).reshape(-1, boxes_down, boxes_across, cells)
    log_prob = log_prob.reshape(-1, boxes_down, boxes_across)
    step_x, step_y = cells + 0.35, 1.55  # a box and the space around it
    panel, gap = boxes_across * step_x + 0.1, 0.3
    height = boxes_down * step_y + 0.1
    for s, down, across in np.ndindex(log_prob.shape):
        left, top = s * (panel + gap), 0.0
        if down == across == 0:
            face = {"fc": "#EEEEEE", "ec": "none", "zorder": 1}
            ax.add_patch(Rectangle((left, top), panel, height, **face))
        x, y = left + 0.2 + across * step_x, top + 0.2 + down * step_y
        colour = PALETTE[(down * boxes_across + across) % len(PALETTE)]
        for k, value in enumerate(values[s, down, across]):
            cell = {"fc": colour, "alpha": 0.25, "ec": "white", "lw": 1, "zorder": 2}
            ax.add_patch(Rectangle((x + k, y), 1, 0.85, **cell))
            text = f"{value:.{0 if value == round(value) else 1 + (abs(value) < 1)}f}"
            ax.text(x + k + 0.5, y + 0.42, text, ha="center", va="center", fontsize=8, zorder=4)
        ax.add_patch(Rectangle((x, y), cells, 0.85, fill=False, ec=colour, lw=2, zorder=3))
        ax.text(
            x + cells / 2, y + 1.08, f"{log_prob[s, down, across]:.1f}", ha="center", va="center",
            fontsize=7.5, style="italic", color="0.25", zorder=4,
        )  # fmt: skip
    whole = tuple(draw.shape)
    ax.set_title(
        f"{name}\nsample {sample_shape} + batch {batch} + event {event} = {whole}", fontsize=9.5
    )
    return len(values) * (panel + gap) - gap, height


def running_means(
    runs: Array, *, exact: float, sd: float, ylabel: str, title: str = "", ax: Axes | None = None
) -> None:
    """Draw the mean of the first n draws against n, for several runs, with two standard errors.

    Args:
        runs: draws of one quantity, shape (runs, n).
        exact: its expectation.
        sd: its standard deviation; the band is ``exact`` ± 2 ``sd`` / √n.
    """
    ax = _axes(ax)
    runs = _numpy(runs).astype(float)
    n = np.arange(1, runs.shape[1] + 1)
    keep = np.unique(np.geomspace(10, len(n), 300).astype(int)) - 1
    for i, mean in enumerate(np.cumsum(runs, axis=1) / n):
        colour, style = PALETTE[i % len(PALETTE)], LINES[i % len(LINES)]
        ax.plot(n[keep], mean[keep], color=colour, ls=style, lw=1.2)
    error = 2 * sd / np.sqrt(n[keep])
    ax.fill_between(
        n[keep], exact - error, exact + error, color="0.5", alpha=0.2, lw=0,
        label="exact ± 2 standard errors",
    )  # fmt: skip
    ax.axhline(exact, color="black", ls="--", lw=1.4, label="exact")
    ax.set_xscale("log")
    ax.set_xlim(n[keep[0]], n[-1])
    _finish(ax, "number of draws $n$", ylabel, title)


def intervals(
    groups: Mapping[str, tuple[Array, Array, Array]],
    *,
    marks: Mapping[str, float] | None = None,
    dodge: float = 0.2,
    xlabel: str,
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> None:
    """Draw, for items 1 to n, a point and an interval of each group side by side.

    Args:
        groups: name -> (centre, low, high), each of shape (n,). A group without width is drawn as
            points alone. The name ``exact`` is drawn black and dashed.
        marks: text -> height of a thin horizontal line.
        dodge: how far side by side; items are 1 apart.
    """
    ax = _axes(ax)
    colours = iter(range(len(PALETTE)))
    for k, (name, (centre, low, high)) in enumerate(groups.items()):
        centre, low, high = _numpy(centre), _numpy(low), _numpy(high)
        i = None if name == "exact" else next(colours)
        colour, marker = ("black", "_") if i is None else (PALETTE[i], MARKERS[i])
        x = np.arange(1, len(centre) + 1) + dodge * (k - (len(groups) - 1) / 2)
        if np.allclose(low, high):
            size = {"ms": 14, "mew": 2.5, "zorder": 4} if i is None else {"ms": 5.5}
            ax.plot(x, centre, color=colour, marker=marker, ls="", label=name, **size)
            continue
        drawn = ax.errorbar(
            x, centre, yerr=[centre - low, high - centre], color=colour, fmt=marker, ms=5.5,
            lw=1.5, label=name,
        )  # fmt: skip
        for bar in drawn.lines[2]:
            bar.set_linestyle("--" if i is None else "-")
    for text, height in (marks or {}).items():
        ax.axhline(height, color="0.35", lw=1, ls=":", zorder=1)
        ax.annotate(
            text, (1.0, height), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", va="bottom", fontsize=8,
        )  # fmt: skip
    ax.set_xticks(np.arange(1, len(centre) + 1))
    room = 0.15 * len(centre) if marks else 0.0  # for their names, on the right
    ax.set_xlim(0.4, len(centre) + 0.6 + room)
    ax.grid(visible=False, axis="x")
    _finish(ax, xlabel, ylabel, title)
