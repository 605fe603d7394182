"""`maskdesign doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json
from maskdesign.errors import CheckFailedError


@dataclass(frozen=True)
class DoctorArgs:
    """Check this installation: packages, system libraries, recognizers, data files. Exit code 4 when one is missing.

    Attributes:
        models: Folder of ONNX recognizers to check too; MASKDESIGN_MODELS else.
        json: Print one JSON document on stdout.
    """

    models: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(DoctorArgs, "doctor", words)
    from maskdesign.jobs.doctor import examine

    findings = examine(args.models)
    if args.json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else ("MISSING" if finding.required else "absent ")
            print(f"{mark}  {finding.name}: {finding.detail}")
    missing = [finding.name for finding in findings if finding.required and not finding.ok]
    if missing:
        raise CheckFailedError(f"{', '.join(missing)}: not usable; see above, then run `make setup` again")
    return 0
