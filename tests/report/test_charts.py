"""What the charts of explanations and attacks say, and in what order."""

import re
from dataclasses import replace

import numpy as np
import pytest

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import captioned
from probe.explainers import IntegratedGradients, KernelShap, Lime, Saliency
from probe.report import render
from tests.report.conftest import make, page_of, table_parts


def test_saliency_is_captioned_as_a_gradient_and_the_others_by_what_they_add_up_to():
    said = Saliency.captioned("logit")
    assert "increasing what is red raises the logit" in said
    assert "supports" not in said
    assert "have no fixed sum" in said
    assert "supports the answer" in Lime.captioned("logit")
    assert "the probability minus that at the baseline" in IntegratedGradients.captioned("probability")
    assert "the logit minus its mean over the references" in KernelShap.captioned("logit")


def test_the_report_has_a_caption_for_each_method_as_the_step_records_it(table):
    page = page_of(table)
    steps = [s for s in table.manifest.steps if s.name.startswith("explain-")]
    assert [s.caption for s in steps] == [Saliency.captioned("logit"), Lime.captioned("logit")]
    for step in steps:
        assert captioned(step) in page
    assert "Red supports the class" not in page
    assert "was not recorded" in captioned(replace(steps[0], caption=""))


def test_the_order_of_several_charts_is_by_mean_rank():
    values = [[3.0, -2.0, 1.0, 0.0], [-1.0, 3.0, 2.0, 0.0]]  # ranks 1 2 3 4 and 3 1 2 4
    assert plots.shared_order(values) == [1, 0, 2, 3]
    assert plots.shared_order([[0.0, 0.0], [0.0, 0.0]]) == [0, 1]


def test_bars_are_drawn_in_the_order_that_is_given():
    ax = plots.bars(["a", "b", "c"], [1.0, 5.0, 2.0], top=[2, 0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "a", "1 other"]
    assert [bar.get_width() for bar in ax.patches] == [2.0, 1.0, 5.0]


def test_the_charts_of_a_row_list_the_same_features_in_the_same_order(table):
    page = page_of(table)
    figure = next(f for f in re.findall(r"<figure>.*?</figure>", page, flags=re.DOTALL) if "Bars of saliency" in f)
    charts = [re.findall(r">(age|hours|sex)</text>", svg) for svg in re.findall(r"<svg.*?</svg>", figure, re.DOTALL)]
    assert len(charts) == 2
    assert charts[0] == charts[1]
    assert len(charts[0]) == 3
    assert "same features in the same order" in figure
    assert "a scale of its own" in " ".join(figure.split())


@pytest.mark.slow
def test_an_attacked_row_of_a_table_is_shown_by_its_values_and_the_probability_of_its_answer(tmp_path):
    bundle = make(table_parts(), tmp_path / "moved", explain={"sample": 0}, attack={"sample": 60, "eps": ["0.2"]})
    arrays = bundle.arrays("attack-pgd")
    at = int(np.flatnonzero(arrays["success"][0, :24])[0])
    model, data = table_parts()
    shown = data.inputs.new_tensor(arrays["shown"][0])
    sure = model.logits(shown).softmax(-1).numpy()
    assert np.isclose(arrays["probability"][0, at], sure[at, arrays["predicted"][0, at]], atol=1e-5)
    stood = int(np.flatnonzero(~arrays["success"][0])[0])
    clean = model.logits(data.inputs[arrays["rows"][stood : stood + 1]]).softmax(-1).max()
    assert np.isclose(arrays["probability"][0, stood], clean, atol=1e-5)
    assert arrays["before"][at].tolist() == model.space.describe(data.inputs[arrays["rows"][at : at + 1]])[0]
    page = render(bundle)
    assert re.search(r"(age|hours): [\d.]+ → [\d.]+", page)
    assert "its probability" in page


def test_a_printed_page_has_its_number_and_the_digest(table):
    page = page_of(table)
    assert f'@bottom-left {{ content: "{table.manifest.digest}"' in page
    assert '"page " counter(page) " of " counter(pages)' in page


def test_an_invalid_digest_does_not_reach_the_style_sheet(table, tmp_path):
    digest = '"; } body { display: none'
    manifest = replace(table.manifest, digest=digest, files={}, steps=(), findings=())
    assert '@bottom-left { content: ""' in render(Bundle(tmp_path, manifest))
