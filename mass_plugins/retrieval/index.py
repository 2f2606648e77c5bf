"""An index: a folder with a shard for each folder of representations, and what FAISS has built of their vectors.

index.json             settings, shards, sizes of the files; written last
trained.faiss          IVF-PQ's cells, learnt from all shards
0000/ 0001/ ..         a shard: the representations (hard links where the disk allows) and vectors.faiss

A shard that is finished is not built again: the same command goes on where it was cut off.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

import numpy as np

from mass_plugins.data.json_file import ANEW, read_record, write_json
from mass_plugins.data.progress import Progress
from mass_plugins.data.text_files import Shard
from mass_plugins.errors import InputError
from mass_plugins.retrieval import faiss_index
from mass_plugins.retrieval.faiss_index import FaissSettings
from mass_plugins.retrieval.representations import (
    RECORD,
    Description,
    Representations,
    check_sizes,
    given,
    make_folder,
)

VERSION = 2  # as that of the representations which are in it
INDEX = "index.json"
_PLAN_FIELDS = {"settings": dict, "sources": list}
_TRAINED, _VECTORS = "trained.faiss", "vectors.faiss"


def build(
    sources: Sequence[Path],
    folder: Path,
    settings: FaissSettings,
    block: int = 100_000,
    overwrite: bool = False,
    progress: Optional[bool] = None,
) -> "Index":
    """Build an index of finished representations of documents, a shard each.

    Args:
        block: documents in memory at once.

    Raises:
        InputError: representations that don't belong together or twice the same id; another index is there, or one
            whose files are truncated; no folder can be made.
    """
    shards = [Representations(source) for source in sources]
    check_together(shards)
    _check_ids(shards)
    if settings.kind == "ivfpq" and (width := shards[0].description.cls):
        count = sum(map(len, shards))  # told now, before an earlier index is given up
        faiss_index.count_lists(settings, width, count, -(-count // _step(shards, settings.training)))
    plan = {
        "settings": settings.as_dict(),
        "sources": [{"rows": len(shard), "description": vars(shard.description)} for shard in shards],
    }
    make_folder(folder)
    _start(folder, plan, overwrite)
    with Progress("index", progress, sum(map(len, shards))) as bar:
        for number, shard in enumerate(shards):
            own = folder / f"{number:04d}"
            if not (own / ".done").exists():
                own.mkdir(exist_ok=True)
                _copy(shard.folder, own)
                _fill(own, shards, shard, settings, block)
                (own / ".done").touch()
            bar.add(len(shard))
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (INDEX, "plan.json", ".done", ".lock", _TRAINED)
    }
    write_json(folder / INDEX, {"version": VERSION, **plan, "sizes": sizes})
    return Index(folder)


def _start(folder: Path, plan: dict, overwrite: bool) -> None:
    earlier = None if overwrite else read_record(folder / "plan.json", VERSION, _PLAN_FIELDS)
    changed = earlier is not None and {**plan, "version": VERSION} != earlier
    if changed and any(folder.glob("[0-9]" * 4 + "/.done")):
        raise InputError(
            f"{folder} holds an index of other documents or settings; name another folder, or give --overwrite"
        )
    if earlier is None or changed:
        for path in folder.glob("[0-9]" * 4):
            shutil.rmtree(path)
        for name in (INDEX, _TRAINED):
            (folder / name).unlink(missing_ok=True)
        write_json(folder / "plan.json", {"version": VERSION, **plan})
    elif finished := _read_index(folder, ANEW):  # its shards are passed over, so they have to be whole
        check_sizes(folder, finished["sizes"], ANEW)


def _read_index(folder: Path, mend: str) -> Optional[dict[str, Any]]:
    return read_record(folder / INDEX, VERSION, {**_PLAN_FIELDS, "sizes": dict}, mend)


def check_together(shards: Sequence[Representations]) -> None:
    """Raises InputError: representations of queries, or by different models; a corpus that lacks shards."""
    for shard in shards:
        if shard.description.role != "documents":
            raise InputError(f"{shard.folder} holds {shard.description.role}; an index is made of documents")
        if difference := shards[0].description.difference(shard.description):
            raise InputError(f"{shard.folder} and {shards[0].folder} differ in {difference}; represent both alike")
    _check_corpora(shards)


def _check_corpora(shards: Sequence[Representations]) -> None:
    """Each corpus is there from the first shard to the last, all read and represented alike."""
    corpora: dict[str, dict[int, Representations]] = {}
    for shard in shards:
        text = dict(shard.description.text)
        if "shard" in text:  # vectors of another program have none
            part = Shard.parse(text.pop("shard"))
            how = json.dumps([text, shard.description.dtype, part.count], sort_keys=True)
            corpora.setdefault(how, {})[part.index] = shard
    for how, parts in corpora.items():
        text, _, count = json.loads(how)
        missing = [f"{index}/{count}" for index in range(count) if index not in parts]
        if missing:
            [index, shard], files = next(iter(parts.items())), ", ".join(name.split(" (")[0] for name in text["files"])
            raise InputError(
                f"{shard.folder} is shard {index}/{count} of {files}; {', '.join(missing)} of the same text, lengths "
                "and precision isn't among --documents; represent and name all shards"
            )


def _check_ids(shards: Sequence[Representations]) -> None:
    seen: set[str] = set()
    for shard in shards:
        ids = shard.ids()
        if len(ids) != len(shard):
            raise InputError(
                f"{shard.folder / 'ids.txt'} has {len(ids)} lines for {len(shard)} rows; make it anew: "
                f"mass-plugins represent … --destdir {shard.folder} --overwrite"
            )
        twice = seen.intersection(ids)
        if twice:
            raise InputError(f"{shard.folder}: the id {min(twice)} is in an earlier shard, too; ids must be unique")
        seen.update(ids)


def _copy(source: Path, own: Path) -> None:
    for path in [source / RECORD, *(source / name for name in _files(source))]:
        target = own / path.name
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(path, target)


def _files(source: Path) -> list[str]:
    return ["ids.txt", *Representations(source).description.layout()]


def _fill(own: Path, shards: Sequence[Representations], shard: Representations, settings: FaissSettings, block: int):
    if not shard.description.cls:
        return
    trained = own.parent / _TRAINED
    if settings.kind == "ivfpq" and not trained.exists():
        count = sum(map(len, shards))
        faiss_index.write(
            faiss_index.train(settings, shard.description.cls, count, _sample(shards, settings.training)), trained
        )
    if settings.kind == "ivfpq":
        index = faiss_index.read(trained)
    else:
        index = faiss_index.train(settings, shard.description.cls, len(shard), np.empty((0, shard.description.cls)))
    faiss_index.fill(index, (given(parts.cls) for _, parts in shard.blocks(block)))
    faiss_index.write(index, own / _VECTORS)


def _step(shards: Sequence[Representations], size: int) -> int:
    return max(1, -(-sum(map(len, shards)) // size))


def _sample(shards: Sequence[Representations], size: int) -> np.ndarray:
    """Up to ``size`` vectors, every n-th of all."""
    step = _step(shards, size)
    rows = [given(parts.cls)[::step] for shard in shards for _, parts in shard.blocks(step * 1000)]
    return np.concatenate(rows)


class Index:
    """An index, opened; documents are numbered through all shards.

    Raises:
        InputError: no index, not finished, a file that is gone, truncated or changed.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        mend = f"make it anew: mass-plugins index {folder} … --overwrite"
        content = _read_index(self.folder, mend)
        if content is None:
            half = (self.folder / "plan.json").exists()
            state = "is not finished; run its mass-plugins index again" if half else f"holds no {INDEX}; give an index"
            raise InputError(f"{folder} {state}")
        check_sizes(self.folder, content["sizes"], mend)
        try:
            self.settings = FaissSettings(**content["settings"])
        except TypeError as error:
            raise InputError(f"{self.folder / INDEX} is damaged ({error}); {mend}") from None
        self.shards = [Representations(self.folder / f"{n:04d}") for n in range(len(content["sources"]))]
        self.starts = np.cumsum([0, *map(len, self.shards)])
        self.description: Description = self.shards[0].description

    def __len__(self) -> int:
        return int(self.starts[-1])

    def contents(self) -> dict:
        """Settings, and of each shard its model and texts: two indices that agree in it give the same ranking."""
        return {"settings": self.settings.as_dict(), "shards": [vars(shard.description) for shard in self.shards]}

    def ids(self) -> np.ndarray:
        """(N,) the documents' ids, in order."""
        return np.array([name for shard in self.shards for name in shard.ids()], dtype=object)

    def vectors(self) -> Iterator[tuple[int, object]]:
        """(first document, FAISS's index) of shard after shard."""
        for start, shard in zip(self.starts, self.shards):
            yield int(start), faiss_index.read(shard.folder / _VECTORS)

    def score_of(self, queries: Representations) -> str:
        """All that its documents and the queries both have: ``cls``, ``ot`` or ``both``."""
        cls, ot = (all(getattr(it, part) for it in (self.description, queries.description)) for part in ("cls", "ot"))
        return "both" if cls and ot else "ot" if ot else "cls"

    def check_queries(self, queries: Representations, which: str) -> None:
        """Raises InputError: queries of another model or size, or a part that is not there."""
        if queries.description.role != "queries":
            raise InputError(f"{queries.folder} holds {queries.description.role}; give queries")
        if difference := self.description.difference(queries.description, which):
            raise InputError(
                f"{self.folder} and {queries.folder} differ in {difference}; represent the queries as the documents"
            )
        for part, present in (("cls", self.description.cls), ("ot", self.description.ot)):
            if which in (part, "both") and not present:
                raise InputError(f"{self.folder} has no {part} part; choose another --score, or represent with it")
