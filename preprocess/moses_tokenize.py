"""Moses tokenization by sacremoses (and back with --detokenize), stdin to stdout.

    python preprocess/moses_tokenize.py --languages de < clean.de > words.de
    python preprocess/moses_tokenize.py --languages de --detokenize < words.de

Neither XML escapes (&apos;) nor split hyphens (@-@): the text stays readable and can be joined again.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Callable

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import preprocess.as_script  # noqa: F401

from mass_plugins.data.text import TextSettings, WordPipeline, has_spaces
from mass_plugins.errors import InputError
from preprocess.streaming import Chunk, Parser, Result, add_stream_flags, exit_status, run_tool, split_columns


def refuse_without_spaces(languages: list[str]) -> None:
    """Moses finds no words in text that has no spaces.

    Raises:
        InputError: one of the languages is written without spaces.
    """
    for language in languages:
        if not has_spaces(language):
            raise InputError(
                f"the Moses tokenizer doesn't segment {language!r}; use --subwords sentencepiece, or segment "
                "the text with another tool and give --tokenizer none"
            )


def make_tokenizer(languages: list[str], back: bool) -> Callable[[Chunk], Result]:
    """Chunk -> the same lines as words joined by spaces, or back again."""
    pipeline = WordPipeline(TextSettings(tokenizer="moses"))
    convert = pipeline.detokenize if back else pipeline.tokenize

    def tokenize(chunk: Chunk) -> Result:
        lines, dropped = chunk.lines(), Counter()
        kept = ["\t".join(map(convert, cells, languages)) for cells in split_columns(lines, len(languages), dropped)]
        return Result(kept, len(lines), dropped)

    return tokenize


def main() -> int:
    parser = Parser(prog="moses_tokenize.py", description=__doc__.split("\n")[0])
    add_stream_flags(parser)
    parser.add_argument("--detokenize", action="store_true", help="words -> text")
    args = parser.parse_args()
    refuse_without_spaces(args.languages)
    return run_tool("moses_tokenize.py", make_tokenizer, (args.languages, args.detokenize), args)


if __name__ == "__main__":
    sys.exit(exit_status("moses_tokenize.py", main))
