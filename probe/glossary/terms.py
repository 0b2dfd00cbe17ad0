"""The terms of an audit in plain words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A term, what it means, other ways in which it is written, and the terms that it is best read with."""

    name: str
    meaning: str
    also: tuple[str, ...] = ()
    see: tuple[str, ...] = ()  # slugs
    everyday: bool = False  # its name is a word of every day too, so that only what it is also called is looked for

    @property
    def forms(self) -> tuple[str, ...]:
        """The ways in which a text that means it writes it."""
        return self.also if self.everyday else (self.name, *self.also)

    @property
    def slug(self) -> str:
        """Its name in a link."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


SECTIONS: Mapping[str, tuple[Term, ...]] = {
    "Outcomes": (
        Term(
            "pass",
            "The whole interval lies on the good side of the threshold. It is a statement about these rows and this "
            "check, not about the model in every use.",
            ("passes", "passed"),
            ("threshold", "interval"),
        ),
        Term(
            "fail",
            "The whole interval lies on the bad side of the threshold.",
            ("fails", "failed"),
            ("threshold", "interval"),
        ),
        Term(
            "inconclusive",
            "The interval contains the threshold, so the rows are too few to decide. It is not a pass.",
            see=("interval", "threshold"),
        ),
        Term(
            "not run",
            "The check was planned but not measured, for the reason given beside it. It is not a pass.",
        ),
        Term("error", "The step stopped with an error, so that nothing is known. It is not a pass.", everyday=True),
        Term(
            "finding",
            "One check with its outcome: what was measured, how sure that is, and the threshold it was compared with.",
            ("findings",),
            ("threshold",),
            everyday=True,
        ),
        Term(
            "reading",
            "One number that an audit took, with its interval; not every reading has a threshold.",
            ("readings",),
            everyday=True,
        ),
        Term(
            "threshold",
            "The value that a number is compared with. Whoever wrote the plan chose it; it is not law.",
            ("thresholds",),
            ("plan",),
        ),
        Term("interrupted", "The audit ended before all of its steps were done; the same command continues it."),
    ),
    "How sure a number is": (
        Term(
            "estimate",
            "A number computed from a sample of rows, as an estimate of the number over the whole population.",
        ),
        Term(
            "interval",
            "The range that holds the true value in 95 of 100 audits of rows drawn alike. It covers sampling error, "
            "not labels that are wrong, or data unlike those that the model will meet.",
            ("intervals", "confidence interval"),
            ("estimate", "bootstrap", "wilson-interval"),
        ),
        Term(
            "simultaneous",
            "Said of intervals that hold for all groups, or all pairs of groups, at once, so that many comparisons "
            "do not make a difference by luck alone.",
        ),
        Term(
            "Wilson interval",
            "An interval of a share, such as an accuracy, that is right also near 0 % and 100 % and for few rows.",
            ("Wilson's",),
            ("interval",),
        ),
        Term(
            "bootstrap",
            "An interval by drawing the rows again, with repeats, many times, and seeing how far the number moves.",
            see=("interval",),
        ),
        Term(
            "paired",
            "Said of a difference that is taken row by row over the rows that both audits have, which tells smaller "
            "differences from chance than two separate numbers would.",
            see=("interval",),
        ),
        Term("seed", "The number that random draws start from; the same seed gives the same draws."),
        Term("pp", "Percentage points: from 90 % to 85 % is 5 pp.", ("percentage points",)),
    ),
    "Answers": (
        Term("logit", "The number that the network gives for a class before it becomes a probability.", ("logits",)),
        Term("accuracy", "The share of rows of which the model's answer is the label."),
        Term("confidence", "The probability that the model gives its most likely class."),
        Term(
            "calibration",
            "Whether the model is right as often as its confidence says: of answers given with 80 %, 80 % should be "
            "right.",
            ("calibrated",),
            ("confidence", "calibration-error"),
        ),
        Term(
            "calibration error",
            "The mean gap between confidence and accuracy, over bins of rows with alike confidence. Lower is better.",
            ("ECE",),
            ("calibration",),
        ),
        Term("confusion matrix", "A table of how often rows of each class are answered as each class."),
        Term("precision", "Of the rows that are answered as a class, the share that are of it."),
        Term("recall", "Of the rows of a class, the share that are answered as it.", see=("true-positive-rate",)),
        Term(
            "area under ROC",
            "How often a row of the favourable or second class has a higher score than one of the other: 50 % is "
            "chance, 100 % is perfect order.",
            ("AUC", "area under the ROC curve"),
        ),
        Term(
            "R squared",
            "The share of the labels' variance that the answers explain: 1 is all, 0 is no better than the mean.",
        ),
    ),
    "Explanations": (
        Term(
            "attribution",
            "A number for each feature of one input that says how much it supports or opposes the answer.",
            ("attributions",),
            ("feature",),
        ),
        Term("feature", "One part of an input: a column, a pixel or segment, a word, an edge.", ("features",)),
        Term(
            "reference",
            "What replaces a feature that is absent: a black image, an empty word, rows of the training data.",
            ("baseline", "references"),
        ),
        Term(
            "occlusion",
            "What the output loses when one part of the input is replaced by the reference, and nothing else.",
            ("leave-one-out", "feature ablation"),
            ("reference",),
        ),
        Term(
            "class activation map",
            "What a layer of a network sees, weighted by what the answer makes of it; no finer than the layer.",
            ("GradCAM", "LayerCAM", "ScoreCAM"),
        ),
        Term(
            "propagation",
            "The output is passed back through a network, and each operation shares it out among what went into it.",
            ("DeepLift", "DeepLiftShap", "LRP"),
        ),
        Term(
            "smoothing of gradients",
            "An explanation by gradients, averaged over noisy copies of an input; VarGrad is their variance.",
            ("SmoothGrad", "VarGrad"),
        ),
        Term(
            "completeness",
            "Whether the values of an explanation add up to what they promise: the output minus that at the reference.",
            see=("reference",),
        ),
        Term(
            "deletion",
            "How much sooner the output falls when the features that an explanation ranks first are removed, "
            "compared with a random order. 0 is no better than chance.",
            see=("insertion", "random-order"),
        ),
        Term(
            "insertion",
            "How much sooner the output rises when the features that an explanation ranks first are shown, compared "
            "with a random order. 0 is no better than chance.",
            see=("deletion", "random-order"),
        ),
        Term(
            "random order",
            "What an explanation is compared with: features in an order that does not depend on the model.",
            ("random orders",),
        ),
        Term(
            "fidelity",
            "How well an explanation follows the model, whatever the world is like. Deletion and insertion measure it.",
            ("faithfulness", "faithful"),
            ("deletion", "insertion"),
        ),
        Term(
            "sparseness",
            "How few features carry an explanation. A sparse one is easier to read, but not more faithful for that.",
        ),
        Term(
            "rank correlation", "Whether two methods put features into one order: 1 is the same order, 0 no relation."
        ),
    ),
    "Attacks and proofs": (
        Term(
            "attack",
            "A search for a small change of an input that the model answers otherwise. What it finds is real; what "
            "it does not find may still be there.",
            ("attacks",),
            ("budget", "robust-accuracy"),
        ),
        Term(
            "budget",
            "The largest change that an attack may make: a length (eps, the radius), or a number of words or edges.",
            ("budgets",),
            ("eps", "l2", "linf"),
        ),
        Term(
            "eps",
            "The radius of the changes that are allowed, in the unit of the space's scale: 8/255 of the range of a "
            "pixel, or a share of the spread of a column.",
            ("radius", "radii"),
            ("l2", "linf", "scale"),
        ),
        Term(
            "scale", "The unit that changes of each feature are measured in, so that years and dollars can be compared."
        ),
        Term("L2", "The length of a change as a ruler measures it: the root of the sum of all squares.", see=("linf",)),
        Term("Linf", "The length of a change by the feature that changed most.", see=("l2",)),
        Term(
            "robust accuracy",
            "The share of rows still answered rightly after an attack. A stronger attack can only lower it.",
            see=("attack", "upper-bound"),
        ),
        Term("upper bound", "A number that the true value does not exceed."),
        Term("lower bound", "A number that the true value is at least."),
        Term(
            "certificate",
            "A proof that no change within a radius alters the answer, whatever the attack.",
            ("certificates", "certified"),
            ("lower-bound",),
        ),
        Term(
            "counterfactual",
            "An input near a row that the model answers otherwise: what would have to be different.",
            ("counterfactuals",),
        ),
        Term("validity", "Whether a counterfactual gets the answer that was wanted.", see=("counterfactual",)),
        Term("survey", "A number for each item, such as a feature or a class, over all rows.", ("surveys",)),
        Term(
            "permutation importance",
            "How much more often the model errs where a feature shows the value of another row.",
            see=("survey",),
        ),
    ),
    "Groups": (
        Term("group", "Rows that share a value of an attribute, such as sex.", ("groups",)),
        Term(
            "protected attribute",
            "An attribute by which people must not be treated differently, such as sex, race or age.",
            ("protected attributes",),
            ("proxy",),
        ),
        Term("proxy", "A feature that tells an attribute indirectly, as a postcode can tell origin.", ("proxies",)),
        Term("favourable answer", "The answer that people prefer, such as a loan.", ("favourable class",)),
        Term("selection rate", "The share of a group that gets the favourable answer.", ("selection rates",)),
        Term(
            "true positive rate",
            "Of those in a group who truly are of the favourable class, the share who get that answer.",
            ("TPR", "true positive rates"),
            ("false-positive-rate",),
        ),
        Term(
            "false positive rate",
            "Of those in a group who truly are not of the favourable class, the share who get that answer all the "
            "same.",
            ("FPR", "false positive rates"),
            ("true-positive-rate",),
        ),
        Term(
            "demographic parity difference",
            "The largest difference between the selection rates of two groups. 0 is equal treatment in this sense, "
            "whatever the labels are.",
            ("demographic parity",),
            ("selection-rate",),
        ),
        Term(
            "demographic parity ratio",
            "The lowest selection rate divided by the highest. Below 0.8 is what US practice calls adverse impact (the "
            "four-fifths rule).",
            ("impact ratio", "impact ratios"),
            ("selection-rate",),
        ),
        Term(
            "equal opportunity",
            "Equal true positive rates: those who deserve the favourable answer get it equally often in every group.",
            see=("true-positive-rate", "equalized-odds-difference"),
        ),
        Term(
            "equalized odds difference",
            "The largest difference between two groups in their true or in their false positive rates, whichever is "
            "larger.",
            ("equalized odds",),
            ("equal-opportunity",),
        ),
    ),
    "Evidence": (
        Term("plan", "The file that says what an audit measures, how, and which thresholds are asked for."),
        Term(
            "bundle",
            "The folder of plain files that an audit leaves: every number with the evidence that it follows from.",
        ),
        Term(
            "digest",
            "A short text computed from files, which changes if a single byte does (SHA-256).",
            ("digests", "SHA-256"),
        ),
        Term(
            "consistent with itself",
            "All files have the digests that were recorded, and every number follows from the stored evidence. It "
            "does not show who made them.",
            see=("digest",),
        ),
        Term("forward pass", "One question to the model: an input goes in, an answer comes out.", ("forward passes",)),
        Term(
            "backward pass",
            "One gradient of the model: which way the answer moves with each input.",
            ("backward passes",),
        ),
    ),
}
TERMS: Mapping[str, Term] = {term.slug: term for terms in SECTIONS.values() for term in terms}
