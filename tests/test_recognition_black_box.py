"""Black boxes: a function, a command, a service. Taken where one asks, refused where one differentiates."""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from dlib_chips import astronaut_chip, dlib_oracle
from tiny_onnx import TOML, tiny_recognizer, write_recognizer

from maskdesign.errors import ConfigError, InputError, RecognizerError
from maskdesign.jobs.models import calibrate_models, verify_models
from maskdesign.optimize.queries import estimate_gradient
from maskdesign.optimize.step import DesignSettings
from maskdesign.progress import Silent
from maskdesign.recognition.black_box import embedding_box, query_count, score_box
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.listing import list_recognizers
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import (
    BLACK_BOXES_VARIABLE,
    load_described,
    load_dlib_recognizer,
    load_onnx_recognizer,
    load_recognizers,
)
from maskdesign.recognition.remote import Command, service
from maskdesign.recognition.score import margins, scores
from maskdesign.recognition.spec import load_spec, save_spec


def dlib_answers(crops: np.ndarray) -> np.ndarray:
    """dlib itself, compiled, on (B, 3, 150, 150) in [0, 1]."""
    pixels = np.ascontiguousarray((crops.transpose(0, 2, 3, 1) * 255).round().clip(0, 255).astype(np.uint8))
    return np.array([dlib_oracle().compute_face_descriptor(picture) for picture in pixels])


def dlib_box() -> Recognizer:
    return embedding_box(replace(dlib_spec(), name="dlib itself"), dlib_answers, "dlib-bin")


def test_dlib_itself_answers_as_its_network_does():
    crops = astronaut_chip().tensor
    with torch.no_grad():
        torch.testing.assert_close(dlib_box().embed(crops), load_dlib_recognizer().embed(crops), atol=1e-5, rtol=0)


def test_a_gradient_is_refused_in_one_line():
    crops = astronaut_chip().tensor.requires_grad_()
    with pytest.raises(RecognizerError, match=r"dlib itself: a black box gives no gradient; .* design\.query_pairs"):
        dlib_box().embed(crops)
    with torch.no_grad():
        assert dlib_box().embed(crops).shape == (1, 128)


def test_questions_are_counted():
    box = dlib_box()
    for _ in range(3):
        box.embed(astronaut_chip().tensor.repeat(2, 1, 1, 1))
    assert query_count([box, load_dlib_recognizer()]) == 6


@pytest.fixture
def tiny(tmp_path) -> Recognizer:
    return load_onnx_recognizer(write_recognizer(tmp_path, "tiny", tiny_recognizer()))


def test_one_that_compares_pairs_scores_like_its_network(tiny):
    def compare(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        pair = [tiny.network(torch.from_numpy(crops)) for crops in (a, b)]
        return scores(tiny.spec, *pair).numpy()

    box, crops = score_box(tiny.spec, compare, "a function"), torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        asked = scores(box.spec, box.embed(crops[1:]), box.embed(crops[:1])[0])
        exact = scores(tiny.spec, tiny.embed(crops[1:]), tiny.embed(crops[:1])[0])
    torch.testing.assert_close(asked, exact)
    assert margins(box.spec, asked).shape == (3,)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.full((2, 4), math.nan), "answers with values that are not finite"),
        (np.zeros((3, 4)), r"answered 2 crops with \(3, 4\)"),
        (np.float64(3), r"answered 2 crops with \(\)"),
        (["a", "b"], "no array of numbers"),
    ],
)
def test_bad_answers_are_named(tiny, answer, message):
    box = embedding_box(tiny.spec, lambda crops: answer, "a function")
    with pytest.raises(RecognizerError, match=message):
        box.embed(torch.rand(2, 3, 16, 16))


PROGRAM = """
import base64, json, sys, time
import numpy as np
for line in sys.stdin:
    asked = json.loads(line)
    read = lambda key: np.frombuffer(base64.b64decode(asked[key]), "<f4").reshape(asked["shape"])
    crops = read("crops")
    if "claimed" in asked:
        answer = {{"scores": (-np.abs(crops - read("claimed")).mean(axis=(1, 2, 3))).tolist()}}
    else:
        answer = {{"embeddings": crops.mean(axis=(2, 3)).tolist()}}
    {fault}
    print(json.dumps(answer), flush=True)
"""


def command_toml(folder: Path, answers: str = "embeddings", fault: str = "pass", timeout_s: float = 20) -> Path:
    program = folder / "program.py"
    program.write_text(PROGRAM.format(fault=fault))
    text = TOML.format(name="asked", embedding_size=3, width=16, height=16).replace('file = "asked.onnx"\n', "")
    table = f'command = ["{sys.executable}", "{program}"]\nanswers = "{answers}"\ntimeout_s = {timeout_s}'
    (folder / "asked.toml").write_text(f"{text}\n[black_box]\n{table}\n")
    return folder / "asked.toml"


def test_a_command_answers_batches_of_any_size(tmp_path):
    box = load_described(command_toml(tmp_path))
    for count in (1, 40):
        crops = torch.rand(count, 3, 16, 16)
        expected = (255 * crops.flip(1).mean(dim=(2, 3)) - torch.tensor([1.0, 2, 3])) / torch.tensor([4.0, 5, 6])
        torch.testing.assert_close(box.embed(crops), expected, atol=1e-3, rtol=1e-4)


def test_a_command_that_compares(tmp_path):
    box = load_described(command_toml(tmp_path, "scores"))
    crops = torch.rand(3, 3, 16, 16)
    found = scores(box.spec, box.embed(crops), box.embed(crops[:1])[0])
    assert found[0] == 0 and (found[1:] < 0).all()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("time.sleep(30)", "did not answer within 1.5 s; raise timeout_s"),
        ("sys.exit(3)", "ended; see what it wrote to stderr"),
        ("print('hello')", "the answer is no JSON with 'embeddings'"),
        ("answer['embeddings'][0][0] = float('nan')", "answers with values that are not finite"),
        ("answer = {'error': 'no face here'}", "answered with an error: no face here"),
    ],
)
def test_faults_of_a_command_are_named(tmp_path, fault, message):
    started = time.monotonic()
    box = load_described(command_toml(tmp_path, fault=fault, timeout_s=1.5 if "sleep" in fault else 20))
    with pytest.raises(RecognizerError, match="asked: .*" + message) as caught:
        box.embed(torch.rand(2, 3, 16, 16))
    assert "\n" not in str(caught.value) and time.monotonic() - started < 25


def test_a_command_that_does_not_exist_is_named():
    with pytest.raises(RecognizerError, match="asked: no-such-program cannot be started"):
        Command("asked", ["no-such-program"], 1.0)(b"{}")


def test_commands_run_only_where_they_are_allowed(tmp_path, monkeypatch):
    toml = command_toml(tmp_path)
    monkeypatch.delenv(BLACK_BOXES_VARIABLE, raising=False)
    assert [entry.spec.name for entry in load_recognizers(tmp_path)] == ["dlib"]
    assert f"not asked: set {BLACK_BOXES_VARIABLE}=allow" in str(list_recognizers(tmp_path)[1])
    with pytest.raises(InputError, match=rf"asked\.toml: black box, not asked: set {BLACK_BOXES_VARIABLE}=allow"):
        calibrate_models("asked", tmp_path, tmp_path, tmp_path, Silent())
    monkeypatch.setenv(BLACK_BOXES_VARIABLE, "allow")
    assert [entry.spec.name for entry in load_recognizers(tmp_path)] == ["dlib", "asked"]
    assert all(check.problem == "" for check in verify_models(tmp_path))
    spec = load_spec(toml)
    save_spec(toml, spec)
    assert load_spec(toml) == spec


@pytest.mark.parametrize("table", ["", 'command = "ls"', "command = []", 'url = "x"\ncommand = ["y"]', "timeout_s = 3"])
def test_black_boxes_that_name_nothing_to_ask_are_refused(tmp_path, table):
    toml = command_toml(tmp_path)
    toml.write_text(toml.read_text().partition("[black_box]")[0] + f"[black_box]\n{table}\n")
    with pytest.raises(RecognizerError, match=r"black_box = .* must be a table"):
        load_spec(toml)


@pytest.fixture
def address() -> Iterator[tuple[str, dict]]:
    told: dict = {"answer": None, "delay": 0.0, "status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(told["delay"])
            body = json.dumps(told["answer"] or {"embeddings": [[1.0, 2.0]] * asked["shape"][0]}).encode()
            self.send_response(told["status"])
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/embed", told
    http.shutdown()
    http.server_close()


def test_a_service_is_asked_and_its_faults_are_named(tiny, address):
    from maskdesign.recognition.remote import remote_embed

    url, told = address
    box = embedding_box(tiny.spec, remote_embed("tiny", service("tiny", url, 0.5)), url)
    crops = torch.rand(2, 3, 16, 16)
    assert box.embed(crops).tolist() == [[1.0, 2.0]] * 2
    told["answer"] = {"embeddings": [[math.nan, 1], [0, 1]]}
    with pytest.raises(RecognizerError, match="not finite"):
        box.embed(crops)
    told["status"] = 302
    with pytest.raises(RecognizerError, match="answered with status 302"):
        box.embed(crops)
    told["delay"] = 2.0
    with pytest.raises(RecognizerError, match=r"did not answer within 0\.5 s"):
        box.embed(crops)
    with pytest.raises(RecognizerError, match="cannot be asked"):
        service("tiny", "http://127.0.0.1:9/", 0.5)(b"{}")
    with pytest.raises(RecognizerError, match="must be an address such as"):
        service("tiny", "file:///etc/passwd", 0.5)


def test_the_estimate_approaches_the_gradient_of_a_quadratic():
    weights = torch.linspace(-1, 2, 12, dtype=torch.float64).reshape(3, 4)

    def loss_of(x: torch.Tensor) -> float:
        return float((weights * x).sum() + 0.5 * x.square().sum())

    at = torch.full((3, 4), 0.3, dtype=torch.float64)
    errors = [float((estimate_gradient(loss_of, at, pairs, 0.1, 7, 1) - (weights + at)).norm()) for pairs in (50, 5000)]
    assert errors[1] < 0.25 < errors[0]
    first, again = (estimate_gradient(loss_of, at, 3, 0.1, 7, step) for step in (5, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, estimate_gradient(loss_of, at, 3, 0.1, 7, 6))


def test_a_budget_is_kept_before_the_first_question():
    settings = DesignSettings(steps=10, views_per_step=2, query_pairs=4, validation_views=3, validate_every=5)
    assert settings.queries == 10 * 2 * 9 + 2 * 3
    with pytest.raises(ConfigError, match=r"shows each recognizer 186 pictures, design\.query_budget allows 185"):
        replace(settings, query_budget=185)
    assert replace(settings, query_budget=186).queries == 186
