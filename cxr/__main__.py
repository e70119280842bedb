"""cxr: an X-ray in, an answer out: `predict` answers files, `serve` does so on a page, `models` lists who can.

MODEL is a folder that export wrote (data/exported/<model>), one ONNX file of it, the name of a model
there, study:<name>, a registered version (v1.2.0, or <name>@v1.2.0), or prod. No torch is loaded.
Research use only, not a medical device.
"""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # pictures as the pipeline prepares them, to the byte, whatever the processor

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxr.answering import Answer, Model
    from cxr.answering.pictures import Picture

_REMAINS = "what was answered stands above"


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 1 if a file could not be read or nothing could be done."""
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:  # who read the answers has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted: {_REMAINS}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cxr", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _predict_words(commands.add_parser("predict", help="answer files, folders and archives"))
    listing = commands.add_parser(
        "models", help="what is exported and registered, and which is prod"
    )
    listing.add_argument("--json", action="store_true", help="all of it, with the cards")
    listing.set_defaults(run=models)
    _serve_words(commands.add_parser("serve", help="answer on a page and over HTTP, on loopback"))
    return parser


def _predict_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="a path, a model's name, study:<name>, a version, prod"
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path,
                        help="PNG, JPEG, BMP, TIFF, WebP or DICOM; a folder, zip, tar or npz of them")  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON for each file, no table"
    )
    parser.add_argument("--overlays", type=Path, metavar="FOLDER",
                        help="write a PNG for each answer: what speaks for the most probable label")  # fmt: skip
    parser.add_argument("--demo", action="store_true",
                        help="let a model that learned from phantoms answer, as a demonstration")  # fmt: skip
    parser.add_argument("--fold", type=int, metavar="N", help="which network of several answers")
    parser.set_defaults(run=predict)


def _serve_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="as of predict")
    parser.add_argument("--host", default="127.0.0.1", help="another address needs a token")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--name", action="append", default=[], metavar="HOST",
                        help="a host name by which the service may be called, beside localhost")  # fmt: skip
    parser.add_argument("--token-file", type=Path, metavar="FILE",
                        help="its first line is the token; else CXR_SERVE_TOKEN")  # fmt: skip
    parser.add_argument("--demo", action="store_true", help="as of predict")
    parser.set_defaults(run=serve)


def predict(arguments: argparse.Namespace) -> int:
    """Answer every picture that can be read."""
    from cxr.answering import naming, open_model, predicting

    path = naming.find(arguments.model)
    model = open_model(path, fold=arguments.fold)
    if arguments.overlays:
        if not model.has_maps:
            raise ValueError(f"{path} has no maps (metadata.json says why): leave out --overlays")
        arguments.overlays.mkdir(parents=True, exist_ok=True)
    found, faults = _pictures(arguments.images)
    asked = predicting.Asked(
        model=path.absolute(), fold=arguments.fold, demo=arguments.demo,
        overlays=arguments.overlays and arguments.overlays.absolute(),
    )  # fmt: skip
    unread = _told(predicting.answers(asked, found, model), model, found, as_json=arguments.json)
    return 1 if faults or unread else 0


def _pictures(paths: Sequence[Path]) -> tuple[list[Picture], int]:
    """Return the pictures of all paths, and how many paths have none, each told on stderr."""
    from cxr.answering import pictures

    found, faults = [], 0
    for path in paths:
        try:
            found += pictures.listed(path)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            faults += 1
    return found, faults


def _told(
    answers: Iterator[Answer], model: Model, found: Sequence[Picture], *, as_json: bool
) -> int:
    """Print the answers; return how many files could not be read."""
    from cxr.answering import words

    widths = words.columns(model, [picture.name for picture in found])
    if not as_json:
        print("\n".join([*words.heading(model), "", words.head(model, widths)]))
    unread = 0
    for answer in answers:
        print(json.dumps(answer.as_dict()) if as_json else words.line(answer, widths), flush=True)
        unread += answer.error is not None
    if unread:
        print(f"{unread} of {len(found)} files could not be read", file=sys.stderr)
    return unread


def models(arguments: argparse.Namespace) -> int:
    """Print what is exported here and what is registered."""
    from cxr.answering import naming, words

    found = naming.ask("list")
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(words.registered(found)))
    return 0


def serve(arguments: argparse.Namespace) -> int:
    """Serve a model until SIGTERM or Ctrl-C."""
    from cxr import serving
    from cxr.answering import naming

    serving.run(
        naming.find(arguments.model), host=arguments.host, port=arguments.port,
        names=arguments.name, token_file=arguments.token_file, demo=arguments.demo,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
