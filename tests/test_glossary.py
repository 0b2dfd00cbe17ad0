import re

import pytest

from probe.glossary import SECTIONS, TERMS, marked


def uses(text, seen=None):
    return [(piece.text, piece.slug) for piece in marked(text, set() if seen is None else seen) if piece.slug]


def test_each_term_has_one_meaning_and_names_terms_that_are_there():
    assert len(TERMS) == sum(map(len, SECTIONS.values()))
    forms = [form.lower() for term in TERMS.values() for form in (term.name, *term.also)]
    assert len(forms) == len(set(forms))
    for term in TERMS.values():
        assert set(term.see) <= set(TERMS) - {term.slug}
        assert re.fullmatch("[a-z0-9-]+", term.slug)
        assert term.meaning.endswith((".", ")."))
        assert len(term.meaning) < 300
        assert '"' not in term.meaning


def test_the_pieces_of_a_text_are_the_text():
    for text in ("", "The interval of recall, and the interval.", "no words of it", "deletion"):
        assert "".join(piece.text for piece in marked(text, set())) == text


def test_a_term_is_marked_where_it_first_stands_and_never_again():
    seen = set()
    assert uses("Deletion falls; deletion rises.", seen) == [("Deletion", "deletion")]
    assert uses("Deletion, insertion.", seen) == [("insertion", "insertion")]
    assert seen == {"deletion", "insertion"}


def test_the_longest_term_is_the_one_that_is_meant():
    assert uses("the demographic parity difference") == [
        ("demographic parity difference", "demographic-parity-difference")
    ]
    assert uses("the calibration error, and calibration") == [
        ("calibration error", "calibration-error"),
        ("calibration", "calibration"),
    ]


@pytest.mark.parametrize("text", ["recalls", "non-interval", "robust_accuracy", "bypass", "l2", "PP"])
def test_part_of_a_word_is_no_term(text):
    assert uses(text) == []


def test_a_word_of_every_day_is_marked_only_where_it_is_a_term():
    assert uses("Finding no gap, sampling error, reading.") == []
    assert uses("Two findings.") == [("findings", "finding")]


def test_status_words_are_defined():
    from probe.statuses import STATUSES

    assert set(STATUSES) <= {term.name for term in TERMS.values()}
