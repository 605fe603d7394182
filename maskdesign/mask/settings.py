"""How a mask is put on: what a user may choose, and the stages of the simulation."""

from __future__ import annotations

from dataclasses import dataclass

from maskdesign.errors import ConfigError
from maskdesign.mask.pattern import MaskPattern


@dataclass(frozen=True)
class DrapeStage:
    """One stretch of the relaxation, with all its stiffnesses constant.

    Attributes:
        fine: on every point of the pattern's grid, else on about a quarter of them.
        steps: relaxation steps, a multiple of the block between two looks at the face.
        opens: the pleats open little by little during the first 60 % of the stage, else they are as open as wanted.
        load: share of the loops' and the wire's loads, in [0, 1].
        bending: stiffness across the rows, in [0, 0.3]; along the rows it is three times that, as a pile of
            pleats is stiffer than one layer. Stiffer than 0.3 makes ripples.
        hinge: share of `DrapeSettings.hinge_stiffness` for the angle between panels, in [0, 1].
        crease: least share of it for the angle right at the fold, in [0, 1]; without it folds roll into the panels.
        damping: share of the velocity kept after a step, in [0, 1).
        sweeps: projections of threads and layers per step; more of them make the cloth less stretchable.
    """

    fine: bool
    steps: int
    opens: bool
    load: float
    bending: float
    hinge: float
    crease: float
    damping: float
    sweeps: int


STAGES = (
    DrapeStage(False, 800, opens=True, load=0.3, bending=0.3, hinge=1.0, crease=0.1, damping=0.95, sweeps=2),
    DrapeStage(False, 800, opens=False, load=1.0, bending=0.3, hinge=1.0, crease=0.1, damping=0.95, sweeps=2),
    DrapeStage(False, 600, opens=False, load=0.5, bending=0.2, hinge=0.1, crease=0.1, damping=0.97, sweeps=4),
    DrapeStage(True, 300, opens=False, load=0.5, bending=0.2, hinge=0.1, crease=0.1, damping=0.95, sweeps=6),
    DrapeStage(True, 300, opens=False, load=0.3, bending=0.1, hinge=0.1, crease=0.1, damping=0.9, sweeps=12),
    DrapeStage(True, 150, opens=False, load=0.1, bending=0.02, hinge=0.1, crease=0.05, damping=0.5, sweeps=30),
)
"""Open the pleats before the face, pull the loops, ease off, go to the fine grid, and relax what strain is left."""


@dataclass(frozen=True)
class DrapeLimits:
    """A drape beyond one of these has not settled; the figures are those of `DrapeReport`.

    A cloth of paper or nonwoven does not give way more than this, so that a drape beyond it is no mask. The loops pull
    the sides to the cheeks: where these stand farther off, the mask has wings.
    """

    strain_rms: float = 0.005
    strain_p99: float = 0.02
    strain_max: float = 0.05
    area_error: float = 0.005
    penetration_mm: float = 0.1
    opening_error_mm: float = 4.0
    violations_share: float = 0.0
    side_gap_mm: float = 10.0


@dataclass(frozen=True)
class DrapeSettings:
    """How the mask is worn.

    Attributes:
        opening_mm: height of the mask along its middle in straight panel heights, from the pattern's folded height
            (all pleats shut) to `widest_opening_mm` (130 for the default pattern).
        nose_pleat_share: how far a pleat over the tip of the nose opens, as a share of the others' angle.
        clearance_mm: distance kept between threads and skin; larger than the sag of a cell over the tip of the nose.
        layer_gap_mm: distance kept between layers that lie on each other.
        friction: Coulomb coefficient of cloth on skin.
        loop_load_mm: pull of the ear loops on each point near the side edges, millimeters per step squared.
        loop_reach_mm: width of the strip at the side edges that carries the loops' pull.
        loop_spread: upward share of the pull at the top corners and downward share at the bottom ones.
        wire_load_mm: pull of the nose wire towards the bridge, as `loop_load_mm`.
        wire_length_mm: length of the wire, centered on the top edge.
        wire_rows_mm: height of the hem that carries it.
        hinge_stiffness: how firmly a fold keeps its angle, in [0, 1].
        stages: what is simulated, in this order.
        settling_sweeps: at most so many sweeps over threads, layers and skin take out the strain that is left.
        limits: what counts as settled.

    Convention: one step is the unit of time and every point has the same mass, so a load is an acceleration.
    """

    opening_mm: float = 125.0
    nose_pleat_share: float = 0.2
    clearance_mm: float = 0.6
    layer_gap_mm: float = 0.31
    friction: float = 0.3
    loop_load_mm: float = 0.02
    loop_reach_mm: float = 12.0
    loop_spread: float = 0.2
    wire_load_mm: float = 0.1
    wire_length_mm: float = 100.0
    wire_rows_mm: float = 5.0
    hinge_stiffness: float = 0.3
    stages: tuple[DrapeStage, ...] = STAGES
    settling_sweeps: int = 4000
    limits: DrapeLimits = DrapeLimits()


def widest_opening_mm(pattern: MaskPattern) -> float:
    """Opening up to which the pleats still look like pleats: 7/12 of what they hide is shown."""
    return pattern.folded_height_mm + 7 / 12 * (pattern.height_mm - pattern.folded_height_mm)


def check_settings(pattern: MaskPattern, settings: DrapeSettings) -> None:
    """Refuse settings that no drape can meet.

    Raises:
        ConfigError: the opening lies outside of what the pattern allows, or there is no stage on the fine grid.
    """
    low, high = pattern.folded_height_mm, widest_opening_mm(pattern)
    if not low - 1e-9 <= settings.opening_mm <= high + 1e-9:
        raise ConfigError(f"drape.opening_mm = {settings.opening_mm} must lie between {low:g} (shut) and {high:g} mm")
    if not settings.stages or not settings.stages[-1].fine:
        raise ConfigError("drape.stages: the last stage must be on the fine grid; set fine = true")
