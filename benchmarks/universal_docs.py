"""Write the tables of universal designs into docs/evaluation.md, from docs/evaluation/universal.json.

python -m benchmarks.universal_docs
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, RESULTS = DOCS / "evaluation.md", DOCS / "evaluation" / "universal.json"
BEGIN, END = "<!-- table: universal -->\n", "<!-- end -->"
STYLES = {"repeat": "the default half-drop repeat", "free": "an unconstrained texture (a research control)"}


def with_tables(page: str, results: Mapping[str, Any]) -> str:
    """The page with its block of universal designs written anew."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n".join(lines(results)) + "\n" + END + rest.partition(END)[2]


def lines(results: Mapping[str, Any]) -> Iterator[str]:
    """Markdown: for each style a table of the design against all, and one line for each recognizer left out."""
    for style, ensembles in results["designs"].items():
        for title, design in ensembles.items():
            if all(gain["used"] for gain in design["gains"]):
                yield from _table(STYLES[style], title, design)
        left_out = [design for design in ensembles.values() if not all(gain["used"] for gain in design["gains"])]
        if left_out:
            yield from _left_out_table(STYLES[style], left_out)
    yield f"`{results['command']}`"


def _table(style: str, title: str, design: Mapping[str, Any]) -> Iterator[str]:
    names = list(design["thresholds"])
    yield f"**{style[0].upper()}{style[1:]}, designed {'against all' if title == 'all' else title}.** FNMR at FMR 1e-3,"
    yield f"{design['pairs']} pairs of {design['people']} people; {design['design_cpu_s']:.0f} CPU seconds:"
    yield ""
    yield f"| texture | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    rows = {(row["texture"], row["recognizer"]): row for row in design["rows"]}
    for texture in dict.fromkeys(row["texture"] for row in design["rows"]):
        yield f"| {texture} | {' | '.join(_rate(rows[texture, name]) for name in names)} |"
    gains = {gain["recognizer"]: gain for gain in design["gains"]}
    yield f"| gain over the strongest control | {' | '.join(_gain(gains[name], '') for name in names)} |"
    yield f"| the same at FMR 1e-2 | {' | '.join(_gain(gains[name], '_1e2') for name in names)} |"
    found = design["faces_found"]
    yield ""
    for texture in ("plain blue", "designed"):
        shares = ", ".join(f"{name} {share:.2f}" for name, share in found[texture].items())
        yield f"A face is still found under *{texture}*: {shares}."
    yield ""


def _left_out_table(style: str, designs: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"**{style[0].upper()}{style[1:]}, judged by the recognizer that it never met.**"
    yield ""
    yield "| left out | plain blue | designed | upside down | gain over the strongest control | the same at FMR 1e-2 |"
    yield "|---|---|---|---|---|---|"
    for design in designs:
        rows = {(row["texture"], row["recognizer"]): row for row in design["rows"]}
        for gain in (gain for gain in design["gains"] if not gain["used"]):
            name = gain["recognizer"]
            rates = [_rate(rows[t, name]) for t in ("plain blue", "designed", "designed upside down")]
            yield f"| {name} | {' | '.join(rates)} | {_gain(gain, '')} | {_gain(gain, '_1e2')} |"
    yield ""


def _rate(row: Mapping[str, Any]) -> str:
    low, high = row["fnmr_1e3_ci"]
    return f"{row['fnmr_1e3']:.2f} [{low:.2f}, {high:.2f}]"


def _gain(gain: Mapping[str, Any], suffix: str) -> str:
    value, (low, high) = gain[f"fnmr{suffix or '_1e3'}"], gain[f"fnmr{suffix or '_1e3'}_ci"]
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}] over {gain[f'control{suffix}']}"


def main() -> None:
    PAGE.write_text(with_tables(PAGE.read_text(), json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
