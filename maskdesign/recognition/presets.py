"""What public recognizers expect, so that a new one is described by two words: a template and a range of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from maskdesign.recognition.spec import FIVE_POINTS, RecognizerSpec


@dataclass(frozen=True)
class Template:
    """Where landmarks lie in a crop of one size; larger crops of the same shape scale it.

    Attributes:
        width_px, height_px: of the crop.
        points: names of the landmarks.
        template_px: their places.
    """

    width_px: int
    height_px: int
    points: tuple[str, ...]
    template_px: tuple[tuple[float, float], ...]

    def scaled(self, width_px: int, height_px: int) -> Template | None:
        """The same for crops of another size; None where their shape differs."""
        factor = width_px / self.width_px
        if abs(factor - height_px / self.height_px) > 1e-6:
            return None
        places = tuple((round(x * factor, 4), round(y * factor, 4)) for x, y in self.template_px)
        return Template(width_px, height_px, self.points, places)


_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))

TEMPLATES = {
    "arcface": Template(112, 112, FIVE_POINTS, _ARCFACE),
    "sphereface": Template(96, 112, FIVE_POINTS, tuple((round(x - 8, 4), y) for x, y in _ARCFACE)),
    "omz": Template(
        128,
        128,
        FIVE_POINTS,
        ((40.393, 59.081), (87.376, 59.081), (64.034, 81.985), (44.732, 105.561), (83.640, 105.561)),
    ),
    "dlib": Template(
        150,
        150,
        ("eye_outer_right", "eye_inner_right", "eye_outer_left", "eye_inner_left", "subnasale"),
        ((110.957, 46.350), (89.606, 47.897), (37.058, 46.373), (58.409, 47.906), (74.011, 87.780)),
    ),
}
"""arcface, sphereface: of their authors; omz: Open Model Zoo's reidentification; dlib: its chips, padding 0.25."""


@dataclass(frozen=True)
class Pixels:
    """How a network wants its pixels: (scale * x - mean) / std for x in [0, 1], in its channel order."""

    channels: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


_NONE, _ONE = (0.0,) * 3, (1.0,) * 3

PIXELS = {
    "half": Pixels("rgb", 255.0, (127.5,) * 3, (127.5,) * 3),
    "half-bgr": Pixels("bgr", 255.0, (127.5,) * 3, (127.5,) * 3),
    "unit": Pixels("rgb", 1.0, _NONE, _ONE),
    "bytes": Pixels("rgb", 255.0, _NONE, _ONE),
    "bytes-bgr": Pixels("bgr", 255.0, _NONE, _ONE),
    "imagenet": Pixels("rgb", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""half: [-1, 1]; unit: [0, 1]; bytes: [0, 255]."""


@dataclass(frozen=True)
class Source:
    """A public recognizer and its official address.

    Attributes:
        url: https.
        file: name to store it under.
        sha256, size_bytes: of the file; anything else is refused.
        licence: as its authors state it.
        template, pixels: keys of `TEMPLATES` and `PIXELS`.
        architecture, training_set: for reports.
    """

    url: str
    file: str
    sha256: str
    size_bytes: int
    licence: str
    template: str
    pixels: str
    architecture: str
    training_set: str


def uncalibrated_spec(name: str, source: Source, template: Template, embedding_size: int) -> RecognizerSpec:
    """A specification without thresholds of a network whose embeddings are compared by their cosine.

    Args:
        template: of the crops, at the size that the network takes.
    """
    pixels = PIXELS[source.pixels]
    return RecognizerSpec(
        name=name,
        file=source.file,
        sha256=source.sha256,
        licence=source.licence,
        architecture=source.architecture,
        training_set=source.training_set,
        embedding_size=embedding_size,
        width_px=template.width_px,
        height_px=template.height_px,
        channels=pixels.channels,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        metric="cosine",
        points=template.points,
        template_px=template.template_px,
        thresholds={},
        genuine_mean=float("nan"),
        impostor_mean=float("nan"),
    )


SOURCES = {
    "sface": Source(
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
        "sface.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        38_696_353,
        "Apache-2.0",
        "arcface",
        "bytes",
        "MobileFaceNet with SFace loss, of the OpenCV zoo",
        "a public set named by its authors",
    ),
    "arcface_r100": Source(
        "https://huggingface.co/onnxmodelzoo/legacy_models/resolve/main/validated/vision/body_analysis/arcface/model/"
        "arcfaceresnet100-8.onnx",
        "arcface_r100.onnx",
        "f0a2e278b430372d308fef67c1aea308c2baf37f32e8908d9bfce035c26a3fb4",
        261_036_388,
        "Apache-2.0",
        "arcface",
        "bytes",
        "ResNet-100 with ArcFace loss, of the ONNX model zoo",
        "MS-Celeb-1M (refined)",
    ),
}
