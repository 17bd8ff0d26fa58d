from pathlib import Path

import pytest

from equicryo.errors import InputError
from equicryo.io.documents import read_document, write_document
from equicryo.io.priors import refuse_trained_on

CARDS = [
    Path(__file__).parents[2] / "resources" / folder / "card.json"
    for folder in ("priors/generalist", "proposer")
]


@pytest.mark.parametrize("card", CARDS)
def test_a_chain_of_the_training_is_refused_by_name(card):
    learnt = read_document(card)["training_ids"][-1]
    with pytest.raises(InputError, match=f"was trained on {learnt}"):
        refuse_trained_on(card, ["1HEL_A", learnt])
    refuse_trained_on(card, ["1HEL_A", "1A6M_A"])


def test_a_card_that_does_not_tell_is_refused(tmp_path):
    write_document(tmp_path / "card.json", {"whitening": {}})
    with pytest.raises(InputError, match="no training_ids"):
        refuse_trained_on(tmp_path / "card.json", [])
