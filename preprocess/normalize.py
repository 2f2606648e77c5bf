"""Unicode form, control characters, Moses punctuation normalization and white space, stdin to stdout.

    python preprocess/normalize.py --languages de < raw.de > clean.de
    paste raw.de raw.en | python preprocess/normalize.py --languages de,en > clean.de-en.tsv

No line is dropped, except pairs with another number of columns.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Callable

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.text import UNICODE_FORMS, TextSettings, WordPipeline
from preprocess.streaming import Chunk, Parser, Result, add_stream_flags, exit_status, run_tool, split_columns


def make_normalizer(settings: TextSettings, languages: list[str]) -> Callable[[Chunk], Result]:
    """Chunk -> the same lines, normalized column by column."""
    pipeline = WordPipeline(settings)

    def normalize(chunk: Chunk) -> Result:
        lines, dropped = chunk.lines(), Counter()
        kept = [
            "\t".join(map(pipeline.normalize, cells, languages))
            for cells in split_columns(lines, len(languages), dropped)
        ]
        return Result(kept, len(lines), dropped)

    return normalize


def main() -> int:
    parser = Parser(prog="normalize.py", description=__doc__.split("\n")[0])
    add_stream_flags(parser)
    parser.add_argument("--unicode", choices=UNICODE_FORMS, default="NFC", help="none keeps control characters, too")
    parser.add_argument("--no-punctuation", action="store_true", help="leave out the Moses punctuation normalization")
    parser.add_argument("--lowercase", action="store_true")
    args = parser.parse_args()
    settings = TextSettings(unicode=args.unicode, normalize=not args.no_punctuation, lowercase=args.lowercase)
    return run_tool("normalize.py", make_normalizer, (settings, args.languages), args)


if __name__ == "__main__":
    sys.exit(exit_status("normalize.py", main))
