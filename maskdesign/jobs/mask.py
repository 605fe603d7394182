"""A mask on a face, as a job of its own; and what patterns and meshes are at hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from maskdesign.config import from_mapping, read_toml
from maskdesign.errors import ConfigError, UsageError
from maskdesign.faces.scan import load_face
from maskdesign.files import data_path, write_bytes, write_image
from maskdesign.mask.cells import chessboard_pixels
from maskdesign.mask.cut import cut_worn
from maskdesign.mask.drape import DEFAULT_SETTINGS, drape_mask
from maskdesign.mask.outline_file import with_outline
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import widest_opening_mm
from maskdesign.mask.worn import WornMask, save_worn

TEMPLATES = "print_templates"
DEFAULT_PATTERN = "three_pleat"
OUTPUTS = (".npz", ".glb")


@dataclass(frozen=True)
class Listed:
    """One pattern or mesh at hand.

    Attributes:
        name: as `--pattern` takes it, or the mesh's file.
        kind: "pattern" or "mesh".
        detail: sizes or contents.
    """

    name: str
    kind: str
    detail: str


def make_mask(face: Path, pattern: str, out: Path, opening_mm: float | None, show: bool = False) -> WornMask:
    """Drape a mask on a face and write it.

    Args:
        face: `face.npz`.
        pattern: name of a template, or a TOML file with a table [mask].
        out: `.npz`, or `.glb` with the head and a chessboard on the mask.
        opening_mm: opening of the pleats; None takes the default, or what the pattern allows nearest to it.
        show: also write NAME_sheet.png beside the output.

    Raises:
        UsageError: another kind of output.
        InputError, ConfigError, PatternError: face or pattern that cannot be used.
        DrapeError: the drape did not settle; nothing is written.
    """
    if out.suffix not in OUTPUTS:
        raise UsageError(f"--out {out}: must end in {' or '.join(OUTPUTS)}")
    sheet, scan = read_pattern(pattern), load_face(face)
    wanted = _default_opening_mm(sheet) if opening_mm is None else opening_mm
    worn = cut_worn(drape_mask(scan, sheet, replace(DEFAULT_SETTINGS, opening_mm=wanted)), sheet)
    if out.suffix == ".npz":
        save_worn(worn, out)
    else:
        # Only here, for it brings torch along.
        from maskdesign.render.gltf import worn_glb

        write_bytes(out, worn_glb(scan, worn, sheet, chessboard_pixels(sheet)))
    if show:
        from maskdesign.evaluation.mask_sheet import mask_sheet

        write_image(out.with_name(f"{out.stem}_sheet.png"), mask_sheet(scan, worn, sheet))
    return worn


def _default_opening_mm(pattern: MaskPattern) -> float:
    return min(max(DEFAULT_SETTINGS.opening_mm, pattern.folded_height_mm), widest_opening_mm(pattern))


def read_pattern(name: str) -> MaskPattern:
    """A pattern by its template's name, or from a TOML file.

    Raises:
        InputError: no such file.
        ConfigError: no name of a template and no file, no table [mask], or a key that does not exist.
        PatternError: a sheet that cannot be folded, or an outline that cannot be read or cut from it.
    """
    names = _template_names()
    if name not in names and not name.endswith(".toml"):
        raise ConfigError(f"--pattern {name}: neither a template ({', '.join(names)}) nor a .toml file")
    path = data_path(f"{TEMPLATES}/{name}.toml") if name in names else Path(name)
    values = read_toml(path)
    unknown = [key for key in values if key != "mask"]
    if unknown or not isinstance(values.get("mask"), dict):
        raise ConfigError(f"{path}: a pattern holds one table [mask] and nothing else; see {TEMPLATES}/")
    return from_mapping(MaskPattern, with_outline(values["mask"], path.parent), "mask")


def _template_names() -> list[str]:
    files = sorted(data_path(TEMPLATES).glob("*.toml"))
    return [path.stem for path in files if "mask" in read_toml(path)]


def list_masks() -> list[Listed]:
    """Every template of a pattern, then every mesh of `meshes/`."""
    patterns = [Listed(name, "pattern", _describe(read_pattern(name))) for name in _template_names()]
    manifest = read_toml(data_path("meshes/manifest.toml"))
    return patterns + [Listed(name, "mesh", entry["contents"]) for name, entry in manifest.items()]


def _describe(pattern: MaskPattern) -> str:
    size = f"{pattern.width_mm:g} x {pattern.height_mm:g} mm" + (", own outline" if pattern.outline_mm else "")
    if not pattern.pleat_rows_mm:
        return f"{size}, no pleats"
    pleats = f"{len(pattern.pleat_rows_mm)} pleats {pattern.pleat_depth_mm:g} mm deep"
    folded = f"{pattern.width_mm:g} x {pattern.folded_height_mm:g} mm folded"
    return f"{size}, {folded}, {pleats}, opening {pattern.folded_height_mm:g} to {widest_opening_mm(pattern):g} mm"
