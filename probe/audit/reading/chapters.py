"""The chapters that report and viewer have in common, and the findings by chapter."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from probe.audit.manifest import Manifest
from probe.audit.titles import in_words
from probe.finding import Finding
from probe.statuses import urgency
from probe.task import MultiLabel


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
        "How often is the model right, and can its confidence be trusted?",
        "How often the model's top answer is the label on these rows, and whether it is right as often as its "
        "confidence says (calibration).",
        (
            "The model may do worse on rows from another time, place or source.",
            "Labels are taken as the truth; where they are wrong or biased, so is every number here.",
        ),
    ),
    "explanation": Chapter(
        "Explanations",
        "Why this answer, do the methods agree, and how little changes it?",
        "Whether the features that a method ranks first matter more to the model than features in random order: its "
        "output should fall sooner when they are removed (deletion) and rise sooner when they are added (insertion). "
        "0 is no better than a random order.",
        (
            "An explanation describes what the model computes, not causes in the world, nor what the model should use.",
            "A feature is removed by putting reference values in its place; the result may be unlike any input that "
            "the model was trained on.",
            "Methods may disagree. Each measure is an average over all explained rows: it does not show that any one "
            "explanation is right.",
            "Each map or chart has its own scale: compare features within one method, not between methods.",
        ),
    ),
    "counterfactuals": Chapter(
        "Counterfactuals",
        "What would have to change for a different answer?",
        "For single rows, a nearby input to which the model gives a different answer, checked by "
        "running the model: which features change, from what to what, and by how much.",
        (
            "A counterfactual is the best that the method found: a nearer one may exist, also for "
            "rows where none was found.",
            "It shows what the model would answer, not what the change would cause in the world, nor "
            "that anybody could make the change.",
            "Distances are in the unit of the space's scale; they cannot be compared with distances in other units.",
        ),
    ),
    "robustness": Chapter(
        "Robustness",
        "How does accuracy fall as an attacker is allowed larger changes?",
        "The share of rows that the model still gets right under the changes that these attacks found.",
        (
            "Every number is an upper bound: a stronger attack, or one of another kind, can only lower it.",
            "Nothing was measured between the radii of the grid; the lines only guide the eye.",
            "Changes that these attacks cannot make, such as rotations, noise or a different word order, were not "
            "tested.",
            "The same rows are attacked at every radius, so the intervals along a curve are not independent.",
        ),
    ),
    "certificates": Chapter(
        "Certificates",
        "Which answers can no attack change, and up to which radius?",
        "The share of rows whose answer is right and provably stays right under every change up to the radius, "
        "whatever the attack.",
        (
            "Every share is a lower bound: rows without a certificate may be robust as well.",
            "Nothing is proved about larger changes, or about changes that the radius does not measure.",
            "A certificate of a vote over many noisy inputs proves nothing about the model's answer to a single one.",
            "The same rows are used at every radius, so the intervals along a curve are not independent.",
        ),
    ),
    "surveys": Chapter(
        "Surveys",
        "What does the model do over all rows?",
        "What each survey measured for each of its items, with intervals over the choice of rows.",
        (
            "A survey describes this model on these rows, not causes in the world.",
            "Items that carry the same information can each seem less important than they are together.",
            "Each item has its own interval: the more items there are, the likelier it is that one is off by chance.",
        ),
    ),
    "bias": Chapter(
        "Group differences",
        "Which groups have different outcomes, by how much, and how certain is that?",
        "How often each group gets the favourable answer, how often the model is right or wrong for it, and which "
        "gaps are larger than chance; for a regression, the mean answer and the mean error of each group.",
        (
            "A gap is not a verdict: why groups differ, and whether that is justified or does harm, is for people "
            "to judge.",
            "Finding no gap does not prove that there is none: 'would have failed' says how large a true gap had to "
            "be for this sample to fail it.",
            "Groups that the data do not name, and people who are not in the data, were not compared.",
            "Rates by true label depend on the labels, which can be biased themselves.",
        ),
    ),
    "evidence": Chapter(
        "Evidence",
        "Who signed this audit, what was measured, and what was found?",
        "Every number that the audit computed from its evidence, in the order in which it was measured.",
        (
            "A number without a status has no threshold in the plan.",
            "Numbers of different methods, units or rows cannot be compared.",
        ),
    ),
}
ASPECTS = ("performance", "explanation", "robustness", "bias")
APART = "Checks of the explanations and attacks themselves, not of the model"


CALIBRATED = "A calibrated model can be wrong about a group of rows: calibration is an average over all of them."


def performance(manifest: Manifest) -> Chapter:
    """The chapter of the answers to all rows, in the words of the model's task."""
    chapter = CHAPTERS["performance"]
    if manifest.task.kind == "regression":
        shows = "How far the model's answers are from the labels on these rows"
        judged = ", and how often by no more than the tolerance" * manifest.task.judges
        return replace(chapter, asks="How far off is the model?", shows=f"{shows}{judged}.")
    if isinstance(manifest.task, MultiLabel):
        shows = (
            "How often each label is predicted correctly on these rows, and whether it is right as "
            "often as its confidence says."
        )
        return replace(chapter, shows=shows)
    return chapter


class Register(NamedTuple):
    """The findings about the model of one aspect, or, with no aspect, those about the audit's own methods."""

    aspect: str
    title: str
    findings: Sequence[Finding]


def register(manifest: Manifest, status: str = "") -> list[Register]:
    """The findings of a status, or all, by aspect; within each the most urgent first."""
    shown = (f for f in manifest.findings if f.status == status or not status)
    chosen = [in_words(manifest, f) for f in sorted(shown, key=lambda f: urgency(f.status))]
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
