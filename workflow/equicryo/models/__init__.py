"""Equivariant denoiser, its whitening and its training."""
