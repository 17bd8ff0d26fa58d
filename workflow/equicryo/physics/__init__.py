"""Imaging physics: optics, projection, noise and normal equations of tensors."""
