"""Write the measured tables and the budget plot into docs/photo-mode.md, from docs/photo-mode/figures.json.

python -m benchmarks.photo_docs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskdesign.evaluation.photo_plots import budget_plot, feature_plot
from maskdesign.evaluation.photo_tables import baselines_table, controls_table, fnmr_table, table_2, table_3

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURES = DOCS / "photo-mode.md", DOCS / "photo-mode" / "figures.json"


def with_tables(page: str, figures: Mapping[str, Any]) -> str:
    """The page with every `<!-- table: NAME -->` ... `<!-- end -->` block written anew."""
    for name, lines in tables(figures).items():
        before, begin, rest = page.partition(f"<!-- table: {name} -->\n")
        if begin:
            page = before + begin + "\n".join(lines) + "\n" + "<!-- end -->" + rest.partition("<!-- end -->")[2]
    return page


def tables(figures: Mapping[str, Any]) -> dict[str, list[str]]:
    conditions = figures["conditions"]
    left_out = [name for name in conditions if name.startswith("without ")]
    noise = [name for name in conditions if name.startswith("random noise")]
    return {
        "plot": ["![FNMR against DSSIM for each recognizer](photo-mode/budget.png)"],
        "controls": counted(controls_table(conditions), figures),
        "left out": counted(fnmr_table(conditions, [*left_out, *noise]), figures, ["without"]),
        "table 2": counted(table_2(conditions), figures, ["only"]),
        "table 3": counted(table_3(conditions), figures, ["only"]),
        "others": counted(baselines_table(conditions), figures, ["pixel"]),
    }


def counted(lines: list[str], figures: Mapping[str, Any], starts: list[str] | None = None) -> list[str]:
    """A table with the number of people behind it; a note where nothing of it has been measured yet."""
    kinds = tuple(starts or ["all"])
    people = [row["people"] for name, row in figures["conditions"].items() if name.startswith(kinds)]
    if not people:
        return ["Not measured yet."]
    return [*lines, "", f"{min(people)} people of folds 7 and 8."]


def main() -> None:
    figures = json.loads(FIGURES.read_text())
    PAGE.write_text(with_tables(PAGE.read_text(), figures))
    (FIGURES.parent / "budget.png").write_bytes(budget_plot(figures["conditions"]))
    (FIGURES.parent / "features.png").write_bytes(feature_plot(figures["features"]))


if __name__ == "__main__":
    main()
