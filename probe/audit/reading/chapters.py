"""The chapters that report and viewer have in common, and the findings by chapter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from probe.audit.manifest import Manifest
from probe.finding import Finding
from probe.statuses import urgency


@dataclass(frozen=True)
class Chapter:
    """A chapter of the report and a page of the viewer."""

    title: str
    asks: str  # the question that it answers
    shows: str
    limits: Sequence[str]  # what it does not show


CHAPTERS = {
    "performance": Chapter(
        "Performance",
        "How often is the model right, and does it know?",
        "How often the model's first answer is the label on these rows, and whether it is as often right as its "
        "confidence says.",
        (
            "Rows that were drawn otherwise, later or elsewhere may be answered less well.",
            "Labels are taken to be true; where they are wrong or slanted, so is every number here.",
            "A calibrated model can be wrong about a group of rows: calibration is an average over all of them.",
        ),
    ),
    "explanation": Chapter(
        "Explanations",
        "Why this answer, do the methods agree, and how little changes it?",
        "Whether the features that a method puts first matter to the model more than features in random order: its "
        "answer should fall sooner when they are taken away (deletion) and rise sooner when they are shown "
        "(insertion). 0 is no better than a random order.",
        (
            "An explanation describes the model's arithmetic, not causes in the world, nor what the model ought to "
            "use.",
            "A feature is taken away by putting reference values in its place, which may be inputs that the model has "
            "never seen.",
            "Methods may disagree. What was measured of one is an average over all explained rows: it does not vouch "
            "for any of them.",
            "Each map or chart has a scale of its own: it compares places within one method, not methods.",
        ),
    ),
    "robustness": Chapter(
        "Robustness",
        "How does accuracy fall as an attacker may change the inputs more?",
        "The share of rows that the model still gets right under the changes that these attacks found.",
        (
            "Every number is an upper bound: a stronger attack, or one of another kind, can only lower it.",
            "Between the radii of the grid nothing was measured; the lines only guide the eye.",
            "Nothing is said about changes that these attacks cannot make, such as rotations, noise or another order "
            "of words.",
            "The same rows are attacked at every radius, so that the intervals along a curve are not independent.",
        ),
    ),
    "certificates": Chapter(
        "Certificates",
        "Which answers can no attack change, and up to which radius?",
        "For which share of the rows the decision is right, and provably stays so under every change up to the "
        "radius, whatever the attack.",
        (
            "Every share is a lower bound: rows of which nothing is proved may hold as well.",
            "Nothing is said about larger changes, or about changes that the radius does not measure.",
            "Where it is the vote of a model that holds, nothing is proved of the model alone.",
            "The same rows are there at every radius, so that the intervals along a curve are not independent.",
        ),
    ),
    "surveys": Chapter(
        "Surveys",
        "What does the model do over all rows?",
        "What each survey found of each of its items, with what the choice of the rows leaves open.",
        (
            "A survey describes this model on these rows, not causes in the world.",
            "Items that stand in for each other may each seem to count less than they do together.",
            "Each item has an interval of its own: the more items, the likelier it is that one is off by chance.",
        ),
    ),
    "bias": Chapter(
        "Group differences",
        "Whose outcomes differ, by how much, and how sure is that?",
        "How often each group gets the favourable answer, how often it is right or wrong for them, and which gaps the "
        "rows can tell from chance; of a regression, what it answers on average and by how much it is off.",
        (
            "A gap is not a verdict: why groups differ, and whether that is justified or does harm, is for people "
            "to judge.",
            "No gap found is not no gap: 'would have failed' is the true gap that this sample would have failed.",
            "Groups that the data do not name, and people who are not in the data, were not compared.",
            "Rates by true label rest on the labels, which can be biased themselves.",
        ),
    ),
    "evidence": Chapter(
        "All that was measured",
        "What was measured, by which method, and what came of it?",
        "Each number that the audit reduced its evidence to, in the order in which it was measured.",
        (
            "A number without a status was held against nothing: the plan asks nothing of it.",
            "Numbers of different methods, units or rows do not compare.",
        ),
    ),
}
ASPECTS = ("performance", "explanation", "robustness", "bias")
APART = "Checks of the explanations and attacks themselves, not of the model"


class Register(NamedTuple):
    """The findings about the model of one aspect, or, with no aspect, those about the audit's own methods."""

    aspect: str
    title: str
    findings: Sequence[Finding]


def register(manifest: Manifest, status: str = "") -> list[Register]:
    """The findings of a status, or all, by aspect; in each those that need a reader first."""
    chosen = sorted((f for f in manifest.findings if f.status == status or not status), key=lambda f: urgency(f.status))
    known = [aspect for aspect in ASPECTS if any(f.aspect == aspect for f in chosen)]
    aspects = dict.fromkeys((*known, *(f.aspect for f in manifest.findings)))
    listed = [
        Register(
            aspect,
            CHAPTERS[aspect].title if aspect in CHAPTERS else aspect,
            [f for f in chosen if f.aspect == aspect and f.about == "model"],
        )
        for aspect in aspects
    ]
    listed.append(Register("", APART, [f for f in chosen if f.about != "model"]))
    return [part for part in listed if part.findings]
