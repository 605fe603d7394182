"""Any face that a user has -> `face.npz` or `face.glb`: scans, photos, models, populations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskdesign.errors import UsageError
from maskdesign.faces.formats.ict import is_ict, read_coefficients, read_ict
from maskdesign.faces.from_scan import face_from_scan
from maskdesign.faces.population import check_population, ict_head, random_head, random_ict_head
from maskdesign.faces.read import is_scan, read_scan
from maskdesign.faces.scan import FaceScan, load_face, save_face
from maskdesign.faces.scan_landmarks import read_landmarks
from maskdesign.files import write_bytes, write_image
from maskdesign.geometry.mesh import vertex_normals
from maskdesign.jobs.face_photo import head_from_photo, head_from_photos, list_photos
from maskdesign.progress import Progress
from maskdesign.render.photo_view import PhotoView, save_photo_views

OUT_ENDINGS = (".npz", ".glb")


@dataclass(frozen=True)
class FaceRequest:
    """How a face is read.

    Attributes:
        texture: picture of a scan; what the scan names else.
        landmarks: TOML or JSON of landmarks on a scan or in a photo, which win over what is found.
        ipd_mm: distance between the pupils; it wins over any guess of size.
        model: an ICT-FaceKit file to make a head of.
        seed: of random heads.
    """

    texture: Path | None = None
    landmarks: Path | None = None
    ipd_mm: float | None = None
    model: Path | None = None
    seed: int = 1


def make_face(sources: Sequence[Path], out: Path, request: FaceRequest, show: bool) -> dict[str, Any]:
    """Read one face and write it; of photos also how each sees the head, as NAME_photo.json.

    Args:
        sources: one scan, photo or `face.npz`; or photos of one person, or folders of such photos; of a model its
            coefficients, or nothing for random ones.
        out: `.npz` or `.glb`.
        request: how it is read.
        show: also write a contact sheet beside it.

    Returns:
        what was made and found, ready for JSON.

    Raises:
        UsageError: `out` has another ending, or several sources that are no photos.
        InputError: whatever is wrong with a source.
    """
    if out.suffix.lower() not in OUT_ENDINGS:
        raise UsageError(f"--out {out}: name a file that ends in {' or '.join(OUT_ENDINGS)}")
    face, facts, views = _read_any(sources, request)
    write_face(face, out)
    if views:
        facts["photo_view"] = str(out.with_name(f"{out.stem}_photo.json"))
        save_photo_views(views, Path(facts["photo_view"]))
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


def _read_any(sources: Sequence[Path], request: FaceRequest) -> tuple[FaceScan, dict[str, Any], list[PhotoView]]:
    if request.model is not None:
        return *_read_model(request.model, sources, request.seed), []
    first = sources[0]
    if len(sources) == 1 and (is_scan(first) or first.suffix.lower() == ".npz"):
        return *_read_file(first, request), []
    if request.texture is not None:
        raise UsageError(f"{first}: --texture belongs to scans, and this is a photo")
    if len(sources) == 1 and not first.is_dir():
        head = head_from_photo(first, request.ipd_mm, request.landmarks)
    elif request.landmarks is not None:
        raise UsageError(f"{first}: --landmarks belongs to one scan or one photo, and there are several")
    else:
        head = head_from_photos(list_photos(sources), request.ipd_mm)
    return head.face, head.facts, list(head.views)


def _read_file(source: Path, request: FaceRequest) -> tuple[FaceScan, dict[str, Any]]:
    if is_scan(source):
        landmarks = None if request.landmarks is None else read_landmarks(request.landmarks)
        face, report = face_from_scan(read_scan(source, request.texture), landmarks, request.ipd_mm)
        return face, {"kind": "scan", **asdict(report)}
    if is_ict(source):
        raise UsageError(f"{source}: a model of many heads, not a face; name it as --ict {source}")
    return load_face(source), {"kind": "face"}


def _read_model(path: Path, sources: Sequence[Path], seed: int) -> tuple[FaceScan, dict[str, Any]]:
    if len(sources) > 1:
        raise UsageError("--ict takes one file of coefficients, or none for a random head")
    model = read_ict(path)
    if not sources:
        return random_ict_head(model, seed, 0), {"kind": "model", "seed": seed}
    coefficients = read_coefficients(sources[0])
    head = ict_head(model, coefficients, f"{model.source}, {sources[0].name}")
    return head, {"kind": "model", "coefficients": len(coefficients)}


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
    # Brings torch, which takes two seconds: a file that is refused should not wait for it.
    from maskdesign.evaluation.contact_sheet import contact_sheet

    path = out.with_name(f"{out.stem}_sheet.png")
    write_image(path, contact_sheet(face))
    return path
