import torch

from equicryo.seeds import derive_generator, numpy_generator


def draw(*labels):
    return torch.randn(4, generator=derive_generator(*labels))


def test_same_labels_give_the_same_numbers():
    assert torch.equal(draw(1, "a", "b"), draw(1, "a", "b"))


def test_other_seed_label_or_division_gives_other_numbers():
    first = draw(1, "a", "b")
    for labels in ((2, "a", "b"), (1, "a", "c"), (1, "ab"), (1, "a", "b", "")):
        assert not torch.equal(first, draw(*labels))


def test_numpy_generators_follow_from_that_of_torch():
    first, again = (
        numpy_generator(derive_generator(1, "a")).normal(size=4) for _ in range(2)
    )
    assert (first == again).all()
    source = derive_generator(1, "a")
    assert (numpy_generator(source).normal(size=4) == first).all()
    assert (numpy_generator(source).normal(size=4) != first).all()
