"""Compare the two sides that `flows.review` laid into a folder, and write review.md and review.html."""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # before numpy reads the environment: a review of the same sides is the same

import argparse
import sys
from pathlib import Path

from cxr import artifacts
from cxr.review import figures, markdown, page, pairs, story


def write(folder: Path, out: Path) -> str:
    """Write both pages into `out`; return what the change came to, in one line.

    Raises ValueError for a damaged report.
    """
    review = story.gather(folder)
    before, now = (pairs.histories(folder / side / "reports") for side in ("base", "head"))
    made = {
        "forest": figures.forest([x for x in review.found if x.model not in review.alike]),
        "curves": figures.curves(*pairs.moved(before, now)),
    }
    drawn = {name: pairs.drawn(figure, folder) for name, figure in made.items() if figure}
    artifacts.write_text(out / "review.md", markdown.page(review))
    artifacts.write_text(out / "review.html", page.page(review, drawn))
    return story.headline(review)


def main() -> None:
    """Write the pages of the folder on the command line."""
    parser = argparse.ArgumentParser(prog="python -m cxr.review", description=__doc__)
    parser.add_argument("folder", type=Path, help="with base/, head/ and changes.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for review.md and .html")
    given = parser.parse_args()
    try:
        words = write(given.folder, given.out)
    except (ValueError, OSError) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        sys.exit(1)
    print(words)
    print(f"review: {given.out / 'review.html'} and review.md")


if __name__ == "__main__":
    main()
