"""Residues of a deposited chain: alternatives, modifications, ligands.

A deposited chain may hold several conformations of an atom, several residues at one
number, modified residues, waters and ligands. Here each position becomes one `Site`
with one conformation, and the sites become standard residues of one polymer.
"""

import logging
from collections import defaultdict
from dataclasses import dataclass, replace

import gemmi
import numpy as np
from Bio.Data.PDBData import protein_letters_3to1_extended
from Bio.PDB.Chain import Chain as BioChain
from Bio.PDB.ic_data import residue_atom_bond_state

from equicryo.errors import InputError
from equicryo.structure.residues import ONE_TO_THREE, THREE_TO_ONE

logger = logging.getLogger(__name__)

BACKBONE = {"N", "CA", "C"}
PEPTIDE_BOND = 2.0
"""C and N closer than this are bonded, Å (the bond is 1.33 Å)."""

WATERS = {"HOH", "WAT", "DOD"}
SELENIUM = {"SE": "SD"}


@dataclass(frozen=True, kw_only=True)
class Atom:
    """One atom: PDB name, chemical symbol, place in Å, B in Å², occupancy."""

    name: str
    element: str
    position: tuple[float, float, float]
    b_factor: float
    occupancy: float
    altloc: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """One position of a chain with the atoms of one residue, hydrogens left out.

    Attributes:
        residue_name: three-letter code as in the file.
        number: author's residue number.
        insertion_code: empty where there is none.
        is_hetero: recorded as HETATM: a modified residue, ligand or ion.
        atoms: in file order.
    """

    residue_name: str
    number: int
    insertion_code: str
    is_hetero: bool
    atoms: tuple[Atom, ...]

    @property
    def label(self) -> str:
        """Name for messages, e.g. ``MSE 71A``."""
        return f"{self.residue_name} {self.number}{self.insertion_code}"

    def place(self, name: str) -> np.ndarray | None:
        """Return the position of the named atom, Å, or nothing if it is missing."""
        return next((np.array(a.position) for a in self.atoms if a.name == name), None)


def choose_altlocs(chain: BioChain, altloc: str, where: str) -> list[Site]:
    """Give every position of a chain one residue in one conformation.

    All atoms of a residue are taken from the same alternative, so that bonds stay
    sound; atoms that have no alternatives are always taken.

    Args:
        chain: as parsed by Biopython.
        altloc: ``highest`` for the alternative of highest mean occupancy, the first
            label among equals; or a label to be preferred where it exists.
        where: the file, for messages.

    Returns:
        Sites in file order, waters left out.

    Raises:
        InputError: no atom of the chain has the label asked for.
    """
    variants = defaultdict(list)
    for residue in chain.get_unpacked_list():
        _, number, insertion = residue.id
        if residue.resname.strip() not in WATERS:
            # A ligand may share its number with a residue, a modified residue not.
            kind = BACKBONE <= {atom.name for atom in residue.get_unpacked_list()}
            variants[number, insertion, kind].append(_site(residue))
    sites = [_choose(sites, altloc) for sites in variants.values()]
    labels = sorted(
        {atom.altloc for group in variants.values() for s in group for atom in s.atoms}
        - {""}
    )
    if altloc != "highest" and altloc not in labels:
        raise InputError(
            f"{where}: chain {chain.id} has no alternative {altloc!r}, only "
            f"{', '.join(labels) or 'none at all'}: set altloc to highest"
        )
    return sites


def keep_polymer(sites: list[Site], where: str) -> list[Site]:
    """Keep the amino acids that are part of the chain.

    Hetero residues stay only if a peptide bond links them, so that a free amino acid
    or peptide-like ligand is not taken for an end of the chain.

    Raises:
        InputError: there are no amino acids, or one lacks its Cα.
    """
    kept = []
    for site in sites:
        is_standard = site.residue_name in THREE_TO_ONE and not site.is_hetero
        if not (is_standard or _is_linked(site, sites)):
            logger.info("%s: %s is left out", where, site.label)
        elif site.place("CA") is None:
            raise InputError(
                f"{where}: {site.label} has no Cα: complete or remove the residue"
            )
        else:
            kept.append(site)
    if not kept:
        raise InputError(f"{where}: no amino acids in the chain: choose another")
    return kept


def to_standard(site: Site, where: str) -> Site:
    """Turn a modified residue into its parent, dropping what the parent lacks.

    Raises:
        InputError: no standard parent is known, or an atom's element is not.
    """
    for atom in site.atoms:
        if not gemmi.Element(atom.element).atomic_number:
            raise InputError(
                f"{where}: atom {atom.name} of {site.label} has the unknown element "
                f"{atom.element!r}: correct its element column"
            )
    if site.residue_name in THREE_TO_ONE:
        return site
    letter = protein_letters_3to1_extended.get(site.residue_name.ljust(3))
    if letter not in ONE_TO_THREE:
        raise InputError(
            f"{where}: {site.label} is bonded into the chain but has no standard "
            "parent residue: replace it by a standard one in the file"
        )
    names = {*residue_atom_bond_state["X"], *residue_atom_bond_state.get(letter, ())}
    atoms = tuple(_without_selenium(atom) for atom in site.atoms)
    parent = ONE_TO_THREE[letter]
    logger.info("%s: %s is read as %s", where, site.label, parent)
    kept = tuple(atom for atom in atoms if atom.name in names)
    return replace(site, residue_name=parent, is_hetero=False, atoms=kept)


def _site(residue) -> Site:
    hetero, number, insertion = residue.id
    return Site(
        residue_name=residue.resname.strip(),
        number=number,
        insertion_code=insertion.strip(),
        is_hetero=hetero != " ",
        atoms=tuple(
            Atom(
                name=atom.name,
                element=atom.element.capitalize(),
                position=tuple(float(value) for value in atom.coord),
                b_factor=float(atom.bfactor),
                occupancy=1.0 if atom.occupancy is None else float(atom.occupancy),
                altloc=atom.altloc.strip(),
            )
            for atom in residue.get_unpacked_list()
            if atom.element not in ("H", "D")
        ),
    )


def _choose(variants: list[Site], altloc: str) -> Site:
    """Choose among the residues and alternatives at one position."""
    occupancies = defaultdict(list)
    for site in variants:
        for atom in site.atoms:
            if atom.altloc:
                occupancies[atom.altloc].append(atom.occupancy)
    if not occupancies:
        return variants[0]
    highest = max(sorted(occupancies), key=lambda label: np.mean(occupancies[label]))
    chosen = altloc if altloc in occupancies else highest
    site = next(s for s in variants if any(a.altloc == chosen for a in s.atoms))
    kept = tuple(atom for atom in site.atoms if atom.altloc in ("", chosen))
    return replace(site, atoms=kept)


def _is_linked(site: Site, sites: list[Site]) -> bool:
    """Tell whether a peptide bond links this site to another."""
    for own, other in (("N", "C"), ("C", "N")):
        place = site.place(own)
        partners = [s.place(other) for s in sites if s is not site]
        partners = [partner for partner in partners if partner is not None]
        if place is not None and partners:
            distances = np.linalg.norm(np.array(partners) - place, axis=1)
            if distances.min() < PEPTIDE_BOND:
                return True
    return False


def _without_selenium(atom: Atom) -> Atom:
    if atom.element != "Se":
        return atom
    return replace(atom, name=SELENIUM.get(atom.name, atom.name), element="S")
