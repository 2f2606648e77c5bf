"""A corpus or queries into a folder of representations: streamed, in shards, going on where it was cut off."""

from itertools import islice
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from mass_plugins.data.progress import Progress
from mass_plugins.data.retrieval_files import read_judgements, read_passages, read_queries
from mass_plugins.data.retrieval_groups import Candidate, Group
from mass_plugins.data.text_files import Shard, fingerprint
from mass_plugins.encoding.retrieval_models import CrossEncoderModel, RetrieverModel
from mass_plugins.errors import InputError
from mass_plugins.retrieval.representations import Description, RepresentationWriter


def represent(
    model: RetrieverModel,
    inputs: Sequence[Path],
    role: str,
    folder: Path,
    dtype: str = "float32",
    shard: Optional[Shard] = None,
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
        shard: every N-th text from the I-th on.
        judged: queries that are judged here alone.
        buffer: texts sorted by length, represented and kept together: what is in memory at once.

    Raises:
        InputError: texts that can't be read, a folder made otherwise, a full disk.
    """
    retriever, part = model.model, shard or Shard(0, 1)
    what = {
        "files": [fingerprint(path) for path in inputs],
        "tokens": model.passage_tokens if role == "documents" else model.query_tokens,
        "precision": model.running.dtype,
        "shard": str(part),
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
        texts = islice(_texts(inputs, role, part, judged), writer.rows, None)
        with Progress("represent", progress, done=writer.rows) as bar:
            while chunk := list(islice(texts, buffer)):
                writer.append([item.id for item in chunk], model.represent([item.whole for item in chunk], role))
                writer.commit()
                bar.add(len(chunk))
        if not writer.rows:
            raise InputError(f"no text falls to the shard {part}; use fewer shards, or other judgements")
        writer.commit(finished=True)
        return writer.rows


def _texts(inputs: Sequence[Path], role: str, shard: Shard, judged: Optional[Path]) -> Iterator[Any]:
    wanted = None if judged is None else read_judgements(judged, "--judged")
    flag = "--corpus" if role == "documents" else "--queries"
    reader: Any = read_passages if role == "documents" else read_queries
    items = (item for item in reader(inputs, flag) if wanted is None or item.id in wanted)
    return (item for number, item in enumerate(items) if number % shard.count == shard.index)


def teach(model: CrossEncoderModel, groups: Iterator[Group], size: int = 64) -> Iterator[list[str]]:
    """Groups with the model's score for each passage, as lines of JSON, ``size`` groups at a time."""
    while batch := list(islice(groups, size)):
        pairs = [(group.query.text, found.passage.whole) for group in batch for found in _candidates(group)]
        scores = iter(model.score([query for query, _ in pairs], [passage for _, passage in pairs]).tolist())
        yield [_with_scores(group, [next(scores) for _ in _candidates(group)]) for group in batch]


def import_scores(
    scores: dict[str, dict[str, float]], groups: Iterator[Group], origin: str, size: int = 64
) -> Iterator[list[str]]:
    """As :func:`teach`, with scores by query and document that another program has computed; ``origin`` names them.

    Raises:
        InputError: a passage of a group has none.
    """
    while batch := list(islice(groups, size)):
        lines = []
        for group in batch:
            own = scores.get(group.query.id, {})
            for found in _candidates(group):
                if found.passage.id not in own:
                    raise InputError(
                        f"{origin} has no score for query {group.query.id} and passage {found.passage.id}; give a run "
                        "that holds all passages of the groups"
                    )
            lines.append(_with_scores(group, [own[found.passage.id] for found in _candidates(group)]))
        yield lines


def _candidates(group: Group) -> list[Candidate]:
    return [*group.positives, *group.negatives]


def _with_scores(group: Group, scores: list[float]) -> str:
    scored = [found._replace(score=score) for found, score in zip(_candidates(group), scores)]
    count = len(group.positives)
    return group._replace(positives=scored[:count], negatives=scored[count:]).as_json()
