import torch

from equicryo.seeds import derive_generator


def draw(*labels):
    return torch.randn(4, generator=derive_generator(*labels))


def test_same_labels_give_the_same_numbers():
    assert torch.equal(draw(1, "a", "b"), draw(1, "a", "b"))


def test_other_seed_label_or_division_gives_other_numbers():
    first = draw(1, "a", "b")
    for labels in ((2, "a", "b"), (1, "a", "c"), (1, "ab"), (1, "a", "b", "")):
        assert not torch.equal(first, draw(*labels))
