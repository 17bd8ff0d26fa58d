"""RMSD and its controls, distributions and the Cramér-Rao bound."""
