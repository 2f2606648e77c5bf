"""The recipes for retrieval on tiny local copies of their files, down to result.json."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny, tiny_encoder

ROOT = Path(__file__).resolve().parents[2]
TINY = "--encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --encoder-attention-heads 2"
MEASURES = {"nDCG@10", "MRR@10", "Recall@100", "Recall@1000"}


def run_recipe(name, folder, *words, **variables):
    own = {"WORK": str(folder / "work"), "CONFIG": str(folder / "config.sh"), "DATA": str(folder / "data")}
    own |= {"JOBS": "2", "THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", str(ROOT / "examples" / name / "run.sh"), *words]
    done = subprocess.run(command, env={**os.environ, **own, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((folder / "work" / "result.json").read_text())


def documents(count, seed):
    return tiny.sentences(count, ["en"], seed)["en"]


def write_marco(folder: Path) -> None:
    """MS MARCO's files, and a folder of BEIR; a query is the begin of its passage."""
    folder.mkdir()
    texts = documents(80, "marco")
    (folder / "collection.tsv").write_text("".join(f"{n}\t{text}\n" for n, text in enumerate(texts)))
    for split, rows in (("train", range(40)), ("dev.small", range(40, 52))):
        begin = {n: " ".join(texts[n].split()[:3]) for n in rows}
        (folder / f"queries.{split}.tsv").write_text("".join(f"{1000 + n}\t{text}\n" for n, text in begin.items()))
        (folder / f"qrels.{split}.tsv").write_text("".join(f"{1000 + n}\t0\t{n}\t1\n" for n in rows))


def write_beir(folder: Path) -> None:
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"d{n}", "title": "", "text": text} for n, text in enumerate(documents(30, "beir"))]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [{"_id": f"q{n}", "text": " ".join(row["text"].split()[:3])} for n, row in enumerate(rows[:8])]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = "".join(f"q{n}\td{n}\t1\n" for n in range(6))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)


def write_bert(folder: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    folder.mkdir()
    text = tiny_encoder.make_text()
    text.save(folder)
    shape = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    config = BertConfig(vocab_size=len(text.dictionary), max_position_embeddings=64, **shape)
    BertForMaskedLM(config).save_pretrained(folder)


def test_msmarco_in_its_formats(tmp_path):
    write_marco(tmp_path / "data")
    write_beir(tmp_path / "beir")
    write_bert(tmp_path / "bert")
    (tmp_path / "general.txt").write_text("".join(f"{text}\n" for text in documents(60, "general")))
    config = (ROOT / "examples" / "dupmae_msmarco" / "config.sh").read_text()
    config += f"""
ARCH=tiny GPUS_OF_A_BATCH=2
SHAPE=({TINY} --max-positions 64)
OPTIMIZER=(--optimizer adam --lr-scheduler polynomial_decay --log-interval 1)
GENERAL=(--tokens-per-sample 40 --batch-size 4 --total-num-update 3 --max-update 3)
MARCO=(--batch-size 4 --total-num-update 3 --max-update 3)
FINE_TUNING=(--task retrieval_finetuning --criterion retrieval --cls-dim 8 --ot-top 6 --query-tokens 12
    --passage-tokens 40 --lr 1e-3 --disable-validation)
UPDATES=(--total-num-update 3 --max-update 3)
FIRST=(--group-size 1 --batch-size 4) SECOND=(--group-size 3 --batch-size 4)
THIRD=(--group-size 3 --batch-size 4 --contrastive-weight 0.2 --distillation-weight 1)
TEACHER=(--task relevance_finetuning --criterion relevance --query-tokens 12 --passage-tokens 40 --group-size 3
    --batch-size 4 --lr 1e-3 --disable-validation)
REPRESENT=(--batch-tokens 500 --output-dtype float16)
TEACH=(--batch-tokens 500)
"""
    (tmp_path / "config.sh").write_text(config)
    variables = {"BERT": str(tmp_path / "bert"), "BEIR": str(tmp_path / "beir")}
    variables["GENERAL_TEXT"] = str(tmp_path / "general.txt")
    result = run_recipe("dupmae_msmarco", tmp_path, **variables)
    found = {(score["setting"], score["system"], score["metric"]) for score in result["scores"]}
    systems = ("in-batch", "hard-negatives", "distilled")
    assert found == {("MS MARCO dev", system, m) for system in systems for m in MEASURES} | {
        ("BEIR beir", "distilled", m) for m in MEASURES
    }
    for score in result["scores"]:
        assert ("identical ids:left out" in score["signature"]) == score["setting"].startswith("BEIR")
    assert {score["paper"] for score in result["scores"]} == {None, 41.02, 42.6}
    again = run_recipe("dupmae_msmarco", tmp_path, **variables)
    assert again["scores"] == result["scores"]


@pytest.fixture
def small_files(tmp_path):
    """The files of the four collections, each of a few documents."""
    folder = tmp_path / "data"
    folder.mkdir()
    texts = documents(60, "small")
    xml = "".join(
        f"<doc>\n<docno>{n}</docno>\n<title>{texts[n]}</title>\n<text>{texts[n]} {texts[n + 20]}</text>\n</doc>\n"
        for n in range(1, 20)
    )
    (folder / "cran.all.1400.xml").write_text(xml)
    queries = "".join(f"<top>\n<num> {7 * n}</num>\n<title>\n{texts[n][:30]}\n</title>\n</top>\n" for n in range(1, 6))
    (folder / "cran.qry.xml").write_text(queries)
    (folder / "cranqrel.trec.txt").write_text("".join(f"{n} 0 {n} 1\n" for n in range(1, 6)))
    (folder / "CISI.ALL").write_text("".join(f".I {n}\n.T\n{texts[n]}\n.W\n{texts[n + 30]}\n" for n in range(1, 20)))
    (folder / "CISI.QRY").write_text("".join(f".I {n}\n.W\n{texts[n + 30][:30]}\n" for n in range(1, 6)))
    (folder / "CISI.REL").write_text("".join(f"   {n}   {n}\t0\t0.000000\n" for n in range(1, 6)))
    rows = "".join(f"{n},{texts[n]},\"['{texts[n + 5]}' '{texts[n + 6]}']\",False\n" for n in range(1, 20))
    (folder / "corpus_train.csv").write_text("doc_id,title,abstract,structured\n" + rows)
    rows = "".join(f"{n},{texts[n + 5][:30]},{n},SUPPORT,[1],[{n}]\n" for n in range(1, 12))
    header = "id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids\n"
    (folder / "claims_train.csv").write_text(header + rows)
    pairs = [{"focus": f"subject {n}", "question": texts[n], "answer": texts[n + 25]} for n in range(30)]
    (folder / "medquad.train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return tmp_path


def test_small_collections(small_files):
    config = (ROOT / "examples" / "dupmae_small" / "config.sh").read_text()
    for updates in ("START_UPDATES=3000", "\nUPDATES=2500", "FINE_UPDATES=200"):
        assert updates in config
        config = config.replace(updates, f"{updates.partition('=')[0]}=3")
    config = config.replace("VOCABULARY=8000", "VOCABULARY=320")
    config += f"""
SHAPE=({TINY} --max-positions 192)
ALIGNMENT=(--pivot en --dim 16 --window 2 --min-count 2)
SYSTEMS=("mlm mean" "retromae cls" "dupmae both") SEEDS=(1 2) COLLECTIONS=(scifact medquad cranfield cisi)
"""
    (small_files / "config.sh").write_text(config)
    result = run_recipe("dupmae_small", small_files)
    systems = {score["system"] for score in result["scores"]}
    assert systems == {"bm25", "mlm+mean", "retromae+cls", "dupmae+both"}
    assert {score["metric"] for score in result["scores"]} == MEASURES
    assert all(score["seeds"] == [1, 2] for score in result["scores"] if score["system"] != "bm25")
    assert len(result["comparisons"]) == 6 and all("interval" in test for test in result["comparisons"])
