"""The picture of a Pyro model, drawn from the code that the reader wrote.

Pyro says what depends on what, Graphviz decides where it goes, and matplotlib draws it. Graphviz
gets sizes but no text: so it needs no fonts, and decides the same on every machine.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import chain, pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from pygraphviz import AGraph
from pyro import poutine
from pyro.infer.inspect import get_model_relations

from utils.device import leaving_no_trace

INCH, MAX_WIDTH, MARGIN, STRIP = 72, 9 * 72, 8, 18  # points; the strip is for a plate's name
NAME_SIZE, SMALL_SIZE, FRAME = 10.5, 8.0, "round,pad=0,rounding_size=5"
PARAMETER = {"shape": "box", "height": 0.32, "fillcolor": "#dcebf7", "color": "#0072B2"}
SITE = {"shape": "ellipse", "height": 0.62, "fillcolor": "white", "color": "#262626"}
OBSERVED = SITE | {"fillcolor": "#d6d6d6"}


def draw_model(
    model: Callable,
    *args: object,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    ax: Axes | None = None,
    **kwargs: object,
) -> None:
    """Draw the graphical model that a Pyro program defines, from the program itself.

    Ellipses are sample sites, grey where observed; blue boxes are parameters (of `pyro.param`,
    not the weights of a network); frames are plates. The model is run once to find out, as
    `model(*args, **kwargs)`; random state and parameter store stay as they are.

    Args:
        labels: name of a site, parameter or plate -> what to write instead, e.g. `r"$w_0$"`.
        ax: where to draw; by default a new figure, as large as the picture needs.

    Raises:
        ValueError: the model raises an error, has no sample site, or lacks a name in `labels`.
    """
    graph, plates = model_graph(model, args, kwargs, labels or {})
    graph.layout(prog="dot")
    room = 22 if title and ax is None else 0  # within the figure; else above the axes
    size = _points(graph.graph_attr["bb"])[1] + 2 * MARGIN + (0, room)
    if ax is None:
        figsize = size * min(1, MAX_WIDTH / size[0]) / INCH
        ax = plt.figure(figsize=figsize, layout="none").add_axes((0, 0, 1, 1))
    scale = min(ax.get_window_extent().size / ax.figure.dpi * INCH / size)
    right, top = size - MARGIN
    ax.set(xlim=(-MARGIN, right), ylim=(-MARGIN, top), aspect="equal")
    ax.set_title(title, pad=5 - room)
    ax.set_axis_off()
    ax.set_label(graph.graph_attr["comment"])
    alt = "\n".join(axes.get_label() for axes in ax.figure.axes)
    ax.figure._repr_mimebundle_ = lambda **_: ({}, {"image/png": {"alt": alt}})  # for IPython

    def write(x: float, y: float, text: str, size: float, **style: object) -> None:
        ax.text(x, y, text, size=size * scale, **{"ha": "center", "va": "center"} | style)

    for plate in plates:
        (left, bottom), (right, top) = _points(plate.graph_attr["bb"])
        frame = FancyBboxPatch((left, bottom), right - left, top - bottom, boxstyle=FRAME)
        ax.add_patch(frame).set(fc="none", ec="0.55", lw=scale)
        style = {"ha": "right", "color": "0.3", "bbox": {"fc": "white", "ec": "none", "pad": 0}}
        write(right - 6, bottom + STRIP / 2, plate.graph_attr["text"], SMALL_SIZE, **style)
    for edge in graph.edges():
        if edge.attr["style"] == "solid":
            tip, *curve = _points(edge.attr["pos"].removeprefix("e,"))
            codes = [Path.MOVETO, *[Path.CURVE4] * (len(curve) - 1), Path.LINETO]
            arrow = FancyArrowPatch(path=Path([*curve, tip], codes), lw=1.1 * scale, color="0.15")
            arrow.set_arrowstyle("-|>", head_length=7 * scale, head_width=3 * scale)
            ax.add_patch(arrow)
    for node in graph.nodes():
        [(x, y)], dist = _points(node.attr["pos"]), node.attr["dist"]
        w, h = (INCH * float(node.attr[side]) for side in ("width", "height"))
        box = FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle=FRAME)
        patch = ax.add_patch(Ellipse((x, y), w, h) if dist else box)
        patch.set(fc=node.attr["fillcolor"], ec=node.attr["color"], lw=1.1 * scale)
        write(x, y + 5.4 * bool(dist), node.attr["text"], NAME_SIZE)
        write(x, y - 8.3, dist, SMALL_SIZE, color="0.35")


def model_graph(
    model: Callable, args: tuple, kwargs: Mapping[str, object], labels: Mapping[str, str]
) -> tuple[AGraph, list[AGraph]]:
    """Run the model once; return what to draw, not laid out yet, and the plates of it."""
    run = poutine.trace(model)
    try:
        with leaving_no_trace():
            relations = get_model_relations(run, args, kwargs)
    except Exception as error:
        reason = str(error).split("\nTrace Shapes:")[0]  # which Pyro appends
        raise ValueError(
            f"The model cannot be drawn, because running it raised {type(error).__name__}: "
            f"{reason}. Make model(x, ...) run first, and draw it so: draw_model(model, x, ...)."
        ) from error
    sites = {n: dist for n, dist in relations["sample_dist"].items() if dist != "Deterministic"}
    if not sites:
        raise ValueError("The model has nothing to draw: it contains no pyro.sample statement.")
    parents = {n: relations["sample_param"][n] + relations["sample_sample"][n] for n in sites}
    edges = [(parent, name) for name in sites for parent in parents[name]]
    nodes = dict.fromkeys([*chain.from_iterable(edges), *sites])
    frames = [f for site in run.trace.nodes.values() for f in site.get("cond_indep_stack", ())]
    sizes = {frame.name: frame.full_size or frame.size for frame in frames}
    if unknown := sorted(labels.keys() - nodes.keys() - sizes.keys()):
        names = ", ".join([*nodes, *sizes])
        raise ValueError(f"labels has {', '.join(unknown)}, but the model has only: {names}.")

    words = [
        f"{n} ~ {sites[n]}" + " given " * bool(parents[n]) + ", ".join(parents[n]) for n in sites
    ]
    words = "; ".join([*words, *(f"plate {name} of {size}" for name, size in sizes.items())])
    graph = AGraph(directed=True, newrank=True, ranksep=0.5, comment=f"Model: {words}")
    graph.node_attr.update(label="", fixedsize=True)
    for name in nodes:
        text, dist = labels.get(name, name), sites.get(name, "")
        width = max(_width(text, NAME_SIZE), _width(dist or text, SMALL_SIZE), 46 * bool(dist))
        look = OBSERVED if name in relations["observed"] else SITE if dist else PARAMETER
        graph.add_node(name, text=text, dist=dist, width=(8 + 1.3 * width) / INCH, **look)
    rows = _rows(list(sites), edges)
    for upper, lower in pairwise(rows):
        graph.add_edges_from(zip(upper, lower, strict=False), style="invis", weight=10)
    graph.add_edges_from(edges, style="solid")

    members = {p: sites.keys() & names for p, names in relations["plate_sample"].items()}
    plates = {}
    for plate in sorted(filter(members.get, members), key=lambda p: -len(members[p])):
        around = [plates[p] for p in plates if members[plate] <= members[p]]  # outermost first
        name = plate.removesuffix("__CLONE")  # Pyro's mark for a part of a crossing plate
        look = {"margin": STRIP, "text": f"{labels.get(name, name)} · {sizes[name]}"}
        inside = sorted(members[plate])
        plates[plate] = [graph, *around][-1].add_subgraph(inside, f"cluster_{plate}", **look)
    inside = set().union(*members.values())
    tops = [name for name in nodes if not parents.get(name) and name not in inside]
    for row in rows or [tops]:
        graph.add_subgraph(row, rank="same")
    return graph, list(plates.values())


def _rows(sites: list[str], edges: list[tuple[str, str]]) -> list[list[str]]:
    """The variables of a time series x_1, x_2, ..., each below what it depends on."""
    series = defaultdict(list)
    for name in sites:
        series[re.sub(r"_?\d+$", "", name)].append(name)
    rows = [steps for steps in series.values() if len(steps) > 1]
    if not any(pair in edges for steps in rows for pair in pairwise(steps)):
        return []
    turn = {name: i for i, steps in enumerate(rows) for name in steps}
    last = {b: turn[a] for a, b in edges if a in turn}  # of what a step depends on
    return sorted(rows, key=lambda steps: last.get(steps[0], turn[steps[0]]))


def _width(text: str, size: float) -> float:
    return TextPath((0, 0), text, size=size).get_extents().width


def _points(text: str) -> np.ndarray:
    """Graphviz's `x,y x,y ...`, shape (n, 2)."""
    return np.array(re.split("[, ]", text), float).reshape(-1, 2)
