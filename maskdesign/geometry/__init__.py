"""Numerics on arrays: meshes, alignment, warps, subdivision. Knows no faces and no masks."""
