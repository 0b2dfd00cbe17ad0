"""Why this answer, do the methods agree, which rows are alike, and how little changes it?"""

from functools import partial
from math import isfinite

import streamlit as st

from probe.audit import Bundle, reading
from probe.audit.reading import CHAPTERS, why_not_kept
from probe.formatting import share
from probe.text import visible
from probe_dashboards import widgets
from probe_dashboards.screens import filtering
from probe_dashboards.views import (
    attacked,
    before_after,
    curved,
    examples,
    explained,
    instance,
    near,
    robustness,
    together,
)
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.runs import Opened
from probe_dashboards.views.words import NO_BREAK, md

CHAPTER = CHAPTERS["explanation"]
LIMITS = (*CHAPTER.limits[:-1], "'Not broken' is said of these attacks up to this radius; another attack may succeed.")
NEAR = 250  # examples that are listed on each side of the one that is shown
UNCHANGED = "There is no change to show: the answer was wrong already, or the attack did not break it at this radius."


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading("Instance", CHAPTER.asks)
    if not examples.present(bundle):
        widgets.not_run("The model", robustness.reason(bundle, "performance"))
        return
    row = _choose(opened)
    if row is not None:
        _answer(opened, row)
        _explanations(opened, row)
        _near(opened, row)
        _attack(opened, row)


def _choose(opened: Opened) -> int | None:
    """The chosen example; None where no example matches."""
    bundle = opened.bundle
    wanted = _wanted(opened)
    rows = examples.found(bundle, wanted)
    if not rows:
        st.text("No example matches.")
        return None
    listed = [str(row) for row in rows]
    value = widgets.asked(opened, "row", listed)
    at = listed.index(value)
    near = rows[max(0, at - NEAR) : at + NEAR]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        those = " explained" if wanted.of == "explained" else ""
        nearest = ", the nearest ones" if len(near) < len(rows) else ""
        title = f"Example {at + 1:,} of {len(rows):,}{those}{nearest}"
        widgets.select("row", title, value, examples.titles(bundle, near), width=460)
        widgets.step_button("row", "Previous", listed[at - 1] if at else None, ":material/chevron_left:")
        widgets.step_button("row", "Next", listed[at + 1] if at + 1 < len(listed) else None, ":material/chevron_right:")
    return int(value)


def _wanted(opened: Opened) -> examples.Wanted:
    """The filter in the page's address."""
    bundle, row = opened.bundle, st.query_params.get("row", "")
    known = [str(at) for at in instance.rows(bundle)]
    there = row.isascii() and row.isdigit() and len(row) < 10 and int(row) < examples.count(bundle)
    default = "all" if not known or (there and row not in known) else "explained"
    base = filtering.kept(opened)
    wanted = filtering.controls(opened, "row", base, default)
    if base != examples.Wanted():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"The link also asks for {examples.asked_besides(bundle, base)}.")
            st.button("Clear the filter", icon=":material/filter_alt_off:", on_click=filtering.clear, args=("row",))
    return wanted


def _answer(opened: Opened, row: int) -> None:
    bundle, drawer = opened.bundle, instance.drawer(opened.bundle)
    predicted, probability, truth = instance.answer(bundle, row)
    left, right = st.columns([1, 2])
    with left:
        if not instance.kept(bundle, row):
            st.info(why_not_kept(bundle.manifest), icon=":material/do_not_disturb_on:")
        elif drawer.tabular:
            widgets.input_table(instance.cells(bundle, row))
        elif text := explained.sentence(bundle, row):
            st.html(text)
        else:
            caption = f"Example {row}, true label {truth}"
            widgets.figure(opened, "input", caption, str(row), width=drawer.pixels[0])
    with right:
        sure = f" ({md(share(probability))})" if isfinite(probability) else ""
        st.markdown(f"Predicted **{md(predicted)}**{sure}. True label **{md(truth)}**. {_sign(bundle, row)}")
        if groups := examples.belongs(bundle, row):
            st.markdown(md(groups))
        widgets.table(instance.ranking(bundle, row), "The most probable classes")


def _sign(bundle: Bundle, row: int) -> str:
    """Whether the answer is right; nothing where the task has no wrong answers."""
    judged = examples.right(bundle)
    if judged is None:
        return ""
    return ":blue[:material/check_circle: Right]" if judged[row] else ":orange[:material/cancel: Wrong]"


def _explanations(opened: Opened, row: int) -> None:
    bundle, methods = opened.bundle, explained.method_titles(opened.bundle)
    widgets.section("Explanations", "explanations")
    if not methods:
        why = robustness.reason(bundle, "explanation")
        widgets.not_run("Explanation of single examples", why, "[explain]\nsample = 100")
        return
    if not instance.explained(bundle, row):
        st.text(f"This example was not explained; {len(instance.rows(bundle)):,} were.")
        return
    drawer = instance.drawer(bundle)
    behind = explained.behind(bundle, row)
    shown = widgets.control(opened, "scale", "Scale", explained.SCALES)
    task = bundle.manifest.task
    one = "answer" if task.one_class else task.units[0]  # a label that is explained need not be decided for
    said = f"The explanations are of the {one} {md(explained.target(bundle, row, next(iter(methods))))}."
    st.markdown(f"{said} {explained.legend(bundle, shown)}")
    if known := instance.planted(bundle, row):
        st.markdown(md(known))
    width = drawer.pixels[1]
    with st.container(horizontal=True, gap="small"):
        for method, name in methods.items():
            with st.container(width=width):
                st.markdown(f"**{md(name)}**")
                _explanation(opened, row, method, name, shown)
                st.caption(md(" ".join([explained.caption(bundle, method), explained.fitted(bundle, row, method)])))
                lines = explained.badges(bundle, method)
                st.markdown("\n\n".join(f":small[{ln.replace(' = ', f'{NO_BREAK}={NO_BREAK}')}]" for ln in lines))
    if instance.features(bundle, row):  # the words of a text that was not kept are unknown
        widgets.data_expander("Values by feature", lambda: explained.attributions(bundle, row))
    if promising := together.promising(bundle, row):
        st.subheader("From the output without the features to that of the example", anchor=False)
        method = widgets.control(opened, "steps", "Method of the steps", promising)
        caption = f"Steps of {promising[method]}; their numbers are those of Values by feature above."
        widgets.figure(opened, "waterfall", caption, str(row), method, width=width)
    st.subheader("What the values mean", anchor=False)
    widgets.method_table(
        opened,
        "explainer",
        explained.meanings(bundle, row),
        "Meaning, output, settings and sum of each method's values",
    )
    if len(own := explained.here(bundle, row)):
        st.subheader("Can they be relied on here?", anchor=False)
        widgets.method_table(opened, "explainer", own, "Quality of each method for this example and on average")
    widgets.behind(opened, behind["explanations"])
    if curved.metrics(bundle):
        label = "How the output changes, in the order of each method and in random ones"
        widgets.part("curves", "As features are removed or added", label, partial(_curves, opened, row), "curve")
    if len(methods) < 2:
        return
    agreement = partial(_agreement, opened, row, behind["agreement"])
    widgets.part("agreement", "Do they agree?", "Rank correlation and top features of each two methods", agreement)


def _curves(opened: Opened, row: int) -> None:
    bundle = opened.bundle
    metric = widgets.control(opened, "curve", "Measure of the curves", curved.metrics(bundle))
    widgets.figure(opened, "moved", curved.said(bundle, metric, row), metric, str(row), width=560)
    widgets.behind(opened, curved.panel(bundle, metric, row))


def _agreement(opened: Opened, row: int, panel: Panel) -> None:
    bundle = opened.bundle
    widgets.method_table(opened, "explainer", explained.agreement(bundle, row), "Rank correlation between methods")
    st.caption("Spearman's rank correlation of the values by feature: 1 is the same order, 0 is no relation.")
    widgets.method_table(
        opened, "explainer", explained.overlap(bundle, row), "Top features that methods have in common"
    )
    st.caption(
        f"How many of the (at most {explained.TOP}) features with the largest values two methods have in common."
    )
    widgets.behind(opened, panel)


def _explanation(opened: Opened, row: int, method: str, name: str, shown: str) -> None:
    if not instance.kept(opened.bundle, row):
        return
    if text := explained.sentence(opened.bundle, row, method, shown):
        st.html(text)
        return
    caption = ": ".join(filter(None, (visible(name), explained.scale(opened.bundle, row, method, shown))))
    widgets.figure(opened, "explained", caption, str(row), method, shown, width="stretch")


def _near(opened: Opened, row: int) -> None:
    """The rows that are most like this one."""
    title, found = "The nearest rows", near.found(opened.bundle, row)
    if found is None:
        widgets.section(title, "near")
        st.text(near.why_none(opened.bundle, row))
    else:
        draw = partial(_found, opened, row, found)
        widgets.part("near", title, "Those with the same answer and those with another", draw)


def _found(opened: Opened, row: int, found: reading.Near) -> None:
    bundle = opened.bundle
    st.markdown(md(near.said(bundle, found)))
    for side, title in near.sides(bundle).items():
        if rows := getattr(found, side):
            st.subheader(title, anchor=False)
            widgets.table(near.table(bundle, opened.id, rows), f"The nearest rows {title.lower()}")
    widgets.behind(opened, near.panel(bundle, row, found))


def _attack(opened: Opened, row: int) -> None:
    title, attacks = "Under attack", attacked.attack_titles(opened.bundle)
    if not attacks:
        widgets.section(title, "attack")
        widgets.not_run("An attack", robustness.reason(opened.bundle, "robustness"))
        return
    label = "What each attack does to this example, and to its explanations"
    widgets.part("attack", title, label, partial(_attacked, opened, row, attacks), "attack", "eps")


def _attacked(opened: Opened, row: int, attacks: dict[str, str]) -> None:
    bundle = opened.bundle
    tried = attacked.smallest_successful_radii(bundle, row)
    widgets.method_table(opened, "attack", tried, "The smallest radius that flips this example")
    with st.container(horizontal=True):
        attack = widgets.control(opened, "attack", "Attack", attacks)
        radii = attacked.radii(bundle, attack)
        eps = widgets.control(opened, "eps", "Radius", radii, attacked.smallest_successful_radius(bundle, row, attack))
    if len(tried := attacked.by_radius(bundle, row, attack)):
        widgets.table(tried, "Answer, probability and measured norms at each radius")
        st.caption(attacked.measured_as(bundle, attack))
    if said := attacked.outcome(bundle, row, attack, eps):
        st.markdown(md(said))
    drawer, found = instance.drawer(bundle), attacked.pair(bundle, row, attack, eps)
    if found is None:
        st.text(
            "The attacked input of this example was not kept; an audit keeps those of the first 24 attacked examples."
        )
    elif text := attacked.edited(bundle, row, attack, eps):
        st.html(text)
        st.caption(drawer.attacked_legend)
    elif drawer.size == "text" or not found[2].any():
        st.text(UNCHANGED)
    elif drawer.tabular:
        widgets.listing(attacked.changes(bundle, row, attack, eps), "What the attack changed")
    else:
        caption = f"Example {row} {drawer.attacked_alt.format(attack=attacks[attack])}; radius: {radii[eps]}"
        widgets.figure(opened, "attacked", caption, str(row), attack, eps, width=drawer.pixels[2])
    widgets.behind(opened, attacked.behind(bundle, row, attack))
    _before_after(opened, row, attack, eps)


def _before_after(opened: Opened, row: int, attack: str, eps: str) -> None:
    """The explanations before and after an attack that broke the example."""
    bundle = opened.bundle
    widgets.section("Explanations before and after", "before_after")
    found = before_after.found(bundle, row, attack, eps)
    if not found:
        st.text(before_after.why_none(bundle, row, attack, eps))
        return
    st.markdown(f"{md(before_after.said(bundle, row))} {before_after.ONE_SCALE}")
    width = instance.drawer(bundle).pixels[1]
    for method, each in found.items() if instance.kept(bundle, row) else ():
        st.markdown(f"**{md(each.title)}**")
        with st.container(horizontal=True, gap="small"):
            for at, when in enumerate(before_after.WHEN):
                caption = f"{visible(each.title)}, {when} the attack"
                with st.container(width=width):
                    if text := before_after.sentence(bundle, row, attack, eps, method, at):
                        st.html(text)
                        st.caption(md(caption))
                    else:
                        widgets.figure(
                            opened, "before_after", caption, str(row), attack, eps, method, when, width="stretch"
                        )
    widgets.method_table(
        opened, "explainer", before_after.agreement(bundle, row, attack, eps), "Agreement before and after"
    )
    widgets.behind(opened, before_after.behind(bundle, row, attack, found))
