"""Any face that a user has -> `face.npz` or `face.glb`: scans, photos, models, folders of photos, populations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskdesign.errors import FaceError, UsageError
from maskdesign.evaluation.contact_sheet import contact_sheet
from maskdesign.faces.formats.ict import is_ict, read_ict
from maskdesign.faces.from_scan import face_from_scan
from maskdesign.faces.photo import face_from_landmarks
from maskdesign.faces.population import check_population, random_head, random_ict_head
from maskdesign.faces.quality import admit, detect_main_face, measure_quality
from maskdesign.faces.read import is_scan, read_scan
from maskdesign.faces.scan import FaceScan, load_face, save_face
from maskdesign.faces.scan_landmarks import read_landmarks
from maskdesign.files import read_image, write_bytes, write_image
from maskdesign.geometry.mesh import vertex_normals
from maskdesign.progress import Progress

OUT_ENDINGS = (".npz", ".glb")


@dataclass(frozen=True)
class FaceRequest:
    """How a face is read.

    Attributes:
        texture: picture of a scan; what the scan names else.
        landmarks: TOML or JSON of landmarks on a scan, which win over what is found.
        ipd_mm: distance between the pupils; it wins over any guess of size.
        seed: of random heads.
    """

    texture: Path | None = None
    landmarks: Path | None = None
    ipd_mm: float | None = None
    seed: int = 1


def make_face(source: Path, out: Path, request: FaceRequest, show: bool) -> dict[str, Any]:
    """Read one face and write it.

    Args:
        source: a scan, a photo, an ICT model or a `face.npz`.
        out: `.npz` or `.glb`.
        request: how it is read.
        show: also write a contact sheet beside it.

    Returns:
        what was made and found, ready for JSON.

    Raises:
        UsageError: `out` has another ending.
        InputError: whatever is wrong with the source.
    """
    if out.suffix.lower() not in OUT_ENDINGS:
        raise UsageError(f"--out {out}: name a file that ends in {' or '.join(OUT_ENDINGS)}")
    face, facts = read_face(source, request)
    write_face(face, out)
    if show:
        facts["sheet"] = str(write_contact_sheet(face, out))
    points = face.points_mm(("eye_outer_left", "eye_outer_right", "nasion", "chin"))
    return {
        "face": str(out),
        "vertices": len(face.mesh.vertices),
        "triangles": len(face.mesh.triangles),
        "eye_corners_mm": float(np.linalg.norm(points[1] - points[0])),
        "nasion_chin_mm": float(np.linalg.norm(points[3] - points[2])),
        **facts,
    }


def read_face(source: Path, request: FaceRequest) -> tuple[FaceScan, dict[str, Any]]:
    """A face from any kind of file, and what was found out about it."""
    if is_scan(source):
        landmarks = None if request.landmarks is None else read_landmarks(request.landmarks)
        face, report = face_from_scan(read_scan(source, request.texture), landmarks, request.ipd_mm)
        return face, {"kind": "scan", **asdict(report)}
    if source.suffix.lower() == ".npz":
        if is_ict(source):
            return random_ict_head(read_ict(source), request.seed, 0), {"kind": "model", "seed": request.seed}
        return load_face(source), {"kind": "face"}
    if request.landmarks is not None or request.texture is not None:
        raise UsageError(f"{source}: --landmarks and --texture belong to scans, and this is a photo")
    return read_photo_face(source, request.ipd_mm)


def read_photo_face(source: Path, ipd_mm: float | None) -> tuple[FaceScan, dict[str, Any]]:
    """A head from one photo that passes the quality gate.

    Raises:
        ImageError, FaceError: the photo cannot be read, or the gate says why it is not good enough.
    """
    if ipd_mm is not None and not 40 <= ipd_mm <= 90:
        raise FaceError(f"{source}: an interpupillary distance of {ipd_mm:g} mm is no adult's; give 40 to 90 mm")
    image = read_image(source)
    detection = detect_main_face(image, str(source))
    quality = measure_quality(image, detection)
    admit(quality, str(source))
    found = face_from_landmarks(image, detection, ipd_mm)
    return found.scan, {"kind": "photo", "unit": found.scale_source, **asdict(quality)}


def make_population(
    model: Path | None, out: Path, count: int, seed: int, show: bool, progress: Progress
) -> dict[str, Any]:
    """Write a folder of random heads; heads that are already there are kept, so the same command goes on.

    Args:
        model: an ICT-FaceKit file; the project's own shape modes where None.
        out: folder.
        count: how many.
        seed: of the population.
        show: also write a contact sheet of the first head.
    """
    check_population(count)
    make = _head_maker(model, seed)
    progress.stage("heads")
    paths = [out / f"head_{seed}_{number:05d}.npz" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            save_face(make(number), path)
        progress.advance(number + 1, count)
    if show:
        write_contact_sheet(load_face(paths[0]), paths[0])
    return {"folder": str(out), "heads": count, "seed": seed, "first": str(paths[0])}


def _head_maker(model: Path | None, seed: int) -> Callable[[int], FaceScan]:
    if model is None:
        return lambda number: random_head(seed, number)
    ict = read_ict(model)
    return lambda number: random_ict_head(ict, seed, number)


def write_face(face: FaceScan, out: Path) -> None:
    """Write `.npz` or `.glb`, as the ending says."""
    if out.suffix.lower() == ".npz":
        save_face(face, out)
    else:
        write_bytes(out, face_glb(face))


def face_glb(face: FaceScan) -> bytes:
    """A head as binary glTF in meters, its texture inside."""
    import trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    material = PBRMaterial(baseColorTexture=Image.fromarray(face.texture), metallicFactor=0.0, roughnessFactor=0.9)
    # trimesh counts v upward and turns it over on export.
    visual = TextureVisuals(uv=np.asarray(face.mesh.uv) * [1, -1] + [0, 1], material=material)
    normals = vertex_normals(face.mesh.vertices, face.mesh.triangles)
    mesh = trimesh.Trimesh(
        face.mesh.vertices / 1000, face.mesh.triangles, vertex_normals=normals, visual=visual, process=False
    )
    return mesh.export(file_type="glb", include_normals=True)  # type: ignore[return-value]


def write_contact_sheet(face: FaceScan, out: Path) -> Path:
    """Write NAME_sheet.png beside NAME.npz or NAME.glb; returns its place."""
    path = out.with_name(f"{out.stem}_sheet.png")
    write_image(path, contact_sheet(face))
    return path
