"""A folder of represented texts: ids and, as far as there are, vectors and bag-of-words parts.

representations.json   model, settings, how many rows are good, sizes of the files; replaced at each commit
ids.txt                an id a line
cls.npy                (N, d) vectors
ot_index.npy           (N, k) entries of the vocabulary, ascending; documents
ot_value.npy           (N, k) their values, 0 where a text has fewer
ot_dense.npy           (N, V) all values; queries

``h'`` and ``mu'`` of the DupMAE paper, section 3.3. A run that was cut off goes on from the last commit.
"""

import fcntl
import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional, Sequence

import numpy as np

from mass_plugins.data.growing import GrowingArray, GrowingLines, open_array
from mass_plugins.data.json_file import ANEW, read_record, write_json
from mass_plugins.data.retrieval_files import read_passages, read_queries
from mass_plugins.data.text_files import digest
from mass_plugins.errors import InputError

VERSION = 2  # 1 said nothing of the tokenizer, nor of the ids of vectors that came as a file
RECORD = "representations.json"
_ARRAYS = ("cls.npy", "ot_index.npy", "ot_value.npy", "ot_dense.npy")  # of all layouts
_FIELDS = {"description": dict, "rows": int, "sizes": dict, "finished": bool}


class Parts(NamedTuple):
    """The parts of some texts, each (n, ..) or None where the representation has none."""

    cls: Optional[np.ndarray] = None  # (n, d)
    entries: Optional[np.ndarray] = None  # (n, k)
    values: Optional[np.ndarray] = None  # (n, k)
    dense: Optional[np.ndarray] = None  # (n, V)


def given(array: Optional[np.ndarray]) -> np.ndarray:
    """A part that must be there: who asks has looked at the description."""
    if array is None:
        raise ValueError("the representation has no such part")
    return array


@dataclass
class Description:
    """What is represented how; two that are to be compared must agree in all but ``role`` and ``text``.

    Attributes:
        model: fingerprint of the checkpoint; empty for vectors that came without one.
        cls: width d of the vectors; 0: none.
        ot: entries k that a document keeps; 0: none.
        vocabulary: V.
        text: what was read, and how: settings that decide the rows.
        tokenizer: fingerprint of the text pipeline, which a checkpoint does not hold; empty without a model.
    """

    model: str
    role: str
    cls: int = 0
    ot: int = 0
    vocabulary: int = 0
    dtype: str = "float32"
    text: dict[str, Any] = field(default_factory=dict)
    tokenizer: str = ""

    def layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """File -> (shape of a row, type)."""
        small = "uint16" if self.vocabulary <= 1 << 16 else "int32"
        files: dict[str, tuple[tuple[int, ...], str]] = {}
        if self.cls:
            files["cls.npy"] = ((self.cls,), self.dtype)
        if self.ot and self.role == "documents":
            files |= {"ot_index.npy": ((self.ot,), small), "ot_value.npy": ((self.ot,), self.dtype)}
        elif self.ot:
            files["ot_dense.npy"] = ((self.vocabulary,), self.dtype)
        return files

    def difference(self, other: "Description", which: str = "both") -> str:
        """In words, why the two can't be compared; empty if they can. What ``which`` doesn't use may be missing."""
        unused = {"cls": ("ot", "vocabulary"), "ot": ("cls",)}.get(which, ())
        names = {
            "cls": "the width of their vectors",
            "ot": "their entries of the vocabulary",
            "vocabulary": "vocabulary",
        }
        for name, words in names.items():
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs and not (name in unused and 0 in (ours, theirs)):
                return f"{words}: {ours} and {theirs}"
        for ours, theirs, words in (
            (self.model, other.model, "the model that made them"),
            (self.tokenizer, other.tokenizer, "the tokenizer that read their texts (--data)"),
        ):
            if ours and theirs and ours != theirs:
                return f"{words}: {ours[:12]} and {theirs[:12]}"
        return ""


class RepresentationWriter:
    """Writes a folder, going on where an earlier run stopped; a context that holds it locked.

    Args:
        folder: made if it isn't there.
        description: of the rows.
        overwrite: give up rows that were made otherwise, as soon as there are new ones.

    Raises:
        InputError: rows of another description are there, or truncated ones, or another process writes them; no folder
            can be made.
    """

    def __init__(self, folder: Path, description: Description, overwrite: bool = False):
        self.folder, self.description, self._overwrite = folder, description, overwrite
        self.rows, self.finished = 0, False
        self._sizes: dict[str, int] = {}
        self._ids: Optional[GrowingLines] = None
        self._arrays: dict[str, GrowingArray] = {}

    def __enter__(self) -> "RepresentationWriter":
        make_folder(self.folder)
        with ExitStack() as stack:
            lock = stack.enter_context(open(self.folder / ".lock", "w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"another process is writing {self.folder}; wait for it, or name another folder"
                ) from None
            self._find_earlier()
            if self.rows and not self.finished:
                self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def _find_earlier(self) -> None:
        record = _read_record(self.folder, ANEW) if not self._overwrite else None
        if record is None:
            return
        old, new = record["description"], asdict(self.description)
        if old != new:
            names = [name for name in new if name != "text" and old.get(name) != new[name]]
            names += [name for name, value in new["text"].items() if old.get("text", {}).get(name) != value]
            raise InputError(
                f"{self.folder} holds other representations ({', '.join(names)} differ); name another folder, or give "
                "--overwrite to lose them"
            )
        self.rows, self._sizes, self.finished = record["rows"], record["sizes"], record["finished"]
        if self.finished:
            check_sizes(self.folder, self._sizes, ANEW)

    def _open(self, stack: ExitStack) -> GrowingLines:
        if not self.rows:  # what --overwrite gives up, which an index may hold by hard links
            for name in (RECORD, "ids.txt", *_ARRAYS):
                (self.folder / name).unlink(missing_ok=True)
        self._ids = GrowingLines(self.folder / "ids.txt", self._sizes.get("ids.txt", 0) if self.rows else 0)
        stack.callback(self._ids.close)
        for name, (shape, dtype) in self.description.layout().items():
            self._arrays[name] = GrowingArray(self.folder / name, self.rows, shape, dtype)
            stack.callback(self._arrays[name].close)
        return self._ids

    def append(self, ids: Sequence[str], parts: Parts) -> None:
        """Rows of the next texts; they stay with the next commit.

        Raises:
            InputError: a value that is no number, or too large for the files; a full disk, for instance.
        """
        found = {
            "cls.npy": parts.cls,
            "ot_index.npy": parts.entries,
            "ot_value.npy": parts.values,
            "ot_dense.npy": parts.dense,
        }
        for name, (_, dtype) in self.description.layout().items():
            rows = found[name]
            if rows is None or len(rows) != len(ids):
                raise ValueError(f"{name}: a row for each of {len(ids)} ids is needed")
            good = np.isfinite(rows.astype(dtype)).all(axis=1)
            if not good.all():
                wrong = ids[int(np.argmin(good))]
                raise InputError(f"the representation of {wrong} has a value that is no number; is its model sound?")
        with self._telling():
            names = self._ids or self._open(self._stack)
            for name, array in self._arrays.items():
                array.append(given(found[name]))
            names.append(list(ids))

    def commit(self, finished: bool = False) -> None:
        """Raises InputError: the disk is full, for instance."""
        with self._telling():
            names = self._ids or self._open(self._stack)
            sizes = {name: array.commit() for name, array in self._arrays.items()}
            sizes["ids.txt"] = names.commit()
            self.rows = next(iter(self._arrays.values())).rows
            record = {
                "version": VERSION, "description": asdict(self.description), "rows": self.rows, "sizes": sizes,
                "finished": finished,
            }  # fmt: skip
            write_json(self.folder / RECORD, record)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Raises InputError: the disk is full, for instance."""
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.folder} can't be written ({error.strerror}); fix this and re-run the command"
            ) from None


class Representations:
    """A finished folder, opened for reading; arrays are memory maps.

    Raises:
        InputError: no such folder, not finished, truncated, damaged.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        mend = f"make it anew: mass-plugins represent … --destdir {folder} --overwrite"
        record = _read_record(self.folder, mend)
        if record is None:
            raise InputError(f"{folder} holds no {RECORD}; give a folder that mass-plugins represent has written")
        if not record["finished"]:
            raise InputError(
                f"{folder} is not finished ({record['rows']} rows so far); run its mass-plugins represent again, "
                "which goes on"
            )
        check_sizes(self.folder, record["sizes"], mend)
        self.description = Description(**record["description"])
        self.rows: int = record["rows"]
        self._arrays = {name: open_array(self.folder / name, mend) for name in self.description.layout()}

    def __len__(self) -> int:
        return self.rows

    def ids(self) -> list[str]:
        return (self.folder / "ids.txt").read_text(encoding="utf-8").splitlines()

    def parts(self, begin: int, end: int) -> Parts:
        """Rows ``begin`` .. ``end - 1``, values as float32."""
        return self.take(slice(begin, end))

    def take(self, places) -> Parts:
        """The rows at ``places``, a slice or an array of numbers."""

        def rows(name: str, dtype):
            array = self._arrays.get(name)
            return None if array is None else np.array(array[places], dtype=dtype)  # not the map itself

        return Parts(
            rows("cls.npy", np.float32), rows("ot_index.npy", np.int32), rows("ot_value.npy", np.float32),
            rows("ot_dense.npy", np.float32),
        )  # fmt: skip

    def blocks(self, size: int) -> Iterator[tuple[int, Parts]]:
        """(first row, parts) of block after block."""
        for begin in range(0, self.rows, size):
            yield begin, self.parts(begin, min(begin + size, self.rows))


def adopt_vectors(vectors: Path, ids: Sequence[str], folder: Path, role: str, overwrite: bool = False) -> None:
    """A .npy file of vectors, as any program writes it, and the ids of its rows -> a folder of representations.

    Raises:
        InputError: no such array, another number of rows than of ids, values that are no numbers.
    """
    array = open_array(vectors)
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind != "f":
        raise InputError(
            f"{vectors} is {array.dtype} of shape {array.shape}; vectors are floats of shape (rows, width)"
        )
    if len(array) != len(ids):
        raise InputError(f"{vectors} has {len(array)} rows for {len(ids)} ids; encode the same file that --ids names")
    dtype = "float16" if array.dtype.itemsize == 2 else "float32"
    source = {"vectors": vectors.name, "digest": digest(vectors)}
    source["ids"] = hashlib.blake2b("\n".join(ids).encode("utf-8"), digest_size=16).hexdigest()
    description = Description("", role, cls=array.shape[1], dtype=dtype, text=source)
    with RepresentationWriter(folder, description, overwrite) as writer:
        for begin in range(writer.rows, len(array) if not writer.finished else 0, 65536):
            writer.append(ids[begin : begin + 65536], Parts(cls=array[begin : begin + 65536]))
            writer.commit()
        if not writer.finished:
            writer.commit(finished=True)


def adopt_files(
    paths: Sequence[Path], ids: Optional[Sequence[Path]], folder: Path, role: str, overwrite: bool = False
) -> list[Path]:
    """Folders as they are; .npy files adopted below ``folder``, with the ids of the texts in the files ``ids``.

    Raises:
        InputError: files without ids, folders with them, or both mixed; another number of ids than of rows.
    """
    arrays = [path for path in paths if path.suffix == ".npy"]
    if not arrays:
        if ids:
            raise InputError(f"--ids has no effect on {paths[0]}, which has its ids; leave it out")
        return list(paths)
    if len(arrays) != len(paths):
        raise InputError("folders and .npy files can't be mixed; adopt the files in an index of their own")
    if not ids:
        raise InputError(f"{paths[0]} has no ids; name the texts whose vectors it holds with --ids")
    reader: Any = read_passages if role == "documents" else read_queries
    names = [item.id for item in reader(ids, "--ids")]
    counts = [len(open_array(path)) for path in paths]
    if sum(counts) != len(names):
        raise InputError(f"--ids has {len(names)} texts, the .npy files {sum(counts)} rows; encode the same files")
    begin, folders = 0, []
    for number, (path, count) in enumerate(zip(paths, counts)):
        folders.append(folder / f"{number:04d}")
        adopt_vectors(path, names[begin : begin + count], folders[-1], role, overwrite)
        begin += count
    return folders


def make_folder(folder: Path) -> None:
    """Raises InputError: a file is in the way, or nothing may be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} can't be made ({error.strerror}); name another one") from None


def check_sizes(folder: Path, sizes: dict[str, int], mend: str) -> None:
    """Raises InputError: a file is gone, or has another size than when it was finished; ends in ``mend``."""
    for name, size in sizes.items():
        try:
            found = (folder / name).stat().st_size
        except FileNotFoundError:
            raise InputError(f"{folder / name} is gone; {mend}") from None
        if found != size:
            raise InputError(f"{folder / name} has {found} bytes instead of {size}: truncated or changed; {mend}")


def _read_record(folder: Path, mend: str) -> Optional[dict[str, Any]]:
    record = read_record(folder / RECORD, VERSION, _FIELDS, mend)
    if record is not None:
        try:
            Description(**record["description"])
        except TypeError as error:
            raise InputError(f"{folder / RECORD} is damaged ({error}); {mend}") from None
    return record
