"""Seeds whose inputs once ended in something else than an answer or a sentence."""

import pytest

from tests.fuzz.test_files import npz

# Arrays in another byte order, of long doubles, of records, and without any number.
ARRAYS = (33, 62, 67, 73, 74, 80, 101, 109, 113, 123, 129, 136, 142, 147, 158, 174, 181, 194, 216, 300, 351, 453, 487)


@pytest.mark.parametrize("seed", ARRAYS)
def test_odd_arrays_of_a_known_seed_are_read_or_refused_in_a_sentence(seed, tmp_path):
    npz(seed, tmp_path)
