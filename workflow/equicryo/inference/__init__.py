"""Likelihood, guided samplers, orientation search and scale."""
