"""Protein structure from noisy cryo-EM projections, with an equivariant prior."""
