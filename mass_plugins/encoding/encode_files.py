"""Files of text, a line each, or stdin -> one ``.npy`` of vectors in the order of the lines."""

import time
import zlib
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, Optional, Sequence

import numpy as np

from mass_plugins.data.encoder_text import TextCounts
from mass_plugins.data.progress import Progress
from mass_plugins.data.text_files import WHOLE, Shard, count_lines, digest, read_lines, stdin_lines
from mass_plugins.encoding.encoder import Encoder
from mass_plugins.encoding.vector_file import VectorFile
from mass_plugins.errors import InputError

_LETTERS = 1 << 24  # of a chunk at most: lines of 100 000 letters need memory, too
STDIN = Path("-")
FLAG = "--input"


def encode_files(
    encoder: Encoder,
    checkpoint: Path,
    inputs: Sequence[Path],
    output: Path,
    dtype: str = "float32",
    shard: Shard = WHOLE,
    language: Optional[str] = None,
    buffer: int = 10_000,
    overwrite: bool = False,
    progress: Optional[bool] = None,
) -> str:
    """Encode files into ``output``, going on where an earlier run stopped; returns a report.

    Args:
        checkpoint: the file that the encoder was loaded from.
        inputs: text, a line each; plain, .gz, .xz or .bz2; or ``-`` alone, which is stdin.
        output: the ``.npy``; of a shard ``OUT.0-of-4.npy``, and so on.
        dtype: of the vectors in it, ``float32`` or ``float16``.
        shard: the stretch of the lines to encode.
        language: of text that prepare.py's sub-words clean by language.
        buffer: lines that are encoded and kept together.
        overwrite: give up a file that was made otherwise, when there are vectors to take its place.
        progress: show a bar; default: if stderr is a terminal.

    Raises:
        InputError: text that doesn't fit, a file that was made otherwise.
    """
    encoder.text.check_language(language)
    piped = list(inputs) == [STDIN]
    if output.suffix != ".npy":
        raise InputError(f"--output {output} doesn't end in .npy; name it so")
    if piped and shard.count > 1:
        raise InputError("--shard needs files: the number of lines of stdin isn't known in advance; give --input")
    total = None if piped else _count(inputs, progress)
    first, last = (0, None) if total is None else shard.stretch(total)
    if last == first:
        raise InputError(f"no line falls to --shard {shard}; use fewer shards")
    settings = {
        "checkpoint": digest(checkpoint),
        "text pipeline": encoder.text.fingerprint(),
        "--output-dtype": dtype,
        "--dtype": encoder.running.dtype,
        "--shard": str(shard),
        "--language": language,
        FLAG: "stdin" if piped else [f"{path.name} ({path.stat().st_size} bytes)" for path in inputs],
        **asdict(encoder.settings),
    }
    path = output.with_name(f"{output.stem}{shard.suffix}{output.suffix}")
    file = VectorFile(path, encoder.dim, np.dtype(dtype), settings, overwrite)

    def read() -> Iterator[str]:
        return islice(stdin_lines() if piped else (line for _, line in read_lines(inputs, FLAG)), first, last)

    if overwrite and file.resumed and (piped or _what_differs(read(), file)):  # stdin can be read but once
        file.start_anew()
    lines = read()
    if file.finished:
        _skip_what_is_done(lines, file)
        return f"{_report(file)}\nnothing to do: this was made before"
    began, before = time.monotonic(), file.record.rows
    with file:
        _skip_what_is_done(lines, file)
        todo = None if last is None else last - first
        with Progress(f"encode {file.path.name}", progress, todo, before) as bar:
            for chunk in _chunks(lines, buffer):
                vectors, counts = encoder.encode_and_count(chunk, language)
                file.record.position += len(chunk)
                file.record.checksum = _checksum(chunk, file.record.checksum)
                file.record.cut, file.record.tokens, file.record.unknown = _counts(file).plus(counts)
                file.commit(vectors)
                bar.add(len(chunk))
        if file.record.rows == 0:
            raise InputError("stdin is empty; give text, one per line")
        file.finish()
    rate = (file.record.rows - before) / max(time.monotonic() - began, 1e-9)
    return f"{_report(file)}\n{rate:.1f} lines per second" + (f" ({before} made before)" if before else "")


def _skip_what_is_done(lines: Iterator[str], file: VectorFile) -> None:
    """Read the lines that an earlier run has done.

    Raises:
        InputError: they are others.
    """
    if difference := _what_differs(lines, file):
        name = file.path if file.finished else file.part
        raise InputError(f"{difference} that {name} was made of; give another name, or --overwrite")


def _what_differs(lines: Iterator[str], file: VectorFile) -> Optional[str]:
    """What tells the lines from those that a file was made of; None: they begin alike, of a finished one end alike."""
    record = file.record
    done, checksum = 0, 0
    while done < record.position and (chunk := next(_chunks(lines, min(10_000, record.position - done)), None)):
        done, checksum = done + len(chunk), _checksum(chunk, checksum)
    if done < record.position or checksum != record.checksum:
        return f"the first {record.position} lines aren't those"
    if record.finished and next(lines, None) is not None:
        return f"there are more lines than the {record.position}"
    return None


def _counts(file: VectorFile) -> TextCounts:
    return TextCounts(file.record.cut, file.record.tokens, file.record.unknown)


def _checksum(lines: Iterable[str], start: int) -> int:
    return zlib.crc32("".join(line + "\n" for line in lines).encode("utf-8"), start)


def _chunks(lines: Iterator[str], most: int) -> Iterator[list[str]]:
    """Lists of ``most`` lines at most, and of so many letters that memory stays bounded."""
    for line in lines:
        chunk, letters = [line], len(line)
        while len(chunk) < most and letters < _LETTERS and (more := next(lines, None)) is not None:
            chunk.append(more)
            letters += len(more)
        yield chunk


def _count(inputs: Sequence[Path], progress: Optional[bool]) -> int:
    if STDIN in inputs:
        raise InputError(f"{FLAG}: - is stdin, which files can't be mixed with")
    with Progress("look through", progress) as bar:
        return count_lines(inputs, FLAG, progress=bar)


def _report(file: VectorFile) -> str:
    record = file.record
    cut = f", {record.cut} longer texts cut" if record.cut else ""
    warning = f"\nwarning: {_counts(file).warning}" if _counts(file).warning else ""
    return f"{file.path}: {record.rows} vectors of {file.dim} {file.dtype.name}{cut}{warning}"
