"""A head with its mask as binary glTF, for any 3D viewer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.mesh import TriangleMesh, vertex_normals
from maskdesign.mask.cut import cut_worn
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask


def worn_glb(face: FaceScan, worn: WornMask, pattern: MaskPattern, texture: NDArray[np.uint8]) -> bytes:
    """Head and mask as two textured meshes.

    Args:
        texture: (h, w, 3) uint8 sRGB on the sheet.

    Returns:
        the .glb file's bytes.

    Convention: glTF's axes are the face frame's, its unit is the meter.
    """
    import trimesh

    worn = cut_worn(worn, pattern)
    sheet_uv = worn.sheet_mm / [pattern.width_mm, pattern.height_mm]
    scene = trimesh.Scene()
    scene.add_geometry(_textured(face.mesh, face.mesh.uv, face.texture), geom_name="head")
    scene.add_geometry(_textured(worn.mesh, sheet_uv, texture), geom_name="mask")
    return scene.export(file_type="glb", include_normals=True)  # type: ignore[return-value]


def _textured(mesh: TriangleMesh, uv: NDArray[np.float64] | None, texture: NDArray[np.uint8]):
    import trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    assert uv is not None
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=0.9, doubleSided=True
    )
    # trimesh counts v upward and turns it over on export.
    visual = TextureVisuals(uv=uv * [1, -1] + [0, 1], material=material)
    return trimesh.Trimesh(
        mesh.vertices / 1000,
        mesh.triangles,
        vertex_normals=vertex_normals(mesh.vertices, mesh.triangles),
        visual=visual,
        process=False,
    )
