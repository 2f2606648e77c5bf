"""WMT's files as plain text, a sentence a line, on stdout.

python wmt_text.py sgm < newstest2014-fren-src.en.sgm     the segments of a test set
gzip -dc en-ro.tmx.gz | python wmt_text.py tmx ro         one side of a translation memory
python wmt_text.py romanian < text.ro                     one form of s and t, then no diacritics
python wmt_text.py sample 50000000 news.*.en.gz           so many lines of all files, at even distances
"""

import argparse
import gzip
import re
import sys
from contextlib import closing
from typing import BinaryIO, Iterable, Iterator, Sequence
from xml.etree import ElementTree

_SEGMENT = re.compile(r"<seg[^>]*>(.*?)</seg>", re.IGNORECASE | re.DOTALL)
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Scripts of WMT16 (github.com/rsennrich/wmt16-scripts): s and t with cedilla are read as those with comma,
# then all five letters lose their marks; text from the web has them or not, as it comes.
_ROMANIAN = str.maketrans("ŞşŢţȘșȚțĂăÂâÎî", "SsTtSsTtAaAaIi")


def segments(sgm: str) -> Iterator[str]:
    """Text of all ``<seg>``, entities as they are, as sacreBLEU reads these files (they are no valid XML)."""
    return (" ".join(match.split()) for match in _SEGMENT.findall(sgm))


def translation_units(file: BinaryIO, language: str) -> Iterator[str]:
    """A line for each ``<tu>``, empty where it lacks the language: the sides of a file stay aligned."""
    for _, element in ElementTree.iterparse(file):
        if element.tag == "tu":
            texts = {tuv.get(_LANGUAGE): tuv.findtext("seg") or "" for tuv in element.iter("tuv")}
            yield " ".join(texts.get(language, "").split())
            element.clear()


def without_diacritics(line: str) -> str:
    """Romanian text as the recipes train on it and score it."""
    return line.translate(_ROMANIAN)


def sample(files: Sequence[str], count: int) -> Iterator[bytes]:
    """``count`` lines at even distances of all files together, or all of them if there are fewer.

    Bytes that are no UTF-8 are left out.
    """
    total = sum(1 for _ in _lines(files))
    count = min(count, total)
    for index, line in enumerate(_lines(files)):
        if (index + 1) * count // total > index * count // total:
            yield line.rstrip(b"\n").decode("utf-8", "ignore").encode("utf-8") + b"\n"


def _lines(files: Iterable[str]) -> Iterator[bytes]:
    for name in files:
        with closing(gzip.open(name) if name.endswith(".gz") else open(name, "rb")) as file:
            yield from file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sgm")
    commands.add_parser("tmx").add_argument("language")
    commands.add_parser("romanian")
    sampling = commands.add_parser("sample")
    sampling.add_argument("count", type=int)
    sampling.add_argument("files", nargs="+")
    options = parser.parse_args()
    if options.command == "sample":
        sys.stdout.buffer.writelines(sample(options.files, options.count))
        return
    if options.command == "tmx":
        found = translation_units(sys.stdin.buffer, options.language)
    elif options.command == "sgm":
        found = segments(sys.stdin.buffer.read().decode("utf-8"))
    else:
        found = (without_diacritics(line.decode("utf-8").rstrip("\n")) for line in sys.stdin.buffer)
    sys.stdout.buffer.writelines(line.encode("utf-8") + b"\n" for line in found)


if __name__ == "__main__":
    main()
