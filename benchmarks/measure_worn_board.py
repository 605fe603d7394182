"""Rendered photos of the worn coded board, never used while the method was made, read as `calibrate photo` reads them.

Each photo has its own pose, light, exposure, blur, noise and lens; the openings and places of the truth are drapes
that the family of the reader does not hold. The sector-based detector of OpenCV reads the plain board in the same
photos. The figures of each photo are kept in --out, so the same command goes on where it stopped; drapes are kept in
--cache.

    python -m benchmarks.measure_worn_board --cache FOLDER [--photos 100] [--until HH:MM] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_calibration import RIGHT_PX, packaged_right
from maskdesign.calibration.board import CODED, PLAIN, load_board
from maskdesign.calibration.drapes import LIMITS, PLACEMENTS_MM, DrapeFamily, drape_cache, drape_family
from maskdesign.calibration.flat import read_flat
from maskdesign.calibration.worn import WornReading, read_worn
from maskdesign.cli.terminal import shown_progress
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan
from maskdesign.files import write_json
from maskdesign.jobs.calibrate_worn import doubt_fit
from maskdesign.mask.drape import DEFAULT_SETTINGS, drape_mask
from maskdesign.mask.worn import WornMask, load_worn, save_worn
from maskdesign.render.scene import build_scene
from tests.calibration_photos import PATTERN, Conditions, Photo, random_view, take_photo

OUT = Path(__file__).parent.parent / "docs" / "calibration" / "worn.json"
SEED = 90_211
"""Of the held-out photos; while the method was made, seeds were 1, 5, 50, 70, 71, 901, 902, 5150, 5151 and 80425."""
TRUTHS = ((98.0, -5.2), (104.0, -1.3), (111.0, -6.4), (118.0, -2.7), (123.0, -0.4), (129.0, -3.6))
"""Opening asked for and shift of the nose's place, both in mm; photos take them in turn."""
ROUNDS = 2000


def true_drape(face: FaceScan, opening_mm: float, shift_mm: float, cache: Path) -> WornMask:
    """The mask as it lies on the face in the photos."""
    path = cache / f"truth-{opening_mm:g}{shift_mm:+g}.npz"
    if not path.exists():
        settings = replace(DEFAULT_SETTINGS, opening_mm=opening_mm, limits=LIMITS)
        save_worn(drape_mask(face, replace(PATTERN, nose_v_mm=PATTERN.nose_v_mm + shift_mm), settings), path)
    return load_worn(path)


def measure_photo(number: int, face: FaceScan, family: DrapeFamily, cache: Path) -> dict:
    """Take photo `number`, read it, and compare with the truth."""
    opening_mm, shift_mm = TRUTHS[number % len(TRUTHS)]
    worn = true_drape(face, opening_mm, shift_mm, cache)
    scene = build_scene(face, worn, PATTERN)
    view = random_view(np.random.default_rng([SEED, number]), Conditions(), tuple(worn.mesh.vertices.mean(axis=0)))
    photo = take_photo(scene, worn, load_board(CODED), view)
    plain = take_photo(scene, worn, load_board(PLAIN), view)
    started = time.process_time()
    flat = read_flat(photo.pixels, load_board(CODED))
    reading = read_worn([photo.pixels], load_board(CODED), face, family, [told_focal_px(photo)])
    row = {
        "photo": number,
        "asked_opening_mm": opening_mm,
        "asked_placement_mm": shift_mm,
        "visible": int(photo.visible.sum()),
        "packaged_right": packaged_right(plain),
        "taken_for_flat": flat is not None,
        "refused": reading is None,
    }
    if reading is not None:
        row |= {"warned": doubt_fit(reading, 0, load_board(CODED), family)} | _compare(reading, photo)
        row["opening_error_mm"] = abs(reading.fit.opening_mm - worn.report.opening_mm)
        row["placement_error_mm"] = abs(reading.fit.placement_mm - shift_mm)
        row["opening_sigma_mm"] = reading.fit.opening_sigma_mm
        row["placement_sigma_mm"] = reading.fit.placement_sigma_mm
    return row | {"seconds": time.process_time() - started}


def told_focal_px(photo: Photo) -> float:
    """The lens as phones write it: the 35 mm equivalent in whole millimeters."""
    side_px = max(photo.pixels.shape[:2])
    return round(photo.camera.K[0, 0] / side_px * 36) / 36 * side_px


def _compare(reading: WornReading, photo: Photo) -> dict:
    index, points = reading.photos[0].matched.index, reading.photos[0].matched.points_px
    error = np.linalg.norm(points - photo.corners_px.reshape(-1, 2)[index], axis=1)
    right = error < RIGHT_PX
    cosine = (np.trace(reading.fit.cameras[0].R @ photo.camera.R.T) - 1) / 2
    return {
        "found": len(index),
        "right": int((right & photo.visible.ravel()[index]).sum()),
        "wrong": int((~right).sum()),
        "rms_px": float(np.sqrt((error[right] ** 2).mean())),
        "pose_error_deg": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
    }


def summarize(rows: list[dict]) -> dict:
    """The figures of docs/calibration.md; shares with a 95 % bootstrap interval over photos.

    A photo that is refused counts with all of its corners missed. Errors of the fit are those of photos that were read,
    `trusted_` those of photos without a WARNING.
    """
    read = [row for row in rows if not row["refused"]]
    trusted = [row for row in read if not row["warned"]]
    summary = {
        "photos": len(rows),
        "refused": len(rows) - len(read),
        "taken_for_flat": sum(row["taken_for_flat"] for row in rows),
        "warned": sum(row["warned"] for row in read),
        "right_share": _share(rows, "right", "visible"),
        "wrong_share": _share(read, "wrong", "found"),
        "packaged_right_share": _share(rows, "packaged_right", "visible"),
        "trusted_wrong_share": _share(trusted, "wrong", "found"),
        "rms_px": float(np.sqrt(np.mean([row["rms_px"] ** 2 for row in read]))),
        "seconds": _spread([row["seconds"] for row in rows]),
    }
    for name in ("opening", "placement"):
        within = [row[f"{name}_error_mm"] <= 2 * row[f"{name}_sigma_mm"] for row in read]
        summary[f"{name}_within_two_sigma"] = float(np.mean(within))
    middle = float(np.mean(PLACEMENTS_MM))
    summary["placement_error_of_always_the_middle_mm"] = _spread([abs(middle - r["asked_placement_mm"]) for r in read])
    bad = [_is_bad(row) for row in read]
    summary["bad_fits"], summary["bad_fits_warned"] = sum(bad), sum(row["warned"] for row in read if _is_bad(row))
    for name in ("opening_error_mm", "placement_error_mm", "pose_error_deg"):
        summary[name] = _spread([row[name] for row in read])
        summary[f"trusted_{name}"] = _spread([row[name] for row in trusted])
    return summary


def _is_bad(row: dict) -> bool:
    return max(row["opening_error_mm"], row["placement_error_mm"]) > 3 or row["pose_error_deg"] > 2


def _share(rows: list[dict], part: str, whole: str) -> dict:
    counts = np.array([[row.get(part, 0), row[whole]] for row in rows], dtype=np.float64)
    value = counts[:, 0].sum() / counts[:, 1].sum()
    draws = np.random.default_rng(0).integers(0, len(counts), (ROUNDS, len(counts)))
    sums = counts[draws].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return {"value": float(value), "interval": [float(low), float(high)]}


def _spread(values: list[float]) -> dict:
    """Median with its 95 % bootstrap interval, and the worst."""
    array: NDArray[np.float64] = np.array(values)
    draws = np.random.default_rng(0).integers(0, len(array), (ROUNDS, len(array)))
    low, high = np.quantile(np.median(array[draws], axis=1), [0.025, 0.975])
    return {"median": float(np.median(array)), "interval": [float(low), float(high)], "worst": float(array.max())}


def write_results(out: Path, rows: list[dict]) -> None:
    command = f"python -m benchmarks.measure_worn_board --cache FOLDER --photos {len(rows)}"
    head = {"command": command, "seed": SEED, "truths_mm": TRUTHS, "head": "built-in"}
    write_json(out, head | {"summary": summarize(rows), "rows": rows})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="for drapes")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--until", default="", help="local time, as 18:30, after which no further photo is begun")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    rows = json.loads(args.out.read_text())["rows"] if args.out.exists() else []
    face = builtin_face()
    with shown_progress() as progress:
        progress.stage("Drapes")
        cache = args.cache / drape_cache(face, PATTERN)
        family = drape_family(face, PATTERN, progress, cache)
        progress.stage("Photos")
        for number in range(len(rows), args.photos):
            if args.until and time.strftime("%H:%M") >= args.until:
                break
            rows.append(measure_photo(number, face, family, cache))
            write_results(args.out, rows)
            progress.advance(number + 1, args.photos, f"{rows[-1].get('right', 0)} of {rows[-1]['visible']} corners")
    print(json.dumps(json.loads(args.out.read_text())["summary"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
