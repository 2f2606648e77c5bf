"""A local mirror of the files of the summarization recipes of the paper's size, tiny: made-up text in the real formats.

``make_mirror(folder, "gigaword")`` writes ``folder/mirror`` (MIRROR=file://...) and ``folder/config.sh``, which is the
recipe's own but for the size of everything, and for the sums of these files.
"""

import hashlib
import io
import random
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HUB = "huggingface.co/datasets"
STORIES = f"{HUB}/abisee/cnn_dailymail/resolve/11343c3752184397d56efc19a8a7cceb68089318/data"
LISTS = "raw.githubusercontent.com/abisee/cnn-dailymail/master/url_lists"
_WORDS = [a + b for a in "th wh gr st m l".split() for b in "ight ound ing oat eed all ore ink ast ump".split()]


def sentences(number: int, seed: str) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(_WORDS, k=draw.randint(5, 12))).capitalize() for _ in range(number)]


def wikipedia(articles: int) -> bytes:
    """One of Wikimedia's parquet files: id, url, title, text."""
    import pyarrow
    from pyarrow import parquet

    texts = ["\n\n".join([f"Title {n}", *(f"{line}." for line in sentences(6, f"wiki{n}"))]) for n in range(articles)]
    texts[1] += "\n\nmy dog is [MASK]"  # as in the article on BERT
    columns = {"id": list(map(str, range(articles))), "url": [""] * articles, "title": [""] * articles, "text": texts}
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


def gigaword() -> dict[str, bytes]:
    """UniLM's archive: org_data/{train,dev,test}.{src,tgt}.txt, with what such files have now and then."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for split, number in (("train", 60), ("dev", 8), ("test", 6)):
            sources = [f"{line.lower()} ." for line in sentences(number, f"giga {split}")]
            targets = [" ".join(line.split()[:4]) for line in sources]
            sources[1] = sources[1].replace("in", "<unk>", 1) + " <unk>"
            if split == "test":
                sources[2] = ""  # left out
            for end, lines in (("src", sources), ("tgt", targets)):
                archive.writestr(f"org_data/{split}.{end}.txt", "".join(f"{line}\n" for line in lines))
    return {f"{HUB}/Harvard/gigaword/resolve/main/data/ggw_data.zip": buffer.getvalue()}


def cnndm() -> dict[str, bytes]:
    """Archives of stories named by the SHA-1 of their addresses, and the lists of addresses."""
    archives, lists = {}, {}
    for name, folder in (("cnn_stories", "cnn/stories"), ("dailymail_stories", "dailymail/stories")):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for number in range(24):
                address = f"http://web.archive.org/{name}/{number}.html"
                split = "train" if number < 18 else "val" if number < 21 else "test"
                lists.setdefault(f"{LISTS}/all_{split}.txt", []).append(address)
                body = sentences(8, f"{name}{number}")
                text = "\n\n".join([*body, "@highlight", body[0], "@highlight", f"{body[1]}."]).encode()
                info = tarfile.TarInfo(f"{folder}/{hashlib.sha1(address.encode()).hexdigest()}.story")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text))
        archives[f"{STORIES}/{name}.tgz"] = buffer.getvalue()
    return archives | {name: "".join(f"{line}\n" for line in addresses).encode() for name, addresses in lists.items()}


CONFIG = """\
source {recipe}/config.sh
STATUS="scaled down"
PARTS=1 VOCABULARY=200 VOCABULARY_LINES=300 SHARDS=2 GPUS_OF_PRETRAINING=2 GPUS_OF_FINE_TUNING=1
MODEL+=(--encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 16 --decoder-embed-dim 16
    --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --encoder-attention-heads 2 --decoder-attention-heads 2
    --log-interval 1)
PRETRAINING+=(--max-tokens 512 --max-update 3 --validate-interval-updates 3 --save-interval-updates 2)
FINE_TUNING+=(--max-tokens 1000 --max-epoch 1 --eval-min-len 1 --eval-max-len-b 8)
PAIRS=({pairs})
{more}
FEW="--max-epoch 1000 --max-update 2 --validate-interval 1000 --save-interval 1000"
FEW+=" --validate-interval-updates 2 --save-interval-updates 2"
RATE=([40]=$FEW)
GENERATION+=(--beam 2 --min-len 3 --max-len 8)
KNOWN=({known})
"""


def make_mirror(folder: Path, name: str, pairs: str = "all", more: str = "") -> None:
    """Of the recipe ``summarization_NAME``; ``more``: further lines of its configuration."""
    files = gigaword() if name == "gigaword" else cnndm()
    files[f"{HUB}/wikimedia/wikipedia/resolve/main/20231101.en/train-00000-of-00041.parquet"] = wikipedia(60)
    for address, content in files.items():
        path = folder / "mirror" / address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sums = {address: f"{len(content)} {hashlib.sha256(content).hexdigest()}" for address, content in files.items()}
    known = "".join(f'\n    [https://{address}]="{line}"' for address, line in sums.items())
    recipe = ROOT / "examples" / f"summarization_{name}"
    (folder / "config.sh").write_text(CONFIG.format(recipe=recipe, pairs=pairs, known=known, more=more))
