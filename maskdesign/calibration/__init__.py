"""Photographs of printed boards, flat and worn, become geometry and color of this printer, this mask and this face."""
