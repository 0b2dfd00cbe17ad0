"""What the pages and the list of audits read and make no more than once."""

import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from time import sleep

import numpy as np
import pytest
from probe_dashboards.views import (
    attacked,
    bias,
    decided,
    examples,
    explained,
    instance,
    panels,
    performance,
    ran,
    sliced,
)
from probe_dashboards.views.held import forget, held
from probe_dashboards.views.instance import feature_names
from probe_dashboards.views.robustness import settings

from probe import npz, registry
from probe.audit import canonical, glimpse, read, reading, strict, verify
from probe.audit.held import Held
from probe.errors import IntegrityError


def test_verifying_unpacks_each_file_of_arrays_once(bundles, monkeypatch):
    opened, unpack = Counter(), npz.unpack
    monkeypatch.setattr(npz, "unpack", lambda data, shown: opened.update([shown.split()[0]]) or unpack(data, shown))
    verify(bundles.table.folder)
    assert opened == Counter(file for file in bundles.table.manifest.files if file.endswith(".npz"))


def test_the_names_of_many_features_are_checked_as_a_whole(bundles, monkeypatch):
    def visited(features):
        document = bundles.image.manifest.to_json()
        document["data"]["features"] = [f"pixel {at}" for at in range(features)]
        seen, value, plain = [], strict._value, strict.plain
        with monkeypatch.context() as patch:
            patch.setattr(strict, "_value", lambda *given: seen.append(1) or value(*given))
            patch.setattr(strict, "plain", lambda *given: seen.append(1) or plain(*given))
            kind = type(bundles.image.manifest)
            assert strict.plain(strict.typed(kind, document, "it")) == document
        return len(seen)

    assert visited(3) == visited(3000)


@pytest.mark.parametrize("odd", [3, None, True, ["x"]])
def test_a_name_that_is_no_text_is_refused_among_many(bundles, odd):
    document = bundles.image.manifest.to_json()
    document["data"]["features"] = [*document["data"]["features"], odd]
    with pytest.raises(strict.IntegrityError, match="features 37"):
        strict.typed(type(bundles.image.manifest), document, "it")


def test_readers_who_come_at_once_share_one_bundle_whose_arrays_are_unpacked_once(bundles, monkeypatch):
    together, opened, unpack = Barrier(5), [], npz.unpack
    monkeypatch.setattr(npz, "unpack", lambda *what, **how: opened.append(how) or sleep(0.05) or unpack(*what, **how))

    def reader(_):
        together.wait()
        bundle = held(str(bundles.image.folder), "five at once")
        return bundle, bundle.arrays("predictions")["labels"]

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(reader, range(5)))
    assert opened == [{"only": "labels"}]
    assert len({id(bundle) for bundle, _ in found}) == 1


def test_the_first_sentences_unpack_the_rows_alone(bundles, monkeypatch):
    unpacked, unpack = [], npz.unpack
    monkeypatch.setattr(npz, "unpack", lambda *given, **how: unpacked.append(unpack(*given, **how)) or unpacked[-1])
    bundle = Held(bundles.image.folder, bundles.image.manifest)
    said = reading.sentences(bundle)
    assert {name for arrays in unpacked for name in arrays} == {"rows"}
    assert said == reading.sentences(bundles.image)
    assert bundle.array("predictions", "gone") is None
    whole = bundle.arrays("predictions")
    unpacked.clear()
    assert bundle.array("predictions", "rows") is whole["rows"]
    assert unpacked == []


@pytest.mark.parametrize("kind", ["table", "image", "prose", "hostile"])
def test_arrays_that_are_unpacked_one_by_one_are_those_of_the_file(bundles, kind):
    bundle = getattr(bundles, kind)
    opened = held(str(bundle.folder), "one by one")
    for file in (file for file in bundle.manifest.files if file.endswith(".npz")):
        name = file.removeprefix("arrays/").removesuffix(".npz")
        whole, each = bundle.arrays(name), opened.arrays(name)
        assert list(each) == list(whole)
        assert all(np.array_equal(each[key], whole[key], equal_nan=whole[key].dtype.kind == "f") for key in whole)
        assert "gone" not in each
        assert each.get("gone") is None
    forget()


def test_one_array_of_a_file_that_changed_is_refused(bundles, tmp_path):
    shutil.copytree(bundles.image.folder, tmp_path / "changed")
    opened = held(str(tmp_path / "changed"), "changed")
    file = tmp_path / "changed" / "arrays" / "predictions.npz"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match="digest differs"):
        opened.arrays("predictions")
    forget()


def test_names_of_features_are_made_visible_once_for_all_pages(bundles):
    bundle = Held(bundles.image.folder, bundles.image.manifest)
    assert feature_names(bundle) is feature_names(bundle)


def test_a_page_that_links_its_methods_reads_their_source_once(bundles, monkeypatch):
    asked, listed = [], registry.listed
    monkeypatch.setattr(registry, "listed", lambda family: asked.append(family) or listed(family))
    ran._listed.cache_clear()
    for _ in range(2):
        ran.linked(bundles.table, "attack", settings(bundles.table))
    assert asked == ["attack"]


@pytest.mark.parametrize("kind", ["table", "image", "hostile"])
def test_canonical_bytes_have_the_digest_of_their_document_and_no_other_content_has_it(bundles, kind):
    data = (getattr(bundles, kind).folder / "audit.json").read_bytes()
    document = json.loads(data)
    assert canonical.digest(document) == document["digest"]
    assert canonical.has_digest(data, document["digest"])
    other = data.replace(b'"seed": 0', b'"seed": 1')
    assert other != data
    assert not canonical.has_digest(other, document["digest"])
    assert read(getattr(bundles, kind).folder).manifest.digest == document["digest"]


def test_what_a_page_shows_is_not_made_again_when_it_is_opened_again(bundles):
    bundle = held(str(bundles.table.folder), "opened again")
    one, row, attribute = next(iter(examples.ones(bundle))), 3, next(iter(bias.attributes(bundle)))
    attack = next(iter(attacked.attacks(bundle)))
    made = [
        lambda: performance.measures(bundle),
        lambda: decided.by_class(bundle, "run", one),
        lambda: decided.threshold(bundle, "run", one, 0.3),
        lambda: sliced.slices(bundle, "run", one),
        lambda: bias.disparities(bundle, attribute),
        lambda: explained.meanings(bundle, instance.rows(bundle)[0]),
        lambda: attacked.by_radius(bundle, row, attack),
    ]
    assert all(each() is each() for each in made)
    assert not decided.threshold(bundle, "run", one, 0.3).equals(decided.threshold(bundle, "run", one, 0.4))
    assert bundle.weight > sum(len(decided.by_class(bundle, "run", one)) for _ in made)
    forget()


def test_the_numbers_behind_a_panel_are_made_when_somebody_asks_for_them(bundles, monkeypatch):
    one = next(iter(examples.ones(bundles.table)))
    made = {name: partial(decided.panel, bundles.table, name, one) for name in decided.PANELS}
    for name, make in (made | {"slices": partial(sliced.slice_panel, bundles.table, one)}).items():
        with monkeypatch.context() as patch:
            patch.setattr(reading, name, lambda *given, **more: pytest.fail(f"{given} {more}"))
            panel = make()
            panels.python(bundles.table, panel)
            panels.command(bundles.table, panel)
        assert len(panel.numbers)


@pytest.mark.parametrize("kind", ["table", "image", "hostile"])
def test_canonical_bytes_without_their_indents_are_json_on_one_line(bundles, kind):
    data = (getattr(bundles, kind).folder / "audit.json").read_bytes()
    assert canonical._on_one_line(data) == json.dumps(json.loads(data), ensure_ascii=False).encode()


@pytest.mark.parametrize("odd", [b"\xff", b"\xff\xff"])
def test_bytes_that_are_no_text_have_no_digest(bundles, odd):
    data = (bundles.table.folder / "audit.json").read_bytes()
    digest = json.loads(data)["digest"]
    assert canonical.has_digest(data, digest)
    assert not canonical.has_digest(data.replace(b'"name": "', b'"name": "' + odd, 1), digest)


def test_a_list_reads_each_part_of_a_manifest_where_it_stands(bundles):
    data = (bundles.table.folder / "audit.json").read_bytes()
    head, findings = glimpse._apart(data)
    document, whole = json.loads(head), json.loads(data)
    assert json.loads(b"[" + findings + b"]") == whole["findings"] != []
    emptied = {"plan": {}, "findings": [], "files": {}, "contents": {}, "data": whole["data"] | {"features": []}}
    assert document == whole | emptied
