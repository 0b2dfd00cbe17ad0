r"""The lab: a live model behind a queue. A separate process holds the model; the client needs no torch.

    desk = Desk(offered("plans", named=["adult-mlp"]), Setup(runs="runs"))
    job = desk.ask(owner, "adult-mlp", {"ask": "answer", "row": {"row": 3}})
    job = desk.wait(owner, job.id)           # or desk.job(owner, job.id), again and again
    job.state, job.progress, job.answer.record, job.answer.arrays["logits"]

`owner` is a random token of one browser session; only with it can a job be seen or cancelled. A
job is
*waiting*, *opening* (its model), *running*, and ends as *done*, *refused* (by the library, with its sentence in
`error`),
*failed* (a defect, or its process ended) or *cancelled*. Answers are cached and shared between owners.

A request is plain data that holds all that its answer depends on, and a seed where numbers are drawn: it is a
             setting of
its method. In records a number that is none or infinite is null; arrays hold exactly what the library gave. What is
wrong
with a request is said in the sentence that the command line has for it.

A row (`row` in most requests) is one of

    {"row": 17}                              of the data, numbered from 0
    {"cells": {"age": "41", "sex": "Female"}}            of a table: every feature, and nothing else
    {"csv": "age,sex\n41,Female"}            the same as a line, with or without a header
    {"text": "a fine film"}                  of a model of texts
    {"image": "photo"}                       with arrays={"photo": the bytes of the file as uint8}
    {"array": "mine"}                        with arrays={"mine": numbers of the shape of an example}, and, where each
                                             example has features of its own, "features": the name of another array

and each may have `"edits": {NAME: VALUE}`: a feature by its name, as a category one of its choices, a whole number
whole;
in a text `{"3": "good"}` puts a word in the place of word 3; of pixels, series and graphs nothing is edited by name.

A method (`method`, `explainer`) is its name, or {"method": "pgd", "steps": 40, "goal": {"method": "targeted",
             "target": 3}}.
A `target` or `only` is written as on the command line: a class, label or output by its name, or a class at a place
             "3:verb".

What can be asked, and what is answered (`record`; arrays):

describe  {}
    name, task {kind, ...}, outputs [names], units [one, many], decides (in words), form {name, ...}, shape, moves,
    brought_as [csv, text or image: how an input of one's own may be written, beside an array],
    features [{name, kind: continuous|integer|category, missing, mutable, and choices | low, high, seen [least,
    most]}]
    ([] where features have no names of their own), usual {explainers, attacks, eps}, notices, known_by (a digest),
    data {name, rows, source, role, groups {column: [values]}},
    methods {family: {name: {title, summary, doc, needs, why ("" where it suits the model, else the reason), settings,
    of attacks budget and threat {unit, counted, axis, note}, of explainers completeness}}}
    settings [{name, type: whole|number|text|truth|choice|method|list|other, default, required, optional, help,
    limits {low, high, above, below}, choices (of a choice: values; of a method: {name: {summary, settings}})}]
    arrays: low, high, scale: of each coordinate, (*shape)
rows  {start: 0, count: 24, only: "all"|"right"|"wrong"}
    rows [{row, number (in its source), words [per feature, where the form has any], groups {}, ANSWER}], names, total
    (how many there are of `only`); arrays: inputs (rows, *shape), logits, decided, probabilities
answer  {row}
    input INPUT, answer ANSWER; arrays: inputs (*shape), features (*shape: the feature of each coordinate, if
    grouped),
    logits (1, ...), decided (1, ...), probabilities (1, ...; numbers have none)
explain  {row, method, target: ""}
    input INPUT, explanation EXPLANATION; arrays as of answer without its last three, values (*shape), by_feature,
    errors (standard errors by feature, where values were drawn; also where values and by_feature are named below)
quality  {row, method, target: "", metrics: null (the usual), sample: 0 (rows of the data to average over), seed: 0}
    here METRICS, average METRICS (where sample > 0), rows [of the sample]
attack  {row, method, eps: [] (budgets as texts; none: the method's own), only: "", against: "label"|"answer",
         explainer: null, target: ""}
    input INPUT, clean ANSWER, method, against (what it was attacked as, in words), threat {unit, ...},
    reached_before, steps [{eps, budget, success, length (in the threat's unit), lengths {linf, l2, ...}, changed (how
    many features), words, cost, ANSWER}]; explanation EXPLANATION and after [EXPLANATION] where there is an explainer
    arrays: inputs, perturbed (steps, *shape), moved (steps, features), logits, decided, probabilities (steps, ...),
    clean_logits, clean_decided, clean_probabilities, values, by_feature, after_values (steps, *shape),
    after_by_feature
counterfactual  {row, method, only: ""}
    input INPUT, clean ANSWER, method, cost, candidates [{reached, changed (how many features), lengths, distance (l1 in
    the space's scale), differences [{name, before, after}], words, ANSWER}]
    arrays: inputs, candidates (candidates, *shape), moved, logits, decided, probabilities, clean_...
edit  {row (with edits), explainer: null, target: ""}
    input INPUT, before ANSWER, after ANSWER, said [sentences], changed [{name, before, after}], words (after),
    lengths {linf, l2, ...}; explanation and after_explanation EXPLANATION where there is an explainer
    arrays: inputs, edited (*shape), logits, decided, probabilities, before_...; values, by_feature, after_...
flip  {row, attribute (a category, or a group of the data), to: "" (every other value), proxies: 3}
    input INPUT, before ANSWER, attribute, value, is_feature, dependence [{name, value 0..1, measure}] (the strongest
    first), measured (how, in words), flips [{to, proxies [names; [] of the attribute alone], from_row (whose proxies
    these are, else null), changed [{name, before, after}], lengths, words, ANSWER}]
    arrays: inputs, edited (flips, *shape), logits, decided, probabilities (flips, ...), before_...
plan  {text: "" (the usual plan)}
    text (TOML), seconds and rows (an estimate on this model), name; refused as the command line refuses it
audit  {text, name: "" (the plan's)}      writes a bundle into the folder of runs; cancelling keeps what is done
    folder (its name in the folder of runs), name, status, digest, verdict [sentences], findings [{check, status, ...}]
keep  {what: an explain, attack or counterfactual request, or a list of explanations of one answer, name}
                                          the same as a bundle that `probe verify` passes
    as of audit
estimate  {of: any request}
    seconds, rows: measured on this model

INPUT        form, names [of features], words [of features, where the form has any], said [how it came about], and of
             rows of the data number and groups {column: value}
ANSWER       decided (in words), names [of outputs], target and target_name (what is explained unless named; null at
             places), several [of several labels or places, their names], and where it is known label (in words),
             right (true, false, a list of several, null where nothing is right or wrong), details {confidence,
             error, ...}
EXPLANATION  method (with all settings), target, target_name, output, caption, sum, promised and residual (sizes,
             null where nothing is promised), imposed (the sum is so by construction), cost {forward, backward}
METRICS      [{metric, title, unit, better, threshold, value, low, high (null for one row), n, why (if it was not
             taken), columns, evidence [a list for each row]}]

A request is a file in `probe/lab/requests/`, and is found there; a method of anybody's appears by itself.
"""

from probe.lab.desk import Desk
from probe.lab.jobs import Answer, Job, Progress
from probe.lab.process import Setup
from probe.lab.sources import LabError, Source, offered

__all__ = ["Answer", "Desk", "Job", "LabError", "Progress", "Setup", "Source", "offered"]
