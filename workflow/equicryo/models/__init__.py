"""Equivariant denoiser, whitening, noise schedule and training step."""
