"""Offline back-translation: which pairs come of which lines, and runs that stop and go on."""

import dataclasses
import gzip
import re
from collections import Counter

import numpy as np
import pytest
import torch

import mass_plugins
from mass_plugins.data.seen_hashes import SeenHashes
from mass_plugins.data.text import TextCodec
from mass_plugins.data.text_files import Shard
from mass_plugins.errors import InputError
from mass_plugins.generation import back_translate, pair_files
from mass_plugins.generation.back_translate import PairMaker, Settings, run
from tests import tiny

TEXT = tiny.sentences(60, ["en"], "back-translate")["en"]


@pytest.fixture(scope="module")
def checkpoint(translating):
    return translating / "checkpoint_last.pt"


@pytest.fixture(scope="module")
def translator(checkpoint):
    return mass_plugins.load(str(checkpoint))


@pytest.fixture
def pairs(translator):
    """Pairs of some lines, by settings."""

    def make(lines, seen=None, key=1, batch_tokens=4000, **settings):
        maker = PairMaker(translator, Settings("en", "de", **settings), batch_tokens)
        return maker.pairs(lines, SeenHashes() if seen is None else seen, key)

    return make


@pytest.fixture
def translations(monkeypatch, translator):
    """Makes the model answer with these sub-words, a list for each row, or with a function of the row."""

    def answer(answers):
        index = translator.task.dictionary.index

        def generate(search, rows, *_):
            found = answers(rows) if callable(answers) else [[index(piece) for piece in text] for text in answers]
            return [torch.tensor([*ids, 2]) for ids in found]

        monkeypatch.setattr(translator, "generate", generate)

    return answer


def encoded(translator, lines, language="en"):
    return [translator.codec.encode(line, language) for line in lines]


class TestPairs:
    def test_a_pair_is_the_line_and_its_translation(self, pairs, translator):
        found = pairs(TEXT)
        assert found.real == encoded(translator, TEXT)
        assert [translator.codec.decode(text, "de") for text in found.synthetic] == translator.translate(
            TEXT, "en", "de", beam=1
        )
        assert (found.copies, found.left_out) == (0, Counter())
        assert len(set(found.synthetic)) > 10

    def test_a_beam(self, pairs, translator):
        found = [translator.codec.decode(text, "de") for text in pairs(TEXT, beam=3).synthetic]
        assert found == translator.translate(TEXT, "en", "de", beam=3)

    @pytest.mark.parametrize("batch_tokens", [1, 40, 300])
    def test_batches_change_nothing(self, pairs, batch_tokens):
        assert pairs(TEXT, batch_tokens=batch_tokens)[:2] == pairs(TEXT)[:2]

    def test_raw_text(self, pairs, translator):
        lines = ["  the  Thing\u00a0sings.", *TEXT[:5]]
        found = pairs(lines, raw=True)
        assert found.real == lines  # as they came: prepare.py cleans them
        assert found.synthetic == translator.translate(lines, "en", "de", beam=1)

    def test_a_tag(self, pairs):
        found, plain = pairs(TEXT, tag="madeupword0001"), pairs(TEXT)
        assert found.synthetic == [f"madeupword0001 {text}" for text in plain.synthetic]
        assert found.real == plain.real

    def test_a_reserved_tag_goes_with_raw_text(self, pairs, translator, monkeypatch):
        settings = dataclasses.replace(translator.codec.settings, reserve=("madeupword0001",))
        monkeypatch.setattr(translator, "codec", TextCodec(settings, translator.codec.model))
        found = pairs(["madeupword0001 sing.", "sing."], tag="madeupword0001", raw=True)
        assert found.synthetic == [f"madeupword0001 {translator.translate(['sing.'], 'en', 'de', beam=1)[0]}"]
        assert (found.real, found.left_out) == (["sing."], {"with a reserved symbol": 1})
        assert pairs(["madeupword0001 sing."], raw=True).left_out == {"with a reserved symbol": 1}  # with no tag, too

    def test_lines_that_are_left_out(self, pairs, translator):
        long = " ".join(["sing"] * 40)  # 80 sub-words
        bad = ["", " \t\u200b", long, "a [MASK] stands here"]
        found = pairs([*bad[:2], *TEXT[:3], *bad[2:], *TEXT[3:6]])
        assert found.real == encoded(translator, TEXT[:6])
        assert found.left_out == {"empty": 2, "over 63 sub-words": 1, "with a reserved symbol": 1}

    @pytest.mark.parametrize("symbol", ["</s>", "<pad>", "<s>", "<unk>", "madeupword0001"])
    def test_reserved_symbols_among_the_sub_words(self, pairs, translator, monkeypatch, symbol):
        monkeypatch.setattr(translator.codec, "encode", lambda pieces, language: pieces)
        found = pairs([f"uck {symbol} ung", "uck ung"], tag="madeupword0001")
        assert found.real == ["uck ung"]
        assert found.left_out == {"with a reserved symbol": 1}

    def test_a_limit_on_sub_words(self, pairs, translator):
        lengths = [len(text.split()) for text in encoded(translator, TEXT)]
        found = pairs(TEXT, max_pieces=11)
        assert found.left_out == {"over 11 sub-words": sum(length > 11 for length in lengths)}
        assert max(len(text.split()) for text in found.real) == 11

    def test_unknown_words_stay(self, pairs):
        assert pairs(["seed 猫."]).real[0].split()[-2:] == ["猫", "."]

    def test_duplicates_are_translated_once(self, pairs, translations):
        asked = []
        translations(lambda rows: asked.append(len(rows)) or [[20, 21]] * len(rows))
        seen = SeenHashes()
        first = pairs([TEXT[0], TEXT[1], f" {TEXT[0]}\u200b ", TEXT[2], TEXT[1]], seen)
        again = pairs([TEXT[3], TEXT[2]], seen)
        assert asked == [3, 1]
        assert (len(first.real), first.left_out) == (3, {"duplicates": 2})
        assert (len(again.real), again.left_out) == (1, {"duplicates": 1})
        assert (len(first.hashes), len(again.hashes)) == (3, 1)
        restored = SeenHashes()
        restored.add(np.concatenate([first.hashes, again.hashes]))
        assert pairs(TEXT[:5], restored).left_out == {"duplicates": 4}

    def test_copies(self, pairs, translations, translator):
        lines = TEXT[:3]
        others = [["br@@", "ung", "."], encoded(translator, lines)[1].split(), ["br@@", "ung", "."]]
        translations(others)
        found = pairs(lines)
        assert (len(found.real), found.copies, found.left_out) == (3, 1, {})
        found = pairs(lines, drop_copies=True)
        assert (found.copies, found.left_out) == (1, {"copies": 1})
        assert found.real == encoded(translator, [lines[0], lines[2]])

    def test_translations_that_do_not_end(self, pairs, translations, translator):
        """A line of its own length decides, not the batch it was in."""
        lines = ["sing seed.", *TEXT[:1]]
        length = len(encoded(translator, lines)[0].split()) + 1
        longest = int(2.0 * length + 3)
        for count, good in ((longest - 1, 2), (longest, 1)):
            translations([["uck"] * count, ["uck"]])
            found = pairs(lines, max_len_a=2.0, max_len_b=3)
            assert len(found.real) == good
            assert found.left_out == ({} if good == 2 else {"translations that did not end": 1})

    def test_room_for_a_tag_and_an_end(self, pairs, translations):
        """With both, a translation fits into the 64 positions of the model that is trained on it."""
        for count, good in ((62, 1), (63, 0)):
            translations([["uck"] * count])
            assert len(pairs(["sing."], max_len_b=100).real) == good

    @pytest.mark.parametrize("symbol", ["<unk>", "[MASK]", "<s>", "<pad>", "madeupword0000", "madeupword0001"])
    def test_translations_with_special_symbols(self, pairs, translations, symbol):
        translations([["uck", symbol], ["uck"]])
        found = pairs(TEXT[:2], tag="madeupword0001")
        assert found.synthetic == ["madeupword0001 uck"]
        assert found.left_out == {"translations with special symbols": 1}

    def test_translations_without_text(self, pairs, translations, translator, monkeypatch):
        """A lone space is a sub-word of sentencepiece's."""
        monkeypatch.setattr(translator.codec, "join", lambda pieces: pieces.replace("uck", "").strip())
        translations([["uck"], ["uck", "ung"]])
        found = pairs(TEXT[:2])
        assert (found.synthetic, found.left_out) == (["uck ung"], {"empty translations": 1})

    def test_nothing_to_translate(self, pairs):
        found = pairs(["", " "])
        assert (found.synthetic, found.real, found.left_out) == ([], [], {"empty": 2})


class TestSampling:
    def test_draws_depend_on_the_key_alone(self, pairs):
        first = pairs(TEXT, sampling=True)
        torch.manual_seed(5)
        state = torch.get_rng_state()
        assert pairs(TEXT, sampling=True).synthetic == first.synthetic
        assert torch.get_rng_state().equal(state)  # the caller's draws stay as they are
        assert pairs(TEXT, sampling=True, key=2).synthetic != first.synthetic

    @pytest.mark.parametrize("how", [{"sampling_topk": 1}, {"sampling_topp": 1e-6}, {"temperature": 1e-7}], ids=str)
    def test_options_reach_the_decoder(self, pairs, how):
        assert pairs(TEXT, sampling=True, **how).synthetic == pairs(TEXT).synthetic


class TestSettings:
    @pytest.mark.parametrize("changes, words", [
        ({"source": "de"}, "--source and --target are both de"),
        ({"beam": 2, "sampling": True}, "--beam 2 is a search, --sampling draws"),
        ({"temperature": 0.5}, "--temperature does nothing without --sampling"),
        ({"sampling_topk": 5}, "--sampling-topk does nothing without --sampling"),
        ({"sampling_topp": 0.5}, "--sampling-topp does nothing without --sampling"),
        ({"seed": 2}, "--seed does nothing without --sampling"),
        ({"max_len_a": -1.0}, "--max-len-a -1.0 is not a length"),
        ({"max_len_a": float("nan")}, "--max-len-a nan is not a length"),
        ({"max_len_b": 0}, "--max-len-b 0 is not 1 or more"),
    ], ids=str)  # fmt: skip
    def test_what_contradicts_itself(self, changes, words):
        with pytest.raises(InputError, match=f"^{re.escape(words)}"):
            Settings(**{"source": "en", "target": "de", **changes})

    @pytest.mark.parametrize("changes, words", [
        ({"source": "it"}, "--source 'it' is unknown; the model's languages are de,en,fr"),
        ({"target": "it"}, "--target 'it' is unknown"),
        ({"max_pieces": 64}, "--max-pieces 64 and </s> are more than the model's 64 positions"),
        ({"tag": "<BT>"}, "--tag <BT> is not in the dictionary of "),
        ({"tag": "<s>"}, "--tag <s> has a meaning of its own"),
        ({"tag": "[MASK]"}, "--tag [MASK] has a meaning of its own"),
        ({"tag": "madeupword0001", "raw": True}, "--tag madeupword0001 would be cut into sub-words when"),
        ({"sampling": True, "temperature": 0.0}, "a sampling temperature of 0.0 is not finite and 1e-10 or more"),
        ({"sampling": True, "sampling_topp": 2.0}, "a sampling share of 2.0 is not in (0, 1]"),
    ], ids=str)  # fmt: skip
    def test_what_the_model_can_not_do(self, translator, changes, words):
        with pytest.raises(InputError, match=f"^{re.escape(words)}"):
            PairMaker(translator, Settings(**{"source": "en", "target": "de", **changes}), 4000)

    def test_how_an_unknown_tag_gets_into_the_dictionary(self, translator):
        mend = (
            "give an entry of it that no text uses, --tag madeupword0000, or pre-train .* prepare.py --reserve '<BT>'$"
        )
        with pytest.raises(InputError, match=mend):
            PairMaker(translator, Settings("en", "de", tag="<BT>"), 4000)

    def test_too_little_memory(self, pairs, translator, monkeypatch):
        def generate(*_):
            raise torch.OutOfMemoryError("CUDA out of memory. " * 10)

        monkeypatch.setattr(translator, "generate", generate)
        with pytest.raises(
            InputError, match="^--batch-tokens 300 is too much for the memory of cpu; lower it and re-run"
        ):
            pairs(TEXT, batch_tokens=300)


class Killed(BaseException):
    """What a kill looks like from within."""


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


class TestRun:
    LINES = [*TEXT[:20], "", TEXT[3], *TEXT[20:], TEXT[3], "sing " * 70, TEXT[50]]

    @pytest.fixture
    def news(self, tmp_path):
        half = len(self.LINES) // 2
        (tmp_path / "a.en").write_text("".join(f"{line}\n" for line in self.LINES[:half]))
        with gzip.open(tmp_path / "b.en.gz", "wt") as file:
            file.write("\n".join(self.LINES[half:]))
        return [tmp_path / "a.en", tmp_path / "b.en.gz"]

    @pytest.fixture
    def go(self, translator, checkpoint, news, tmp_path):
        def start(destdir="pairs", inputs=None, buffer=7, overwrite=False, batch_tokens=4000, **settings):
            return run(
                translator, checkpoint, inputs or news, tmp_path / destdir, Settings("en", "de", **settings),
                buffer=buffer, overwrite=overwrite, batch_tokens=batch_tokens, progress=False,
            )  # fmt: skip

        return start

    def test_pairs_of_all_files_in_their_order(self, go, tmp_path, translator):
        report = go()
        made = contents(tmp_path / "pairs")
        assert set(made) == {"bt.de", "bt.en", "bt.json"}
        assert made["bt.en"].splitlines() == encoded(translator, TEXT)
        synthetic = [translator.codec.decode(text, "de") for text in made["bt.de"].splitlines()]
        assert synthetic == translator.translate(TEXT, "en", "de", beam=1)
        first, second, third = report.split("\n")
        folder = tmp_path / "pairs"
        assert first == f"{folder}/bt.de (translations), {folder}/bt.en (real text): 60 pairs"
        assert second == "65 lines read, 5 left out: 3 duplicates, 1 empty, 1 over 63 sub-words"
        assert re.fullmatch(r"\d+\.\d lines per second", third)

    def test_the_buffer_changes_nothing(self, go, tmp_path):
        for buffer in (1, 7, 1000):
            go(f"{buffer}", buffer=buffer)
        assert contents(tmp_path / "1")["bt.de"] == contents(tmp_path / "7")["bt.de"]
        assert contents(tmp_path / "1")["bt.de"] == contents(tmp_path / "1000")["bt.de"]

    @pytest.mark.parametrize("settings", [{}, {"sampling": True, "seed": 3, "shard": Shard(1, 2)}], ids=str)
    def test_killed_after_any_chunk(self, go, tmp_path, monkeypatch, settings):
        go("whole", **settings)
        whole = contents(tmp_path / "whole")
        commit = pair_files.PairFiles.commit
        for fatal in (0, 1, 3):
            left = iter([True] * fatal)

            def stop(files, *arguments, left=left):
                if not next(left, False):
                    raise Killed
                commit(files, *arguments)

            with monkeypatch.context() as patch, pytest.raises(Killed):
                patch.setattr(pair_files.PairFiles, "commit", stop)
                go(f"{fatal}", **settings)
            report = go(f"{fatal}", **settings)
            assert contents(tmp_path / f"{fatal}") == whole
            assert (" lines in this run)" in report) == (fatal > 0)

    def test_a_run_that_goes_on_does_not_translate_again(self, go, translator, monkeypatch):
        asked, generate = [], translator.generate
        monkeypatch.setattr(translator, "generate", lambda *a: asked.append(len(a[1])) or generate(*a))
        commit, left = pair_files.PairFiles.commit, iter([True] * 4)

        def stop(files, *arguments):
            commit(files, *arguments)
            if not next(left, False):
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(pair_files.PairFiles, "commit", stop)
            go()
        go(batch_tokens=200)  # what changes no pair may change
        assert sum(asked) == 60

    def test_a_finished_run_is_left_alone(self, go, tmp_path, translator, monkeypatch):
        go()
        made = contents(tmp_path / "pairs")
        monkeypatch.setattr(translator, "generate", None)
        report = go()
        assert contents(tmp_path / "pairs") == made
        assert report.endswith("\nnothing to do: this was made before") and "60 pairs" in report

    @pytest.mark.parametrize("changes", [
        {"drop_copies": True}, {"max_pieces": 50}, {"beam": 2}, {"raw": True}, {"max_len_a": 1.0}, {"max_len_b": 9},
        {"sampling": True}, {"tag": "madeupword0000"},
    ], ids=str)  # fmt: skip
    def test_other_settings_are_refused(self, go, tmp_path, changes):
        go()
        made, flag = contents(tmp_path / "pairs"), "--" + next(iter(changes)).replace("_", "-")
        with pytest.raises(
            InputError, match=rf"bt.json is from another back-translation \({flag} was .* and is .*\); give"
        ):
            go(**changes)
        assert contents(tmp_path / "pairs") == made
        go(overwrite=True, **changes)
        assert contents(tmp_path / "pairs") != made

    def test_other_text_or_model_is_refused(self, go, tmp_path, news, checkpoint, monkeypatch):
        go()
        with news[0].open("a") as file:
            file.write("more\n")
        with pytest.raises(InputError, match=r"--input was \['a.en \(\d+ bytes\)', .*\] and is \['a.en \(\d+ bytes\)'"):
            go()
        news[0].write_text(news[0].read_text().removesuffix("more\n"))
        monkeypatch.setattr(back_translate, "digest", lambda path: "other")
        with pytest.raises(InputError, match=r"from another back-translation \(CHECKPOINT is another one\)"):
            go()

    def test_input_that_changed_while_it_was_read(self, go, news, monkeypatch):
        monkeypatch.setattr(back_translate, "_count", lambda *_: 70)
        with pytest.raises(
            InputError, match="^--input has 65 lines where it had 70 at the beginning; give --overwrite"
        ):
            go()

    def test_shards_make_the_pairs_of_the_whole(self, go, tmp_path):
        go("whole")
        for index in range(3):
            go("shards", shard=Shard(index, 3))
        whole, shards = contents(tmp_path / "whole"), contents(tmp_path / "shards")
        assert set(shards) == {f"bt.{n}-of-3.{end}" for n in range(3) for end in ("de", "en", "json")}

        def pairs_of(made):
            names = sorted(name.removesuffix(".en") for name in made if name.endswith(".en"))
            return [
                Counter(zip(made[f"{name}.de"].splitlines(), made[f"{name}.en"].splitlines())) for name in names
            ]  # fmt: skip

        assert sum(pairs_of(shards), Counter()) == pairs_of(whole)[0]
        assert all(10 < part.total() < 30 for part in pairs_of(shards))

    def test_copies_are_told(self, go, translations):
        translations(lambda rows: [row[:-1].tolist() for row in rows])
        lines = go().split("\n")
        assert "60 translations are copies of their line; --drop-copies leaves such pairs out" in lines

    def test_a_bar(self, translator, checkpoint, news, tmp_path, capsys):
        run(translator, checkpoint, news, tmp_path / "x", Settings("en", "de", shard=Shard(0, 2)), progress=True)
        assert "look through" in (bar := capsys.readouterr().err) and "en -> de, 0/2: 100%" in bar
        run(translator, checkpoint, news, tmp_path / "y", Settings("en", "de"))
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize("name, content, words", [
        ("none", None, "none doesn't exist; check the path"),
        ("empty", b"", "empty is empty; give a file with text"),
        ("latin", b"a\nsch\xf6n\n", "latin, line 2 is not UTF-8"),
        ("cut.gz", gzip.compress(b"a\n" * 100, mtime=0)[:-9], "cut.gz is damaged or cut off"),
    ])  # fmt: skip
    def test_input_that_does_not_fit(self, go, news, tmp_path, name, content, words):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"^--input: {tmp_path}/{words}"):
            go(inputs=[*news, tmp_path / name])
        assert not (tmp_path / "pairs").exists()

    def test_no_pair(self, go, tmp_path):
        (tmp_path / "blank").write_text("\n \n")
        with pytest.raises(InputError, match="^no pair came of 2 lines: 2 empty; give other text or settings"):
            go(inputs=[tmp_path / "blank"])
        assert not (tmp_path / "pairs").exists()

    def test_too_many_shards(self, go, tmp_path):
        (tmp_path / "one").write_text("sing.\n")
        refused = 0
        for index in range(3):
            try:
                go(inputs=[tmp_path / "one"], shard=Shard(index, 3))
            except InputError as error:
                assert str(error) == f"no line of --input falls to --shard {index}/3; use fewer shards"
                refused += 1
        assert refused == 2
