"""`maskdesign models` as a user meets it: add, verify, calibrate, and pull from a server on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx_families import arcface
from skimage.data import astronaut
from tiny_onnx import tiny_recognizer, write_recognizer

from maskdesign.cli.main import main
from maskdesign.errors import InputError, RecognizerError
from maskdesign.evaluation.calibrate import best_accuracy, calibrate
from maskdesign.evaluation.pairs import Fold
from maskdesign.files import write_image
from maskdesign.progress import Silent
from maskdesign.recognition import presets
from maskdesign.recognition.download import download
from maskdesign.recognition.presets import SOURCES, TEMPLATES, Source
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_onnx_recognizer, load_recognizers, shipped_recognizers
from maskdesign.recognition.spec import load_spec, save_spec
from maskdesign.recognition.thresholds import match_rate


def run(capsys, *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def square(tmp_path) -> Path:
    """A network for 112 x 112 pixels that lies outside the models' folder."""
    path = tmp_path / "downloads" / "mine.onnx"
    path.parent.mkdir()
    path.write_bytes(tiny_recognizer(height=112, width=112).SerializeToString())
    return path


def test_add_describes_a_network_that_then_waits_for_its_thresholds(square, tmp_path, capsys):
    models = tmp_path / "models"
    code, out, _ = run(capsys, "models", "add", square, "--models", models, "--pixels", "bytes-bgr", "--licence", "MIT")
    assert code == 0 and "mine: 112 x 112 px -> 4 numbers" in out and "models calibrate mine" in out
    spec = load_spec(models / "mine.toml")
    assert (spec.channels, spec.scale, spec.licence, spec.embedding_size) == ("bgr", 255.0, "MIT", 4)
    assert spec.template_px == TEMPLATES["arcface"].template_px and not spec.is_calibrated
    assert (models / "mine.onnx").read_bytes() == square.read_bytes()
    code, out, _ = run(capsys, "models", "list", "--models", models)
    assert "has no thresholds yet; run `maskdesign models calibrate`" in out
    with pytest.raises(RecognizerError, match="has no thresholds yet"):
        load_recognizers(models)
    assert run(capsys, "models", "add", square, "--models", models)[0] == 2


def test_a_real_family_of_another_size_scales_the_template(tmp_path, capsys):
    path = tmp_path / "small.onnx"
    path.write_bytes(arcface().SerializeToString())
    code, out, _ = run(capsys, "models", "add", path, "--models", tmp_path, "--json")
    assert code == 0 and json.loads(out)["embedding_size"] == 16
    expected = np.array(TEMPLATES["arcface"].template_px) * 16 / 112
    np.testing.assert_allclose(load_spec(tmp_path / "small.toml").template_px, expected, atol=1e-4)


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret.bin")


def huge(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(2 << 30)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:300]), "mine.onnx"),
        (huge, "2048 MiB exceed the limit of 1024 MiB"),
        (lambda p: p.write_bytes(tiny_recognizer(height=112, width=96).SerializeToString()), "take one of sphereface"),
        (lambda p: p.write_bytes(tiny_recognizer(height=50, width=70).SerializeToString()), "write its .toml by hand"),
        (lambda p: p.unlink(), "no such file"),
    ],
)
def test_add_refuses_and_writes_nothing(square, tmp_path, capsys, damage, message):
    damage(square)
    code, _, err = run(capsys, "models", "add", square, "--models", tmp_path / "models")
    assert code == 3 and message in err and err.count("\n") == 1
    assert not (tmp_path / "models").exists()


def test_add_refuses_weights_outside_the_file(square, tmp_path, capsys):
    model = tiny_recognizer(height=112, width=112)
    outside(model)
    square.write_bytes(model.SerializeToString())
    code, _, err = run(capsys, "models", "add", square, "--models", tmp_path / "models")
    assert code == 3 and "lie outside the file" in err and not (tmp_path / "models").exists()


def test_verify_reads_every_recognizer_and_fails_with_four(tmp_path, capsys):
    write_recognizer(tmp_path, "good", tiny_recognizer())
    names = ["dlib", "good", *(toml.stem for toml in shipped_recognizers())]
    expected = "".join(f"ok      {name}\n" for name in names)
    assert run(capsys, "models", "verify", "--models", tmp_path)[:2] == (0, expected)
    broken = write_recognizer(tmp_path, "wrong", tiny_recognizer()).with_suffix(".toml")
    broken.write_text(broken.read_text().replace('licence = "MIT"', f'licence = "MIT"\nsha256 = "{"0" * 64}"'))
    code, out, err = run(capsys, "models", "verify", "--models", tmp_path)
    assert code == 4 and "FAILED  wrong: " in out and "expected 0000" in out and "wrong: not usable" in err


def test_specifications_survive_writing(tmp_path):
    spec = load_spec(write_recognizer(tmp_path, "tiny", tiny_recognizer()).with_suffix(".toml"))
    save_spec(tmp_path / "again.toml", spec)
    assert load_spec(tmp_path / "again.toml") == spec


def test_half_a_calibration_is_refused(tmp_path):
    toml = write_recognizer(tmp_path, "tiny", tiny_recognizer()).with_suffix(".toml")
    toml.write_text("\n".join(line for line in toml.read_text().splitlines() if not line.startswith("genuine_mean")))
    with pytest.raises(RecognizerError, match="genuine_mean is missing; add it, or run `maskdesign models calibrate`"):
        load_spec(toml)


def people_embeddings(spread: float, people: int = 60, photos: int = 3) -> tuple[list[Fold], dict]:
    random = np.random.default_rng(0)
    embeddings, genuine = {}, []
    for person in range(people):
        center = random.normal(size=16)
        for number in range(1, photos + 1):
            value = center + spread * random.normal(size=16)
            embeddings[f"p{person:03d}", number] = torch.tensor(value, dtype=torch.float32)
        genuine.append(((f"p{person:03d}", 1), (f"p{person:03d}", 2)))
    return [Fold(tuple(genuine), ())], embeddings


@pytest.fixture
def tiny(tmp_path) -> Recognizer:
    return load_onnx_recognizer(write_recognizer(tmp_path, "tiny", tiny_recognizer()))


def test_calibration_holds_its_rates(tiny):
    folds, embeddings = people_embeddings(0.5)
    measured = calibrate(tiny, folds, embeddings, rounds=200)
    names = sorted(embeddings)
    rows = torch.nn.functional.normalize(torch.stack([embeddings[name] for name in names]), dim=1)
    matrix = (rows @ rows.T).numpy()
    impostor = np.array([matrix[i, j] for i in range(len(names)) for j in range(i) if names[i][0] != names[j][0]])
    for fmr, threshold in measured.thresholds.items():
        assert match_rate(impostor, threshold) == pytest.approx(float(fmr), rel=0.1)
    assert measured.impostor_pairs == len(impostor) and measured.people == 60
    assert measured.impostor_mean == pytest.approx(impostor.mean(), abs=1e-5)
    low, high = measured.tpr_1e3_ci
    assert low <= measured.tpr["1e-3"] <= high and measured.accuracy > 0.9


def test_accuracy_of_apart_and_of_equal_scores():
    scores = np.linspace(0, 1, 400)
    assert best_accuracy(scores + 2, scores) == pytest.approx(1.0)
    assert best_accuracy(scores, scores) == pytest.approx(0.5, abs=0.01)


def test_calibration_without_use_is_refused(tiny):
    folds, embeddings = people_embeddings(0.5)
    with pytest.raises(InputError, match="no pair of photos of one person is left"):
        calibrate(tiny, [Fold((), ())], embeddings)
    few = {name: embeddings[name] for name in list(embeddings)[:12]}
    with pytest.raises(InputError, match="too few for FMR"):
        calibrate(tiny, folds, few)


def test_calibrate_from_photos_writes_thresholds_and_goes_on(tmp_path, monkeypatch, capsys):
    """One face stands for many people: shifted colors make its copies differ."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_recognizer(tmp_path, "tiny", tiny_recognizer())
    toml = tmp_path / "tiny.toml"
    face = astronaut()[20:260, 100:371].astype(int)
    lines = ["1\t2"]
    for person in range(4):
        for number in (1, 2):
            shade = face + np.array([40 * person - 60, 0, 5 * number])
            write_image(
                tmp_path / f"p{person}" / f"p{person}_{number:04d}.png", np.clip(shade, 0, 255).astype(np.uint8)
            )
    lines += ["p0\t1\t2", "p1\t1\t2", "p0\t1\tp2\t1", "p1\t1\tgone\t1"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    words = (
        "models",
        "calibrate",
        "tiny",
        "--models",
        tmp_path,
        "--pairs",
        tmp_path / "pairs.txt",
        "--photos",
        tmp_path,
    )
    before = toml.read_text()
    code, _, err = run(capsys, *words)
    assert code == 3 and "impostor pairs are too few for FMR 0.01" in err and toml.read_text() == before
    from maskdesign.evaluation import calibrate as module
    from maskdesign.recognition import thresholds

    monkeypatch.setattr(thresholds, "MIN_ERRORS", 0)
    monkeypatch.setattr(module, "find_face", lambda path: pytest.fail("every photo was done before"))
    code, out, err = run(capsys, *words, "--json")
    assert code == 0, err
    (result,) = json.loads(out)
    assert result["missing_photos"] == ["gone/1"] and result["photos_without_a_face"] == 0
    spec = load_spec(toml)
    assert spec.genuine_mean == pytest.approx(result["measured"]["genuine_mean"], abs=1e-4)
    assert spec.thresholds["1e-3"] == pytest.approx(result["measured"]["thresholds"]["1e-3"], abs=1e-4)


def test_calibrate_says_what_it_lacks(tmp_path, capsys):
    assert run(capsys, "models", "calibrate", "--models", tmp_path)[0] == 2
    (tmp_path / "pairs.txt").write_text("1\t1\na\t1\t2\na\t1\tb\t1\n")
    words = ("--models", tmp_path, "--pairs", tmp_path / "pairs.txt", "--photos", tmp_path)
    code, _, err = run(capsys, "models", "calibrate", *words)
    assert code == 3 and "holds none of the 3 photos" in err


class Server:
    """Serves one file; may break off, ignore Range, or send something else."""

    def __init__(self, content: bytes) -> None:
        self.content, self.requests, self.break_after, self.ranges = content, [], None, True
        self.redirect = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/model.onnx"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append(wanted)
        if self.redirect:
            handler.send_response(302)
            handler.send_header("Location", self.redirect)
            handler.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        body = self.content[start:]
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body if self.break_after is None else body[: self.break_after])


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(tiny_recognizer(height=112, width=112).SerializeToString())
    threading.Thread(target=made.http.serve_forever, daemon=True).start()
    yield made
    made.http.shutdown()
    made.http.server_close()


def source_of(server: Server) -> Source:
    return replace(
        SOURCES["sface"],
        url=server.url,
        sha256=hashlib.sha256(server.content).hexdigest(),
        size_bytes=len(server.content),
    )


def test_pull_shows_the_licence_and_fetches_only_when_told(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(presets, "SOURCES", {"sface": source_of(server)})
    monkeypatch.setattr("maskdesign.jobs.add_model.SOURCES", {"sface": source_of(server)})
    code, _, err = run(capsys, "models", "pull", "sface", "--models", tmp_path)
    assert code == 3 and "licence Apache-2.0" in err and server.url in err and "nothing was fetched" in err
    assert server.requests == [] and list(tmp_path.iterdir()) == []
    code, out, _ = run(capsys, "models", "pull", "sface", "--models", tmp_path, "--yes")
    assert code == 0 and "models calibrate sface" in out
    assert (tmp_path / "sface.onnx").read_bytes() == server.content
    spec = load_spec(tmp_path / "sface.toml")
    assert spec.licence == "Apache-2.0" and spec.sha256 == source_of(server).sha256
    assert run(capsys, "models", "pull", "sface", "--models", tmp_path, "--yes")[0] == 0
    assert len(server.requests) == 1
    assert run(capsys, "models", "pull", "other", "--models", tmp_path, "--yes")[0] == 3


def fetch(server: Server, target: Path, url: str = "") -> None:
    source = source_of(server)
    download(url or server.url, target, source.sha256, source.size_bytes, Silent())


def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path):
    server.break_after = 300
    target = tmp_path / "model.onnx"
    with pytest.raises(RecognizerError, match=r"(goes on|IncompleteRead)"):
        fetch(server, target)
    assert not target.exists() and (tmp_path / "model.onnx.part").stat().st_size == 300
    server.break_after = None
    fetch(server, target)
    assert server.requests == [None, "bytes=300-"] and target.read_bytes() == server.content
    assert list(tmp_path.iterdir()) == [target]


def test_a_server_that_ignores_ranges_sends_the_whole_file_again(server, tmp_path):
    (tmp_path / "model.onnx.part").write_bytes(b"x" * 100)
    server.ranges = False
    fetch(server, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == server.content


def test_another_content_is_thrown_away(server, tmp_path):
    source = source_of(server)
    server.content = bytes(len(server.content))
    with pytest.raises(RecognizerError, match="the file was thrown away"):
        download(server.url, tmp_path / "model.onnx", source.sha256, source.size_bytes, Silent())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["http://example.invalid/x", "ftp://example.invalid/x", "file:///etc/passwd"])
def test_other_addresses_than_https_are_refused_also_as_redirects(server, tmp_path, address):
    with pytest.raises(RecognizerError, match="is not https; nothing was fetched"):
        fetch(server, tmp_path / "model.onnx", address)
    server.redirect = address
    with pytest.raises(RecognizerError, match=r"is not (https|allowed)"):
        fetch(server, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_official_addresses_are_https_and_pinned():
    for source in SOURCES.values():
        assert source.url.startswith("https://") and len(source.sha256) == 64 and source.size_bytes > 1e6
