"""An explorer: a picture that follows its sliders, and a still one for those without a kernel."""

from __future__ import annotations

from base64 import b64decode

import matplotlib.pyplot as plt
import pytest
from ipywidgets import FloatSlider, Image
from ipywidgets.widgets.widget import _instances

from utils.explorer import explore


@pytest.fixture
def shown(monkeypatch):
    """The values that were drawn; the two sliders; the picture; what is shown."""
    drawn, outputs, before = [], [], set(_instances)
    monkeypatch.setattr("utils.explorer.display", lambda data, raw: outputs.append(data))

    def draw(left, right_end):
        drawn.append((left, right_end))
        plt.plot([left, right_end])

    explore(draw, left=(0.0, 5.0, 2.0), right_end=(1.0, 2.0, 1.5))
    widgets = [_instances[key] for key in _instances.keys() - before]
    sliders = sorted((w for w in widgets if isinstance(w, FloatSlider)), key=lambda w: w.max)
    (picture,) = (w for w in widgets if isinstance(w, Image))
    return drawn, sliders[::-1], picture, outputs


def test_there_is_a_still_picture_beside_the_widget(shown):
    drawn, sliders, picture, (output,) = shown
    assert drawn == [(2.0, 1.5)]
    assert [slider.description for slider in sliders] == ["left", "right end"]
    assert output["application/vnd.jupyter.widget-view+json"]
    assert b64decode(output["image/png"]) == picture.value
    assert picture.value[:4] == b"\x89PNG"
    assert plt.get_fignums() == []


def test_the_picture_follows_a_slider(shown):
    drawn, sliders, picture, _ = shown
    before = picture.value
    sliders[0].value = 4.0
    assert drawn[1:] == [(4.0, 1.5)]
    assert picture.value != before
