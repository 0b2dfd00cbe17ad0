import io

import pandas as pd
import pytest

from probe.audit.spreadsheet import harmless, to_csv


@pytest.mark.parametrize(("cell", "safe"), [
    ('=cmd|" /C calc"!A0', '\'=cmd|" /C calc"!A0'),
    ("+1+1", "'+1+1"),
    ("-2+3", "'-2+3"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'⟨U+0009⟩=1"),
    ("\r=1", "'⟨U+000D⟩=1"),
    ("  =1+1", "'  =1+1"),
    ("\uff1d1+1", "'\uff1d1+1"),
    ("a;=1+1", "a;'=1+1"),
    ("\x1b[2Jgroup", "⟨U+001B⟩[2Jgroup"),
    ("-0.5", "-0.5"),
    ("-1.2e-05", "-1.2e-05"),
    ("-0.123 [-0.200, 0.100]", "-0.123 [-0.200, 0.100]"),
    ("a = b", "a = b"),
    ("no-show", "no-show"),
    ("", ""),
])  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_execute_is_written_as_text(cell, safe):
    assert harmless(cell) == safe


def test_numbers_stay_numbers_and_headings_are_safe_too():
    table = pd.DataFrame({"=A1": ["=1", "x"], "n": [-1.5, 2]})
    back = pd.read_csv(io.StringIO(to_csv(table)))
    assert list(back.columns) == ["'=A1", "n"]
    assert list(back["n"]) == [-1.5, 2]
    assert list(back["'=A1"]) == ["'=1", "x"]
