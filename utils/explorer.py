"""Pictures to play with: sliders where a kernel runs, a still picture everywhere else."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display


def explore(draw: Callable[..., None], **sliders: tuple[float, float, float]) -> None:
    """Show what ``draw(**values)`` draws, with a slider for each of its arguments.

    Where no kernel runs (a stored notebook, GitHub, the website) stands the picture of the
    sliders' first values.

    Args:
        draw: draws one figure with matplotlib, in less than a tenth of a second.
        sliders: argument -> (least, greatest, first value).
    """
    controls = {
        name: ipywidgets.FloatSlider(first, min=low, max=high, step=(high - low) / 50,
                                     description=name.replace("_", " "), continuous_update=False)
        for name, (low, high, first) in sliders.items()
    }  # fmt: skip
    picture = ipywidgets.Image(format="png")

    def redraw(*_: object) -> None:
        with plt.ioff():
            draw(**{name: control.value for name, control in controls.items()})
            plt.savefig(drawn := io.BytesIO(), bbox_inches="tight")
            plt.close()
        picture.value = drawn.getvalue()

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    explorer = ipywidgets.VBox([*controls.values(), picture])
    still = {"image/png": b64encode(picture.value).decode(), "text/plain": "a picture with sliders"}
    display(explorer._repr_mimebundle_() | still, raw=True)
