"""The command line as a person uses it: exit codes, streams, one sentence for each mistake."""

import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from probe import cli
from probe.audit import plan_from, read
from probe.audit.strict import plain
from probe.cli.commands import app
from probe.study import steps
from tests.audit.forging import Forged
from tests.cli.conftest import page_of
from tests.processes import signalled


@pytest.mark.slow
def test_a_users_model_is_audited(probe, place, drawn):
    result = probe("audit", "--plan", "mine.toml", "--allow-code", code=1)
    assert "accuracy" in result.stdout
    assert "runs/mine/report.html" in result.stdout
    assert "importing mine:build, which runs its code" in result.stderr
    assert "s at most" in result.stderr
    assert (place / "runs/mine/report.html").stat().st_size < 5_000_000
    assert probe("verify", "runs/mine", code=0).stdout.startswith("mine: ")
    digest = read("runs/mine").manifest.digest
    probe("verify", "runs/mine", "--digest", digest, code=0)
    probe("verify", "runs/mine", "--digest", "0" * 64, code=4)
    probe("verify", "runs/mine", "--rerun", "--allow-code", code=0)


@pytest.mark.slow
def test_replace_deletes_an_audit_and_nothing_else(probe, audited):
    (audited / "mine.toml").write_text((audited / "mine.toml").read_text().replace("[model]", "seed = 3\n[model]", 1))
    assert "left as it is" in probe("audit", "--plan", "mine.toml", "--allow-code", code=2).stderr
    probe("audit", "--plan", "mine.toml", "--allow-code", "--replace", code=1)
    assert read("runs/mine").manifest.plan.seed == 3
    (audited / "else" / "mine").mkdir(parents=True)
    (audited / "else" / "mine" / "diary.txt").write_text("dear diary")
    probe("audit", "--plan", "mine.toml", "--allow-code", "--replace", "--out", "else", code=2)
    assert (audited / "else" / "mine" / "diary.txt").exists()


@pytest.mark.slow
def test_a_second_audit_shows_the_first_as_one_json_document_unless_that_was_changed(probe, place):
    again = ("audit", "--plan", "mine.toml", "--allow-code", "--json")
    (first,) = json.loads(probe(*again, code=1).stdout)
    created = read("runs/mine").manifest.created
    (document,) = json.loads(probe(*again, code=1).stdout)
    assert document == first
    assert read("runs/mine").manifest.created == created
    assert document["status"] == "complete"
    assert sum(sum(counts.values()) for counts in document["counts"].values()) == len(document["findings"])
    assert (document["rows"], document["favourable"]) == ("unknown", {"class": "yes", "assumed": True})
    error = json.loads(probe("verify", "nowhere", "--json", code=4).stdout)
    assert error["error"]["code"] == 4
    path = place / "runs/mine/tables/robustness.csv"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    assert "differs" in probe("audit", "--plan", "mine.toml", "--allow-code", code=4).stderr


@pytest.mark.slow
def test_reports_come_as_page_data_and_table(probe, audited):
    assert probe("report", "runs/mine", code=0).stdout.lstrip().lower().startswith("<!doctype html>")
    assert json.loads(probe("report", "runs/mine", "--format", "json", code=0).stdout)["name"] == "mine"
    plan = probe("report", "runs/mine", "--format", "toml", code=0).stdout
    assert plan_from(tomllib.loads(plan)) == plan_from(plain(read("runs/mine").manifest.plan))
    assert probe("report", "runs/mine", "--format", "csv", code=0).stdout.startswith("aspect,check,status")
    probe("report", "runs/mine", "--out", "mine.html", code=0)
    assert "exists" in probe("report", "runs/mine", "--out", "mine.html", code=2).stderr
    assert "html, json, csv, toml" in probe("report", "runs/mine", "--format", "docx", code=2).stderr


@pytest.mark.slow
def test_replace_keeps_the_old_audit_where_the_new_one_cannot_start(probe, audited):
    edit(audited, 'csv = "people.csv"', 'csv = "none.csv"')
    probe("audit", "--plan", "mine.toml", "--allow-code", "--replace", code=2)
    probe("verify", "runs/mine", code=0)


def test_a_factory_that_fails_is_one_sentence(probe, place):
    (place / "broken.py").write_text("def build():\n    raise ValueError('no weights today')\n")
    edit(place, "mine:build", "broken:build")
    result = probe("audit", "--plan", "mine.toml", "--allow-code", code=2)
    assert "broken:build failed: ValueError: no weights today" in result.stderr


def test_an_internal_error_does_not_exit_with_the_code_of_findings(probe, place, monkeypatch):
    monkeypatch.setattr(steps, "_one", lambda *_: 1 / 0)
    result = probe("audit", "--plan", "mine.toml", "--allow-code", code=101)
    assert "ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_report_that_was_put_in_place_of_the_real_one_is_found(probe, audited):
    probe("verify", "runs/mine", code=0)
    bundle = read("runs/mine")
    bundle.write_report("<h1>all checks pass</h1>")
    assert "is not the page that this probe draws of the bundle" in probe("verify", "runs/mine", code=4).stderr


@pytest.mark.slow
def test_a_model_that_fails_half_way_loses_only_its_step(probe, place):
    (place / "mine.py").write_text(
        "from torch import nn\n\nclass Net(nn.Linear):\n    def forward(self, x):\n"
        "        if x.requires_grad:\n            raise RuntimeError('no gradients on Sundays')\n"
        "        return super().forward(x)\n\ndef build():\n    return Net(5, 2)\n"
    )
    edit(place, "mine:build", "sunday:build")
    edit(place, '{method = "kernel_shap"', '{method = "input_x_gradient"}, {method = "kernel_shap"')
    (place / "mine.py").rename(place / "sunday.py")
    probe("audit", "--plan", "mine.toml", "--allow-code", code=1)
    errors = [f for f in read("runs/mine").manifest.findings if f.status == "error"]
    assert len(errors) == 3
    assert "no gradients on Sundays" in errors[0].note


@pytest.mark.slow
def test_group_codes_are_names_and_groups_of_one_or_no_row_are_reported(probe, place):
    text = (place / "people.csv").read_text().replace(",F,", ",01,").replace(",M,", ",1,").splitlines()
    text[1] = re.sub(",0?1,", ",X,", text[1])
    text[2] = re.sub(",0?1,", ",,", text[2])
    (place / "people.csv").write_text("\n".join(text) + "\n")
    probe("audit", "--plan", "mine.toml", "--allow-code", code=1)
    bundle = read("runs/mine")
    assert {"01", "1"} <= set(bundle.table("bias_groups").group.astype(str))
    assert any("X" in f.check + f.note for f in bundle.manifest.findings if f.aspect == "bias")


def edit(place, old, new):
    path = place / "mine.toml"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("sample = 2", "smaple = 2", 2, "did you mean 'sample'"),
        ('label = "hired"', 'label = "hird"', 2, "has no column 'hird'"),
        ('groups = ["sex"]', 'groups = ["gender"]', 2, "has no column 'gender'"),
        ('csv = "people.csv"', 'csv = "none.csv"', 2, "there is no file"),
        ("weights.safetensors", "none.safetensors", 2, "cannot read weights"),
        ("mine:build", "mine:bild", 2, "has no 'bild'"),
        ('features = ["age", "score", "job"]', 'features = ["age", "score"]', 2, "shape"),
    ],
)
def test_a_mistake_in_a_plan_is_refused_in_one_sentence(probe, place, old, new, code, message):
    edit(place, old, new)
    result = probe("audit", "--plan", "mine.toml", "--allow-code", code=code)
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_pickle_is_refused_with_its_own_code(probe, place):
    (place / "weights.safetensors").write_bytes(pickle.dumps({"weight": 1}, protocol=4))
    assert "not opened" in probe("audit", "--plan", "mine.toml", "--allow-code", code=3).stderr


def test_truncated_weights_are_refused(probe, place):
    path = place / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    assert "copy it again" in probe("audit", "--plan", "mine.toml", "--allow-code", code=2).stderr


@pytest.mark.slow
def test_an_audit_of_one_row_is_inconclusive(probe, place, drawn):
    (place / "people.csv").write_text("\n".join((place / "people.csv").read_text().splitlines()[:2]) + "\n")
    edit(
        place,
        'features = ["age", "score", "job"]',
        'features = ["age", "score", "job"]\ncategories = {job = ["a", "b", "c"]}',
    )
    probe("audit", "--plan", "mine.toml", "--allow-code", "--strict", code=1)


def test_input_without_rows_is_refused(probe, place):
    (place / "people.csv").write_text("age,score,job,sex,hired\n")
    assert "no rows" in probe("audit", "--plan", "mine.toml", "--allow-code", code=2).stderr


@pytest.mark.slow
def test_hostile_names_are_text_on_the_page_and_cannot_send_control_characters_to_a_terminal(probe, place, drawn):
    text = (place / "people.csv").read_text().replace(",M,", ",</script><img src=x onerror=alert(1)>,")
    (place / "people.csv").write_text(text.replace(",F,", ",\x1b[2J\u202e,"))
    shown = probe("audit", "--plan", "mine.toml", "--allow-code", code=1).output
    page = (place / "runs/mine/report.html").read_text()
    assert "<img src=x" not in page
    assert "<script" not in page
    (place / "t.csv").write_text("label,prediction,sex\n" + "1,1,\x1b[2J\n0,0,\x1b[2J\n1,1,M\n0,1,M\n" * 50)
    shown += probe("bias", "t.csv", "--group", "sex", code=1).output
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "⟨U+001B⟩[2J" in shown


def test_files_that_no_audit_wrote_are_named(probe, audited):
    (audited / "runs/mine/arrays/more.npz").write_text("more")
    assert "not verified: arrays/more.npz" in probe("verify", "runs/mine", code=0).stdout
    assert json.loads(probe("verify", "runs/mine", "--json").stdout)["unlisted"] == ["arrays/more.npz"]


def test_numbers_of_another_version_are_not_called_changed(probe, audited):
    bundle = Forged(Path("runs/mine"))
    bundle.manifest["findings"][0]["estimate"] = 0.123
    bundle.save()
    assert "audited by probe" not in probe("verify", "runs/mine", code=4).stderr
    bundle.manifest["machine"]["probe"] = "0.0.9"
    bundle.save()
    said = probe("verify", "runs/mine", code=4).stderr
    assert "was audited by probe 0.0.9, and this is" in said
    assert "verify it with that version" in said


def test_the_dashboard_refuses_a_missing_folder_or_package_at_once(probe, place):
    assert "there is no folder nowhere" in probe("dashboard", "nowhere", code=2).stderr
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"port {port} is in use" in probe("dashboard", ".", "--port", str(port), code=2).stderr


def test_unknown_missing_and_repeated_names_of_models_are_refused(probe, place):
    assert "did you mean 'adult-mlp'" in probe("audit", "adult-mpl", code=2).stderr
    assert "name a model" in probe("audit", code=2).stderr
    assert (
        "share a folder"
        in probe("audit", "--plan", "mine.toml", "--allow-code", "--plan", "mine.toml", "--allow-code", code=2).stderr
    )


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_done(probe, place, monkeypatch):
    carry_out = steps._one

    def stop(step, *rest):
        if step.name.startswith("attack"):
            raise KeyboardInterrupt
        return carry_out(step, *rest)

    monkeypatch.setattr(steps, "_one", stop)
    result = probe("audit", "--plan", "mine.toml", "--allow-code", code=130)
    assert "the same command continues" in result.stderr
    assert read("runs/mine").manifest.status == "interrupted"
    assert (place / "runs/mine/report.html").read_text() == page_of(read("runs/mine"))
    monkeypatch.setattr(steps, "_one", carry_out)
    probe("audit", "--plan", "mine.toml", "--allow-code", code=1)
    assert read("runs/mine").complete
    probe("verify", "runs/mine", code=0)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_ends_an_audit_cleanly(place):
    """The signal itself, in a process of its own: exit code 130, and a bundle that can be continued."""
    edit(place, "sample = 2", "sample = 120")
    edit(place, "steps = 4", "steps = 2000")
    command = ["audit", "--plan", "mine.toml", "--allow-code"]
    assert signalled(command, "explain-", signal.SIGINT, said=place / "said") == 130
    assert read("runs/mine").manifest.status == "interrupted"


@pytest.mark.slow
def test_probe_methods_lists_all_methods(probe):
    text = probe("methods", code=0).stdout
    assert "kernel_shap" in text
    assert "radius of the ball" in text
    assert json.loads(probe("methods", "--json", code=0).stdout)["attack"]["pgd"]["settings"]["steps"] == 40


@pytest.mark.parametrize(("word", "built"), [("methods", 1), ("metods", len(app.registered_commands))])
def test_only_the_command_that_is_named_is_built(word, built, monkeypatch):
    made, build = [], typer.main.get_command_from_info
    monkeypatch.setattr("typer.main.get_command_from_info", lambda **how: made.append(how) or build(**how))
    monkeypatch.setattr(sys, "argv", ["probe", word])
    with pytest.raises(SystemExit):
        cli.main()
    assert len(made) == built


def test_probe_bias_audits_a_table(probe, place):
    (place / "t.csv").write_text("label,prediction,sex\n" + "1,1,F\n0,0,F\n1,1,M\n0,1,M\n" * 50)
    result = probe("bias", "t.csv", "--group", "sex", code=1)
    assert "demographic parity" in result.stdout.lower()
    assert "findings" in json.loads(probe("bias", "t.csv", "--group", "sex", "--json", code=1).stdout)
    assert "has no column 'race'" in probe("bias", "t.csv", "--group", "race", code=2).stderr
    assert "--group" in probe("bias", "t.csv", code=2).stderr
    assert "name one thing to compare" in probe("bias", code=2).stderr


@pytest.mark.parametrize("twice", [
    ("--scores", "hired"), ("--group", "hired"), ("--label", "p", "--scores", "p"), ("--label", "hired"),
])  # fmt: skip
def test_probe_bias_compares_no_column_with_itself(probe, place, twice):
    (place / "t.csv").write_text("hired,p,sex\n" + "1,0.6,F\n0,0.2,F\n1,0.9,M\n0,0.1,M\n" * 50)
    refused = probe("bias", "t.csv", "--group", "sex", "--prediction", "hired", *twice, code=2).stderr
    assert f"column {twice[-1]!r} is both --" in refused


def test_probe_bias_audits_a_table_without_labels(probe, place):
    (place / "t.csv").write_text("hired,sex\n" + "yes,F\nno,F\nyes,M\nno,M\n" * 500)
    said = ("bias", "t.csv", "--group", "sex", "--prediction", "hired")
    assert "name the favourable value" in probe(*said, code=2).stderr
    result = probe(*said, "--favourable", "yes", code=0)
    assert "favourable outcome: yes\n" in result.stdout
    assert "there are no labels" in result.stdout
    assert "sex: 2,000 of 2,000 rows" in result.stdout
    assert "odds difference" not in result.stdout
    document = json.loads(probe(*said, "--favourable", "no", "--json", code=0).stdout)
    assert document["favourable"] == {"value": "no", "assumed": False}
    assert {"groups", "disparities", "pairs", "small_groups", "row_accounting", "findings", "notices"} <= set(document)
    assert document["row_accounting"][0]["used"] == 2000
    assert document["pairs"][0]["lower"] is None


def test_bias_ends_with_1_for_a_fail_and_for_what_is_undecided_only_when_strict(probe, place):
    (place / "t.csv").write_text("label,prediction,sex\n" + "1,1,F\n0,0,F\n1,1,M\n0,0,M\n" * 10)
    said = ("bias", "t.csv", "--group", "sex")
    assert "inconclusive" in probe(*said, code=0).stdout
    probe(*said, "--strict", code=1)
    probe(*said, "--threshold", "demographic_parity_ratio=0.01", "--min-group-size", "10", "--level", "0.9", code=0)
    assert "NAME=VALUE" in probe(*said, "--threshold", "demographic_parity_ratio", code=2).stderr
    assert "no threshold is called 'fairness'" in probe(*said, "--threshold", "fairness=1", code=2).stderr
    assert "no favourable outcome was named; 1 is assumed" in probe(*said, code=0).stdout


def test_bias_merges_spellings_and_takes_scores_when_asked(probe, place):
    rows = "1,1,.9,Male\n0,0,.2,male \n1,1,.7,F\n0,0,.1,F\n" * 50
    (place / "t.csv").write_text("label,prediction,p,sex\n" + rows)
    said = ("bias", "t.csv", "--group", "sex", "--scores", "p")
    refused = probe(*said, code=2).stderr
    assert "'Male' (50 rows) and 'male ' (50 rows)" in refused
    assert "--merge-spellings" in refused
    document = json.loads(probe(*said, "--merge-spellings", "--json", code=0).stdout)
    assert {row["group"]: row["auc"] for row in document["groups"]} == {"F": 1.0, "Male": 1.0}


def test_bias_compares_groups_for_a_users_model(probe, place):
    said = ("bias", "--plan", "mine.toml")
    assert "--allow-code" in probe(*said, code=2).stderr
    document = json.loads(probe(*said, "--allow-code", "--json", "--group", "sex").stdout)
    assert document["favourable"] == {"value": "yes", "assumed": True}
    assert {row["attribute"] for row in document["groups"]} == {"sex"}
    assert "is not a class" in probe(*said, "--allow-code", "--favourable", "maybe", code=2).stderr
    named = json.loads(probe(*said, "--allow-code", "--favourable", "no", "--json").stdout)
    assert named["favourable"] == {"value": "no", "assumed": False}


@pytest.mark.slow
def test_version_and_help_are_quick():
    for flag in ("--version", "--help"):
        before = os.times()
        done = subprocess.run([sys.executable, "-m", "probe.cli", flag], capture_output=True, text=True, check=True)
        after = os.times()
        assert "probe" in done.stdout
        # Of the processor, as the machine may have other work.
        assert after.children_user + after.children_system - before.children_user - before.children_system < 2


@pytest.mark.slow
def test_a_reader_of_texts_is_explained_by_its_words_and_attacked_by_others(probe):
    said = probe("explain", "reviews-cnn", "--rows", "0:2", "--method", "input_x_gradient", code=0).stdout
    document = json.loads(probe("explain", "reviews-cnn", "--rows", "0:2", "--json", code=0).stdout)
    words, line = document["words"][0], said.splitlines()[0]
    named = [part.rsplit(" ", 1)[0] for part in line.split(": ", 1)[1].split(", ")]
    assert len(named) == 5
    assert set(named) <= set(words) - {""}
    assert len(document["features"]) == len(words)
    attacked = json.loads(probe("attack", "reviews-cnn", "--sample", "20", "--json", code=0).stdout)
    assert attacked["method"]["method"] == "hot_flip"
    assert attacked["robust_accuracy"][0] < attacked["accuracy"][0]
    refused = probe("attack", "reviews-cnn", "--sample", "20", "--method", "pgd", code=2).stderr
    assert "pgd moves numbers, and reviews-cnn reads tokens" in refused
