"""Chains, superposition, elastic networks and residue chemistry."""
