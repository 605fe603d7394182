"""What a calibration folder says, in words."""

from __future__ import annotations

from typing import Any

from maskdesign.jobs.calibrate_apply import NOT_WRITTEN, is_doubted


def describe(document: dict[str, Any]) -> list[str]:
    """One line a finding, and what is still unknown."""
    lines = []
    if lens := document.get("lens"):
        lines.append(
            f"lens: focal length {lens['focal_px']:.0f} ± {lens['focal_sigma_px']:.0f} px, "
            f"distortion {lens['distortion']:+.3f}"
        )
        told = lens["stretch"] is not None
        stretch = f"{lens['stretch']:.4f} ± {lens['stretch_sigma']:.4f}" if told else "unknown: no photo tells it"
        lines.append(f"print, width over height: {stretch}")
    if scale := document.get("scale"):
        lines.append(f"print scale from the scan: {scale[0]:.2%} in x, {scale[1]:.2%} in y")
    if worn := document.get("worn"):
        lines += _describe_worn(worn)
    if color := document.get("color"):
        lines.append(f"color: CIEDE2000 {color['mean_error']:.1f} on left-out patches ({', '.join(color['source'])})")
    if is_doubted(document):
        lines.append(NOT_WRITTEN)
    for part, remedy in (
        ("lens", "a flat photo of the board"),
        ("worn", "photos of the worn board"),
        ("color", "a photo of the chart (`calibrate color`)"),
    ):
        if part not in document:
            lines.append(f"{part}: unknown; add {remedy}")
    return lines


def _describe_worn(worn: dict[str, Any]) -> list[str]:
    lines = [
        f"opening: {worn['opening_mm']:.1f} ± {worn['opening_sigma_mm']:.1f} mm, from {worn['photos']} photos and "
        f"{worn['corners']} corners",
        f"nose on the sheet: {worn['placement_mm']:+.1f} ± {worn['placement_sigma_mm']:.1f} mm off the pattern's place",
        f"seen of the sheet: {worn['seen_share']:.0%}; the rest is marked as not seen",
    ]
    if not worn["own_face"]:
        lines.append("measured on the built-in head: name the wearer's with --face for a surer opening")
    return lines
