"""Retrieval learns: a query finds its translation, sooner after pre-training; a teacher tells it, a student follows.

Texts are made-up sentences of two languages that haven't a word in common, so that nothing is found by words alone.
"""

import json
import random

import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils
from scipy.stats import spearmanr

from mass_plugins import cli
from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.data.retrieval_groups import Candidate, Group
from mass_plugins.encoding.retrieval_models import CrossEncoderModel, RetrieverModel
from tests import retrieval_flow as flow
from tests import tiny, tiny_encoder
from tests.tiny_encoder import lm_logits

PAIRS, DOCUMENTS, TAUGHT = 800, 100, 400
SHAPE = ["--encoder-layers", 2, "--encoder-embed-dim", 64, "--encoder-ffn-embed-dim", 128, "--dropout", 0,
         "--attention-dropout", 0, "--no-epoch-checkpoints", "--log-interval", 100, "--seed", 1]  # fmt: skip
RETRIEVER = [*flow.RETRIEVER, *SHAPE, "--cls-dim", 32, "--ot-top", 16]
PAIRS_ALONE = ["--group-size", 1, "--batch-size", 32]  # the others' passages are the negatives
NOTHING = ["--lr", 1e-12, "--max-update", 1]


def translations(lines, seed):
    """(German, English) sentences, word by word the same."""
    text = tiny.sentences(lines, ["de", "en"], seed)
    return list(zip(text["de"], text["en"]))


def write_groups(path, groups):
    path.write_text("".join(group.as_json() + "\n" for group in groups))


@pytest.fixture(scope="module")
def data_bin(once):
    return once("learning-data-bin", lambda folder: tiny_encoder.make_data_bin(folder, lines=1500))


@pytest.fixture
def train(run_fairseq, data_bin):
    """``train(*flags)``: fairseq-train, as long as it takes."""
    return lambda *words: run_fairseq("train", data_bin, *words, timeout=7200)


@pytest.fixture(scope="module")
def collection(once):
    """Groups of German queries and their English passages; a corpus and queries of other sentences."""

    def make(folder):
        groups = [
            Group(Query(f"q{n}", query), [Candidate(Passage(f"d{n}", "", text))], [])
            for n, (query, text) in enumerate(translations(PAIRS, "train"))
        ]
        write_groups(folder / "groups.jsonl", groups)
        write_groups(folder / "few.jsonl", groups[:100])
        unseen = translations(DOCUMENTS, "test")
        rows = [json.dumps({"_id": f"d{n}", "title": "", "text": text}) for n, (_, text) in enumerate(unseen)]
        (folder / "corpus.jsonl").write_text("".join(row + "\n" for row in rows))
        (folder / "queries.tsv").write_text("".join(f"q{n}\t{query}\n" for n, (query, _) in enumerate(unseen)))
        (folder / "qrels.txt").write_text("".join(f"q{n} 0 d{n} 1\n" for n in range(DOCUMENTS)))

    return once("learning-collection", make)


def command(*words) -> None:
    assert cli.main([str(word) for word in words]) == 0


def ranked(retriever, collection, score) -> float:
    """MRR@10 in percent by the commands from represent to evaluate; of a random order it is 2.9."""
    folder = retriever / "ranked"
    command("represent", retriever, "--corpus", collection / "corpus.jsonl", "--destdir", folder / "documents")
    command("represent", retriever, "--queries", collection / "queries.tsv", "--destdir", folder / "queries")
    command("index", folder / "index", "--documents", folder / "documents")
    command("search", folder / "index", "--queries", folder / "queries", "--score", score, "--output", folder / "run")
    command("evaluate", "retrieval", f"it={folder / 'run'}", "--qrels", collection / "qrels.txt",
            "--json", folder / "scores.json")  # fmt: skip
    return np.mean(list(json.loads((folder / "scores.json").read_text())["queries"]["it"]["MRR@10"].values()))


@pytest.mark.parametrize("representation", ["cls", "ot", "both"])
def test_fine_tuning_learns_to_retrieve(representation, train, collection, tmp_path):
    words = [*RETRIEVER, *PAIRS_ALONE, "--train-groups", collection / "groups.jsonl"]
    words += ["--representation", representation]
    train(*words, *NOTHING, "--save-dir", tmp_path / "before")
    train(*words, "--max-update", 200, "--save-dir", tmp_path / "after")
    before, after = (ranked(tmp_path / name, collection, representation) for name in ("before", "after"))
    assert before < 15 and after > 70


def token_losses(checkpoint) -> tuple[float, float]:
    """Nats a token of the decoder in validation, with each text's own vector and with another text's."""
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])
    model.eval()
    task.load_dataset("valid")
    batches = task.get_batch_iterator(task.dataset("valid"), max_tokens=500).next_epoch_itr(shuffle=False)
    sums, tokens = np.zeros(2), 0
    for batch in batches:
        text = batch["text"]
        predicted = torch.zeros(text.numel(), dtype=torch.bool)
        predicted[batch["ordinary_slots"]] = True
        predicted = predicted.view(text.shape)[:, 1:-1]
        with torch.no_grad():
            sentence = model(**batch["net_input"])[:, 0]
            for side, vectors in enumerate((sentence, sentence.roll(1, dims=0))):
                states = model.decode(vectors, text, batch["seen"], batch["of_row"])
                logs = lm_logits(model, states).log_softmax(-1)
                own = logs.gather(-1, text[:, 1:-1, None]).squeeze(-1)
                sums[side] -= own[predicted].sum().item()
        tokens += int(predicted.sum())
    return tuple(sums / tokens)


def test_pretraining_puts_the_text_into_its_vector_and_fine_tuning_gains(train, collection, tmp_path):
    """Few updates on few pairs, by vectors alone: from DupMAE the ranking is far ahead of that from scratch."""
    words = [*flow.PRETRAIN, *SHAPE, "--langs", "de,en", "--max-tokens", 1000, "--max-update", 800]
    train(*words, "--disable-validation", "--save-dir", tmp_path / "dupmae")
    start = tmp_path / "dupmae" / "checkpoint_last.pt"
    own, other = token_losses(start)
    words = [*RETRIEVER, *PAIRS_ALONE, "--train-groups", collection / "few.jsonl", "--representation", "cls"]
    words += ["--lr", 0.001, "--max-update", 30]
    train(*words, "--save-dir", tmp_path / "scratch")
    train(*words, "--pretrained-checkpoint", start, "--save-dir", tmp_path / "pretrained")
    scratch, pretrained = (ranked(tmp_path / name, collection, "cls") for name in ("scratch", "pretrained"))
    assert other - own > 0.5 and pretrained > 45 and pretrained > scratch + 15


def taught_groups(count, seed):
    """A teacher scores eight passages by the share of the query's words that they translate."""
    chance, groups = random.Random(seed), []
    pairs = translations(2 * count, seed)
    for n, (query, text) in enumerate(pairs[:count]):
        words, others = text.rstrip(".").split(), pairs[count + n][1].rstrip(".").split()
        found = []
        for place in range(8):
            kept = chance.sample(words, chance.randint(0, len(words)) if place else len(words))
            passage = " ".join(chance.sample(kept + chance.choices(others, k=len(words) - len(kept)), len(words)))
            found.append(Candidate(Passage(f"d{n}-{place}", "", passage), 8.0 * len(kept) / len(words)))
        groups.append(Group(Query(f"q{n}", query), found[:1], found[1:]))
    return groups


def agreement(retriever, groups) -> float:
    """The mean over queries of Spearman's correlation of a retriever's and the teacher's scores."""
    model, found = RetrieverModel(retriever), []
    for group in groups:
        candidates = [*group.positives, *group.negatives]
        asked = model.represent([group.query.text], "queries")
        passages = model.represent([candidate.passage.whole for candidate in candidates], "documents")
        scores = passages.cls @ asked.cls[0]
        scores += [values @ asked.dense[0, entries] for values, entries in zip(passages.values, passages.entries)]
        found.append(spearmanr(scores, [candidate.score for candidate in candidates]).statistic)
    return float(np.nanmean(found))


def test_a_student_follows_its_teacher(train, tmp_path):
    """From its scores alone; on queries and passages that neither has seen."""
    write_groups(tmp_path / "taught.jsonl", taught_groups(TAUGHT, "taught"))
    words = [*RETRIEVER, "--train-groups", tmp_path / "taught.jsonl", "--group-size", 8, "--batch-size", 16]
    words += ["--contrastive-weight", 0, "--distillation-weight", 1]
    train(*words, *NOTHING, "--save-dir", tmp_path / "before")
    train(*words, "--max-update", 100, "--save-dir", tmp_path / "after")
    unseen = taught_groups(50, "unseen")
    before, after = (agreement(tmp_path / name, unseen) for name in ("before", "after"))
    assert abs(before) < 0.25 and after > 0.6


def test_a_cross_encoder_tells_the_translation(train, tmp_path):
    """Among eight sentences; by chance it is the first one in 12 % of the cases."""

    def groups(count, seed):
        pairs, chance = translations(count, seed), random.Random(seed)
        for n, (query, text) in enumerate(pairs):
            others = [Candidate(Passage(f"d{n}-{k}", "", chance.choice(pairs)[1])) for k in range(7)]
            yield Group(Query(f"q{n}", query), [Candidate(Passage(f"d{n}", "", text))], others)

    write_groups(tmp_path / "groups.jsonl", groups(PAIRS, "teacher"))
    words = [*flow.TEACHER, *SHAPE, "--train-groups", tmp_path / "groups.jsonl", "--group-size", 8, "--batch-size", 16]
    train(*words, "--lr", 0.001, "--max-update", 300, "--save-dir", tmp_path / "teacher")
    model, first = CrossEncoderModel(tmp_path / "teacher"), []
    for group in groups(DOCUMENTS, "unseen by the teacher"):
        texts = [candidate.passage.whole for candidate in (*group.positives, *group.negatives)]
        scores = model.score([group.query.text] * len(texts), texts)
        first.append(scores[0] > scores[1:].max())
    assert np.mean(first) > 0.35
