"""Structures, maps, particle stacks, tables and weights, in and out."""
