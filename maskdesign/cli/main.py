"""`maskdesign VERB ...`: finds the verb's module, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from maskdesign import __version__
from maskdesign.errors import MaskdesignError

VERBS = {
    "demo": "design a mask for a sample face, from photo to print sheet",
    "design": "design a mask for the face in a photo; the same command goes on after an interruption",
    "flatten": "lay a face, a worn mask or a mesh flat and triangulate it anew, with figures",
    "mask": "drape a pleated mask on a face (.npz in, .npz or .glb out)",
    "face": "turn a scan, a photo or a folder of photos into clean, aligned heads; or make a population",
    "evaluate": "judge a finished design again, beside its controls",
    "render": "take pictures of a design on its wearer from any side, or a turntable",
    "sheet": "make a print sheet, or check the scale of one (--check)",
    "train": "train the photo mode's networks on a folder of photos",
    "compare": "run the experiments of the literature on your own photos, with controls",
    "protect": "hide the faces in a photo or a folder of photos from recognizers, with keys to undo it",
    "restore": "give a protected photo its original pixels back, bit for bit",
    "models": "list, add, verify, calibrate or pull recognizers",
    "calibrate": "fit a design to your printer, mask and camera by photos of a printed board",
    "doctor": "check this installation and say what is missing",
}

EXIT_CODES = "exit codes: 0 done, 2 usage, 3 input refused, 4 a check failed, 130 interrupted"


def usage() -> str:
    """The page that `maskdesign --help` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in VERBS.items())
    return (
        "usage: maskdesign VERB [options]\n\n"
        "Designs printable face masks that keep face recognizers from matching their wearer.\n\n"
        f"verbs:\n{verbs}\n\n"
        "  maskdesign VERB --help   options of a verb\n"
        "  maskdesign --version     version\n\n"
        f"{EXIT_CODES}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: command line without the program's name; None takes the process's own.

    Returns:
        the exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"maskdesign {__version__}")
        return 0
    if words[0] not in VERBS:
        return _refuse_verb(words[0])
    return _run_verb(words[0], words[1:])


def _refuse_verb(word: str) -> int:
    close = difflib.get_close_matches(word, VERBS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(VERBS)}"
    print(f"maskdesign: unknown verb {word}; {hint}", file=sys.stderr)
    return 2


def _run_verb(verb: str, words: list[str]) -> int:
    try:
        module = importlib.import_module(f"maskdesign.cli.{verb}")
        return module.main(words)
    except MaskdesignError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command goes on where it stopped", 130)
    except BrokenPipeError:
        # The reader of our output left; nothing is wrong and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("MASKDESIGN_DEBUG"):
            raise
        name = type(error).__name__
        return _fail(f"a fault of this program ({name}: {error}); MASKDESIGN_DEBUG=1 shows where", 1)


def _fail(message: str, exit_code: int) -> int:
    print(f"maskdesign: {' '.join(message.split())}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
