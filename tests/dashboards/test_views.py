import re
import subprocess
import sys
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from probe_dashboards import figures
from probe_dashboards.views import attacked, bias, explained, instance, robustness, runs, summary
from probe_dashboards.views.words import as_label, estimate, md, number, status, threshold

from probe.audit import reading
from probe.formatting import MINUS, share
from probe.text import visible

DASH = "\N{EN DASH}"
HOSTILE = ["</script>", "![x](http://e.example/x)", "$x$", "www.e.example", ":smile:", "a|b", "**b**", "~~s~~"]


@pytest.mark.slow
def test_the_viewer_loads_no_torch_and_what_it_loads_ahead_needs_no_server():
    modules = "figures, state, views.bias, views.evidence, views.examples, views.instance, views.performance, "
    modules += "views.proofs, views.robustness, views.runs, views.summary"
    code = "import sys\nfrom probe_dashboards import loading\nloading.begin()\nloading.later()\nloading.ended()\n"
    code += "assert {*loading.NEEDED, *loading.LATER} < set(sys.modules) and 'streamlit' not in sys.modules\n"
    code += "".join(f"import probe_dashboards.{m.strip()}\n" for m in f"widgets, app, {modules}".split(","))
    code += "import probe.audit; probe.audit.verify\nassert not {'torch', 'captum', 'probe_models'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_text_has_no_character_that_markdown_reads(text):
    shown = md(text)
    assert not set("<>![]()$*_`~|\\") & set(shown)
    assert "://" not in shown
    assert "www." not in shown


@pytest.mark.parametrize("text", [*HOSTILE, "a_b", "- a", "a <b>", "[a](b)", "a -> b", "#1", "http://e.example"])
def test_a_label_that_markdown_would_read_is_escaped_and_another_stays_as_it_is(text):
    assert as_label("Largest radius, L\N{INFINITY} (8/255)") == "Largest radius, L\N{INFINITY} (8/255)"
    assert as_label(text) == md(text)


def test_text_that_hides_or_reorders_is_made_visible():
    assert visible("\N{RIGHT-TO-LEFT OVERRIDE}abc\x00") == "⟨U+202E⟩abc⟨U+0000⟩"
    assert len(visible("x" * 10_000)) == 1000


def test_undefined_and_tiny_numbers_are_shown_as_such():
    assert number(None) == number(float("nan")) == DASH
    assert number(0.00001) == "1e\N{MINUS SIGN}05"
    assert share(1e-9) == "< 0.1\u202f%"
    assert share(1 - 1e-9) == "> 99.9\u202f%"
    assert share(1.0) == "100.0\u202f%"
    assert estimate(None, None, None) == "not measured"
    assert estimate(0.5, None, None) == "0.5 [no interval]"
    assert threshold(0.8, "at least") == "≥\u202f0.8"


def test_a_status_is_shown_by_icon_and_word_beside_its_colour():
    assert "✓" in status("pass")
    assert "Pass" in status("pass")
    assert "Unknown" in status("splendid")


def test_all_findings_are_counted_by_status(bundles):
    for name in ("image", "table", "interrupted", "bare"):
        bundle = getattr(bundles, name)
        apart = [f for f in bundle.manifest.findings if f.about != "model"]
        assert sum(summary.counts(bundle).values()) + len(apart) == len(bundle.manifest.findings)
        assert bool(summary.checks(bundle)) == bool(apart)
        assert sum(len(group.findings) for group in summary.groups(bundle)) == len(bundle.manifest.findings)


def test_a_filter_shows_the_findings_of_one_status(bundles):
    wanted = sum(f.status == "inconclusive" for f in bundles.table.manifest.findings)
    assert sum(len(group.findings) for group in summary.groups(bundles.table, "inconclusive")) == wanted


def test_what_was_not_run_is_listed_with_its_reason(bundles):
    assert "groups" in " ".join(summary.not_run(bundles.image)["Why"])
    missing = summary.not_run(bundles.interrupted)
    assert "attacking by fgsm" in set(missing["Check"])
    assert "ended before" in missing.set_index("Check")["Why"]["attacking by fgsm"]


def test_the_commands_to_reproduce_name_the_audit_and_its_digest(bundles):
    lines = summary.reproduce(bundles.image)
    assert bundles.image.manifest.digest in lines
    assert "probe report" in lines
    assert "--format toml --out plan.toml" in lines
    assert "probe audit --plan plan.toml --out again" in lines


def test_a_folder_with_a_shell_in_its_name_is_quoted(bundles):
    from pathlib import Path

    assert "'/tmp/a; rm -rf b'" in summary.reproduce(replace(bundles.image, folder=Path("/tmp/a; rm -rf b")))


def test_an_example_shows_the_answer_of_its_logits(bundles):
    row = instance.rows(bundles.image)[0]
    stored = bundles.image.arrays("predictions")
    predicted, probability, truth = instance.answer(bundles.image, row)
    assert predicted == ("disc", "ring", "bar")[stored["logits"][row].argmax()]
    assert truth == ("disc", "ring", "bar")[stored["labels"][row]]
    assert 1 / 3 < probability < 1
    assert instance.ranking(bundles.image, row)["Class"][0] == predicted


def test_badges_tell_a_method_that_beats_chance_from_one_that_does_not(bundles):
    assert all("NOT DISTINGUISHABLE FROM RANDOM" in line for line in explained.badges(bundles.image, "saliency"))
    assert all("better than random order" in line for line in explained.badges(bundles.image, "lime"))
    assert all("n = 8" in line for line in explained.badges(bundles.image, "lime"))


def test_agreement_is_1_with_itself_and_undefined_for_a_constant_map(bundles, monkeypatch):
    row = instance.rows(bundles.image)[0]
    matrix = explained.agreement(bundles.image, row)
    assert matrix["saliency"][0] == "1.00"
    monkeypatch.setattr(explained, "by_feature", lambda *_: np.zeros(36))
    assert set(explained.agreement(bundles.image, row)["lime"]) == {DASH}


def test_agreement_is_spearmans(bundles):
    from scipy.stats import spearmanr

    row = instance.rows(bundles.image)[0]
    pair = [explained.by_feature(bundles.image, row, m) for m in ("saliency", "lime")]
    assert explained.agreement(bundles.image, row)["lime"][0] == f"{spearmanr(*pair).statistic:.2f}".replace("-", MINUS)


def test_positions_without_a_word_are_left_out_of_a_text(bundles):
    row = instance.rows(bundles.prose)[0]
    assert len(instance.features(bundles.prose, row)) == len(explained.by_feature(bundles.prose, row, "lime")) == 4
    assert len(explained.attributions(bundles.prose, row)) == 4


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_the_smallest_radius_that_flips_an_example_is_the_first_that_succeeded(bundles, attack):
    stored = bundles.image.arrays(f"attack-{attack}")
    for row in instance.rows(bundles.image):
        at = list(stored["rows"]).index(row)
        table = attacked.smallest_successful_radii(bundles.image, row).set_index("Attack")
        told = table["Smallest radius that flips it"][attack.upper()]
        broken = np.flatnonzero(stored["success"][:, at])
        if not stored["clean"][at]:
            assert told == "wrong before any attack"
        else:
            assert told == (("0.1", "0.2", "0.4")[broken[0]] if len(broken) else "not broken up to 0.4")


def test_only_the_first_attacked_inputs_were_kept(bundles):
    rows = list(bundles.image.arrays("attack-pgd")["rows"])
    kept = [attacked.attacked(bundles.image, row, "pgd", "0.2") is not None for row in rows]
    assert kept == [at < 24 for at in range(len(rows))]


def test_the_page_says_that_an_example_was_not_attacked(bundles):
    row = next(r for r in range(40) if r not in bundles.image.arrays("attack-pgd")["rows"])
    table = attacked.smallest_successful_radii(bundles.image, row)
    assert set(table["Smallest radius that flips it"]) == {"not attacked"}


def test_a_row_of_a_table_is_shown_by_its_features(bundles):
    row = instance.rows(bundles.table)[0]
    cells = instance.cells(bundles.table, row)
    assert list(cells["Feature"]) == list(bundles.table.manifest.data.features)
    stored = bundles.table.arrays("instances")
    assert list(cells["Value"]) == stored["described"][0].tolist()


def test_every_curve_begins_without_an_attack_and_falls(bundles):
    frame = robustness.table(bundles.table, "attack")
    for _, curve in frame.groupby("attack"):
        assert list(curve["eps"]) == [0.0, 0.1, 0.2, 0.4]
        assert (np.diff(curve["robust_accuracy"]) <= 0).all()
    assert list(robustness.choices(bundles.table)) == ["attack", "sex", "race"]
    assert set(robustness.table(bundles.table, "sex")["group"]) == {"Female", "Male"}


def test_every_attacked_example_is_counted_once(bundles):
    counts = robustness.first_successes(bundles.image)
    assert (counts.drop(columns=["Attack", "Attacked (n)"]).sum(axis=1) == counts["Attacked (n)"]).all()


def test_groups_too_small_to_be_compared_are_named(bundles):
    assert "Other" in set(bias.small(bundles.table, "race")["Group"])
    shown = bias.rates(bundles.table, "race", "selection_rate").set_index("group")
    assert shown["small"]["Other"]
    assert shown["n"]["Other"] == 5
    assert not shown["small"]["White"]


def test_the_n_of_a_rate_is_its_denominator(bundles):
    frame = bundles.table.table("bias_groups")
    assert len(reading.compared_by(bundles.table)) == 5
    for rate, (_, _, columns, _) in reading.compared_by(bundles.table).items():
        for attribute, name in bias.attributes(bundles.table).items():
            own = frame[frame["attribute"] == name]
            assert list(bias.rates(bundles.table, attribute, rate)["n"]) == list(own[list(columns)].sum(axis=1))


def test_gaps_have_interval_p_value_and_what_could_have_been_found(bundles):
    gaps = bias.disparities(bundles.table, "sex")
    assert len(gaps) == 3
    assert {"Estimate [95 % interval]", "p", "Would have failed", "n", "Threshold"} <= set(gaps)


def test_an_intact_bundle_is_verified_and_a_changed_one_is_not(bundles, copied):
    assert runs.check(bundles.image.folder).intact
    before = runs.stamp(copied)
    path = copied / "tables" / "findings.csv"
    path.write_bytes(path.read_bytes() + b" ")
    assert runs.stamp(copied) != before
    result = runs.check(copied)
    assert not result.intact
    assert "findings.csv" in result.sentence


def test_a_file_that_was_changed_and_given_its_old_time_back_is_another_state(copied):
    import os

    path = copied / "tables" / "findings.csv"
    before, times = runs.stamp(copied), path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert runs.stamp(copied) != before


def test_a_table_that_is_taken_from_the_viewer_runs_nothing():
    from probe_dashboards.views.words import plained

    frame = plained(pd.DataFrame({"=A1": ["=1", "-0.5 [-1, 0]"]}))
    assert [*frame.columns, *frame.iloc[:, 0]] == ["'=A1", "'=1", "-0.5 [-1, 0]"]


@pytest.mark.parametrize("part", ["findings", "files", "steps", "plan", "model"])
def test_a_manifest_of_another_shape_is_a_mismatch_and_not_a_crash(copied, part):
    import json

    path = copied / "audit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: 5}))
    found, broken = runs.listing(copied)
    assert broken or not runs.check(found[0].folder).intact


@pytest.mark.slow
@pytest.mark.usefixtures("written")
def test_drawing_figures_leaves_no_open_figure(bundles):
    from matplotlib import _pylab_helpers

    row = str(instance.rows(bundles.image)[0])
    for name, keys in (
        ("input", (row,)),
        ("explained", (row, "lime")),
        ("attacked", (row, "pgd", "0.2")),
        ("curves", ("attack",)),
        ("reliability", ()),
    ):
        assert figures.svg(name, bundles.image, *keys).startswith("<svg")
    row = str(instance.rows(bundles.table)[0])
    for name, keys in (("explained", (row, "lime")), ("curves", ("sex",)), ("forest", ("sex-x-race", "tpr"))):
        assert figures.svg(name, bundles.table, *keys).startswith("<svg")
    assert not _pylab_helpers.Gcf.figs


def test_where_groups_are_known_the_plan_lacks_the_name_of_the_favourable_answer(bundles):
    manifest = bundles.image.manifest
    known = replace(bundles.image, manifest=replace(manifest, data=replace(manifest.data, groups=("sex",))))
    assert tomllib.loads(bias.remedy(known))["bias"]["positive"] in manifest.model.classes
    assert tomllib.loads(bias.remedy(bundles.image)) == {"data": {"groups": ["sex", "race"]}}


def test_how_well_a_local_fit_tells_the_output_stands_with_its_drawing(bundles, monkeypatch):
    bundle, row = bundles.table, instance.rows(bundles.table)[1]
    stored = type(bundle).arrays
    fidelity = {"explain-lime": np.linspace(0.5, 1.2, 8)}
    monkeypatch.setattr(
        type(bundle), "arrays", lambda self, step: stored(self, step) | {"fidelity": fidelity[step]}
        if step in fidelity else stored(self, step)
    )  # fmt: skip
    assert "60.0\N{NARROW NO-BREAK SPACE}% of how the output varies" in explained.fitted(bundle, row, "lime")
    assert not explained.fitted(bundle, row, "saliency")


def test_standard_errors_of_a_bundle_stand_beside_the_values_and_on_the_bars(bundles, monkeypatch):
    bundle, row = bundles.table, instance.rows(bundles.table)[0]
    assert explained.errors(bundle, row, "lime") is None
    assert not any("standard error" in column for column in explained.attributions(bundle, row))
    stored = type(bundle).arrays

    def with_errors(self, step):
        found = stored(self, step)
        return found | {"errors": np.abs(found["by_feature"]) / 4} if step == "explain-lime" else found

    monkeypatch.setattr(type(bundle), "arrays", with_errors)
    table = explained.attributions(bundle, row)
    np.testing.assert_allclose(table["lime: standard error"], table["lime"].abs() / 4)
    assert "saliency: standard error" not in table
    drawn = explained.drawn(bundle, row, "lime")
    np.testing.assert_allclose(drawn.errors, np.abs(drawn.by_feature) / 4)
    ax = instance.drawer(bundle).explained(instance.example(bundle, row), drawn)
    assert len(ax.collections[0].get_segments()) == (drawn.by_feature[list(drawn.top)] != 0).sum()


def test_a_number_without_end_is_written_as_a_sign_and_stays_a_number():
    from probe_dashboards.views.words import finite

    plain = pd.DataFrame({"threshold": [0.5, 0.25], "n": [1, 2]})
    assert finite(plain) is plain
    ends = pd.DataFrame({"threshold": [np.inf, -np.inf, -0.123456, np.nan], "n": [1, 2, 3, 4], "name": list("abcd")})
    shown = finite(ends)
    assert shown.data is ends
    cells = re.findall(r"<td[^>]*col0[^>]*>(.*?)</td>", shown.to_html())
    assert cells == ["\N{INFINITY}", "\N{MINUS SIGN}\N{INFINITY}", "\N{MINUS SIGN}0.1235", ""]


def test_the_numbers_of_a_roc_curve_are_shown_with_a_sign_for_what_has_no_end(bundles):
    from probe_dashboards.views.words import finite, plained

    shown = finite(plained(reading.roc(bundles.table, "", ">50K")))
    assert "\N{INFINITY}" in shown.to_html()
