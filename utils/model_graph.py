"""The picture of a Pyro model, drawn from the code that the reader wrote.

`draw_model` is all that a notebook needs. It works in three steps, each a function of its own:
`inspect_model` runs the model once and records what depends on what, `layout` decides where
everything goes (a pure function, in inches), and `draw_model` puts it on matplotlib axes.
"""

from __future__ import annotations

import inspect
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, islice, pairwise, permutations, repeat, takewhile
from os.path import commonprefix
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from pyro.infer.inspect import get_model_relations
from pyro.ops.provenance import ProvenanceTensor
from pyro.poutine.messenger import Messenger
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from utils.device import leaving_no_trace

MAX_WIDTH = 9.0  # inches: the width of a notebook's output cell
NAME_SIZE, DIST_SIZE, PLATE_SIZE, TITLE_SIZE = 10.5, 8.0, 8.5, 11.0  # points
NODE_HEIGHT, NODE_MIN_WIDTH, PARAM_HEIGHT = 0.62, 0.95, 0.32  # inches, like all that follows
NODE_GAP, LANE_GAP, LANE_WIDTH = 0.28, 0.1, 0.06  # between nodes; beside an edge that passes by
ROW_GAP, MAX_ROW_GAP = 0.45, 0.95
PAD, STRIP, MARGIN = 0.16, 0.32, 0.06  # round a plate's content; below it, for the name; outside
HEAD_LENGTH, HEAD_WIDTH = 0.11, 0.09
CLEARANCE = 0.05  # between an edge and a node that it passes

Edge = tuple[str, str]
Path = tuple[str | int, ...]  # the containers round an item, outermost first: plates and columns


# --- What the model says --------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A sample site or the parameters of a module; `distribution` is empty for parameters."""

    label: str
    distribution: str
    observed: bool
    width: float
    height: float


@dataclass(frozen=True)
class Graph:
    """What to draw; the plates are nested or disjoint, and listed from the outside in."""

    nodes: dict[str, Node]
    edges: list[Edge]
    plates: dict[str, frozenset[str]]
    plate_labels: dict[str, str]


class _ModuleParameters(TorchFunctionMode):
    """Lets the parameters of `pyro.module` and `PyroModule` leave a trace in what uses them.

    `get_model_relations` follows the values that `pyro.param` returns, but a network computes
    with its own `torch.nn.Parameter`s: mark these wherever a torch function receives them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.marked: dict[int, ProvenanceTensor] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        args, kwargs = tree_map(lambda x: self.marked.get(id(x), x), (args, kwargs or {}))
        return func(*args, **kwargs)


class _Recorder(Messenger):
    """Records what `get_model_relations` leaves out: plate sizes, and parameters of modules."""

    def __init__(self, parameters: _ModuleParameters) -> None:
        super().__init__()
        self.parameters = parameters
        self.plate_sizes: dict[str, int] = {}

    def _pyro_post_sample(self, msg: dict) -> None:
        for frame in msg["cond_indep_stack"]:
            self.plate_sizes[frame.name] = int(frame.full_size or frame.size)

    def _pyro_post_param(self, msg: dict) -> None:
        for value in msg["args"][1:2]:
            if isinstance(value, torch.nn.Parameter):
                self.parameters.marked[id(value)] = ProvenanceTensor(
                    value, frozenset({msg["name"]})
                )


def inspect_model(
    model: Callable, *args: object, labels: Mapping[str, str] | None = None, **kwargs: object
) -> Graph:
    """Run `model(*args, **kwargs)` once and describe it; changes no random state or parameter.

    Raises:
        TypeError: if `model` cannot be called, or not with these arguments.
        ValueError: if the model raises an error, has no sample site, or lacks a name in `labels`.
    """
    if not callable(model):
        raise TypeError(
            f"draw_model needs the model itself, a function, but got a {type(model).__name__}: "
            "write draw_model(model, x), not draw_model(model(x))."
        )
    try:
        inspect.signature(model).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(
            f"The model cannot be called with these arguments: {error}. Give draw_model the "
            "arguments of the model after the model: draw_model(model, x, ...)."
        ) from error
    try:
        with leaving_no_trace(), _ModuleParameters() as mode, _Recorder(mode) as seen:
            relations = get_model_relations(model, args, kwargs, include_deterministic=True)
    except Exception as error:
        reason = str(error).split("\nTrace Shapes:")[0]  # which Pyro appends
        raise ValueError(
            f"The model cannot be drawn, because running it raised {type(error).__name__}: "
            f"{reason}. Make it run first: call model(...) with the same arguments."
        ) from error
    return _graph(relations, seen.plate_sizes, labels or {})


def _graph(relations: dict, plate_sizes: Mapping[str, int], labels: Mapping[str, str]) -> Graph:
    """Tidy Pyro's relations: no deterministic sites, one node for the parameters of a module."""
    dists = relations["sample_dist"]
    sites = [name for name in dists if dists[name] != "Deterministic"]
    if not sites:
        raise ValueError("The model has nothing to draw: it contains no pyro.sample statement.")

    def causes(name: str) -> set[str]:
        """The sites and parameters that `name` depends on, seen through deterministic sites."""
        found = set(relations["sample_param"][name])
        for parent in relations["sample_sample"][name]:
            found |= {parent} if parent in sites else causes(parent)
        return found

    parents = {name: causes(name) for name in sites}
    groups = defaultdict(list)  # the parameters with one prefix that feed the same sites
    for param in relations["param_constraint"]:
        children = tuple(name for name in sites if param in parents[name])
        if children:
            parts = param.replace("$$$", ".").split(".")
            groups[parts[0], children].append(parts)

    nodes, edges = {}, []
    for (_, children), members in groups.items():
        name = ".".join(commonprefix(members))
        if len(members) > 1:
            name = re.sub(r"(\.\d+)+$", "", name)  # nn.Sequential numbers its parts
        key = name if name not in {*nodes, *sites} else f"{name} of {', '.join(children)}"
        nodes[key] = _node(labels.get(name) or _plain(name), "", False)
        edges += [(key, child) for child in children]
    for name in sites:
        nodes[name] = _node(
            labels.get(name) or _plain(name), dists[name], name in relations["observed"]
        )
        edges += [(parent, name) for parent in sites if parent in parents[name]]

    members = {p: frozenset(m) & set(sites) for p, m in relations["plate_sample"].items()}
    plates = {p: members[p] for p in sorted(members, key=lambda p: -len(members[p])) if members[p]}
    plain = {p: p.replace("__CLONE", "") for p in plates}  # Pyro's mark for half a crossing plate
    unknown = set(labels) - set(nodes) - set(plain.values())
    if unknown:
        raise ValueError(
            f"labels has names that are not in the model: {', '.join(sorted(unknown))}. "
            f"The model has: {', '.join([*nodes, *dict.fromkeys(plain.values())])}."
        )
    plate_labels = {
        p: f"{labels.get(name) or _plain(name)} · {plate_sizes[name]}" for p, name in plain.items()
    }
    return Graph(nodes, edges, plates, plate_labels)


def _plain(name: str) -> str:
    """The name as it stands, also where matplotlib would read it as mathematics."""
    return name.replace("$", r"\$")


def _text_size(text: str, size: float) -> tuple[float, float]:
    extents = TextPath((0, 0), text, size=size).get_extents()
    return extents.width / 72, extents.height / 72


def _node(label: str, distribution: str, observed: bool) -> Node:
    """A node just large enough for its text (widths in steps, so that columns look even)."""
    name = _text_size(label, NAME_SIZE)[0]
    if not distribution:
        return Node(label, "", observed, name + 0.22, PARAM_HEIGHT)
    # The lines of text are chords of the ellipse, so it is wider than they are.
    width = 0.1 + max(1.28 * name, 1.22 * _text_size(distribution, DIST_SIZE)[0])
    width = max(NODE_MIN_WIDTH, 0.05 * math.ceil(20 * width))
    return Node(label, distribution, observed, width, NODE_HEIGHT)


# --- Where it goes --------------------------------------------------------------------------------


class Rect(NamedTuple):
    """A rectangle in inches; y grows downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the rectangle."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class Layout:
    """A picture of `width` x `height` inches, origin at the top left; edges are (n, 2) arrays."""

    width: float
    height: float
    nodes: dict[str, Rect]
    plates: dict[str, Rect]
    plate_labels: dict[str, Rect]
    edges: dict[Edge, np.ndarray]


def layout(graph: Graph) -> Layout:
    """Place every node, plate and edge: parents above children, time steps from left to right.

    The steps are those of Sugiyama's method: rows, then the order within the rows, then
    coordinates. An edge that spans several rows gets a "lane" in each row that it passes. Plates
    stay together by construction: there is one order per plate, of the nodes and plates in it.
    """
    layers = _Layers(graph)
    return layers.layout(layers.columns(layers.order()))


class _Layers:
    """What the steps of `layout` share. An *item* is a node or a lane, and has a row and a path."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        series = _time_series(graph)
        try:
            self.rows = _rows(graph, series)
        except CycleError:  # no order of the rows suits every step: not a time series after all
            series = {}
            self.rows = _rows(graph, series)
        self.paths: dict[str, Path] = {}
        self.width: dict[str, float] = {}
        self.spans: dict[Path, tuple[int, int]] = {}  # the first and the last row of a container
        for name, node in graph.nodes.items():
            step = [series[name].step] if name in series else []
            self._put(name, self.rows[name], (*_plates_of(graph, name), *step), node.width)

        self.pads: dict[Path, float] = {}  # the space between a plate's border and its content
        self.label_on_top: dict[Path, bool] = {}
        for plate, members in graph.plates.items():
            path = self.paths[min(members)]
            path = path[: path.index(plate) + 1]
            leave = any(a in members and b not in members for a, b in graph.edges)
            enter = any(a not in members and b in members for a, b in graph.edges)
            self.label_on_top[path] = leave and not enter  # arrows leave a plate below
            label = _text_size(graph.plate_labels[plate], PLATE_SIZE)[0] + 2 * PAD
            room = (2 if leave and enter else 1) * label - max(self.width[n] for n in members)
            self.pads[path] = max(PAD, room / 2)

        self.chains: dict[Edge, list[str]] = {}  # what an edge visits, from the top down
        for edge in graph.edges:
            top, bottom = sorted(edge, key=self.rows.__getitem__)
            self.chains[edge] = [top]
            for row in range(self.rows[top] + 1, self.rows[bottom]):
                lane = f"{edge[0]} -> {edge[1]} in row {row}"
                within = [self._part_in_row(self.paths[end], row) for end in (bottom, top)]
                self._put(lane, row, max(within, key=len), LANE_WIDTH)
                self.chains[edge].append(lane)
            self.chains[edge].append(bottom)
        pairs = [pair for chain in self.chains.values() for pair in pairwise(chain)]
        self.segments = [(a, b) for a, b in pairs if self.rows[a] < self.rows[b]]

    def _put(self, item: str, row: int, path: Path, width: float) -> None:
        self.rows[item], self.paths[item], self.width[item] = row, path, width
        for depth in range(1, len(path) + 1):
            first, last = self.spans.get(path[:depth], (row, row))
            self.spans[path[:depth]] = min(first, row), max(last, row)

    def _part_in_row(self, path: Path, row: int) -> Path:
        """The path as far as its plates reach into the row."""
        for depth, part in enumerate(path):
            first, last = self.spans[path[: depth + 1]]
            if isinstance(part, str) and not first <= row <= last:
                return path[:depth]
        return path

    def order(self) -> list[str]:
        """All items, from left to right: few crossings, short edges, every plate contiguous."""
        index = {item: float(i) for i, item in enumerate(self.graph.nodes)}
        for (a, b), chain in self.chains.items():
            index |= dict.fromkeys(chain[1:-1], (index[a] + index[b]) / 2)
        place = {item: i for i, item in enumerate(index)}
        links = [(place[a], place[b]) for a, b in self.segments]
        values = np.array(list(index.values()))
        smooth = np.linalg.solve(_stiffness(len(place), links, 0.01), values - values.mean())
        starts = (index, dict(zip(index, smooth.tolist(), strict=True)))
        return min((self._improve(start) for start in starts), key=self._cost)

    def _improve(self, start: Mapping[str, float]) -> list[str]:
        """Sort by `start`, then move one node or plate at a time for as long as that helps."""
        children: dict[Path, list[str | Path]] = defaultdict(list)
        starts: dict[str | Path, list[float]] = defaultdict(list)
        for item, path in self.paths.items():
            chain = [*(path[:depth] for depth in range(len(path) + 1)), item]
            for container, child in pairwise(chain):
                if child not in starts:
                    children[container].append(child)
                starts[child].append(start[item])
        rank = {child: (_step(child), np.mean(values)) for child, values in starts.items()}
        orders = {path: sorted(parts, key=rank.__getitem__) for path, parts in children.items()}

        def flat(path: Path = ()) -> list[str]:
            parts = [flat(c) if isinstance(c, tuple) else [c] for c in orders[path]]
            return [item for part in parts for item in part]

        cost, last_cost = self._cost(flat()), math.inf
        while cost < last_cost:
            last_cost = cost
            for path in orders:
                for child in [c for c in orders[path] if _step(c) < 0]:
                    rest = [c for c in orders[path] if c != child]
                    trials = [[*rest[:i], child, *rest[i:]] for i in range(len(rest) + 1)]
                    for trial in filter(_steps_together, trials):
                        before, orders[path] = orders[path], trial
                        trial_cost = self._cost(flat())
                        if trial_cost < cost - 1e-6:
                            cost = trial_cost
                        else:
                            orders[path] = before
        return flat()

    def _cost(self, order: list[str]) -> float:
        """Crossings and edge lengths, as if every row were packed and centred."""
        x: dict[str, float] = {}
        ends: dict[int, float] = defaultdict(float)
        for item in order:
            row = self.rows[item]
            width = NODE_MIN_WIDTH + NODE_GAP if item in self.graph.nodes else 2 * LANE_GAP
            x[item] = ends[row] + width / 2
            ends[row] += width
        a = np.array([x[a] - ends[self.rows[a]] / 2 for a, _ in self.segments])
        b = np.array([x[b] - ends[self.rows[b]] / 2 for _, b in self.segments])
        row = np.array([self.rows[a] for a, _ in self.segments])
        crossed = (a[:, None] - a) * (b[:, None] - b) < -1e-9
        return 5 * float(np.sum(crossed & (row[:, None] == row))) + float(np.abs(a - b).sum())

    def columns(self, order: list[str]) -> dict[str, float]:
        """The x of every item: short, upright edges, with room for every node and plate border."""
        n, index = len(order), {item: i for i, item in enumerate(order)}
        gaps = np.full((n, n), -np.inf)
        for a, b in combinations(order, 2):
            gaps[index[a], index[b]] = self._gap(a, b)
        implied = (gaps[:, :, None] + gaps[None]).max(axis=1) >= gaps
        left, right = np.nonzero(np.isfinite(gaps) & ~implied)
        links = np.array([(index[a], index[b]) for a, b in self.segments], dtype=int).reshape(-1, 2)
        priority = np.array(
            [1 if {*pair} <= {*self.graph.nodes} else 0.3 for pair in self.segments]
        )
        weights = priority
        for _ in range(8):  # reweighted least squares: from squared towards absolute offsets
            x = _least_energy(_stiffness(n, links, 0.02, weights), left, right, gaps[left, right])
            offsets = np.abs(x[links[:, 0]] - x[links[:, 1]])
            weights = priority * (0.2 + 1 / np.maximum(offsets, 0.05))
        for j in range(1, n):  # what rounding has left
            x[j] = max(x[j], np.max(x[:j] + gaps[:j, j]))
        return dict(zip(order, x.tolist(), strict=True))

    def _gap(self, a: str, b: str) -> float:
        """The least distance from `a` to `b`, right of it; minus infinity where none is needed."""
        shared = zip(self.paths[a], self.paths[b], strict=False)
        depth = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], shared))
        (a_first, a_last), (b_first, b_last) = (
            self.spans[self.paths[i][: depth + 1]]
            if len(self.paths[i]) > depth
            else (self.rows[i], self.rows[i])
            for i in (a, b)
        )
        if a_last < b_first or b_last < a_first:
            return -math.inf
        gap = NODE_GAP if a in self.graph.nodes and b in self.graph.nodes else LANE_GAP
        return gap + sum(self.width[i] / 2 + sum(self._inset(i, depth)) for i in (a, b))

    def _inset(self, item: str, depth: int) -> list[float]:
        """The pads of the plates round `item` that are nested deeper than `depth`."""
        path = self.paths[item]
        return [self.pads.get(path[:k], 0.0) for k in range(depth + 1, len(path) + 1)]

    def layout(self, x: dict[str, float]) -> Layout:
        """The picture, given the x of every item."""
        above, below = self._borders()
        room = {i: self.width[i] / 2 + sum(self._inset(i, 0)) for i in x}
        shift = MARGIN - min(x[i] - room[i] for i in x)
        cells, y = {}, MARGIN  # per item: its width, and the height of its row
        for row in range(max(self.rows.values()) + 1):
            reach = [abs(x[a] - x[b]) for a, b in self.segments if self.rows[b] == row]
            if row:
                y += min(max(ROW_GAP, 0.25 * max(reach, default=0)), MAX_ROW_GAP)
            y += max((above[p] for p, span in self.spans.items() if span[0] == row), default=0)
            items = [i for i in x if self.rows[i] == row]
            bottom = y + max(self.graph.nodes[i].height for i in items if i in self.graph.nodes)
            for i in items:
                middle, half = x[i] + shift, self.width[i] / 2
                cells[i] = Rect(middle - half, y, middle + half, bottom)
            y = bottom
            y += max((below[p] for p, span in self.spans.items() if span[1] == row), default=0)

        nodes = {}
        for name, node in self.graph.nodes.items():
            middle = cells[name].centre[1]
            top, bottom = middle - node.height / 2, middle + node.height / 2
            nodes[name] = cells[name]._replace(y0=top, y1=bottom)
        plates = {}
        for path in self.pads:
            inside = [i for i in x if self.paths[i][: len(path)] == path]
            inset = {i: sum(self._inset(i, len(path) - 1)) for i in inside}
            plates[path[-1]] = Rect(
                min(cells[i].x0 - inset[i] for i in inside),
                min(cells[i].y0 for i in inside) - above[path],
                max(cells[i].x1 + inset[i] for i in inside),
                max(cells[i].y1 for i in inside) + below[path],
            )
        edges = {edge: self._route(edge, cells, nodes, plates) for edge in self.graph.edges}
        labels = {p[-1]: self._label_place(p, plates[p[-1]], edges) for p in self.pads}
        width = shift + max(x[i] + room[i] for i in x) + MARGIN
        return Layout(width, y + MARGIN, nodes, plates, labels, edges)

    def _borders(self) -> tuple[dict[Path, float], dict[Path, float]]:
        """How far each container reaches above its first row and below its last one."""
        above, below = {}, {}
        for path in sorted(self.spans, key=len, reverse=True):
            nested = [p for p in above if p[: len(path)] == path]
            first, last = self.spans[path]
            above[path] = max((above[p] for p in nested if self.spans[p][0] == first), default=0)
            below[path] = max((below[p] for p in nested if self.spans[p][1] == last), default=0)
            if path in self.pads:
                on_top = self.label_on_top[path]
                above[path] += STRIP if on_top else PAD
                below[path] += PAD if on_top else STRIP
        return above, below

    def _route(
        self,
        edge: Edge,
        cells: Mapping[str, Rect],
        nodes: Mapping[str, Rect],
        plates: Mapping[str, Rect],
    ) -> np.ndarray:
        """The simplest free way from outline to outline: straight, curved, or along the lanes."""
        chain = self.chains[edge]
        start, *lanes, end = [cells[item].centre for item in chain]
        sides = [(cells[i].centre[0], y) for i in chain for y in (cells[i].y0, cells[i].y1)]
        ways = [
            np.linspace(start, end, 200),
            _curve([start, *lanes, end]),
            _curve([start, *sides[2:-2], end]),
            _rail([start, *sides[1:-1], end]),
        ]
        others = {n: r for n, r in nodes.items() if n not in edge}
        foreign = [r for p, r in plates.items() if not self.graph.plates[p] & set(edge)]
        for way in ways:
            hit = any(self._level(n, r, way, CLEARANCE).min() < 1 for n, r in others.items())
            hit = hit or any(_inside(r, way).any() for r in foreign)
            if not hit:
                break
        way = way if chain[0] == edge[0] else way[::-1]
        way = _cut(way, self._level(edge[0], nodes[edge[0]], way))
        return _cut(way[::-1], self._level(edge[1], nodes[edge[1]], way[::-1]))[::-1]

    def _label_place(self, path: Path, box: Rect, edges: Mapping[Edge, np.ndarray]) -> Rect:
        """A place in the plate's strip: on the right, if no edge is there."""
        width, height = _text_size(self.graph.plate_labels[path[-1]], PLATE_SIZE)
        y = box.y0 + 0.09 if self.label_on_top[path] else box.y1 - 0.09 - height
        room = box.x1 - box.x0 - width - 0.2
        starts = [box.x0 + 0.1 + share * room for share in (1, 0, *np.linspace(0.9, 0.1, 9))]
        places = [Rect(x, y, x + width, y + height) for x in starts]
        lines = list(edges.values())
        return min(places, key=lambda r: sum(_inside(r, e, HEAD_WIDTH / 2).sum() for e in lines))

    def _level(self, name: str, rect: Rect, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """For each point: below 1 inside the node's outline, 1 on it, above 1 outside."""
        node = self.graph.nodes[name]
        half = np.array([node.width / 2 + margin, node.height / 2 + margin])
        offset = np.abs(points - rect.centre) / half
        return np.linalg.norm(offset, axis=1) if node.distribution else offset.max(axis=1)


class _Member(NamedTuple):
    """Which variable of a time series a site is, and when."""

    variable: str
    step: int


def _time_series(graph: Graph) -> dict[str, _Member]:
    """The sites that belong to a time series such as x_0, x_1, x_2; empty if there is none."""
    sites: dict[str, list[tuple[str, _Member]]] = defaultdict(list)
    for name, node in graph.nodes.items():
        match = re.fullmatch(r"(.*?)_?(\d+)", name)
        if match and node.distribution:
            variable = f"{match[1]}_*"  # no site has this name
            sites[variable].append((name, _Member(variable, int(match[2]))))
    series = dict(pair for pairs in sites.values() if len(pairs) >= 3 for pair in pairs)
    pairs = [(series[a], series[b]) for a, b in graph.edges if a in series and b in series]
    is_chained = sum(a.variable == b.variable for a, b in pairs) >= 2
    is_local = all(abs(a.step - b.step) <= 1 for a, b in pairs)
    return series if is_chained and is_local else {}


def _rows(graph: Graph, series: Mapping[str, _Member]) -> dict[str, int]:
    """The row of each node: as high as its parents allow, but sources just above their children.

    In a time series all the steps of one variable share a row, below everything that feeds them.
    """
    base = {n: series[n].variable if n in series else n for n in graph.nodes}
    variables = list(dict.fromkeys(member.variable for member in series.values()))
    before: dict[str, list[str]] = {row: [] for row in base.values()}  # lists: always one order
    for a, b in graph.edges:
        if a not in series and b in series:
            for variable in variables:
                before[variable].append(a)
        elif a not in series or b not in series or series[a].step == series[b].step:
            before[base[b]].append(base[a])

    # One row for each variable, in the turn in which their edges pass the fewest rows.
    in_turn = [item for item in TopologicalSorter(before).static_order() if item in variables]
    links = {(base[a], base[b]) for a, b in graph.edges if base[a] != base[b] and b in series}

    def detours(turn: Sequence[str]) -> tuple[int, int]:
        place = {variable: i for i, variable in enumerate(turn)}
        passed = [abs(place[b] - place.get(a, -1)) - 1 for a, b in links]
        return sum(passed), sum(n > 0 for n in passed)

    turns = [
        turn
        for turn in islice(permutations(in_turn), 1000)
        if all(set(before[variable]).isdisjoint(turn[i:]) for i, variable in enumerate(turn))
    ]
    for upper, lower in pairwise(min(turns, key=detours)):
        before[lower].append(upper)

    height: dict[str, int] = {}
    for item in TopologicalSorter(before).static_order():
        height[item] = 1 + max((height[parent] for parent in before[item]), default=-1)
    rows = {n: height[base[n]] for n in graph.nodes}

    for name in graph.nodes:
        children = [b for a, b in graph.edges if a == name]
        if not children or before[base[name]] or name in series:
            continue
        limits = [min(rows[n] for n in series) if c in series else rows[c] for c in children]
        for child in children:
            for plate in set(_plates_of(graph, child)) - set(_plates_of(graph, name)):
                limits.append(min(rows[n] for n in graph.plates[plate]))
        rows[name] = min(row for row in limits if row > 0) - 1
    return rows


def _plates_of(graph: Graph, name: str) -> list[str]:
    return [plate for plate, members in graph.plates.items() if name in members]


def _step(child: str | Path) -> int:
    """The time step of a column; -1 for anything else."""
    return child[-1] if isinstance(child, tuple) and isinstance(child[-1], int) else -1


def _steps_together(siblings: list[str | Path]) -> bool:
    """Whether nothing stands between two time steps."""
    places = [i for i, child in enumerate(siblings) if _step(child) >= 0]
    return not places or places[-1] - places[0] == len(places) - 1


def _stiffness(
    n: int, links: Iterable[Edge], ground: float, weights: Iterable[float] = repeat(1.0)
) -> np.ndarray:
    """The matrix of a spring network: a weighted graph Laplacian, and a weak pull to zero."""
    matrix = ground * np.eye(n)
    for (i, j), weight in zip(links, weights, strict=False):
        matrix[[i, j], [i, j]] += weight
        matrix[[i, j], [j, i]] -= weight
    return matrix


def _least_energy(
    stiffness: np.ndarray, left: np.ndarray, right: np.ndarray, gaps: np.ndarray
) -> np.ndarray:
    """Minimise x'Sx/2 subject to x[right] - x[left] >= gaps: accelerated ascent of the dual."""
    difference = np.eye(len(stiffness))[right] - np.eye(len(stiffness))[left]
    response = np.linalg.solve(stiffness, difference.T)
    hessian = difference @ response
    rate = 1 / np.linalg.norm(hessian, 2) if len(gaps) else 0.0
    force = ahead = np.zeros(len(gaps))
    for k in range(2000):
        last, force = force, np.maximum(0, ahead + rate * (gaps - hessian @ ahead))
        ahead = force + k / (k + 3) * (force - last)
        if np.abs(force - last).max(initial=0) < 1e-6:
            break
    return response @ force


def _curve(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """The polyline with its corners rounded off (Chaikin's algorithm)."""
    line = np.array(points)
    for _ in range(6):
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.concatenate([line[:1], np.stack([near, far], 1).reshape(-1, 2), line[-1:]])
    return line


def _rail(points: list[tuple[float, float]]) -> np.ndarray:
    """Upright through the rows and S-shaped between them, where there are no nodes to hit."""
    t = np.linspace(0, 1, 50)
    ease = np.stack([t**2 * (3 - 2 * t), t], axis=1)
    return np.concatenate([a + ease * np.subtract(b, a) for a, b in pairwise(points)])


def _cut(line: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The line from where its level first rises above one."""
    i = int(np.argmax(level > 1))
    share = (1 - level[i - 1]) / (level[i] - level[i - 1])
    return np.concatenate([[line[i - 1] + share * (line[i] - line[i - 1])], line[i:]])


def _inside(rect: Rect, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
    low, high = np.array(rect[:2]) - margin, np.array(rect[2:]) + margin
    return ((points > low) & (points < high)).all(axis=1)


# --- The picture ----------------------------------------------------------------------------------


def draw_model(
    model: Callable,
    *args: object,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> None:
    """Draw the graphical model that a Pyro program defines, from the program itself.

    Ellipses are the sample sites, with their distributions (shaded where observed); small blue
    boxes are parameters, one for each module; rounded frames are plates, with their sizes. The
    model is run once to find out; random state and parameter store stay as they are.

    Args:
        model: a Pyro model (or guide), called as `model(*args, **kwargs)`.
        labels: what to write instead of the name of a site, parameter or plate, by name. It may
            be mathematics: `{"w0": r"$w_0$"}`.
        title: a line above the picture.
        ax: where to draw; by default a new figure, as large as the picture needs.

    Raises:
        TypeError: if `model` cannot be called, or not with these arguments.
        ValueError: if the model raises an error, has no sample site, or lacks a name in `labels`.
    """
    graph = inspect_model(model, *args, labels=labels, **kwargs)
    picture = layout(graph)
    title_width, title_height = _text_size(title, TITLE_SIZE) if title else (0.0, 0.0)
    width, height = max(picture.width, title_width + 0.2), picture.height
    if ax is None:
        scale = min(1.0, MAX_WIDTH / width)
        total = height * scale + (title_height + 0.2 if title else 0)
        figure = plt.figure(figsize=(width * scale, total), layout="none")
        ax = figure.add_axes((0, 0, 1, height * scale / total))
        room_x, room_y = width, height
    else:
        box, dpi = ax.get_window_extent(), ax.figure.dpi
        scale = min(1.0, box.width / dpi / width, box.height / dpi / height)
        room_x, room_y = box.width / dpi / scale, box.height / dpi / scale
    ax.set_xlim((picture.width - room_x) / 2, (picture.width + room_x) / 2)
    ax.set_ylim((height + room_y) / 2, (height - room_y) / 2)
    ax.set_aspect("equal")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=TITLE_SIZE)

    for plate, rect in picture.plates.items():
        ax.add_patch(_rounded(rect, 0.1, facecolor="none", edgecolor="0.55", linewidth=scale))
        corner, text = picture.plate_labels[plate], graph.plate_labels[plate]
        written = _write(ax, corner.centre, text, PLATE_SIZE * scale, "0.3")
        written.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    for line in picture.edges.values():
        _draw_arrow(ax, line, scale)
    for name, node in graph.nodes.items():
        rect = picture.nodes[name]
        (x, y), style = rect.centre, {"edgecolor": "0.15", "linewidth": 1.1 * scale, "zorder": 3}
        if node.distribution:
            face = "0.84" if node.observed else "white"
            ax.add_patch(Ellipse((x, y), node.width, node.height, facecolor=face, **style))
            _write(ax, (x, y - 0.075), node.label, NAME_SIZE * scale, "black")
            _write(ax, (x, y + 0.115), node.distribution, DIST_SIZE * scale, "0.35")
        else:
            ax.add_patch(
                _rounded(rect, 0.04, facecolor="#dcebf7", **style | {"edgecolor": "#0072B2"})
            )
            _write(ax, (x, y), node.label, NAME_SIZE * scale, "black")


def _rounded(rect: Rect, radius: float, **style: object) -> FancyBboxPatch:
    size = (rect.x1 - rect.x0, rect.y1 - rect.y0)
    shape = f"round,pad=0,rounding_size={radius}"
    return FancyBboxPatch(rect[:2], *size, boxstyle=shape, **style)


def _write(ax: Axes, at: tuple[float, float], text: str, size: float, color: str) -> Text:
    return ax.text(*at, text, size=size, color=color, ha="center", va="center", zorder=4)


def _draw_arrow(ax: Axes, line: np.ndarray, scale: float) -> None:
    """The line, with an arrow head whose tip is the line's end."""
    tip = line[-1]
    body = line[np.linalg.norm(line - tip, axis=1) > HEAD_LENGTH]
    heel = body[-1] if len(body) else line[0]
    along = (tip - heel) / np.linalg.norm(tip - heel)
    heel = tip - HEAD_LENGTH * along
    side = HEAD_WIDTH / 2 * np.array([-along[1], along[0]])
    shaft = np.array([*body, (tip + heel) / 2])
    ax.plot(*shaft.T, color="0.15", linewidth=1.1 * scale, solid_capstyle="butt", zorder=2)
    ax.add_patch(Polygon([tip, heel + side, heel - side], color="0.15", linewidth=0, zorder=2))
