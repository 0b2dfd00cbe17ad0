import re
import sys
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from probe import plots
from probe.formatting import radius
from probe.palette import DARK_INK, INK
from probe.plots.style import safe_label, safe_labels
from probe.statuses import STATUSES

NUMBERS = np.random.default_rng(0)
IMAGE = NUMBERS.random((8, 8))
SIGNED = NUMBERS.normal(size=(8, 8))
SWARM = NUMBERS.normal(size=(9, 7))
EDGES = np.triu(NUMBERS.random((8, 8)) > 0.7, 1).astype(float)
EDGES = EDGES + EDGES.T
CURVE = plots.Curve([0, 0.1, 0.2], [0.9, 0.5, 0.1], [0.8, 0.4, 0.0], [1.0, 0.6, 0.2])
HOSTILE = ["</script><img src=x>", "$\\frac{", "\u202egnirts", "x" * 10_000, "名前\x07", "=cmd()", "a & b"]
FIGURES = {
    "heatmap": lambda ax=None: plots.heatmap(SIGNED, IMAGE, ax=ax),
    "bars": lambda ax=None: plots.bars(HOSTILE, np.arange(7.0) - 3, ax=ax),
    "beeswarm": lambda ax=None: plots.beeswarm(HOSTILE, SWARM, SWARM.clip(0, 1), title="$", ax=ax),
    "waterfall": lambda ax=None: plots.waterfall(HOSTILE, np.arange(7.0) - 3, 0.5, top=3, title="$", ax=ax),
    "before_and_after": lambda ax=None: plots.before_and_after(IMAGE, IMAGE + 0.01 * SIGNED, ax=ax),
    "graph": lambda ax=None: plots.graph(EDGES, SIGNED + SIGNED.T, title=HOSTILE[1], ax=ax),
    "edge_changes": lambda ax=None: plots.edge_changes(EDGES, np.roll(EDGES, 1, (0, 1)), title=HOSTILE[1], ax=ax),
    "image": lambda ax=None: plots.image(NUMBERS.random((8, 8, 3)), ax=ax),
    "robustness": lambda ax=None: plots.robustness({HOSTILE[1]: CURVE, "$": CURVE}, threshold=(0.1, 0.5), ax=ax),
    "reliability": lambda ax=None: plots.reliability([0.6, 0.9], [0.5, 1.0], [0.4, 0.8], [0.6, 1.0], [10, 0], ax=ax),
    "cells": lambda ax=None: plots.cells([[0.2, np.nan], [1.0, 0.5]], HOSTILE[:2], ["$", 2], title=HOSTILE[3], ax=ax),
    "roc_by": lambda ax=None: plots.roc_by({HOSTILE[1]: ([0, 0.5, 1], [0, 0.8, 1]), "$": ([0, 1], [0, 1])}, ax=ax),
    "along": lambda ax=None: plots.along(
        [1, 2, 3],
        [0.5, np.nan, 0.2],
        [0.4, np.nan, 0.1],
        [0.6, np.nan, 0.3],
        labels=("$", HOSTILE[1]),
        unit="share",
        ax=ax,
    ),
    "learning": lambda ax=None: plots.learning([1, 2, 3], [0.9, 0.4, 0.2], [0.9, 0.5, 0.6], kept=2, title="$", ax=ax),
    "forest": lambda ax=None: plots.forest(
        HOSTILE[:2], [0.5, np.nan], [0.4, np.nan], [0.6, np.nan], counts=[9, 0], ax=ax
    ),
}


@pytest.fixture(params=FIGURES)
def draw(request):
    return FIGURES[request.param]


def test_figures_are_drawn_on_the_given_axes(draw):
    figure = Figure()
    FigureCanvasAgg(figure)
    ax = figure.add_subplot(1, 2, 1)
    assert draw(ax) is ax


@pytest.mark.slow
def test_figures_without_axes_make_new_ones_without_pyplot_and_the_same_figure_is_the_same_bytes(draw):
    before = dict(mpl.rcParams)
    NUMBERS.bit_generator.state = np.random.default_rng(0).bit_generator.state
    ax = draw()
    assert isinstance(ax, Axes)
    svg, png = plots.to_svg(ax, prefix="a-"), plots.to_png(draw())
    assert svg.startswith("<svg")
    assert png.startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before
    NUMBERS.bit_generator.state = np.random.default_rng(0).bit_generator.state
    assert plots.to_svg(draw(), prefix="a-") == svg
    assert plots.to_png(draw()) == png


def test_pyplot_is_never_loaded():
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.slow
def test_figures_drawn_in_sixteen_threads_equal_those_of_one():
    names = [name for name in FIGURES if name != "image"]
    alone = {name: plots.to_svg(FIGURES[name]()) for name in names}
    before = dict(mpl.rcParams)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda name: plots.to_svg(FIGURES[name]()), names))
    assert together == [alone[name] for name in names]
    assert dict(mpl.rcParams) == before


def test_the_ink_of_a_figure_is_that_of_the_text_around_it_and_of_an_image_that_of_the_theme():
    inside, alone = (plots.to_svg(FIGURES["bars"](), alone=alone) for alone in (False, True))
    assert INK not in inside.upper()
    assert "currentColor" in inside
    assert re.sub("<style>svg.*?</style>", "", alone) == inside
    assert re.findall("#[0-9A-F]{6}", alone.split("</style>")[0]) == [INK, DARK_INK]


def test_foreign_names_in_figures_are_plain_text():
    svg = plots.to_svg(FIGURES["bars"]())
    assert "<img" not in svg
    assert "&lt;/script&gt;&lt;" in svg
    assert "$\\frac{" in svg
    assert "\u202e" not in svg
    assert "x" * 100 not in svg


def test_both_signs_of_a_heat_map_share_a_scale():
    low, high = plots.heatmap([[-1.0, 3.0]]).images[0].get_clim()
    assert (low, high) == (-3.0, 3.0)
    assert plots.heatmap([[0.5]], limit=2.0).images[0].get_clim() == (-2.0, 2.0)
    assert plots.heatmap(np.zeros((2, 2)), np.zeros((2, 2))).images[0].get_clim() == (-1.0, 1.0)


def test_bars_are_ordered_by_size_and_sum_up_the_rest():
    ax = plots.bars(["a", "b", "c", "d"], [0.1, -3.0, 2.0, 0.2], top=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "c", "2 others"]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([-3.0, 2.0, 0.3])


def test_the_change_is_amplified_as_stated():
    ax = plots.before_and_after(np.zeros((2, 2)), np.full((2, 2), 0.1), gain=5)
    assert np.allclose(ax.images[2].get_array(), 0.5)
    assert "5" in ax.texts[2].get_text()
    low, high = ax.images[2].get_clim()
    assert low == -high


def test_the_figure_marks_groups_without_an_estimate():
    ax = plots.forest(["a", "b"], [0.5, np.nan], [0.4, np.nan], [0.6, np.nan])
    assert [text.get_text() for text in ax.texts] == ["undefined"]


def test_ids_of_figures_are_unique_by_their_prefix():
    svg = plots.to_svg(plots.heatmap(SIGNED), prefix="one-")
    ids = [part.split('"')[0] for part in svg.split('id="')[1:]]
    assert ids
    assert all(i.startswith("one-") for i in ids)


def test_safe_label_makes_foreign_text_one_short_line():
    assert safe_label("a\n b\x00") == "a b⟨U+0000⟩"
    assert safe_label("$5") == r"\$5"
    assert len(safe_label("y" * 99, 10)) == 10


def test_radii_are_written_as_decimals_or_255ths():
    assert [radius(r) for r in (0, 8 / 255, 0.02, 0.5)] == ["0", "8/255", "0.02", "0.5"]


def test_every_status_has_an_icon_of_its_own():
    assert len({look.sign for look in STATUSES.values()}) == len(STATUSES)


def test_words_are_shaded_by_their_values_and_never_by_colour_alone():
    html = plots.text_heatmap(["good", "", "<b>bad</b>", "so"], [2.0, 9.0, -1.0, 0.004], limit=2.0)
    good, bad, so = re.findall(r"<span style=\"([^\"]*)\">([^<]*)<span[^>]*>([^<]*)</span></span>", html)
    assert good[1:] == ("good", "+2.00")
    assert bad[1:] == ("&lt;b&gt;bad&lt;/b&gt;", "\N{MINUS SIGN}1.00")
    assert so[1:] == ("so", "0")
    assert "rgba(178,24,43,0.450)" in good[0]
    assert "rgba(33,102,172,0.225)" in bad[0]
    assert ("solid" in good[0], "dashed" in bad[0]) == (True, True)
    assert ",0.001)" in so[0]
    for extreme, written in ((1e-9, "+1.0e\N{MINUS SIGN}09"), (np.inf, "+1.8e+308"), (np.nan, "0")):
        assert f">{written}</span>" in plots.text_heatmap(["a"], [extreme])


def test_replaced_words_are_struck_out_before_their_replacements():
    html = plots.text_diff(["a", "good", "", "film"], ["a", "<i>", "", "film"])
    assert re.sub(r"<(\w+)[^>]*>", r"<\1>", html) == (
        "<div><span>a</span> <del>good</del> <ins>&lt;i&gt;</ins> <span>film</span></div>"
    )


def test_one_feature_that_is_left_over_is_one_other():
    ax = plots.bars(["a", "b", "c"], [0.5, 0.2, 0.1], top=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "1 other"]


def test_long_names_stay_apart_where_they_stand_together():
    sensors = [f"measured value of sensor {at} at noon" for at in range(200)]
    assert safe_labels([sensors[13], sensors[113]], 22, among=sensors) == [
        "…of sensor 13 at noon",
        "…of sensor 113 at noon",
    ]
    for alike in (
        [f"How many of the last {years} years had a payment that was late by more than 30 days" for years in range(9)],
        [f"employment_duration_in_years_{years}" for years in range(9)],
        [f"{'x' * 40}{at}{'y' * 40}" for at in range(9)],
    ):
        labels = safe_labels(alike, 22)
        assert len({*labels}) == 9
        assert max(map(len, labels)) <= 22
    assert safe_labels(["age", "x" * 99, "</b>$"], 22) == [safe_label(each, 22) for each in ("age", "x" * 99, "</b>$")]


def test_a_feature_with_a_long_name_is_not_called_as_another_that_is_not_drawn():
    names = [f"measured value of sensor {at} at noon" for at in range(120)]
    values = np.zeros((1, 120))
    values[:, 113] = 2.0
    for ax in (
        plots.bars(names, values[0], top=1),
        plots.waterfall(names, values[0], 0.0, top=1),
        plots.beeswarm(names, values, top=1),
    ):
        assert ax.get_yticklabels()[0].get_text() == "…of sensor 113 at noon"


def test_what_rounding_left_of_an_output_is_zero_beside_its_steps():
    said = [text.get_text() for text in plots.waterfall(["age", "income"], [2.0, -0.5], -2.88e-07).texts]
    assert "without them 0" in said
    assert "without them 1e\N{MINUS SIGN}07" in [
        text.get_text() for text in plots.waterfall(["age"], [2e-07], 1e-07).texts
    ]


@pytest.mark.parametrize("draw", [plots.bars, lambda *given, **look: plots.waterfall(*given, 0.0, **look)])
def test_a_long_title_beside_long_names_stays_within_the_figure(draw):
    names = [f"how many payments were missed in the last {at} years" for at in range(3)]
    ax = draw(names, [1.0, 2.0, 3.0], title="row 73: first review of a person")
    plots.to_png(ax)
    title = ax.get_title(loc="left")
    assert title == "row 73: first review of a person"
    ends = next(text for text in [*ax.texts, ax._left_title] if text.get_text() == title).get_window_extent()
    assert ends.x1 <= ax.figure.bbox.x1
