"""The ``mass-plugins`` command: what it prints, and one clear line and a status for what can be wrong."""

import contextlib
import dataclasses
import io
import os
import signal
import sys
import time
import types
from pathlib import Path

import pytest
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

import mass_plugins
import mass_plugins_launcher
from mass_plugins import cli, doctor
from mass_plugins.commands import flags
from mass_plugins.commands.chat import talk
from mass_plugins.data.text_files import Shard, stdin_lines
from mass_plugins.generation import back_translate as work
from mass_plugins.generation.back_translate import Settings
from mass_plugins.interop.folders import whole_folder
from mass_plugins.scoring import curves
from tests import tiny

PACKAGE = Path(mass_plugins.__file__).resolve().parent


@pytest.fixture(scope="module")
def checkpoint(tiny_data_bin, tmp_path_factory):
    """A model as fairseq-train would save it before the first update, in a folder without dictionaries."""
    arguments = [str(tiny_data_bin), *tiny.FINETUNE, *tiny.PLUGIN_FLAGS]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser(), arguments))
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    state = {"cfg": OmegaConf.to_container(cfg, enum_to_str=True), "args": None}
    state |= {"optimizer_history": [{"num_updates": 0, "lr_scheduler_state": {}}]}
    state |= {"model": task.build_model(cfg.model).state_dict(), "extra_state": {}, "task_state": task.state_dict()}
    path = tmp_path_factory.mktemp("cli") / "checkpoint_best.pt"
    torch.save(state, path)
    return str(path)


@pytest.fixture
def stdin(monkeypatch):
    """Sets the bytes that standard input holds."""

    def give(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


@contextlib.contextmanager
def gone(monkeypatch):
    """Standard output is a pipe that nobody reads any more."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as closed, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", closed)
        yield closed


def translate(checkpoint, source="de", target="en", *flags):
    return cli.main(["translate", checkpoint, "--source", source, "--target", target, "--beam", "1", *flags])


def only_line(capsys, *words):
    """Nothing on stdout, this one line on stderr."""
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1 and printed.err.startswith("mass_plugins: error: "), printed.err
    for word in words:
        assert word in printed.err


class TestWhereAndDoctor:
    def test_where(self, capsys):
        assert cli.main(["where"]) == 0
        assert capsys.readouterr().out == f"{PACKAGE}\n"

    @pytest.mark.parametrize("status", [0, 1])
    def test_doctor_hands_on_its_status(self, monkeypatch, status):
        monkeypatch.setattr(doctor, "main", lambda: status)
        assert cli.main(["doctor"]) == status

    def test_as_installed(self, monkeypatch, capsys):
        """The script takes a short way for these two, to the same end."""
        monkeypatch.setattr(sys, "argv", ["mass-plugins", "where"])
        assert mass_plugins_launcher.main() == 0
        assert capsys.readouterr().out == f"{PACKAGE}\n"
        ran = []
        monkeypatch.setattr(
            mass_plugins_launcher.runpy, "run_path", lambda path: ran.append(path) or {"main": lambda: 1}
        )
        monkeypatch.setattr(sys, "argv", ["mass-plugins", "doctor"])
        assert mass_plugins_launcher.main() == 1 and ran == [str(PACKAGE / "doctor.py")]
        monkeypatch.setattr(cli, "main", lambda arguments: arguments)
        monkeypatch.setattr(sys, "argv", ["mass-plugins", "doctor", "--help"])
        assert mass_plugins_launcher.main() == ["doctor", "--help"]

    def test_as_a_module(self, monkeypatch):
        monkeypatch.setattr(cli, "main", lambda: 7)
        with pytest.raises(SystemExit) as ended:
            exec(compile((PACKAGE / "__main__.py").read_text(), "__main__.py", "exec"), {})
        assert ended.value.code == 7


class TestUsage:
    @pytest.mark.parametrize("arguments, words", [
        ([], "required: COMMAND"),
        (["translat"], "invalid choice: 'translat'"),
        (["where", "here"], "unrecognized arguments: here"),
        (["doctor", "--fix"], "unrecognized arguments: --fix"),
        (["translate", "x.pt", "--source", "de"], "required: --target"),
        (["translate", "--source", "de", "--target", "en"], "required: checkpoint"),
        (["translate", "x.pt", "--source", "de", "--target", "en", "--beam", "0"], "--beam: 0 is not 1 or more"),
        (["translate", "x.pt", "--source", "de", "--target", "en", "--buffer", "-3"], "--buffer: -3 is not 1 or more"),
        (["translate", "x.pt", "--source", "de", "--target", "en", "--beam", "five"], "--beam: invalid"),
        (["plot"], "required: [NAME=]LOG"),
    ])  # fmt: skip
    def test_wrong_usage(self, arguments, words, capsys):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        printed = capsys.readouterr()
        assert ended.value.code == 2 and printed.out == "" and words in printed.err.splitlines()[-1]

    @pytest.mark.parametrize("command", [[], ["where"], ["doctor"], ["translate"], ["plot"]], ids=" ".join)
    def test_help(self, command, capsys):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command, "--help"])
        assert ended.value.code == 0 and capsys.readouterr().out.startswith("usage: mass-plugins")


class TestTranslate:
    LINES = ["schlau klein.", "", "stung.  brau", "x" * 30]

    def test_a_line_out_for_each_line_in(self, checkpoint, stdin, capsys):
        """Empty ones, one of unknown characters, and a last one without its end."""
        stdin("\n".join(self.LINES).encode())
        assert translate(checkpoint) == 0
        lines = capsys.readouterr().out.split("\n")
        translator = mass_plugins.load(checkpoint)
        assert lines == [*translator.translate(self.LINES, "de", "en", beam=1), ""]
        assert len(lines) == 5 and lines[1] == "" and any(lines)

    @pytest.mark.parametrize("flags", [["--buffer", "1"], ["--buffer", "3"]], ids=" ".join)
    def test_the_buffer_changes_nothing(self, checkpoint, stdin, capsys, flags):
        outputs = []
        for more in ([], flags):
            stdin("\n".join(self.LINES).encode())
            assert translate(checkpoint, "de", "en", *more) == 0
            outputs.append(capsys.readouterr().out)
        assert outputs[0] == outputs[1]

    def test_flags_reach_the_translator(self, monkeypatch, stdin, capsys):
        calls = []

        class Translator:
            task = types.SimpleNamespace(language_index=lambda language, flag: calls.append((language, flag)))

            def translate(self, lines, source, target, **settings):
                calls.append((lines, source, target, settings))
                return [line.upper() for line in lines]

        monkeypatch.setattr(mass_plugins, "load", lambda path, **how: calls.append((path, how)) or Translator())
        stdin("a\r\n b\u2028c \n\nd".encode())
        settings = {
            "beam": 7,
            "length_penalty": 0.5,
            "max_len_a": 2.0,
            "max_len_b": 3,
            "truncate": 9,
            "batch_tokens": 50,
        }
        words = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        flags = ["--buffer", "2", "--data", "bin", "--device", "cpu", "--dtype", "bfloat16", *words]
        assert cli.main(["translate", "x.pt", "--source", "fr", "--target", "de", *flags]) == 0
        assert calls == [
            ("x.pt", {"data": "bin", "device": "cpu", "dtype": torch.bfloat16}), ("fr", "--source"), ("de", "--target"),
            (["a", " b\u2028c "], "fr", "de", settings), (["", "d"], "fr", "de", settings),
        ]  # fmt: skip
        assert capsys.readouterr().out == "A\n B\u2028C \n\nD\n"

    def test_no_input_is_no_output(self, checkpoint, stdin, capsys):
        stdin(b"")
        assert translate(checkpoint) == 0 and capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("source, target, flag", [("it", "en", "--source"), ("de", "it", "--target")])
    @pytest.mark.parametrize("content", [b"stau.\n", b""], ids=["a line", "no line"])
    def test_unknown_language(self, checkpoint, stdin, capsys, source, target, flag, content):
        stdin(content)
        assert translate(checkpoint, source, target) == 1
        only_line(capsys, f"{flag} 'it' is unknown; the model's languages are de,en,fr")

    def test_missing_checkpoint(self, stdin, capsys, tmp_path):
        assert translate(str(tmp_path / "none.pt")) == 1
        only_line(capsys, f"{tmp_path}/none.pt doesn't exist")

    def test_damaged_checkpoint(self, checkpoint, stdin, capsys, tmp_path):
        (tmp_path / "x.pt").write_bytes(Path(checkpoint).read_bytes()[:3000])
        assert translate(str(tmp_path / "x.pt")) == 1
        only_line(capsys, f"{tmp_path}/x.pt is cut off or damaged")

    @pytest.mark.parametrize("content", [{"weight": torch.ones(2)}, [1, 2]], ids=["a dict", "a list"])
    def test_somebody_elses_checkpoint(self, content, capsys, tmp_path):
        torch.save(content, tmp_path / "x.pt")
        assert translate(str(tmp_path / "x.pt")) == 1
        only_line(capsys, f"{tmp_path}/x.pt is not a checkpoint of fairseq-train")

    def test_data_that_is_not_there(self, checkpoint, capsys, tmp_path):
        assert translate(checkpoint, "de", "en", "--data", str(tmp_path / "none")) == 1
        only_line(capsys, f"{tmp_path}/none is not a folder")
        assert translate(checkpoint, "de", "en", "--data", str(tmp_path)) == 1
        only_line(capsys, f"{tmp_path} holds no dict.<language>.txt")

    def test_data_without_the_text_pipeline(self, checkpoint, tiny_data_bin, capsys, tmp_path):
        for language in tiny.LANGUAGES:
            name = f"dict.{language}.txt"
            (tmp_path / name).write_bytes((tiny_data_bin / name).read_bytes())
        assert translate(checkpoint, "de", "en", "--data", str(tmp_path)) == 1
        only_line(capsys, f"{tmp_path} has no text.json")

    def test_a_line_that_is_too_long_is_named_by_its_number_in_the_input(self, checkpoint, stdin, capsys):
        stdin(b"stau.\nkrau.\nstau.\n" + b"stau " * 80 + b"\n")
        assert translate(checkpoint, "de", "en", "--buffer", "2") == 1
        printed = capsys.readouterr()
        assert printed.out.count("\n") == 2  # the buffer before is out
        assert printed.err.startswith("mass_plugins: error: stdin, line 4 has ") and printed.err.count("\n") == 1

    def test_a_line_that_is_not_utf_8(self, checkpoint, stdin, capsys):
        stdin(b"stau.\nkr\xe4u.\n")
        assert translate(checkpoint) == 1
        only_line(capsys, "stdin, line 2 is not UTF-8; convert the file (iconv -f ISO-8859-1 -t UTF-8)")

    def test_output_is_utf_8_in_every_locale(self, monkeypatch, stdin):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        translator = types.SimpleNamespace(
            task=types.SimpleNamespace(language_index=lambda *_: 0), translate=lambda lines, *_, **__: lines
        )
        monkeypatch.setattr(mass_plugins, "load", lambda *_, **__: translator)
        stdin("Łódź 猫\n".encode())
        assert translate("x.pt") == 0
        assert raw.getvalue().decode("utf-8") == "Łódź 猫\n"


class TestBackTranslate:
    REQUIRED = ["--source", "en", "--target", "de"]

    @pytest.fixture
    def news(self, tmp_path):
        (tmp_path / "news.en").write_text("sing seed.\nthing.\n")
        return ["--input", str(tmp_path / "news.en"), "--destdir", str(tmp_path / "pairs")]

    def test_pairs(self, translating, news, capsys, tmp_path):
        path = str(translating / "checkpoint_last.pt")
        assert cli.main(["back-translate", path, *self.REQUIRED, *news]) == 0
        printed = capsys.readouterr()
        assert printed.err == "" and f"{tmp_path}/pairs/bt.en (real text): 2 pairs\n" in printed.out
        assert (tmp_path / "pairs" / "bt.en").read_text() == "s@@ ing s@@ eed .\nth@@ ing .\n"

    def test_flags_reach_the_work(self, monkeypatch, news, capsys, tmp_path):
        given = {
            "shard": ("2/4", Shard(2, 4)), "tag": ("<BT>", "<BT>"), "max_pieces": ("99", 99), "sampling": (None, True),
            "temperature": ("0.9", 0.9), "sampling_topk": ("10", 10), "sampling_topp": ("0.8", 0.8), "seed": ("7", 7),
            "max_len_a": ("2", 2.0), "max_len_b": ("5", 5), "raw": (None, True), "drop_copies": (None, True),
        }  # fmt: skip
        assert {"source", "target", "beam", *given} == {field.name for field in dataclasses.fields(Settings)}
        others = {"batch_tokens": ("55", 55), "buffer": ("66", 66), "overwrite": (None, True), "progress": (None, True)}
        flags = []
        for name, (text, _) in {**given, **others}.items():
            flags += ["--" + name.replace("_", "-"), *([text] if text else [])]
        calls = []
        monkeypatch.setattr(mass_plugins, "load", lambda *a, **k: calls.append((a, k)) or "translator")
        monkeypatch.setattr(work, "run", lambda *a, **k: calls.append((a, k)) or "report")
        more = ["--data", "bin", "--device", "cpu", "--dtype", "bfloat16"]
        assert cli.main(["back-translate", "x.pt", *self.REQUIRED, *news, *more, *flags]) == 0
        settings = Settings("en", "de", **{name: value for name, (_, value) in given.items()})
        assert calls == [
            (("x.pt",), {"data": "bin", "device": "cpu", "dtype": torch.bfloat16}),
            (
                ("translator", Path("x.pt"), [tmp_path / "news.en"]),
                {"destdir": tmp_path / "pairs", "settings": settings, **{name: v for name, (_, v) in others.items()}},
            ),
        ]
        assert capsys.readouterr().out == "report\n"
        assert cli.main(["back-translate", "x.pt", *self.REQUIRED, *news, "--beam", "3"]) == 0
        assert calls[2] == (("x.pt",), {"data": None, "device": None, "dtype": None})
        assert calls[3][1]["settings"] == Settings("en", "de", beam=3)

    @pytest.mark.parametrize("flags, words", [
        (["--shard", "4/4"], "--shard 4/4 is not I/N"),
        (["--seed", "2"], "--seed does nothing without --sampling"),
        (["--dtype", "float16"], "float16 is for GPUs"),
        (["--tag", "<BT>"], "--tag <BT> is not in the dictionary"),
        (["--input", "none.en"], "--input: none.en doesn't exist"),
        (["--destdir", "/proc/none"], "/proc/none: No such file or directory"),
    ], ids=" ".join)  # fmt: skip
    def test_one_line_for_what_is_wrong(self, translating, news, capsys, tmp_path, flags, words):
        path = str(translating / "checkpoint_last.pt")
        assert cli.main(["back-translate", path, *self.REQUIRED, *news, *flags]) == 1
        only_line(capsys, words)
        assert not (tmp_path / "pairs").exists()

    def test_ctrl_c(self, monkeypatch, news, capsys):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(mass_plugins, "load", lambda *_, **__: None)
        monkeypatch.setattr(work, "run", interrupt)
        assert cli.main(["back-translate", "x.pt", *self.REQUIRED, *news]) == 130
        assert capsys.readouterr().err == "mass_plugins: interrupted; run the same command again to resume\n"


class TestPlot:
    def test_names_and_paths(self, tmp_path):
        assert flags.name_and_path("mass=logs/a.log") == ("mass", Path("logs/a.log"))
        assert flags.name_and_path("logs/a.log") == ("a", Path("logs/a.log"))
        log = tmp_path / "lr=1.log"
        log.touch()
        assert flags.name_and_path(str(log)) == ("lr=1", log)
        assert flags.name_and_path(f"a={log}") == ("a", log)

    def test_a_picture(self, tmp_path, capsys):
        line = "x | INFO | valid | epoch 001 | valid on 'valid' subset | loss 3 | ppl 8 | num_updates 5\n"
        (tmp_path / "a.log").write_text(line)
        output = tmp_path / "picture.png"
        assert cli.main(["plot", str(tmp_path / "a.log"), "--metrics", "loss, ppl", "--output", str(output)]) == 0
        assert capsys.readouterr().out == f"{output}\n" and output.read_bytes().startswith(b"\x89PNG")

    def test_metrics_may_be_set_off_by_spaces(self, monkeypatch, capsys):
        drawn = []
        monkeypatch.setattr(curves, "read_run", lambda name, path: name)
        monkeypatch.setattr(curves, "draw", lambda *arguments: drawn.append(arguments))
        assert cli.main(["plot", "a=1.log", "b=2.log", "--metrics", "loss, ppl", "--output", "x.png"]) == 0
        assert drawn == [(["a", "b"], ["loss", "ppl"], "x.png")]

    def test_a_missing_log(self, tmp_path, capsys):
        assert cli.main(["plot", f"mass={tmp_path}/none.log", "--output", str(tmp_path / "x.png")]) == 1
        only_line(capsys, f"{tmp_path}/none.log doesn't exist")
        assert not list(tmp_path.iterdir())


class TestHowItEnds:
    def test_a_reader_that_has_gone(self, capsys, monkeypatch):
        with gone(monkeypatch) as stdout:
            assert cli.main(["where"]) == 1
            print("more, as the interpreter flushes at its end", file=stdout)
            stdout.flush()  # goes nowhere now
        assert capsys.readouterr() == ("", "")

    def test_a_reader_that_has_gone_while_translating(self, checkpoint, capsys, monkeypatch, stdin):
        stdin(b"stau.\n" * 3)
        with gone(monkeypatch):
            assert translate(checkpoint, "de", "en", "--buffer", "1") == 1
        assert capsys.readouterr().out == ""

    def test_ctrl_c(self, monkeypatch, capsys):
        def interrupt():
            raise KeyboardInterrupt

        monkeypatch.setattr(doctor, "main", interrupt)
        assert cli.main(["doctor"]) == 130
        assert capsys.readouterr().err == "mass_plugins: interrupted\n"

    def test_sigterm_takes_away_what_is_half_written(self, monkeypatch, tmp_path):
        def half():
            with whole_folder(tmp_path / "out") as folder:
                (folder / "weights").touch()
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)

        before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        monkeypatch.setattr(doctor, "main", half)
        try:
            with pytest.raises(SystemExit) as left:
                cli.main(["doctor"])
            assert left.value.code == 143 and not [*tmp_path.iterdir()]
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        finally:
            signal.signal(signal.SIGTERM, before)

    @pytest.mark.parametrize("own", [signal.SIG_IGN, lambda number, frame: None])
    def test_an_own_way_with_sigterm_stays(self, own, monkeypatch):
        before = signal.signal(signal.SIGTERM, own)
        try:
            monkeypatch.setattr(doctor, "main", lambda: os.kill(os.getpid(), signal.SIGTERM))
            assert cli.main(["doctor"]) == 0
            assert signal.getsignal(signal.SIGTERM) is own
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_stdin_that_is_closed_is_the_end_of_input(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "stdin", None)
        assert [*stdin_lines()] == []
        talk(None)
        assert capsys.readouterr().out == ""

    def test_a_defect_of_ours_keeps_its_traceback(self, monkeypatch):
        monkeypatch.setattr(doctor, "main", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cli.main(["doctor"])


class TestBeforeTheEncoding:
    """What can't end well ends before a checkpoint is read; there is none here."""

    @pytest.mark.parametrize("command", (
        ["evaluate", "tatoeba", "none.pt", "--pairs", "a=b,c"],
        ["evaluate", "lareqa", "none.pt", "--xquad", "a=b"],
        ["evaluate", "xor-retrieve", "none.trec", "--questions", "q", "--corpus", "c"],
        ["evaluate", "retrieval", "none.trec", "--qrels", "q"],
        ["evaluate", "perplexity", "none.pt", "--source", "a", "--target", "b", "x", "y"],
        ["evaluate", "rouge", "x", "y"],
        ["evaluate", "distinct", "x"],
    ))  # fmt: skip
    def test_no_folder_for_the_numbers(self, command, tmp_path, capsys):
        assert cli.main([*command, "--json", f"{tmp_path}/none/x.json"]) == 1
        assert f"--json: the folder {tmp_path}/none doesn't exist; make it" in capsys.readouterr().err

    @pytest.mark.parametrize("words, said", [
        (["a=x.pt", "a=y.pt", "--text", "en=t"], "a=y.pt: a stands for x.pt already"),
        (["a=x.pt", "--text", "en=s", "en=t"], "en=t: en stands for s already"),
        (["x.pt", "--text", "en=t"], "is not of the form NAME=CHECKPOINT"),
        (["a=x.pt", "--text", "en=t", "--output", "none/x.png"], "the folder none doesn't exist"),
        (["a=x.pt", "--text", "en=t", "--output", "x.abc"], "no format abc"),
    ])  # fmt: skip
    def test_vectors(self, words, said, capsys):
        assert cli.main(["plot-vectors", *words]) == 1
        assert said in capsys.readouterr().err

    @pytest.mark.parametrize("words, said", [
        (["tatoeba", "x.pt", "--pairs", "a=b"], "a=b is not of the form --pairs NAME=SOURCE,TARGET"),
        (["tatoeba", "x.pt", "--pairs", "b,c"], "b,c is not of the form --pairs NAME=SOURCE,TARGET"),
        (["tatoeba", "x.pt", "--pairs", "a=b,c", "a=d,e"], "a=d,e: a stands for b,c already"),
        (["lareqa", "x.pt", "--xquad", "en="], "en= is not of the form --xquad LANGUAGE=FILE"),
        (["lareqa", "x.pt", "--xquad", "en=s", "en=t"], "en=t: en stands for s already"),
    ])  # fmt: skip
    def test_files_by_name(self, words, said, capsys):
        assert cli.main(["evaluate", *words]) == 1
        only_line(capsys, said)

    @pytest.mark.parametrize("module, command, said", [
        ("ir_measures", ["evaluate", "lareqa", "none.pt", "--xquad", "a=b"], "pip install mass_plugins[retrieval]"),
        ("matplotlib.figure", ["plot-vectors", "a=x.pt", "--text", "en=t"], "pip install mass_plugins[plot]"),
    ])  # fmt: skip
    def test_a_missing_package(self, module, command, said, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, module, None)
        assert cli.main(command) == 1
        assert said in capsys.readouterr().err
