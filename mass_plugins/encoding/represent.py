"""A corpus or queries into a folder of representations: streamed, in shards, going on where it was cut off."""

from itertools import islice
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from mass_plugins.data.progress import Progress
from mass_plugins.data.retrieval_files import read_judgements, read_passages, read_queries
from mass_plugins.data.text_files import WHOLE, Shard, fingerprint
from mass_plugins.encoding.retrieval_models import RetrieverModel
from mass_plugins.errors import InputError
from mass_plugins.retrieval.representations import Description, RepresentationWriter


def represent(
    model: RetrieverModel,
    inputs: Sequence[Path],
    role: str,
    folder: Path,
    dtype: str = "float32",
    shard: Shard = WHOLE,
    judged: Optional[Path] = None,
    buffer: int = 5000,
    overwrite: bool = False,
    progress: Optional[bool] = None,
) -> int:
    """Represent texts; returns how many the folder holds.

    Args:
        inputs: passages or queries.
        role: ``documents`` or ``queries``.
        dtype: of the files.
        shard: of the texts, which the N shards get in turn.
        judged: queries that are judged here alone.
        buffer: texts sorted by length, represented and kept together: what is in memory at once.

    Raises:
        InputError: texts that can't be read, a folder made otherwise, a full disk.
    """
    retriever = model.model
    what = {
        "files": [fingerprint(path) for path in inputs],
        "tokens": model.passage_tokens if role == "documents" else model.query_tokens,
        "precision": model.running.dtype,
        "shard": str(shard),
        "judged": None if judged is None else fingerprint(judged),
    }
    description = Description(
        model.fingerprint(), role, cls=retriever.cls_width, dtype=dtype, text=what, tokenizer=model.text.fingerprint(),
        ot=0 if retriever.representation == "cls" else retriever.ot_top,
        vocabulary=0 if retriever.representation == "cls" else len(model.text.dictionary),
    )  # fmt: skip
    with RepresentationWriter(folder, description, overwrite) as writer:
        if writer.finished:
            return writer.rows
        texts = islice(_texts(inputs, role, shard, judged), writer.rows, None)
        with Progress("represent", progress, done=writer.rows) as bar:
            while chunk := list(islice(texts, buffer)):
                writer.append([item.id for item in chunk], model.represent([item.whole for item in chunk], role))
                writer.commit()
                bar.add(len(chunk))
        if not writer.rows:
            raise InputError(f"no text falls to the shard {shard}; use fewer shards, or other judgements")
        writer.commit(finished=True)
        return writer.rows


def _texts(inputs: Sequence[Path], role: str, shard: Shard, judged: Optional[Path]) -> Iterator[Any]:
    wanted = None if judged is None else read_judgements(judged, "--judged")
    flag = "--corpus" if role == "documents" else "--queries"
    reader: Any = read_passages if role == "documents" else read_queries
    items = (item for item in reader(inputs, flag) if wanted is None or item.id in wanted)
    return (item for number, item in enumerate(items) if shard.holds_number(number))
