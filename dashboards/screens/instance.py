"""Why this answer, do the methods agree, and how little changes it?"""

import streamlit as st

from dashboards import draw as parts
from dashboards.views import instance, robustness
from dashboards.views.runs import Opened
from dashboards.views.words import md, plain, share

LIMITS = (
    "An explanation describes the model's arithmetic, not causes in the world.",
    "Badges are averages over all explained examples: they do not vouch for this one.",
    "Each map has a scale of its own, so that colours compare places within a map, not methods.",
    "'Stood' means against these attacks up to this radius; another attack may succeed.",
)
UNCHANGED = "No change is shown: the answer was wrong already, or the attack did not break it at this radius."


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    parts.heading("Instance", "Why this answer, do the methods agree, and how little changes it?")
    rows = instance.rows(bundle)
    if not rows:
        parts.absent(
            "Explanation of single examples", robustness.reason(bundle, "explanation"), "[explain]\nsample = 100"
        )
    else:
        row = _choose(opened, rows)
        _answer(opened, row)
        _explanations(opened, row)
        _attack(opened, row)


def _choose(opened: Opened, rows: list[int]) -> int:
    listed = [str(row) for row in rows]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        row = parts.control(
            opened, "row", f"Example ({len(rows)} were explained)", dict(zip(listed, listed, strict=True))
        )
        at = listed.index(row)
        parts.step("row", "Previous", listed[at - 1] if at else None, ":material/chevron_left:")
        parts.step("row", "Next", listed[at + 1] if at + 1 < len(listed) else None, ":material/chevron_right:")
    return int(row)


def _answer(opened: Opened, row: int) -> None:
    bundle = opened.bundle
    predicted, probability, truth = instance.answer(bundle, row)
    left, right = st.columns([1, 2])
    with left:
        if instance.form(bundle) == "image":
            parts.figure(opened, "picture", f"Example {row}, true label {truth}", str(row), width=260)
        elif instance.form(bundle) == "tokens":
            st.html(instance.sentence(bundle, row))
        elif instance.form(bundle) == "graph":
            parts.figure(opened, "graph", f"Example {row}, true label {truth}", str(row), width=320)
        else:
            parts.data_table(instance.cells(bundle, row), height=300)
    with right:
        sign = ":blue[:material/check_circle: Right]" if predicted == truth else ":orange[:material/cancel: Wrong]"
        st.markdown(f"Predicted **{md(predicted)}** ({md(share(probability))}). True label **{md(truth)}**. {sign}")
        parts.table(instance.ranking(bundle, row), "The most probable classes")


def _explanations(opened: Opened, row: int) -> None:
    bundle, methods = opened.bundle, instance.methods(opened.bundle)
    st.subheader("Explanations", anchor=False)
    if not methods:
        st.text("No method could explain this model.")
        return
    st.caption(
        f"What speaks for the answer {md(instance.target(bundle, row, next(iter(methods))))} (red) and against (blue)."
    )
    width = {"image": 200, "tokens": 640, "graph": 300}.get(instance.form(bundle), 400)
    with st.container(horizontal=True, gap="small"):
        for method, name in methods.items():
            with st.container(width=width):
                st.markdown(f"**{md(name)}**")
                _explanation(opened, row, method, name, width)
                for line in instance.badges(bundle, method):
                    st.markdown(f":small[{line}]")
    parts.data(instance.attributions(bundle, row), "Values by feature")
    st.markdown("##### Do they agree?")
    parts.table(instance.agreement(bundle, row), "Rank correlation between methods")
    st.caption("Spearman's rank correlation of the values by feature: 1 is the same order, 0 is no relation.")


def _explanation(opened: Opened, row: int, method: str, name: str, width: int) -> None:
    form = instance.form(opened.bundle)
    if form == "tokens":
        st.html(instance.sentence(opened.bundle, row, method))
    elif form == "image":
        caption = f"{plain(name)}: darkest from ±{instance.scale(opened.bundle, row, method)}"
        parts.figure(opened, "heatmap", caption, str(row), method, width=width)
    elif form == "graph":
        parts.figure(opened, "edges", f"{plain(name)}: wide edges count most", str(row), method, width=width)
    else:
        parts.figure(opened, "bars", plain(name), str(row), method, width=width)


def _attack(opened: Opened, row: int) -> None:
    bundle, attacks = opened.bundle, instance.attacks(opened.bundle)
    st.subheader("Under attack", anchor=False)
    if not attacks:
        parts.absent("An attack", robustness.reason(bundle, "robustness"))
        return
    parts.table(instance.falls(bundle, row), "The smallest radius that flips this example")
    with st.container(horizontal=True):
        attack = parts.control(opened, "attack", "Attack", attacks)
        radii = instance.radii(bundle, attack)
        eps = parts.control(opened, "eps", "Radius", radii, instance.first_fall(bundle, row, attack))
    if instance.attacked(bundle, row, attack, eps) is None:
        st.text(
            "The attacked input of this example was not kept; the audit keeps those of the first 24 attacked examples."
        )
    elif instance.form(bundle) == "image":
        caption = (
            f"Example {row} before and after {attacks[attack]} with radius {radii[eps]}, and the change, amplified"
        )
        parts.figure(opened, "changed", caption, str(row), attack, eps, width=620)
    elif instance.form(bundle) == "graph":
        caption = f"Example {row} and the edges that {attacks[attack]} moved; radius: {radii[eps]}"
        parts.figure(opened, "rewired", caption, str(row), attack, eps, width=480)
    elif instance.form(bundle) == "tokens":
        _edited(instance.edited(bundle, row, attack, eps))
    else:
        moved = instance.changes(bundle, row, attack, eps)
        if moved.empty:
            st.text(UNCHANGED)
        else:
            parts.table(moved, "What the attack changed")
            st.caption("Changes by feature, in the unit of the radius.")


def _edited(text: str) -> None:
    if text:
        st.html(text)
        st.caption(
            "Words that are struck out were replaced by the underlined ones after them. A word can be replaced by its "
            "opposite, so that another answer is not always an error."
        )
    else:
        st.text(UNCHANGED)
