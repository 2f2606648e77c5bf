"""Training groups of dupmae_small: no positive is known by its title, which is the query; negatives are those mined."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

from mass_plugins import cli
from mass_plugins.data.retrieval_files import Passage, Query
from mass_plugins.data.retrieval_groups import GroupFile
from tests import retrieval_flow as flow
from tests.unit.objectives.dupmae.test_flags import set_up

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def setting(name):
    """What config.sh makes of a variable, as words."""
    program = f'source "{EXAMPLES}/dupmae_small/config.sh"; printf "%s\\n" "${{{name}}}"'
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout.split()


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def text(tmp_path):
    """What retrieval_text.py writes, of one collection with titles."""
    source = load(EXAMPLES / "retrieval_text.py")
    passages = {f"{n}": Passage(f"{n}", f"title {n}", f"body {n} of the title") for n in range(8)}
    queries = {"a": Query("a", "body 1"), "b": Query("b", "title 2 of all")}
    collection = source.Collection("toy", passages, queries, {"b": {"2"}}, {"a": {"1"}})
    for _ in range(2):  # cut off, the stage goes on
        source.write_collection(collection, tmp_path / "toy")
    lines = []
    for group in source.groups_of(collection):
        positives = [found._replace(passage=source._renamed(found.passage, "toy")) for found in group.positives]
        lines.append(group._replace(positives=positives).as_json() + "\n")
    (tmp_path / "train.jsonl").write_text("".join(lines))
    return tmp_path


def test_a_title_is_no_part_of_what_it_asks_for(text, tmp_path):
    groups, out = load(EXAMPLES / "dupmae_small" / "groups.py"), tmp_path / "out"
    out.mkdir()
    groups.collect(text, out)
    assert len((out / "corpus.jsonl").read_text().splitlines()) == 8
    files = ["--corpus", out / "corpus.jsonl", "--queries", out / "queries.jsonl"]
    for words in (
        ["bm25", *files, "--output", out / "bm25.trec", "--language", "none"],
        ["mine", *files, "--qrels", out / "qrels.txt", "--run", out / "bm25.trec", "--overlap", 1, "--output",
         out / "mined.jsonl"],
    ):  # fmt: skip
        assert cli.main([str(word) for word in words]) == 0
    groups.join(text, out / "mined.jsonl", out / "groups.jsonl")
    found = GroupFile(out / "groups.jsonl", "groups")
    assert len(found) == 9  # a judged pair, eight titles
    given = {row["query_id"]: row for row in map(json.loads, (text / "train.jsonl").read_text().splitlines())}
    for group in (found[number] for number in range(len(found))):
        assert json.loads(group.as_json())["positive_passages"] == given[group.query.id]["positive_passages"]
        for positive in group.positives:
            assert not positive.passage.whole.startswith(group.query.text)
        assert group.negatives and all(negative.passage.title for negative in group.negatives)
        assert {c.passage.id for c in group.negatives}.isdisjoint(c.passage.id for c in group.positives)


def test_the_test_has_no_abstract_or_answer_of_the_training(tmp_path):
    """Claims are often variants of each other, about one abstract: a split by claims would let a lookup find it."""
    source = load(EXAMPLES / "retrieval_text.py")
    rows = "".join(f"{n},title {n},['abstract {n}'],False\n" for n in range(20))
    (tmp_path / "corpus_train.csv").write_text("doc_id,title,abstract,structured\n" + rows)
    claims = [(0, 0, "[0 10]"), (1, 0, "[0]"), (2, 2, "[2]"), (3, 3, "[3 11]"), (4, 4, "[11 4]"), (5, 5, "[5]")]
    claims += [(6, "", "[2 12]"), (7, 7, "[12 7]"), (8, 8, "[8]")]  # 6, without evidence, joins 2 and 7
    rows = "".join(f"{n},claim {n},{evidence},SUPPORT,[],{cited}\n" for n, evidence, cited in claims)
    header = "id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids\n"
    (tmp_path / "claims_train.csv").write_text(header + rows)
    found = source.scifact(tmp_path)
    assert found.judged.keys() == {"0", "1", "3", "4", "8"} and found.training.keys() == {"2", "7", "5"}
    assert found.judged["4"] == {"4"}  # cited is not evidence

    pairs = [{"focus": f"subject {n}", "question": f"question {n}", "answer": f"answer {n % 40}"} for n in range(99)]
    (tmp_path / "medquad.train.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    found = source.medquad(tmp_path)
    answers, learned = set().union(*found.judged.values()), set().union(*found.training.values())
    assert answers and learned and not answers & learned
    assert len(found.training) + len(found.judged) < len(pairs)  # those that had an answer of the test are left out


def test_representations_have_as_many_values():
    """What is compared at equal size: CLS, ordinary tokens, and both."""
    words = {name: setting(f"REPRESENTATION[{name}]") for name in ("cls", "mean", "ot", "both")}
    size = {
        name: sum(int(found[at + 1]) for at, word in enumerate(found) if word in ("--cls-dim", "--ot-top"))
        for name, found in words.items()
    }
    assert set(size.values()) == {256}, size
    assert {words[name][1] for name in words} == {"cls", "ot", "both"}


def test_objectives_are_those_of_the_papers(tiny_data_bin):
    """RetroMAE's decoder takes its queries as they are; DupMAE's come through the embedding layer."""
    found = {}
    for name in ("mlm", "retromae", "dupmae"):
        task, criterion, cfg = set_up(tiny_data_bin, *flow.PRETRAIN, *setting(f"OBJECTIVE[{name}]"))
        model = task.build_model(cfg.model)
        found[name] = (criterion.decoder_weight > 0, criterion.bow_weight > 0, model.plain_queries)
    assert found["mlm"][:2] == (False, False)
    assert found["retromae"] == (True, False, True) and found["dupmae"] == (True, True, False)


def test_objectives_have_one_start_and_a_pretraining_for_each_seed():
    run = (EXAMPLES / "dupmae_small" / "run.sh").read_text()
    functions = run[run.index("# pretrain_start: ") : run.index("# system OBJECTIVE")]
    script = f"""
        stage() {{ FOLDER=$1; echo "$*"; }}
        shared_training() {{ FOLDER=$1; echo "$*"; }}
        train() {{ :; }}
        ALL=bin
        source {EXAMPLES}/dupmae_small/config.sh
        {functions}
        for objective in mlm retromae dupmae; do for seed in 1 2; do pretrain $objective $seed; done; done
    """
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    start = [line for line in said if line.startswith("start ")]
    assert len(start) == 6 and len(set(start)) == 1 and "--pretrained-embeddings vectors/vectors.txt" in start[0]
    trained = [line for line in said if line.startswith("pretraining.")]
    assert len(set(trained)) == 6
    for line, (name, seed) in zip(trained, [(n, s) for n in ("mlm", "retromae", "dupmae") for s in (1, 2)]):
        assert line.startswith(f"pretraining.{name}.{seed} train bin ") and f" --seed {seed} " in line
        assert line.endswith("--pretrained-checkpoint start/checkpoint_last.pt") and line.count("--seed") == 1


def test_the_card_tells_the_numbers_of_the_configuration():
    [start], [pretraining], [fine] = (setting(name) for name in ("START_UPDATES", "UPDATES", "FINE_UPDATES"))
    systems, seeds = len(setting("SYSTEMS[@]")) // 2, len(setting("SEEDS[@]"))
    card = (EXAMPLES / "dupmae_small" / "README.md").read_text()
    for words in (
        f"{start} updates of 4096 tokens",
        f"{3 * seeds} pre-trainings, {pretraining} updates of 2048 tokens",
        f"{systems * seeds} fine-tunings, {fine} updates",
    ):
        assert words in card, words
    assert f"All {(systems + 1) * systems // 2} pairs" in card  # and BM25


def folder_of(program, config):
    """Names of the stages that a recipe's function asks for with a changed config."""
    script = f"""
        stage() {{ FOLDER=$1-$(printf '%s\\0' "${{@:2}}" | sha256sum | head -c 8); echo "$FOLDER"; }}
        record() {{ :; }}
        SHARED=() EXAMPLE={EXAMPLES}/dupmae_small BERT=bert
        source {EXAMPLES}/retrieval.sh
        source {EXAMPLES}/dupmae_small/config.sh
        {config}
        {program}
    """
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_other_flags_of_representing_and_indexing_are_other_stages():
    words = "evaluate run system setting 1 checkpoint.pt corpus queries qrels cls"
    index, search = folder_of(words, "")
    other = folder_of(words, "REPRESENT=(--dtype bfloat16)")
    assert other[0] != index and other[1] != search
    assert folder_of(words, "INDEX=(--kind hnsw)")[0] != index


@pytest.mark.parametrize("recipe, stages", [
    ("dupmae_small", {"groups": ["$TEXT", "${MINING[@]}"]}),
    ("dupmae_msmarco", {"bert": ["$BERT"], "data-marco": ["$BERT_FOLDER"], "groups.hard.$seed": ["${MINING[@]}"],
                        "groups.taught.$seed": ["${TEACH[@]}"]}),
])  # fmt: skip
def test_settings_that_a_stage_depends_on_are_among_its_words(recipe, stages):
    program = (EXAMPLES / recipe / "run.sh").read_text().replace("\\\n", " ")
    for name, settings in stages.items():
        [words] = re.findall(rf'stage "?{re.escape(name)}"? (.*)', program)
        assert all(f'"{setting}"' in words for setting in settings), words


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.sh")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_no_stage_of_retrieval_gives_up_what_it_could_go_on_with(path):
    program = path.read_text().replace("\\\n", " ")
    lines = [line for line in program.splitlines() if "--overwrite" in line]
    for command in ("represent", "index", "search", "bm25", "mine", "teach"):
        assert not [line for line in lines if f"plugin {command} " in line]
