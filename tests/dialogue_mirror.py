"""A local mirror of the files of the recipe on Cornell's movie dialogues, tiny: made-up text in the real formats."""

import hashlib
import io
import random
import zipfile
from pathlib import Path

from tests import wmt_mirror

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "www.cs.cornell.edu/~cristian/data/cornell_movie_dialogs_corpus.zip"
FOLDER = "cornell movie-dialogs corpus"
MOVIES, CONVERSATIONS = 6, 6  # movies, and conversations of each
_WORDS = wmt_mirror.WORDS["en"]


def records() -> tuple[list[str], list[str]]:
    """Lines, the last of a film first as Cornell has them, and conversations; one line has no text."""
    draw = random.Random(1)
    lines, conversations, number = [], [], 0
    for movie in range(MOVIES):
        for conversation in range(CONVERSATIONS):
            names = []
            for turn in range(draw.randint(2, 5)):
                text = (
                    " ".join(draw.choices(_WORDS, k=draw.randint(2, 7))) + "\u2019."
                )  # Windows' apostrophe, byte 0x92: no UTF-8
                if (movie, conversation, turn) == (0, 0, 1):
                    text = ""
                names.append(f"L{number}")
                lines.append(f"L{number} +++$+++ u{turn % 2} +++$+++ m{movie} +++$+++ NAME +++$+++ {text}")
                number += 1
            conversations.append(f"u0 +++$+++ u1 +++$+++ m{movie} +++$+++ {names}")
    return lines[::-1], conversations


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, rows in zip(("movie_lines.txt", "movie_conversations.txt"), records()):
            file.writestr(f"{FOLDER}/{name}", "".join(f"{row}\n" for row in rows).encode("cp1252"))
            file.writestr(f"__MACOSX/{FOLDER}/._{name}", b"\x00")
    return buffer.getvalue()


CONFIG = """\
source {recipe}/config.sh
STATUS="scaled down"
YEARS=({years})
SENTENCES=200 VOCABULARY=300 VOCABULARY_LINES=150 SHARDS=2 GPUS_OF_A_BATCH=1
MODEL+=(--encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 16 --decoder-embed-dim 16
    --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --encoder-attention-heads 2 --decoder-attention-heads 2
    --log-interval 1)
PRETRAINING+=(--max-tokens 500 --max-update 3 --validate-interval-updates 3 --save-interval-updates 2)
FINE_TUNING+=(--max-tokens 500 --max-update 2 --validate-interval-updates 2 --save-interval-updates 2)
VALID=10 TEST=12 TOTAL=60 PAIRS=(20 all)
PAPER=([scratch.20]=82.39 [mass.20]=74.32)
BEAM=2
KNOWN=([https://{address}]="- {digest}")
"""


def make_mirror(folder: Path) -> None:
    content = archive()
    files = {ADDRESS: content, **wmt_mirror.news("en")}
    for name, data in files.items():
        path = folder / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    text = CONFIG.format(
        recipe=ROOT / "examples" / "response_generation_cornell",
        years=" ".join(map(str, wmt_mirror.YEARS)),
        address=ADDRESS,
        digest=hashlib.sha256(content).hexdigest(),
    )
    (folder / "config.sh").write_text(text)
