"""A masked language model learns what the neighbours of a masked word say."""

import json
import random

from tests import tiny, tiny_encoder

PAIRS = 12  # words that come in twos, always the same two: a masked one is told by the other


def test_a_masked_word_is_told_by_its_neighbour(tmp_path, run_fairseq):
    text = tiny_encoder.make_text()
    text.save(tmp_path)
    chance, words = random.Random(1), text.vocabulary.ordinary[: 2 * PAIRS]
    for split, count in (("train", 2000), ("valid", 200)):
        rows = []
        for _ in range(count):
            drawn = [chance.randrange(PAIRS) for _ in range(4)]
            rows.append([int(words[2 * pair + half]) for pair in drawn for half in (0, 1)] + [text.vocabulary.eos])
        tiny.write_binarized(tmp_path / f"{split}.en-None.en", rows)
    model = ["--encoder-layers", 2, "--encoder-embed-dim", 64, "--encoder-ffn-embed-dim", 128, "--dropout", 0]
    done = run_fairseq(
        "train", tmp_path, *tiny_encoder.MLM, *model, "--attention-dropout", 0, "--max-update", 600,
        "--max-tokens", 600, "--lr", 0.002, "--log-interval", 100, "--no-save",
    )  # fmt: skip
    valid = [json.loads(line[line.index("{") :]) for line in done.output.splitlines() if "| INFO | valid | {" in line]
    assert float(valid[-1]["valid_accuracy"]) > 70  # one of 24 words is 4 %
