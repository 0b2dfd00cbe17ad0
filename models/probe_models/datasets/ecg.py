"""Heartbeats: two leads of an electrocardiogram that are generated, with one of three disorders or none.

A beat is a sum of Gaussian waves P, Q, R, S and T around its time, as in ECGSYN (McSharry et al. 2003,
doi:10.1109/TBME.2003.808805); heights and times vary by chance, and slow wander and noise are added. The classes differ
in a known part of the series: the P waves, the stretch between S and T, or one beat. They are no patients: what a
network learns here says nothing about people.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from probe import Dataset, Space, stretches
from probe.errors import PlanError
from probe.forms import Series

NAME = "ecg"
CLASSES = ("normal", "no P wave", "raised ST", "premature beat")
LEADS = ("lead I", "lead II")
RATE, LENGTH, STRETCH = 50.0, 128, 8  # measurements a second, of a series, of a feature
COUNTS = {"train": 4_000, "test": 1_000}
SEEDS = {"train": 1, "test": 2}
SOURCE = "generated from a seed: sums of Gaussian waves after ECGSYN (doi:10.1109/TBME.2003.808805)"
# Time after the R wave and deviation in seconds, height in lead I and lead II in millivolts.
P, Q, R, S = (-0.17, 0.03, 0.12, 0.18), (-0.04, 0.02, -0.06, -0.1), (0.0, 0.02, 0.7, 1.0), (0.04, 0.02, -0.15, -0.2)
T, ST = (0.26, 0.05, 0.2, 0.3), (0.12, 0.04, 0.15, 0.22)
WIDE = ((0.0, 0.05, 0.8, 1.2), (0.28, 0.06, -0.25, -0.35))  # the waves of a premature beat
BEATS = np.arange(-1, 6)

Numbers = NDArray[np.float64]


def read(split: str) -> Dataset:
    """The `train` or `test` split: each series is (leads, length) in millivolts."""
    if split not in COUNTS:
        raise PlanError(f"ecg has the splits {', '.join(COUNTS)}; got {split!r}")
    # Only numbers from 0 to 1 are drawn: numpy may change how it makes others of them.
    count, random = COUNTS[split], np.random.Generator(np.random.PCG64(SEEDS[split])).random
    labels = np.arange(count) % len(CLASSES)
    lines = _beats(labels, random) + _wander(count, random)
    lines += 0.06 * (random((3, count, len(LEADS), LENGTH)).sum(0) - 1.5)
    order = random(count).argsort()
    return Dataset(
        inputs=torch.from_numpy(lines[order].clip(-3, 3)).float(),
        labels=torch.from_numpy(labels[order]),
        space=space(),
        classes=CLASSES,
        name=f"ecg {split}",
        source=SOURCE,
    )


@cache
def space() -> Space:
    """Millivolts from -3 to 3; the features are stretches of 0.16 s of both leads, and an absent one is a flat line."""
    return Space(
        bounds=(-3.0, 3.0),
        features=stretches(LENGTH, STRETCH).expand(len(LEADS), -1).contiguous(),
        reference=torch.zeros(1, len(LEADS), LENGTH),
        form=Series(names=LEADS, sampling_rate=RATE),
    )


def _beats(labels: NDArray[np.int64], random: Callable[..., Numbers]) -> Numbers:
    period = 0.6 + 0.4 * random(len(labels))
    at = period[:, None] * (BEATS + random(len(labels))[:, None] + 0.06 * (random((len(labels), len(BEATS))) - 0.5))
    early = np.zeros(at.shape, bool)
    early[labels == 3, 2] = True
    at = np.where(early, at - 0.35 * period[:, None], at)
    lines = np.zeros((len(labels), len(LEADS), LENGTH))
    for wave in (P, Q, R, S, T, ST, *WIDE):
        there = early if wave in WIDE else ~early
        there = there & (labels != 1)[:, None] if wave is P else there
        there = there & (labels == 2)[:, None] if wave is ST else there
        after, width, *heights = wave
        size = there * (0.8 + 0.4 * random(at.shape)) * (0.8 + 0.4 * random(len(labels)))[:, None]
        away = np.arange(LENGTH) / RATE - (at + after)[:, :, None]
        shape = (size[:, :, None] * np.exp(-((away / width) ** 2) / 2)).sum(1)
        lines += shape[:, None] * np.array(heights)[None, :, None]
    return lines


def _wander(count: int, random: Callable[..., Numbers]) -> Numbers:
    turns = (0.2 + 0.2 * random(count))[:, None] * np.arange(LENGTH) / RATE + random(count)[:, None]
    line: Numbers = 0.15 * random(count)[:, None, None] * np.sin(2 * np.pi * turns)[:, None].repeat(len(LEADS), 1)
    return line
