"""`probe selftest`."""

from probe.cli.app import FINDINGS, Json, command, emit_json, print_out
from probe.formatting import digits, words
from probe.version import __version__


@command("selftest")
def selftest(as_json: Json = False) -> int:
    """Run the metrics of explanations on cases with known answers, and on degraded copies, which must score worse.

    Exit code 1 if an answer is another than the known one, or a degraded copy scores as well.
    """
    from probe.study.selftest import selftest as trials

    found = []
    for trial in trials():
        found.append(trial)
        if not as_json:
            sign = "✓" if trial.known and trial.lower else "✕"
            # A zero has no sign.
            score, own, worse = (digits(each + 0.0) for each in (trial.found, *trial.degraded))
            told = f"{words(trial.metric)}, {trial.about}: {score}, known {digits(trial.expected)}"
            print_out(f"{sign} {told}; degraded {worse} for {own}")
    wrong = sorted({trial.metric for trial in found if not (trial.known and trial.lower)})
    if as_json:
        emit_json({"probe": __version__, "wrong": wrong, "trials": [trial.config() for trial in found]})
    else:
        told = f"Not as they must be: {', '.join(map(words, wrong))}." if wrong else "All metrics are as they must be."
        print_out(told)
    return FINDINGS if wrong else 0
