"""`JobConfig`: everything a job can be told, with the defaults of the demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskdesign.config import apply_overrides, from_mapping, merge, read_toml
from maskdesign.errors import ConfigError
from maskdesign.evaluation.grid import EvaluationSettings
from maskdesign.evaluation.protocol import PhotoProtocol
from maskdesign.evaluation.robustness import RobustnessSettings
from maskdesign.mask.drape import DrapeSettings
from maskdesign.mask.misplaced import PlacementRanges
from maskdesign.mask.outline_file import with_outline
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.control import ControlSettings
from maskdesign.optimize.fusion import AttentionSettings
from maskdesign.optimize.generator import GeneratorSettings
from maskdesign.optimize.objective import ObjectiveSettings
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.optimize.picture import PictureSettings
from maskdesign.optimize.step import DesignSettings
from maskdesign.optimize.texture import TextureStyle
from maskdesign.render.distribution import HeldOutRanges, ViewRanges
from maskdesign.render.renderer import RenderSettings

ALL = "all"
"""In the place of a recognizer's name: all at hand."""
CHOICES = {"fusion": ("mean", "attention"), "canvas": ("texels", "generator"), "until": ("steps", "interval")}


@dataclass(frozen=True)
class HeldOutPlacement(PlacementRanges):
    """A mask as it is worn on four days."""

    placements: int = 4


@dataclass(frozen=True)
class HeldOutSettings:
    """Views on which a design is judged and never improved, harder than its own.

    Attributes:
        count: number of views; 0 leaves this out. As many of the design's own kind are judged beside them.
        views, placement: what they are drawn from; the opening is `evaluation.opening_mm`.
    """

    count: int = 24
    views: HeldOutRanges = field(default_factory=HeldOutRanges)
    placement: HeldOutPlacement = field(default_factory=HeldOutPlacement)

    def __post_init__(self) -> None:
        if not 0 <= self.count <= 10_000:
            raise ConfigError(f"held_out.count = {self.count} must lie between 0 and 10000")


@dataclass(frozen=True)
class JobConfig:
    """One table of the TOML file for each room.

    Attributes:
        seed: of everything random; the same seed gives the same bits.
        openings_mm: pleat openings that a design meets at random; `drape.opening_mm` is the one shown.
        papers: papers to make sheets for; the first one is `sheet.pdf` in the report.
        recognizers: names of those that a design meets, `ALL` for all at hand. The others only judge.
        fusion: how the recognizers' answers become one loss: "mean" of their hinges (`objective.worst_weight` heeds the
            worst member more; 0 does not), or PrivacyMask's "attention" on recognizers, features and regions.
        canvas: what a design improves: free "texels", or the weights of a "generator" that draws them from noise.
        until: "steps" takes all of `design.steps`; "interval" ends as soon as every recognizer's FNMR on the validation
            views is in the interval of `control` or above it. A design for many people then has a second round, which
            the other half of them joins.
        begin_from: run folder of a design to continue from, with either canvas; empty to begin from noise.
        ipd_mm: distance between the wearer's pupils; 0 where it is to be measured from the irises.
        photos, jitter: of designs for many people, and of evaluations on real photos.
    """

    seed: int = 2
    openings_mm: tuple[float, ...] = (100.0, 107.0, 130.0)
    papers: tuple[str, ...] = ("a4", "letter")
    recognizers: tuple[str, ...] = (ALL,)
    fusion: str = "mean"
    canvas: str = "texels"
    until: str = "steps"
    begin_from: str = ""
    ipd_mm: float = 0.0
    mask: MaskPattern = field(default_factory=MaskPattern)
    drape: DrapeSettings = field(default_factory=DrapeSettings)
    views: ViewRanges = field(default_factory=ViewRanges)
    placement: PlacementRanges = field(default_factory=PlacementRanges)
    held_out: HeldOutSettings = field(default_factory=HeldOutSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    texture: TextureStyle = field(default_factory=TextureStyle)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    attention: AttentionSettings = field(default_factory=AttentionSettings)
    generator: GeneratorSettings = field(default_factory=GeneratorSettings)
    picture: PictureSettings = field(default_factory=PictureSettings)
    design: DesignSettings = field(default_factory=DesignSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    robustness: RobustnessSettings = field(default_factory=RobustnessSettings)
    photos: PhotoProtocol = field(default_factory=PhotoProtocol)
    jitter: PhotoJitter = field(default_factory=PhotoJitter)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed = {self.seed} must not be negative")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} = {getattr(self, name)} must be one of {', '.join(known)}")
        if not self.openings_mm:
            raise ConfigError("openings_mm must name at least one pleat opening")
        if self.evaluation.opening_mm in self.openings_mm:
            raise ConfigError(
                "evaluation.opening_mm must differ from every one of openings_mm, which the design has seen"
            )


def load_config(path: Path | None, overrides: Sequence[str], calibrated: Mapping[str, Any] | None = None) -> JobConfig:
    """Defaults, then the TOML file, then what a calibration measured, then `KEY=VALUE` settings.

    Raises:
        ConfigError: unknown key (with the nearest one), wrong type or range, or a calibration of another mask.
        PatternError: a mask that cannot be folded, or whose outline cannot be read.
    """
    values = {} if path is None else read_toml(path)
    if calibrated is not None:
        _check_same_mask(values, calibrated)
        values = merge(values, calibrated)
    merged = apply_overrides(values, overrides)
    if isinstance(merged.get("mask"), dict):
        merged["mask"] = with_outline(merged["mask"], Path() if path is None else path.parent)
    return from_mapping(JobConfig, merged)


def _check_same_mask(values: Mapping[str, Any], calibrated: Mapping[str, Any]) -> None:
    own = values.get("mask", {})
    for name, measured in calibrated.get("mask", {}).items():
        if name != "nose_v_mm" and own.get(name, measured) != measured:
            raise ConfigError(
                f"mask.{name} = {own[name]} in the configuration, but {measured} in the calibration: "
                "calibrate with this mask's own board, or leave [mask] out of the configuration"
            )
