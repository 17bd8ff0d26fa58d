"""One draw function a figure."""
