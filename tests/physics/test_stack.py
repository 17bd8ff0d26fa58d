import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from equicryo.errors import InputError
from equicryo.physics.simulation import clean_images
from equicryo.physics.stack import (
    StackConfig,
    check_sampling,
    choose_conformer,
    describe_specimen,
    disturb_views,
    draw_views,
)
from equicryo.structure.atoms import AtomicModel
from equicryo.structure.chain import Chain

SETTINGS = StackConfig(
    target="1hel",
    conformer=0,
    density="matched",
    residue_width=1.5,
    ctf="on",
    snr=0.1,
    noise={"kind": "white"},
    largest_shift=0.0,
    pose_error_deg=0.0,
    shift_error=0.0,
    chunk_size=100,
    box_size=48,
    pixel_size=1.0,
    voltage_kv=300.0,
    spherical_aberration_mm=2.7,
    amplitude_contrast=0.1,
    defocus_um=[0.1, 0.2],
)
MANY = 4000


def deposited(residues: int) -> Chain:
    generator = np.random.default_rng(3)
    return Chain(
        name="1hel",
        chain_id="A",
        sequence="A" * residues,
        residue_numbers=np.arange(residues),
        insertion_codes=("",) * residues,
        coordinates=generator.normal(size=(residues, 3)),
        b_factors=np.zeros(residues),
    )


def test_support_is_the_least_or_what_is_asked_for() -> None:
    diameter = 20.0
    assert SETTINGS.support(diameter) == 36
    assert replace(SETTINGS, support_size=40).support(diameter) == 40
    for wrong in (34, 50):
        with pytest.raises(InputError, match=rf"support_size is {wrong}.* needs 36"):
            replace(SETTINGS, support_size=wrong).support(diameter)


def test_defocus_is_uniform_in_the_range(generator) -> None:
    defocus = draw_views(SETTINGS, 250, generator=generator).defocus.mean
    assert 1000.0 <= defocus.min() < 1050.0
    assert 1950.0 < defocus.max() <= 2000.0


def test_shifts_are_uniform_up_to_the_largest(generator) -> None:
    settings = replace(SETTINGS, largest_shift=3.0)
    shift = draw_views(settings, MANY, generator=generator).pose.shift
    assert 2.99 < shift.abs().max() <= 3.0
    # A uniform law has standard deviation 3/√3; of 8,000 draws it is good to 0.5 %.
    assert shift.std().item() == pytest.approx(math.sqrt(3.0), rel=0.02)


def test_without_ctf_images_are_projections(specimen, generator) -> None:
    views = draw_views(replace(SETTINGS, ctf="off"), 3, generator=generator)
    (images,) = clean_images(specimen, views)
    # No microscope, so all electrons are there; 3 Å tails 10 Å out are lost.
    electrons = images.sum((-2, -1))
    expected = specimen.weights.sum().expand(3)
    torch.testing.assert_close(electrons, expected, rtol=1e-6, atol=0.0)


def test_pose_errors_have_the_size_asked_for(generator) -> None:
    settings = replace(SETTINGS, pose_error_deg=2.0, shift_error=1.0)
    views = draw_views(settings, MANY, generator=generator)
    wrong = disturb_views(views, settings, generator=generator)
    true = Rotation.from_matrix(views.pose.rotation.numpy())
    angle = (Rotation.from_matrix(wrong.pose.rotation.numpy()) * true.inv()).magnitude()
    # Of 4,000 angles (12,000 components) the r.m.s. is good to √(1/24,000) = 0.6 %.
    rms = math.degrees(math.sqrt(np.square(angle).mean()))
    assert rms == pytest.approx(2.0, rel=0.02)
    error = wrong.pose.shift - views.pose.shift
    assert error.std().item() == pytest.approx(1.0, rel=0.03)
    assert torch.equal(wrong.defocus.mean, views.defocus.mean)


def test_without_pose_errors_views_stay_bit_for_bit(generator) -> None:
    views = draw_views(SETTINGS, 50, generator=generator)
    same = disturb_views(views, SETTINGS, generator=generator)
    assert torch.equal(same.pose.rotation, views.pose.rotation)
    assert torch.equal(same.pose.shift, views.pose.shift)


def test_an_aliased_box_is_refused_with_the_smallest_that_works() -> None:
    settings = replace(SETTINGS, defocus_um=[0.3, 0.6])
    with pytest.raises(InputError, match=r"Use box_size >= (\d+)") as caught:
        check_sampling(settings, 45.0)
    smallest = int(str(caught.value).split(">= ")[1].split(",")[0])
    check_sampling(replace(settings, box_size=smallest), 45.0)
    with pytest.raises(InputError):
        check_sampling(replace(settings, box_size=smallest - 2), 45.0)


def test_particles_off_centre_need_a_larger_box() -> None:
    settings = replace(SETTINGS, box_size=80)
    check_sampling(settings, 45.0)
    with pytest.raises(InputError, match="off centre"):
        check_sampling(replace(settings, largest_shift=20.0), 45.0)


def test_truth_is_a_centred_held_out_conformer() -> None:
    held_out = np.arange(24.0).reshape(2, 4, 3)
    settings = replace(SETTINGS, conformer=1)
    truth = choose_conformer(deposited(4), held_out, settings).coordinates
    np.testing.assert_allclose(truth.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.diff(truth, axis=0), np.diff(held_out[1], axis=0))


@pytest.mark.parametrize("conformer", [-1, 2])
def test_a_conformer_that_is_not_there_is_refused(conformer: int) -> None:
    with pytest.raises(InputError, match="conformer"):
        choose_conformer(
            deposited(4), np.zeros((2, 4, 3)), replace(SETTINGS, conformer=conformer)
        )


def test_the_deposited_structure_may_be_the_truth() -> None:
    chain = deposited(4)
    held_out = np.zeros((2, 4, 3))
    truth = choose_conformer(chain, held_out, replace(SETTINGS, conformer="deposited"))
    steps = np.diff(chain.coordinates, axis=0)
    np.testing.assert_allclose(np.diff(truth.coordinates, axis=0), steps)
    np.testing.assert_allclose(truth.coordinates.mean(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("change", [{"box_size": 47}, {"defocus_um": [0.6, 0.3]}])
def test_contradictory_settings_are_refused(change: dict) -> None:
    with pytest.raises(InputError):
        replace(SETTINGS, **change)


def test_all_atoms_of_a_chain_known_by_its_alpha_carbons_are_refused() -> None:
    chain = deposited(5)
    atoms = AtomicModel(
        name=chain.name,
        chain_id=chain.chain_id,
        sequence=chain.sequence,
        residue_numbers=chain.residue_numbers,
        insertion_codes=chain.insertion_codes,
        atom_names=("CA",) * 5,
        elements=("C",) * 5,
        residue_index=np.arange(5),
        coordinates=chain.coordinates,
        b_factors=chain.b_factors,
        occupancies=np.ones(5),
    )
    assert len(describe_specimen(SETTINGS, chain, atoms).coordinates) == 5
    with pytest.raises(InputError, match="1hel is known by its Cα alone"):
        describe_specimen(replace(SETTINGS, density="all-atom"), chain, atoms)
