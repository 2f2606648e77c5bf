"""The recipes of the paper's size on tiny local mirrors, down to the score."""

from tests.end_to_end.test_summarization_recipes import check_result, run_recipe
from tests.summarization_mirror import make_mirror


def test_cnndm_in_parts(tmp_path):
    """Text, pre-training, then the rest; articles and highlights are apart, and each ends a sentence."""
    make_mirror(tmp_path, "cnndm")
    for goal in (("pretrain",), ("text",), ()):
        done = run_recipe("cnndm", tmp_path, *goal)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    result = check_result(tmp_path, ("all pairs",), (42.12, 19.50, 39.01))
    assert all("|L:summary|" in score["signature"] for score in result["scores"])
    (folder,) = tmp_path.glob("work/cnndm-*")
    counts = {split: (folder / f"{split}.source").read_text().count("\n") for split in ("train", "valid", "test")}
    assert counts == {"train": 36, "valid": 6, "test": 6}
    text = (folder / "train.source").read_text() + (folder / "train.target").read_text()
    assert "@highlight" not in text and all(line.endswith((" .", ".")) for line in text.splitlines())


def test_gigaword_in_two_processes(tmp_path):
    make_mirror(tmp_path, "gigaword", pairs="40 all", more="GPUS_OF_FINE_TUNING=2")
    launch = {"LAUNCH": "torchrun --standalone --nproc_per_node 2", "PROCESSES": "2"}
    done = run_recipe("gigaword", tmp_path, **launch)
    assert done.returncode == 0, done.stdout + done.stderr
    check_result(tmp_path, ("40 pairs", "all pairs"), (38.73, 19.71, 35.96))
    again = run_recipe("gigaword", tmp_path, **launch)
    assert again.returncode == 0 and "starts" not in again.stdout
    wrong = run_recipe("gigaword", tmp_path, "everything")
    assert wrong.returncode == 1 and "there is no everything" in wrong.stderr
    uneven = run_recipe("gigaword", tmp_path, PROCESSES="3")
    assert uneven.returncode == 1 and "can't be shared by 3 processes" in uneven.stderr
