"""What a user can get wrong ends in one line on stderr, with nothing half-written."""

import resource
import shutil

import pytest
import torch

from tests import tiny
from tests.conftest import run, script

UPDATES = ("--max-update", 2)


def only_line(done, *words):
    """stderr is this one line and nothing else; it has all of ``words``."""
    assert done.status == 1
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("mass_plugins: error: "), done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stdout


def nothing_written(folder):
    assert not folder.exists() or not list(folder.iterdir())


def append(path, *rows):
    """Binarized text with ``rows`` behind what is there."""
    from fairseq.data import data_utils

    old = [row.tolist() for row in data_utils.load_indexed_dataset(str(path), None, dataset_impl="mmap")]
    tiny.write_binarized(path, [*old, *rows])


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def overwrite(path, position, content):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(content)


ENGLISH = "train.en-None.en"
# what is wrong: (how it comes about in a data-bin, flags, words of the line)
BAD_DATA = {
    "empty corpus": (lambda d: tiny.write_binarized(d / ENGLISH, []), (), (ENGLISH, "holds no sentence")),
    "over-long line": (
        lambda d: append(d / ENGLISH, [5] * 70 + [2]), (), ("train en, line 201 has 71 tokens", "--long-lines")
    ),
    "id beyond the dictionary": (lambda d: append(d / ENGLISH, [5, 999, 2]), (), (ENGLISH, "the token id 999")),
    "[MASK] in the text": (lambda d: append(d / ENGLISH, [5, 4, 2]), (), (ENGLISH, "[MASK]")),
    "language without dictionary": (lambda d: None, ("--langs", "de,en,it"), ("dict.it.txt", "--langs")),
    "language without text": (
        lambda d: [path.unlink() for path in d.glob("train.fr-None.*")], (), ("'fr'", "--mono-langs")
    ),
    "truncated .bin": (lambda d: cut(d / f"{ENGLISH}.bin", 100), (), (ENGLISH, "binarize it again")),
    "truncated .idx": (lambda d: cut(d / f"{ENGLISH}.idx", 100), (), (f"{ENGLISH}.idx", "truncated")),
    "empty .idx": (lambda d: cut(d / f"{ENGLISH}.idx", 0), (), (f"{ENGLISH}.idx", "truncated")),
    "corrupted lengths in .idx": (
        lambda d: overwrite(d / f"{ENGLISH}.idx", 26, b"\xff\xff\xff\x7f"), (), (ENGLISH, "binarize it again")
    ),
    "corrupted pointers in .idx": (
        lambda d: overwrite(d / f"{ENGLISH}.idx", 26 + 4 * 200 + 8, b"\xff\xff\xff\x7f"),
        (),
        (ENGLISH, "binarize it again"),
    ),
    "corrupted .bin": (
        lambda d: overwrite(d / f"{ENGLISH}.bin", 40, b"\xff\xff"), (), (ENGLISH, "the token id 65535")
    ),
    "no .idx": (
        lambda d: (d / f"{ENGLISH}.idx").unlink(), (), (f"{ENGLISH}.idx doesn't exist", "--mono-langs")
    ),
    "a dictionary that is none": (
        lambda d: (d / "dict.en.txt").write_bytes(b"caf\xe9 1\n"), (), ("dict.en.txt", "prepare the data again")
    ),
    "a TPU's flag": (lambda d: None, ("--bf16",), ("--bf16", "--autocast-bfloat16")),
    "not a data-bin": (lambda d: [path.unlink() for path in d.glob("dict.*")], (), ("dict.<language>.txt",)),
}  # fmt: skip


@pytest.mark.parametrize("wrong", BAD_DATA)
def test_bad_data(wrong, run_fairseq, tiny_data_bin, tmp_path):
    spoil, flags, words = BAD_DATA[wrong]
    data, checkpoints = tmp_path / "data-bin", tmp_path / "checkpoints"
    shutil.copytree(tiny_data_bin, data)
    spoil(data)
    only_line(run_fairseq("train", data, *tiny.PRETRAIN, *UPDATES, *flags, "--save-dir", checkpoints, expect=1), *words)
    nothing_written(checkpoints)


@pytest.mark.parametrize("shard", ["of another dictionary", "not there"])
def test_bad_shard_is_found_before_training(shard, run_fairseq, tiny_data_bin, tmp_path):
    other = tmp_path / "other"
    if shard == "of another dictionary":
        shutil.copytree(tiny_data_bin, other)
        other_dictionary(other)
    save = ("--save-dir", tmp_path / "checkpoints")
    done = run_fairseq("train", f"{tiny_data_bin}:{other}", *tiny.PRETRAIN, *UPDATES, *save, expect=1)
    only_line(done, str(other), "prepare")
    nothing_written(tmp_path / "checkpoints")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("bleu", ("would keep the checkpoint with the lowest", "--maximize-best-checkpoint-metric")),
        ("bleu_de-fr", ("bleu_de-fr is not logged; choose one of bleu, bleu_de-en, bleu_en-de, loss, ppl, nll_loss",)),
        ("rouge1", ("needs --eval-rouge",)),
    ],
)
def test_a_metric_that_can_not_choose_the_best_checkpoint(metric, words, run_fairseq, tiny_data_bin, tmp_path):
    flags = ("--eval-bleu", "--best-checkpoint-metric", metric, "--save-dir", tmp_path)
    only_line(run_fairseq("train", tiny_data_bin, *tiny.FINETUNE, *UPDATES, *flags, expect=1), *words)
    nothing_written(tmp_path)


def other_dictionary(data):
    tiny.write_dictionary(data, (f"other{n}" for n in range(200)))


def truncated(data):
    cut(data / "pretrained.pt", 5000)


def flipped_byte(data):
    overwrite(data / "pretrained.pt", (data / "pretrained.pt").stat().st_size // 2, b"\x55\xaa\x55")


# what is wrong: (how it comes about beside data and pretrained.pt, flags, words of the line)
BAD_START = {
    "another dictionary": (other_dictionary, (), ("pretrained.pt", "another dictionary", "--like")),
    "another width": (
        lambda d: None, ("--encoder-embed-dim", 32, "--decoder-embed-dim", 32), ("--encoder-embed-dim 16", "not 32")
    ),
    "a new language": (
        lambda d: shutil.copy(d / "dict.de.txt", d / "dict.it.txt"),
        ("--langs", "de,en,it"),
        ("de,en,fr", "--langs", "it"),
    ),
    "an unknown direction": (lambda d: None, ("--directions", "de-it"), ("--directions 'de-it'", "de,en,fr")),
    "no such checkpoint": (lambda d: (d / "pretrained.pt").unlink(), (), ("pretrained.pt", "doesn't exist")),
    "truncated checkpoint": (truncated, (), ("pretrained.pt", "cut off or damaged")),
    "corrupted checkpoint": (flipped_byte, (), ("pretrained.pt", "cut off or damaged")),
}  # fmt: skip


@pytest.mark.parametrize("wrong", BAD_START)
def test_bad_start_of_fine_tuning(wrong, run_fairseq, tiny_data_bin, pretrained, tmp_path):
    spoil, flags, words = BAD_START[wrong]
    data, checkpoints = tmp_path / "data-bin", tmp_path / "checkpoints"
    shutil.copytree(tiny_data_bin, data)
    shutil.copy(pretrained / "checkpoint_last.pt", data / "pretrained.pt")
    spoil(data)
    start = ("--pretrained-checkpoint", data / "pretrained.pt", "--save-dir", checkpoints)
    only_line(run_fairseq("train", data, *tiny.FINETUNE, *UPDATES, *start, *flags, expect=1), *words)
    nothing_written(checkpoints)


def test_resuming_from_a_damaged_checkpoint_names_a_whole_one(run_fairseq, tiny_data_bin, pretrained, tmp_path):
    for name in ("checkpoint_last.pt", "checkpoint_best.pt"):
        shutil.copy(pretrained / name, tmp_path)
    cut(tmp_path / "checkpoint_last.pt", 5000)
    done = run_fairseq("train", tiny_data_bin, *tiny.PRETRAIN, "--max-update", 5, "--save-dir", tmp_path, expect=1)
    only_line(done, "checkpoint_last.pt is cut off or damaged", f"cp {tmp_path}/checkpoint_best.pt {tmp_path}/")
    assert (tmp_path / "checkpoint_last.pt").stat().st_size == 5000


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--langs", "fr,en,de"), ("the languages de,en,fr, not fr,en,de", "--langs de,en,fr")),
        (("--layer-norm", "post"), ("--layer-norm pre, not post",)),
        ((), ("another dictionary", "--like")),
    ],
)
def test_resuming_with_another_setting(flags, words, run_fairseq, tiny_data_bin, pretrained, tmp_path):
    data, checkpoints = tmp_path / "data-bin", tmp_path / "checkpoints"
    shutil.copytree(tiny_data_bin, data)
    checkpoints.mkdir()
    shutil.copy(pretrained / "checkpoint_last.pt", checkpoints)
    if not flags:
        lines = (data / "dict.de.txt").read_text().splitlines(keepends=True)
        for path in data.glob("dict.*.txt"):  # the same symbols in another order; [MASK] stays
            path.write_text("".join([lines[0], *reversed(lines[1:])]))
    before = (checkpoints / "checkpoint_last.pt").read_bytes()
    more = ("--max-update", 5, "--save-dir", checkpoints)
    only_line(run_fairseq("train", data, *tiny.PRETRAIN, *more, *flags, expect=1), *words)
    assert (checkpoints / "checkpoint_last.pt").read_bytes() == before


def test_full_disk_leaves_the_earlier_checkpoint(tiny_data_bin, pretrained, tmp_path):
    """Simulated by a limit on the size of files, which the system reports in the same way."""
    names = ("checkpoint_last.pt", "checkpoint_best.pt")
    for name in names:
        shutil.copy(pretrained / name, tmp_path)
    size = (tmp_path / names[0]).stat().st_size // 2
    flags = (tiny_data_bin, *tiny.PRETRAIN, *tiny.PLUGIN_FLAGS, "--max-update", 5, "--save-dir", tmp_path)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
    done = run([script("fairseq-train"), *flags], expect=1, preexec_fn=limit)
    only_line(done, "cannot save", "File too large", "the checkpoints saved before are whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        assert (tmp_path / name).read_bytes() == (pretrained / name).read_bytes()
    assert torch.load(tmp_path / names[0], weights_only=True)["optimizer_history"][-1]["num_updates"] == 3


@pytest.mark.parametrize("command", ["generate", "interactive"])
def test_unknown_language_at_generation(command, run_fairseq, tiny_data_bin, finetuned):
    path = finetuned / "checkpoint_best.pt"
    flags = ("--task", "seq2seq_finetuning", "--source-lang", "de", "--target-lang", "it", "--path", path)
    done = run_fairseq(command, tiny_data_bin, *flags, expect=1, stdin="stau.\n")
    assert done.stderr.splitlines()[-1] == (
        "mass_plugins: error: --target-lang 'it' is unknown; the model's languages are de,en,fr"
    )
    assert "Traceback" not in done.output


def test_alignments_are_refused(run_fairseq, tiny_data_bin, finetuned):
    flags = ("--task", "seq2seq_finetuning", "--source-lang", "de", "--target-lang", "en", "--print-alignment", "hard")
    done = run_fairseq("generate", tiny_data_bin, *flags, "--path", finetuned / "checkpoint_best.pt", expect=1)
    assert "--print-alignment needs attention weights" in done.stderr.splitlines()[-1]


def test_long_lines_at_generation(run_fairseq, tiny_data_bin, finetuned, tmp_path):
    """Neither command drops a line that it wasn't told to drop; both drop it when they are."""
    shutil.copytree(tiny_data_bin, tmp_path / "data")
    append(tmp_path / "data" / "test.de-en.de", [5] * 70 + [2])
    append(tmp_path / "data" / "test.de-en.en", [5, 2])
    given = "stau.\n" + "stau " * 70 + "\nstau.\n"
    flags = ("--task", "seq2seq_finetuning", "--source-lang", "de", "--target-lang", "en", "--beam", 1)
    flags += ("--path", finetuned / "checkpoint_best.pt", "--batch-size", 3)
    skip = "--skip-invalid-size-inputs-valid-test"
    for command, words in (
        ("generate", ("pair 13 has 71 tokens", "--long-lines")),
        ("interactive", ("line 2 of this buffer", skip)),
    ):
        more = ("--buffer-size", 3) if command == "interactive" else ()
        done = run_fairseq(command, tmp_path / "data", *flags, *more, stdin=given, expect=1)
        assert all(word in done.stderr.splitlines()[-1] for word in words), done.stderr
        done = run_fairseq(command, tmp_path / "data", *flags, *more, skip, stdin=given)
        kept = 12 if command == "generate" else 2
        assert done.stdout.count("\nH-") + done.stdout.startswith("H-") == kept


def test_damaged_checkpoint_at_generation(run_fairseq, tiny_data_bin, finetuned, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes((finetuned / "checkpoint_best.pt").read_bytes()[:5000])
    flags = ("--task", "seq2seq_finetuning", "--source-lang", "de", "--target-lang", "en", "--path", path)
    done = run_fairseq("generate", tiny_data_bin, *flags, expect=1)
    assert done.stderr.splitlines()[-1].startswith(f"mass_plugins: error: {path} is cut off or damaged")
    assert "Traceback" not in done.output
