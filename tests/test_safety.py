"""Nothing in the package loads code from data, calls a shell, or reaches the network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import maskdesign

SOURCES = sorted(Path(maskdesign.__file__).parent.rglob("*.py"))
FORBIDDEN_IMPORTS = {"pickle", "joblib", "marshal", "shelve", "requests", "urllib", "http", "socket", "ftplib"}
# joblib: MTCNN's weights, unpacked only after their SHA-256 matched. download: `models pull`, when the user agreed.
# remote: a black box at an address that the user gave, when the user allowed it.
EXCEPTIONS = {
    ("mtcnn_nets", "joblib"),
    ("download", "urllib"),
    ("download", "http"),
    ("remote", "http"),
    ("remote", "urllib"),
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_source_is_safe(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found = FORBIDDEN_IMPORTS & {name.partition(".")[0] for name in names}
            assert {(path.stem, name) for name in found} <= EXCEPTIONS
        if isinstance(node, ast.Call):
            _check_call(node)


def _check_call(node: ast.Call) -> None:
    called = ast.unparse(node.func)
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    assert called not in {"eval", "exec", "yaml.load", "os.system"}
    assert keywords.get("shell") != "True"
    assert keywords.get("allow_pickle") != "True"
    assert called != "torch.load" or keywords.get("weights_only") == "True"
