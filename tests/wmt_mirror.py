"""A local mirror of WMT's files, tiny: made-up text under the real names and in the real formats.

``make_mirror(folder, "enro")`` writes ``folder/mirror`` (MIRROR=file://...) and ``folder/config.sh``, which
is the recipe's own but for the size of everything, and for the sums of these files.
"""

import gzip
import hashlib
import io
import random
import tarfile
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
NEWS, PAIRS, TEST = 120, 60, 8  # lines of a file
YEARS = (2007, 2008)

# Sixty words of each language, beginnings times ends; the n-th of one is the n-th of another.
_PARTS = {
    "en": ("th wh gr st m l", "ight ound ing oat eed all ore ink ast ump"),
    "fr": ("ch v pl j é l'", "eux oir ance ille ette eau ois ique ère ûte"),
    "de": ("schl kr br st gl ü", "au ein och ung icht ade erz uck aß ähn"),
    "ro": ("st pr m ş ţ ț", "are ește ulă oară ean înd ură aţi ul ânt"),  # s and t in both of their spellings
}
WORDS = {lang: [a + b for a in first.split() for b in last.split()] for lang, (first, last) in _PARTS.items()}


def lines(number: int, languages: tuple[str, ...], seed: str) -> dict[str, list[str]]:
    """``number`` sentences, the same in each language."""
    draw = random.Random(seed)
    rows = [[draw.randrange(60) for _ in range(draw.randint(4, 9))] for _ in range(number)]
    return {
        language: [" ".join(WORDS[language][word] for word in row).capitalize() + "." for row in rows]
        for language in languages
    }


def as_text(sentences: list[str]) -> bytes:
    return "".join(sentence + "\n" for sentence in sentences).encode()


def as_news(sentences: list[str]) -> bytes:
    """A year of News Crawl: gzip, with what such files have now and then."""
    noise = ["", sentences[0], "(c) 2007 " + "x" * 3000]  # empty, twice, far too long
    return gzip.compress(as_text(sentences + noise) + b"caf\xe9 \xff\n")  # not UTF-8


def as_sgm(sentences: list[str], kind: str, language: str) -> bytes:
    """A test set in WMT's SGML: documents, a ``<seg>`` a line."""
    documents = [sentences[: len(sentences) // 2], sentences[len(sentences) // 2 :]]
    rows = [f'<{kind}set setid="newstest" srclang="any" trglang="{language}">']
    for number, document in enumerate(documents):
        rows += [f'<doc sysid="ref" docid="paper.{number}" genre="news" origlang="{language}">', "<p>"]
        rows += [f'<seg id="{n}">{escape(sentence)}</seg>' for n, sentence in enumerate(document, 1)]
        rows += ["</p>", "</doc>"]
    return as_text([*rows, f"</{kind}set>"])


def as_tmx(sides: dict[str, list[str]]) -> bytes:
    rows = ['<?xml version="1.0" encoding="UTF-8" ?>', '<tmx version="1.4">', "<header/>", "<body>"]
    for texts in zip(*sides.values()):
        rows += ["<tu>"]
        rows += [f'  <tuv xml:lang="{lang}"><seg>{escape(text)}</seg></tuv>' for lang, text in zip(sides, texts)]
        rows += ["</tu>"]
    return gzip.compress(as_text([*rows, "</body>", "</tmx>"]))


def as_tar(members: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def two_sides(prefix: str, other: str, number: int = PAIRS) -> dict[str, bytes]:
    """``PREFIX.en`` and ``PREFIX.<other>``; the last line has no end, as it happens in corpora."""
    sides = lines(number, ("en", other), prefix)
    return {f"{prefix}.{language}": as_text(text)[:-1] for language, text in sides.items()}


def dev_archive() -> bytes:
    """Validation and test sets of all pairs of languages."""
    plain = lines(TEST, tuple(WORDS), "newstest2013")
    members = {f"dev/newstest2013.{language}": as_text(text) for language, text in plain.items()}
    for name, one, other, source in (
        ("newstest2014-fren", "fr", "en", "both"),
        ("newstest2016-ende", "en", "de", "one"), ("newstest2016-deen", "de", "en", "one"),
        ("newstest2016-enro", "en", "ro", "one"), ("newstest2016-roen", "ro", "en", "one"),
        ("newsdev2016-enro", "en", "ro", "one"), ("newsdev2016-roen", "ro", "en", "one"),
    ):  # fmt: skip
        sides = lines(TEST, (one, other), name[:12])
        for language in (one, other) if source == "both" else (one,):
            members[f"dev/{name}-src.{language}.sgm"] = as_sgm(sides[language], "src", language)
        for language in (one, other) if source == "both" else (other,):
            members[f"dev/{name}-ref.{language}.sgm"] = as_sgm(sides[language], "ref", language)
    return as_tar(members, "w:gz")


def news(*languages: str) -> dict[str, bytes]:
    return {
        f"data.statmt.org/news-crawl/{language}/news.{year}.{language}.shuffled.deduped.gz": as_news(
            lines(NEWS, (language,), f"{language}{year}")[language]
        )
        for language in languages
        for year in YEARS
    }


def parallel(other: str) -> dict[str, bytes]:
    """The archives of pairs of English and ``other``."""
    if other == "ro":
        text = lines(NEWS, ("ro",), "ro2015")["ro"]
        return {
            "data.statmt.org/wmt16/translation-task/news.2015.ro.shuffled.gz": as_news(text),
            "data.statmt.org/wmt16/translation-task/training-parallel-ep-v8.tgz": as_tar(
                two_sides("training-parallel-ep-v8/europarl-v8.ro-en", "ro"), "w:gz"
            ),
            "object.pouta.csc.fi/OPUS-SETIMES/v2/tmx/en-ro.tmx.gz": as_tmx(lines(PAIRS, ("en", "ro"), "setimes")),
        }
    files = {
        "www.statmt.org/wmt13/training-parallel-europarl-v7.tgz": two_sides(f"training/europarl-v7.{other}-en", other),
        "www.statmt.org/wmt13/training-parallel-commoncrawl.tgz": two_sides(f"commoncrawl.{other}-en", other),
    }
    if other == "de":
        address = "data.statmt.org/wmt16/translation-task/training-parallel-nc-v11.tgz"
        files[address] = two_sides("training-parallel-nc-v11/news-commentary-v11.de-en", "de")
        return {name: as_tar(members, "w:gz") for name, members in files.items()}
    files["www.statmt.org/wmt13/training-parallel-un.tgz"] = two_sides("un/undoc.2000.fr-en", "fr")
    files["www.statmt.org/wmt14/training-parallel-nc-v9.tgz"] = two_sides("training/news-commentary-v9.fr-en", "fr")
    giga = two_sides("giga-fren.release2.fixed", "fr")
    packed = {f"{name}.gz": gzip.compress(content) for name, content in giga.items()}
    return {
        **{name: as_tar(members, "w:gz") for name, members in files.items()},
        "www.statmt.org/wmt10/training-giga-fren.tar": as_tar(packed, "w:"),
    }


CONFIG = """\
source {recipe}/config.sh
STATUS="scaled down"
YEARS=({years})
SENTENCES=200 VOCABULARY=300 VOCABULARY_LINES=150 SHARDS=2 GPUS_OF_A_BATCH={batch}
MODEL+=(--encoder-layers 1 --decoder-layers 1 --encoder-embed-dim 16 --decoder-embed-dim 16
    --encoder-ffn-embed-dim 16 --decoder-ffn-embed-dim 16 --encoder-attention-heads 2 --decoder-attention-heads 2
    --log-interval 1)
PRETRAINING+=(--max-tokens 500 --max-update 4 --validate-interval-updates 4 --save-interval-updates 2)
BACK_TRANSLATION+=(--max-tokens 500 --max-update 2 --validate-interval-updates 2 --save-interval-updates 2)
FINE_TUNING+=(--max-tokens 500 --max-update 2 --validate-interval-updates 2 --save-interval-updates 2)
LOW_RESOURCE=(40)
KNOWN=({known})
"""


def make_mirror(folder: Path, pair: str, batch: int = 1) -> None:
    """``batch``: an update has the tokens of so many processes."""
    other = pair.removeprefix("en")
    dev = "data.statmt.org/wmt19/translation-task/dev.tgz"
    files = {dev: dev_archive(), **news(*("en",) if other == "ro" else ("en", other)), **parallel(other)}
    for name, content in files.items():
        path = folder / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sums = {name: f"{len(content)} {hashlib.sha256(content).hexdigest()}" for name, content in files.items()}
    known = "".join(f'\n    [https://{name}]="{line}"' for name, line in sums.items() if "news-crawl" not in name)
    recipe = ROOT / "examples" / f"unsupervised_wmt_{pair}"
    text = CONFIG.format(recipe=recipe, years=" ".join(map(str, YEARS)), batch=batch, known=known)
    (folder / "config.sh").write_text(text)
