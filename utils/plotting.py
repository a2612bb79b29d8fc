"""One call a picture, in one style.

Colours (three of them of Okabe and Ito, 2008) have a contrast of 3:1 on white, and readers with any
colour vision tell them apart; groups also differ in marker or line. An exact answer is black and
dashed. Data may be tensors on any device.

The functions draw on ``ax``, or on a new figure, and return nothing, so that a cell of a notebook
shows the picture alone. ``start`` is the index of the first colour, to keep colours from figure to
figure; ``marks`` are texts -> positions of thin vertical lines. Further keywords are those of
``Axes.set``: ``xlabel``, ``title``, ``yscale="log"``, ...
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

from utils.model_picture import draw_model

__all__ = ["draw_model"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#9030F0", "#603000", "#303048")
MARKERS = ("o", "^", "s", "D", "v", "P")
LINES = ("-", (0, (6, 1)), "-.", (0, (1, 1)), (0, (4, 1, 1, 1, 1, 1)), (0, (8, 2)))
EXACT = {"color": "black", "ls": "--"}

Array = torch.Tensor | np.ndarray | Sequence[float]
Pair = tuple[Array, Array]


def use_course_style() -> None:
    """Set the course's matplotlib style: colours, sizes, a quiet grid."""
    plt.style.use(Path(__file__).with_name("course.mplstyle"))


def regression(
    groups: Mapping[str, Pair],
    x_line: Array = (),
    *,
    lines: Mapping[str, Array] | None = None,
    bands: Mapping[str, Iterable[Pair]] | None = None,
    exact: Array | None = None,
    start: int = 0,
    ax: Axes | None = None,
    **axis: Any,
) -> None:
    """Draw groups of points, with a line, or many, and bands around it.

    Args:
        groups: name -> (x, y), each of shape (n,).
        x_line: where lines and bands are evaluated, shape (g,).
        lines: group -> one line, shape (g,), or several, shape (k, g).
        bands: group -> (lower, upper) pairs, each of shape (g,), the widest first.
        exact: exact lines, shape (g,) or (k, g).
    """
    ax, x_line = ax or plt.subplots()[1], _numpy(x_line)
    for i, (group, (x, y)) in enumerate(groups.items(), start):
        points = {"marker": MARKERS[i], "label": group if len(groups) > 1 else None}
        ax.scatter(_numpy(x), _numpy(y), s=22, color=PALETTE[i], alpha=0.65, lw=0, **points)
        for k, band in enumerate((bands or {}).get(group, ())):
            ax.fill_between(x_line, *map(_numpy, band), fc=PALETTE[i], alpha=0.14 + 0.16 * k, lw=0)
        if lines:
            y_line = _numpy(lines[group]).T
            look = {"ls": LINES[i], "lw": 2} if y_line.ndim == 1 else {"lw": 0.5, "alpha": 0.6}
            ax.plot(x_line, y_line, color=PALETTE[i], **look)
    if exact is not None:
        ax.plot(x_line, _numpy(exact).T, lw=1.2, **EXACT)
    _finish(ax, axis)


def elbo_curve(
    losses: Mapping[str, Sequence[float]] | Sequence[float],
    *,
    evidence: float | None = None,
    ax: Axes | None = None,
    **axis: Any,
) -> None:
    """Draw the ELBO against the step, zoomed to where it settles.

    The faint line is each step's estimate, the strong one its running mean over 2 % of the steps.

    Args:
        losses: the loss (minus the ELBO) of each step, or name -> losses.
        evidence: the exact ln p(data), if known; no ELBO can be above it.
    """
    ax = ax or plt.subplots()[1]
    low, high = math.inf, -math.inf if evidence is None else evidence
    named = losses if isinstance(losses, Mapping) else {"ELBO": losses}
    for name, loss, look in _with_looks(named):
        elbo = -_numpy(loss)
        window = max(1, len(elbo) // 50)
        mean = np.convolve(elbo, np.ones(window) / window, mode="valid")
        ax.plot(elbo, color=look["color"], alpha=0.25, lw=0.7)
        ax.plot(np.arange(window - 1, len(elbo)), mean, label=name, **look)
        low, high = min(low, np.quantile(mean, 0.15)), max(high, np.quantile(elbo, 0.99))
    if evidence is not None:
        ax.axhline(evidence, lw=1.2, label="exact ln p(data)", **EXACT)
    margin = 0.1 * (high - low) or 1.0
    ax.set(xlabel="step", ylabel="ELBO (nats)", ylim=(low - margin, high + margin))
    _finish(ax, axis)


def densities(
    draws: Mapping[str, Array],
    *,
    exact: Pair | Array | None = None,
    marks: Mapping[str, float] | None = None,
    start: int = 0,
    ax: Axes | None = None,
    **axis: Any,
) -> None:
    """Draw the density of each set of draws, smoothed with a Gaussian kernel, and the exact one.

    Args:
        draws: name -> draws, any shape.
        exact: (values, density), each of shape (g,), or draws.
    """
    ax = ax or plt.subplots()[1]
    for name, values, look in _with_looks(draws, start):
        grid, density = _kernel_density(values)
        ax.fill_between(grid, density, fc=look["color"], alpha=0.12, lw=0)
        ax.plot(grid, density, label=name, **look)
    if exact is not None:
        ax.set_xlim(ax.get_xlim())  # the draws decide which part of the exact density matters
        x, y = exact if isinstance(exact, tuple) else _kernel_density(exact)
        ax.plot(_numpy(x), _numpy(y), label="exact", **EXACT)
    ax.set(ylabel="density", ylim=(0, 1.08 * ax.get_ylim()[1]))  # room for texts
    ax.locator_params(axis="x", nbins=7)
    _finish(ax, axis, marks, height=0.98)


def curves(
    lines: Mapping[str, Pair],
    *,
    exact: Pair | None = None,
    marks: Mapping[str, float] | None = None,
    ax: Axes | None = None,
    **axis: Any,
) -> None:
    """Draw functions of one variable, name -> (x, y), each of shape (g,), and the exact one."""
    ax = ax or plt.subplots()[1]
    lines = lines if exact is None else {**lines, "exact": exact}
    for name, (x, y), look in _with_looks(lines):
        ax.plot(_numpy(x), _numpy(y), label=name if len(lines) > 1 else None, **look)
    _finish(ax, axis, marks)


def regions(
    densities: Mapping[str, tuple[Array, ...]], *, ax: Axes | None = None, **axis: Any
) -> None:
    """Draw the smallest regions that hold 50 % and 95 % of two-dimensional densities.

    Args:
        densities: name -> (x of shape (g,), y of shape (h,), density of shape (h, g)), on an even
            grid that holds nearly all of it; or (mean of shape (2,), covariance of shape (2, 2))
            of a normal distribution. The name ``exact`` is drawn black and dashed.
    """
    ax = ax or plt.subplots(figsize=(4.6, 3.8))[1]
    for name, arrays, look in _with_looks(densities):
        arrays = tuple(map(_numpy, arrays))
        x, y, density = arrays if len(arrays) == 3 else _normal_on_grid(*arrays)
        ordered = np.sort(density.ravel())[::-1]
        mass = np.cumsum(ordered) / ordered.sum()
        levels = ordered[np.searchsorted(mass, [0.95, 0.5])]
        ax.contour(x, y, density, levels, colors=look["color"], linestyles=[look["ls"]])
        ax.plot([], [], label=name, **look)
    _finish(ax, axis)


def image_grid(
    images: Array,
    *,
    columns: int = 10,
    titles: Sequence[str] = (),
    row_names: Sequence[str] = (),
    title: str = "",
    **look: Any,
) -> None:
    """Draw square images, from 0 (white) to 1 (black), in a grid, row by row.

    Args:
        images: shape (n, pixels) or (n, side, side).
        titles: a short text above each image, or above those of the first row alone.
        row_names: a short text on the left of each row.
        look: settings of ``Axes.imshow``, say another range ``vmin`` and ``vmax``.

    Raises:
        ValueError: the images are not square.
    """
    images = _numpy(images)
    side, columns = math.isqrt(images[0].size), min(columns, len(images))
    rows, size = math.ceil(len(images) / columns), min(0.9, 7.5 / columns)
    width = columns * size + (1.0 if row_names else 0.0)
    height = rows * size + 0.22 * math.ceil(len(titles) / columns) + (0.35 if title else 0)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    figure.suptitle(title, x=0.01, ha="left")
    squares, texts = images.reshape(len(images), side, side), (*titles, *[""] * len(images))
    for ax, image, text in zip(axes.flat, squares, texts, strict=False):
        ax.imshow(image, **{"vmin": 0, "vmax": 1} | look)
        ax.set(xticks=[], yticks=[])
        ax.set_title(text, fontsize=8, loc="center")
        ax.spines[:].set(visible=True, color="0.8", linewidth=0.6)  # an empty image shows, too
    for ax, text in zip(axes[:, 0], row_names, strict=False):
        ax.set_ylabel(text, fontsize=8, rotation=0, ha="right", va="center")
    for ax in axes.flat[len(images) :]:
        ax.remove()


def _numpy(values: Array) -> np.ndarray:
    return values.numpy(force=True) if isinstance(values, torch.Tensor) else np.asarray(values)


def _with_looks(groups: Mapping[str, Any], start: int = 0) -> Iterator[tuple[str, Any, dict]]:
    """Each name, its data, colour and line: one after the other, `exact` black and dashed."""
    turn = count(start)
    for name, data in groups.items():
        i = None if name == "exact" else next(turn)
        yield name, data, EXACT if i is None else {"color": PALETTE[i], "ls": LINES[i]}


def _finish(ax: Axes, axis: dict, marks: Mapping | None = None, height: float = 0.02) -> None:
    """Label the axes, mark positions, and put the legend below, where it hides nothing."""
    ax.set(**axis)
    for text, x in (marks or {}).items():
        ax.axvline(x, color="0.2", lw=1, ls=":")
        left, right = ax.get_xlim()
        side = "left" if x < left + 0.8 * (right - left) else "right"
        place = {"ha": side, "va": "top" if height > 0.5 else "bottom", "clip_on": True}
        ax.text(x, height, f" {text} ", fontsize=8, transform=ax.get_xaxis_transform(), **place)
    if n := len(ax.get_legend_handles_labels()[1]):
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.19), ncols=2 if n == 4 else 3)


def _kernel_density(draws: Array, points: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian kernel density estimate on a grid, by convolving a fine histogram."""
    values = _numpy(draws).astype(float).ravel()
    low, high = np.quantile(values, [0.0005, 0.9995])
    spread = min(values.std(), np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.349)
    bandwidth = 0.9 * (spread or values.std() or 1.0) * len(values) ** -0.2  # Silverman's
    edges = np.linspace(low - 4 * bandwidth, high + 4 * bandwidth, points + 1)
    width = edges[1] - edges[0]
    half = min(math.ceil(4 * bandwidth / width), (points - 1) // 2)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * width / bandwidth) ** 2)
    counts = np.convolve(np.histogram(values, edges)[0], kernel / kernel.sum(), mode="same")
    return (edges[:-1] + edges[1:]) / 2, counts / (len(values) * width)


def _normal_on_grid(mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, ...]:
    """The density of a normal distribution, up to a factor, on a grid of ± 3 sd."""
    reach = 3 * np.sqrt(covariance.diagonal())
    x, y = np.linspace(mean - reach, mean + reach, 201).T
    step = np.stack(np.meshgrid(x, y), axis=-1) - mean
    return x, y, np.exp(-0.5 * (step @ np.linalg.inv(covariance) * step).sum(-1))
