"""What the operator offers in the lab, as flags of the viewer's process. Imports neither torch nor Streamlit."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """What the lab may open, and where it writes."""

    runs: str = "runs"  # the folder of audits
    live: tuple[str, ...] = ()  # models by name of the zoo, folder or plan
    zoo: tuple[str, ...] = ()  # what is offered besides the plans of the working directory, where `live` names none
    allow_code: bool = False  # whether a plan may name code of its own, which is run
    device: str = ""  # where the models compute

    @classmethod
    def read(cls, argv: Sequence[str]) -> "Offer":
        """The offer that `flags` wrote."""
        parser = argparse.ArgumentParser()
        parser.add_argument("runs", nargs="?", default="runs")
        parser.add_argument("--live", action="append", default=[])
        parser.add_argument("--zoo", action="append", default=[])
        parser.add_argument("--allow-code", action="store_true")
        parser.add_argument("--device", default="")
        asked = parser.parse_args(argv)
        return cls(asked.runs, tuple(asked.live), tuple(asked.zoo), asked.allow_code, asked.device)

    def flags(self) -> list[str]:
        """The offer as arguments of the app."""
        return [
            self.runs,
            *(f"--live={name}" for name in self.live),
            *(f"--zoo={name}" for name in self.zoo),
            *(("--allow-code",) if self.allow_code else ()),
            *((f"--device={self.device}",) if self.device else ()),
        ]
