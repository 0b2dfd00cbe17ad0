"""Accuracy, mistakes and calibration, over all rows and over slices of them."""

from functools import partial

import streamlit as st

from probe.audit import Bundle, reading
from probe.audit.reading import CALIBRATED, CHAPTERS
from probe.formatting import share
from probe.statistics import Estimate
from probe.text import visible
from probe_dashboards import widgets
from probe_dashboards.folding import folded
from probe_dashboards.screens import slicing
from probe_dashboards.views import decided, examples, performance, robustness, sliced
from probe_dashboards.views.examples import ANY
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import md

CHAPTER = CHAPTERS["performance"]
LIMITS = CHAPTER.limits
CAPTION = (
    "Accuracy against confidence, with 95 % Wilson intervals; a larger dot holds more rows. Below the dashed line "
    f"the model is overconfident; above it, underconfident. {CALIBRATED}"
)
OPENS = "A number that is underlined opens its rows."


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, reading.performance(bundle.manifest).asks)
    if not performance.present(bundle):
        widgets.not_run("Performance", robustness.reason(bundle, "performance"))
        return
    widgets.section("All rows", "measures")
    widgets.table(performance.measures(bundle), "Performance on all rows, with 95 % intervals")
    widgets.behind(opened, performance.panel(bundle))
    one = _one(opened)
    if sliced.of_numbers(bundle):
        _numbers(opened, one)
    else:
        _classes(opened, one)
    _slices(opened, one)
    slicing.draw(opened, one)


def _one(opened: Opened) -> str:
    """The one of several labels or numbers that the rest of the page is about."""
    ones = examples.ones(opened.bundle)
    if opened.bundle.manifest.task.one_class or not ones:
        return ANY
    title = "Output" if sliced.of_numbers(opened.bundle) else "Label"
    return widgets.control(opened, "one", title, ones, width=300) if len(ones) > 1 else next(iter(ones))


def _classes(opened: Opened, one: str) -> None:
    bundle = opened.bundle
    _confusion(opened, one)
    widgets.section("Precision and recall by class", "by-class")
    widgets.table(decided.by_class(bundle, opened.id, one), "Precision and recall of each class")
    st.caption(
        f"{decided.never(bundle, one)}Precision: of the rows predicted as a class, the share that are of it. "
        f"Recall: of the rows of a class, the share that were decided for. 95 % Wilson intervals. {OPENS}"
    )
    widgets.behind(opened, decided.panel(bundle, "by_class", one))
    _roc(opened, one)
    if decided.own(bundle, one) is not None:
        label = "Rates at every threshold, and a threshold to try"
        widgets.part("threshold-rates", "Thresholds", label, partial(_thresholds, opened, one), "cut")
    for label in reading.reliability(bundle):
        behind = performance.bin_panel(bundle, label)
        asked = "Is its confidence calibrated?"
        widgets.section(f"{visible(label)}: is its confidence calibrated?" if label else asked, behind.name)
        widgets.figure(opened, "reliability", CAPTION, *([label] if label else []), width=480)
        folded("Rows of each bin", f"bins {behind.name}", partial(_bins, opened, label))
        widgets.behind(opened, behind)


def _bins(opened: Opened, label: str) -> None:
    widgets.table(performance.bins(opened.bundle, label, opened.id), "Accuracy by confidence")


def _errors(opened: Opened, one: str) -> None:
    widgets.table(sliced.distribution(opened.bundle, opened.id, one), "Rows by error")
    st.caption(OPENS)


def _confusion(opened: Opened, one: str) -> None:
    bundle = opened.bundle
    widgets.section("Confusion matrix", "confusion")
    widgets.table(decided.confusion(bundle, opened.id, one), "Confusion matrix: rows by label and answer")
    many = len(decided.classes(bundle, one)) > reading.MATRIX
    what = "The most frequent mistakes" if many else "Rows: labels; columns: answers"
    st.caption(f"{what}, each with its share of the rows of that label. {OPENS}")
    widgets.behind(opened, decided.panel(bundle, "confusion", one))


def _roc(opened: Opened, one: str) -> None:
    bundle, classes = opened.bundle, decided.classes(opened.bundle, one)
    widgets.section("ROC curve", "roc")
    last = list(classes)[min(1, len(classes) - 1)]
    chosen = widgets.control(opened, "class", "Class", classes, last) if len(classes) > 2 else last
    names = reading.decided(bundle, decided.label(bundle, one)).names
    of = names[list(classes).index(chosen)]
    found = _area(opened.folder, opened.stamp, decided.label(bundle, one), of, _bundle=bundle)
    if found.value == found.value:
        caption = (
            f"ROC curve of {classes[chosen]} against {'the other class' if len(classes) == 2 else 'all others'}: how "
            "many of its rows are found, at the price of how many others. Dashed: chance."
        )
        dot = " Dot: the model's own threshold." if decided.own(bundle, one) is not None else ""
        widgets.figure(opened, "roc", caption + dot, decided.label(bundle, one), of, width=480)
    st.markdown(md(decided.ranked(found)))
    widgets.behind(opened, decided.panel(bundle, "roc", one, of))


@st.cache_data(max_entries=200, ttl=3600, show_spinner=False)
def _area(folder: str, stamp: str, label: str, of: str, *, _bundle: Bundle) -> Estimate:
    """The area of a curve; `folder` and `stamp` are only part of the cache key."""
    return reading.area(_bundle, label, of)


def _thresholds(opened: Opened, one: str) -> None:
    bundle, used = opened.bundle, decided.own(opened.bundle, one)
    assert used is not None, "asked for only where there are two classes"
    yes = list(decided.classes(bundle, one).values())[1]
    cut = _cut(opened, used)
    caption = (
        f"Rates when {yes} is predicted from this probability on, with 95 % Wilson bands. "
        f"Line: the model's own threshold, {share(used)}."
    )
    widgets.figure(opened, "thresholds", caption, one, width=640)
    at = f"Predicts {yes} at a probability of {share(cut)} or more"
    st.markdown(md(f"{at}{', as the model does' if cut == used else ''}."))
    widgets.table(decided.threshold(bundle, opened.id, one, cut), at)
    st.caption(f"Recomputed from the stored probabilities, with 95 % Wilson intervals. {OPENS}")
    widgets.behind(opened, decided.panel(bundle, "threshold_rates", one))


def _cut(opened: Opened, used: float) -> float:
    """The threshold in the address, in percent; the model's own unless it is there."""
    given = st.query_params.get("cut", "")
    there = given.isascii() and given.isdigit() and 1 <= int(given[:4]) <= 99
    if given and not there:
        opened.messages.warning(
            f"This link asks for the threshold {md(given[:20])}, which is no whole percentage from 1 to 99. Shown "
            "instead: the model's own.",
            icon=":material/link_off:",
        )
    st.session_state["cut"] = int(given) if there else max(1, min(99, round(100 * used)))
    st.slider("Threshold (%)", 1, 99, key="cut", on_change=_write_cut, width=400)
    return int(given) / 100 if there else used


def _write_cut() -> None:
    st.query_params["cut"] = str(st.session_state["cut"])


def _slices(opened: Opened, one: str) -> None:
    bundle = opened.bundle
    widgets.section("Slices", "slices")
    found = sliced.slices(bundle, opened.id, one)
    if found.empty:
        st.text("The data name no groups, so that there are no slices but the classes.")
        st.code('[data]\ngroups = ["sex", "race"]', language="toml", wrap_lines=True)
        return
    widgets.table(found if found["Note"].any() else found.drop(columns="Note"), "Groups, the worst first")
    interval = "t intervals" if sliced.of_numbers(bundle) else "Wilson intervals"
    st.caption(f"Groups and pairs of groups, the worst first, with 95 % {interval}; too small ones last. {OPENS}")
    widgets.behind(opened, sliced.slice_panel(bundle, one))


def _numbers(opened: Opened, one: str) -> None:
    bundle = opened.bundle
    widgets.section("Error distribution", "distribution")
    tolerance = getattr(bundle.manifest.task, "tolerance", None)
    dashed = "" if tolerance is None else " Dashed: the tolerance."
    widgets.figure(opened, "errors", f"Rows by error, answer minus label.{dashed}", one, width=560)
    widgets.table(sliced.quantiles(bundle, one), "The errors in a few numbers")
    folded("Rows of each bin", "bins", partial(_errors, opened, one))
    widgets.behind(opened, sliced.error_panel(bundle, "distribution", one))
    widgets.section("Answers against labels", "predicted")
    widgets.figure(opened, "predicted", "Answers against labels. On the dashed line they are equal.", one, width=480)
    widgets.table(sliced.predicted(bundle, one), "Answers and errors in tenths of the rows, by label")
    widgets.behind(opened, sliced.error_panel(bundle, "predicted", one))
