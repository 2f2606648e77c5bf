"""From what fairseq prints to a picture; the lines are made by fairseq's own progress bars."""

import builtins
import logging
import sys
from collections import OrderedDict

import pytest
from fairseq.logging import progress_bar

from mass_plugins.errors import InputError
from mass_plugins.scoring import curves
from mass_plugins.scoring.curves import Run, draw, read_log, read_run

FORMAT = "%(asctime)s | %(levelname)s | %(name)s | %(message)s"  # of fairseq-train
# (tag, update) → loss; BLEU is logged in validation only
LOSSES = {("train_inner", 2): 9.5, ("train_inner", 4): 8.25, ("train", 4): 8.875, ("valid", 4): 8.5}


def stats(loss, update, **more):
    return OrderedDict(loss=loss, ppl=2.5, wps=1234.5, num_updates=update, lr=1e-05, gnorm=float("inf"), **more)


@pytest.fixture
def logged(tmp_path, monkeypatch):
    """``logged(log_format)``: files with the output and, if asked for, the --log-file of an epoch of four updates."""
    handlers = []
    logger = logging.getLogger("fairseq.logging.progress_bar")

    def listen(handler, text):
        handler.setFormatter(logging.Formatter(text))
        for name in ("fairseq.logging.progress_bar", "train_inner", "train", "valid"):
            monkeypatch.setattr(logging.getLogger(name), "propagate", False)
            monkeypatch.setattr(logging.getLogger(name), "level", logging.INFO)
            logging.getLogger(name).addHandler(handler)
            handlers.append((logging.getLogger(name), handler))

    def make(log_format, text=FORMAT, log_file=None, **options):
        path = tmp_path / f"{log_format}.log"
        listen(logging.FileHandler(path), text)
        before = list(logger.handlers)
        bar = progress_bar.progress_bar(
            range(4), log_format=log_format, log_interval=2, log_file=log_file, epoch=1, **options
        )
        handlers.extend((logger, handler) for handler in logger.handlers if handler not in before)
        for step, _ in enumerate(bar, start=1):
            if step % 2 == 0:
                bar.log(stats(LOSSES["train_inner", step], step), tag="train_inner", step=step)
        bar.print(stats(LOSSES["valid", 4], 4, bleu=21.5, best_loss=8.5), tag="valid", step=4)
        bar.print(stats(LOSSES["train", 4], 4), tag="train", step=4)
        return path

    yield make
    for owner, handler in handlers:
        owner.removeHandler(handler)
        handler.close()


def check(run):
    for (split, update), loss in LOSSES.items():
        assert run.values[split, "loss"][update] == loss
    assert run.values["train_inner", "lr"] == {2: 1e-05, 4: 1e-05}
    assert run.values["valid", "bleu"] == {4: 21.5}
    assert not any(name in ("gnorm", "num_updates") for _, name in run.values)  # infinite; the axis itself
    assert run.series("loss") == {"train_inner": [(2, 9.5), (4, 8.25)], "valid": [(4, 8.5)]}
    assert run.series("bleu") == {"valid": [(4, 21.5)]} and run.series("accuracy") == {}


class TestReading:
    @pytest.mark.parametrize("log_format", ["json", "simple"])
    @pytest.mark.parametrize("text", [FORMAT, "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"],
                             ids=["fairseq-train", "fairseq-hydra-train"])  # fmt: skip
    def test_what_is_printed(self, logged, log_format, text):
        run = read_run("mass", str(logged(log_format, text)))
        assert run.name == "mass"
        check(run)

    def test_tqdm_prints_means_and_validation_alone(self, logged, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        path = logged("tqdm")
        run = read_run("mass", str(path))
        assert run.series("loss") == {"train": [(4, 8.875)], "valid": [(4, 8.5)]}

    def test_log_file_has_no_tags(self, logged, tmp_path):
        logged("json", log_file=str(tmp_path / "file.log"))
        check(read_run("mass", str(tmp_path / "file.log")))

    def test_tensorboard(self, logged, tmp_path, monkeypatch):
        pytest.importorskip("tensorboard")
        monkeypatch.setattr(progress_bar, "_tensorboard_writers", {})
        logged("json", tensorboard_logdir=str(tmp_path / "board"))
        for writer in progress_bar._tensorboard_writers.values():
            writer.close()
        run = read_run("mass", str(tmp_path / "board"))
        assert run.series("loss") == {"train_inner": [(2, 9.5), (4, 8.25)], "valid": [(4, 8.5)]}
        assert run.series("bleu") == {"valid": [(4, 21.5)]}

    def test_without_tensorboard_the_extra_is_named(self, tmp_path, monkeypatch):
        without(monkeypatch, "tensorboard")
        with pytest.raises(InputError, match=r"pip install mass_plugins\[tensorboard\]"):
            read_run("mass", str(tmp_path))

    def test_a_resumed_run_overwrites_what_it_repeats(self):
        lines = ['{"loss": "9", "num_updates": "2"}', '{"loss": "8", "num_updates": "4"}', "again",
                 '{"loss": "7.5", "num_updates": "4"}', '{"loss": "7", "num_updates": "6"}']  # fmt: skip
        run = read_log("mass", [f"x | INFO | train_inner | {line}\n" for line in lines])
        assert run.series("loss") == {"train_inner": [(2, 9.0), (4, 7.5), (6, 7.0)]}

    def test_several_validation_sets(self):
        run = read_log("mass", [
            'x | INFO | valid | {"epoch": 1, "valid_loss": "3", "valid_num_updates": "5"}',
            'x | INFO | valid1 | {"epoch": 1, "valid1_loss": "4", "valid1_num_updates": "5"}',
        ])  # fmt: skip
        assert run.series("loss") == {"valid": [(5, 3.0)], "valid1": [(5, 4.0)]}

    def test_other_lines_are_passed_over(self):
        run = read_log("mass", [
            "x | INFO | fairseq_cli.train | {'_name': None, 'common': {'seed': 1}}",
            "x | INFO | fairseq_cli.train | num. shared model params: 123 (num. trained: 123)",
            "x | INFO | train | no numbers here",
            'x | INFO | train_inner | {"loss": "9", "num_upd',  # a kill
            'x | INFO | train_inner | {"loss": "nan", "wps": null, "signature": "nrefs:1", "num_updates": "3"}',
            "", "\x00\ufffd",
        ])  # fmt: skip
        assert run.values == {}

    @pytest.mark.parametrize("content", [b"", b"hello\n", b"\x89PNG\x00\xff" * 50], ids=["empty", "text", "binary"])
    def test_a_file_without_curves(self, tmp_path, content):
        (tmp_path / "a.log").write_bytes(content)
        with pytest.raises(InputError, match=f"{tmp_path}/a.log holds no training curve; give"):
            read_run("mass", str(tmp_path / "a.log"))

    def test_a_folder_without_curves(self, tmp_path):
        (tmp_path / "sub").mkdir()
        with pytest.raises(InputError, match="holds no training curve"):
            read_run("mass", str(tmp_path))

    def test_a_file_that_is_missing_or_cannot_be_read(self, tmp_path, monkeypatch):
        with pytest.raises(InputError, match="none.log doesn't exist; give"):
            read_run("mass", str(tmp_path / "none.log"))

        def refuse(*arguments, **options):
            raise PermissionError(13, "Permission denied")

        (tmp_path / "a.log").touch()
        monkeypatch.setattr(curves, "open", refuse, raising=False)
        with pytest.raises(InputError, match="a.log cannot be read: Permission denied; give"):
            read_run("mass", str(tmp_path / "a.log"))


def without(monkeypatch, package):
    """Importing ``package`` fails as if it weren't installed."""
    real = builtins.__import__

    def fail(name, *arguments, **options):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", fail)


def a_run(name, start):
    run = Run(name)
    for update in range(1, 6):
        run.add("train_inner", "loss", update, start - update)
        run.add("train", "loss", update, start - update)
    run.add("valid", "loss", 5, start - 4)
    return run


class TestDrawing:
    @pytest.fixture
    def figures(self, monkeypatch):
        """The figures that are drawn, as well as saved."""
        pytest.importorskip("matplotlib")
        drawn, save = [], curves.save_picture
        monkeypatch.setattr(curves, "save_picture", lambda figure, path: (drawn.append(figure), save(figure, path)))
        return drawn

    def test_panels_curves_and_legend(self, figures, tmp_path):
        runs = [a_run("mass", 9.0), a_run("scratch", 12.0)]
        runs[0].add("valid", "bleu", 5, 20.0)
        output = tmp_path / "curves.png"
        assert draw(runs, ["loss", "bleu", "ppl"], str(output)) == ["loss", "bleu"]
        assert output.read_bytes().startswith(b"\x89PNG\r\n") and list(tmp_path.iterdir()) == [output]
        loss, bleu = figures[0].axes
        assert [panel.get_ylabel() for panel in (loss, bleu)] == ["loss", "bleu"]
        assert {panel.get_xlabel() for panel in (loss, bleu)} == {"updates"}
        labels = ["mass, train", "mass, valid", "scratch, train", "scratch, valid"]
        assert [line.get_label() for line in loss.lines] == labels
        (legend,) = figures[0].legends  # of both panels
        assert [text.get_text() for text in legend.get_texts()] == labels
        assert [line.get_label() for line in bleu.lines] == ["mass, valid"]
        assert loss.lines[2].get_xydata().tolist() == [[n, 12.0 - n] for n in range(1, 6)]
        colours = [line.get_color() for line in loss.lines]
        assert colours[0] == colours[1] != colours[2] == colours[3]
        assert bleu.lines[0].get_color() == colours[0]

    def test_means_of_epochs_where_nothing_finer_is_there(self, figures, tmp_path):
        run = Run("mass", {("train", "loss"): {4: 3.0, 8: 2.0}})
        draw([run], ["loss"], str(tmp_path / "x.png"))
        assert [line.get_label() for line in figures[0].axes[0].lines] == ["mass, train"]

    def test_the_name_chooses_the_format(self, figures, tmp_path):
        for name, start in (("x.pdf", b"%PDF"), ("x.svg", b"<?xml"), ("x", b"\x89PNG")):
            draw([a_run("mass", 9.0)], ["loss"], str(tmp_path / name))
            assert (tmp_path / name).read_bytes().startswith(start)

    def test_no_such_metric_names_those_that_are(self, tmp_path):
        with pytest.raises(InputError, match="no run has bleu or ppl; choose --metrics from acc, loss"):
            run = a_run("mass", 9.0)
            run.add("valid", "acc", 5, 0.5)
            draw([run], ["bleu", "ppl"], str(tmp_path / "x.png"))
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["gone/x.png", "x.word", "."])
    def test_a_picture_that_cannot_be_written(self, figures, tmp_path, name):
        with pytest.raises(InputError, match="cannot write .*; name a file that ends in .png"):
            draw([a_run("mass", 9.0)], ["loss"], str(tmp_path / name))
        assert not list(tmp_path.iterdir())

    def test_an_earlier_picture_stays_where_the_new_one_fails(self, figures, tmp_path, monkeypatch):
        (tmp_path / "x.png").write_text("the one before")

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(curves.os, "replace", fail)
        with pytest.raises(InputError, match="No space left"):
            draw([a_run("mass", 9.0)], ["loss"], str(tmp_path / "x.png"))
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.png", "the one before")]

    def test_without_matplotlib_the_extra_is_named(self, tmp_path, monkeypatch):
        without(monkeypatch, "matplotlib")
        with pytest.raises(InputError, match=r"matplotlib isn't installed; pip install mass_plugins\[plot\]"):
            draw([a_run("mass", 9.0)], ["loss"], str(tmp_path / "x.png"))
