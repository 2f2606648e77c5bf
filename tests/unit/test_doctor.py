"""What the doctor finds wrong, each with its fix, in environments that are made up; and this one, as it is."""

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from mass_plugins import doctor

# A wheel may be named 2.13.0 where the torch in it says 2.13.0+cu130.
TORCH = torch.__version__.split("+")[0]


def wrong(check):
    """The problems that ``check`` finds."""
    return [fact for label, fact in check() if label == "wrong"]


def facts(check):
    return {label: fact for label, fact in check() if label != "wrong"}


@pytest.fixture
def versions(monkeypatch):
    """Installed distributions, by name; what is not in it isn't installed. Every module can be imported."""
    installed = {"torch": "2.13.0+cpu", "numpy": "2.4.6", "fairseq-fixed": "0.12.3.1"}
    installed |= dict.fromkeys(doctor.PACKAGES, "9.0")
    monkeypatch.setattr(doctor, "version_of", installed.get)
    monkeypatch.setattr(doctor, "import_error", lambda module: None)
    return installed


@pytest.fixture
def fairseq_folder(monkeypatch, tmp_path):
    """A fairseq with all of its compiled modules."""
    (tmp_path / "data").mkdir()
    for name in doctor.COMPILED_MODULES:
        (tmp_path / f"{name}{doctor.importlib.machinery.EXTENSION_SUFFIXES[0]}").touch()
    monkeypatch.setattr(doctor, "folder_of", lambda module: tmp_path)
    return tmp_path


class TestMain:
    @staticmethod
    def with_checks(monkeypatch, *results):
        for name in re.findall(r"\bcheck_\w+", Path(doctor.__file__).read_text()):
            monkeypatch.setattr(doctor, name, lambda: iter(()))
        monkeypatch.setattr(doctor, "check_torch", lambda: iter(results))

    def test_all_is_well(self, monkeypatch, capsys):
        self.with_checks(monkeypatch, ("torch", "2.13"))
        assert doctor.main() == 0
        assert capsys.readouterr().out == "torch          2.13\n\nnothing is wrong\n"

    def test_problems_come_last_and_are_counted(self, monkeypatch, capsys):
        self.with_checks(monkeypatch, ("wrong", "a; mend a"), ("torch", "1.0"), ("wrong", "b; mend b"))
        assert doctor.main() == 1
        assert capsys.readouterr().out == "torch          1.0\n\nwrong: a; mend a\nwrong: b; mend b\n2 to fix\n"

    def test_arguments_are_refused(self, capsys):
        assert doctor.main(["now"]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err == "usage: mass-plugins doctor (it takes no arguments)\n"

    def test_a_reader_that_has_gone(self, monkeypatch, capsys):
        self.with_checks(monkeypatch, ("torch", "2.13"))
        read_end, write_end = os.pipe()
        os.close(read_end)
        with os.fdopen(write_end, "w") as closed:
            monkeypatch.setattr(sys, "stdout", closed)
            assert doctor.main() == 1
        assert capsys.readouterr().err == ""

    def test_every_check_is_run(self, monkeypatch, capsys):
        names = re.findall(r"^def (check_\w+)", Path(doctor.__file__).read_text(), re.MULTILINE)
        for name in names:
            monkeypatch.setattr(doctor, name, lambda name=name: iter([(name, "")]))
        doctor.main()
        printed = capsys.readouterr().out.split()
        assert set(names) - set(printed) == {"check_compiler"}  # asked for by check_fairseq
        assert len(names) == 9

    def test_this_environment(self, capsys):
        """Whatever is wrong here, what is printed is what is imported."""
        status = doctor.main()
        printed = capsys.readouterr().out
        assert re.search(rf"^torch +{re.escape(TORCH)}(\+\w+)?$", printed, re.MULTILINE)
        assert re.search(r"^python +3\.\d+\.\d+ \(.+\)$", printed, re.MULTILINE)
        assert printed.rstrip().endswith("nothing is wrong" if status == 0 else "to fix")
        problems = re.findall("^wrong.*", printed, re.MULTILINE)
        assert all(re.fullmatch("wrong: .+; .+", problem) for problem in problems)

    def test_without_any_package(self):
        """Python's own library is enough for it: where nothing is installed it says so, and how to."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", doctor.__file__], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, "")
        problems = re.findall("^wrong: (.*)", done.stdout, re.MULTILINE)
        for name in ("torch", "numpy", "fairseq", *doctor.PACKAGES):
            (line,) = [problem for problem in problems if problem.startswith(f"{name} is not installed; ")]
            assert "pip install" in line
        assert done.stdout.endswith(f"{len(problems)} to fix\n")


class TestPackages:
    def test_nothing_is_wrong_with_new_ones(self, versions):
        for check in (doctor.check_torch, doctor.check_numpy, doctor.check_packages):
            assert wrong(check) == []
        assert facts(doctor.check_torch) == {"torch": "2.13.0+cpu"}
        assert set(facts(doctor.check_packages)) == set(doctor.PACKAGES)

    @pytest.mark.parametrize("check, name, mend", [
        (doctor.check_torch, "torch", "pip install torch"),
        (doctor.check_numpy, "numpy", 'pip install "numpy>=1.26"'),
        (doctor.check_packages, "sacrebleu", "pip install sacrebleu"),
        (doctor.check_packages, "scipy", "pip install scipy"),
    ])  # fmt: skip
    def test_missing(self, versions, check, name, mend):
        del versions[name]
        assert wrong(check) == [f"{name} is not installed; {mend}"]
        assert facts(check)[name] == "not installed"

    @pytest.mark.parametrize("check, name, version, oldest", [
        (doctor.check_torch, "torch", "2.5.1+cu121", "2.6"), (doctor.check_numpy, "numpy", "1.25.2", "1.26"),
        (doctor.check_packages, "scipy", "1.14.1", "1.15"), (doctor.check_packages, "subword-nmt", "0.3.7", "0.3.8"),
    ])  # fmt: skip
    def test_too_old(self, versions, check, name, version, oldest):
        versions[name] = version
        (line,) = wrong(check)
        assert line.startswith(f"{name} {version} is older than {oldest}; pip install ") and line.endswith("--upgrade")
        for good in (oldest, f"{oldest}.0"):
            versions[name] = good
            assert wrong(check) == []

    @pytest.mark.parametrize("check, module", [
        (doctor.check_torch, "torch"), (doctor.check_numpy, "numpy"), (doctor.check_packages, "subword_nmt"),
    ])  # fmt: skip
    def test_broken(self, versions, monkeypatch, check, module):
        monkeypatch.setattr(doctor, "import_error", {module: "OSError: libx.so is missing"}.get)
        (line,) = wrong(check)
        assert line.startswith(f"{module} cannot be imported (OSError: libx.so is missing); pip install ")
        assert line.endswith("--force-reinstall")

    def test_optional_ones_are_never_wrong(self, versions):
        assert wrong(doctor.check_extras) == []
        found = facts(doctor.check_extras)
        assert found["[plot]"] == "matplotlib not installed (optional: pip install mass_plugins[plot])"
        versions |= {"matplotlib": "3.9", "ruff": "0.4"}
        found = facts(doctor.check_extras)
        assert found["[plot]"] == "matplotlib 3.9"
        assert found["[lint]"] == "ruff 0.4, mypy not installed (optional: pip install mass_plugins[lint])"

    def test_a_torchaudio_that_does_not_load(self, versions, monkeypatch):
        monkeypatch.setattr(doctor, "import_error", {"torchaudio": "OSError: libx.so is missing"}.get)
        assert "torchaudio" not in facts(doctor.check_extras)
        versions["torchaudio"] = "2.11"
        assert facts(doctor.check_extras)["torchaudio"].endswith(": pip uninstall -y torchaudio")
        monkeypatch.setattr(doctor, "import_error", lambda module: None)
        assert "torchaudio" not in facts(doctor.check_extras)

    def test_extras_and_packages_are_those_of_setup_py(self):
        setup = (Path(doctor.__file__).parents[1] / "setup.py").read_text()

        def names(text):
            """Distributions that a list in setup.py has."""
            return [re.split("[>=]", quoted)[0] for quoted in re.findall(r'"([^"]+)"', re.sub("#.*", "", text))]

        needed = names(re.search(r"install_requires=\[(.*?)\]", setup, re.DOTALL)[1])
        assert {*needed} == {*doctor.PACKAGES, "fairseq-fixed", "torch", "numpy"}
        extras = re.search(r"^EXTRAS = {\n(.*?)^}", setup, re.DOTALL | re.MULTILINE)[1]
        found = {
            extra: tuple(names(text)) for extra, text in re.findall(r'^    "(\w+)": \[(.*)\]', extras, re.MULTILINE)
        }
        assert found == doctor.EXTRAS
        for name, oldest in doctor.OLDEST.items():
            assert f'"{name}>={".".join(map(str, oldest))}"' in setup
        assert f'"{doctor.FAIRSEQ_FIXED}"' in setup

    def test_python(self, monkeypatch):
        assert wrong(doctor.check_python) == []
        monkeypatch.setattr(doctor, "PYTHONS", ((3, 8), (3, 9)))
        (line,) = wrong(doctor.check_python)
        assert line.endswith("is not tested; use Python 3.8 or 3.9")


class TestFairseq:
    REINSTALL = "; pip uninstall -y fairseq fairseq-fixed; pip install cython; pip install --no-build-isolation "

    def test_the_right_one(self, versions, fairseq_folder):
        assert wrong(doctor.check_fairseq) == []
        assert facts(doctor.check_fairseq) == {"fairseq": f"fairseq-fixed 0.12.3.1, imported from {fairseq_folder}"}

    @pytest.mark.parametrize("change, line", [
        (lambda v: v.update({"fairseq": "0.12.2"}), "fairseq and fairseq-fixed overwrite each other's files"),
        (lambda v: v.update({"fairseq": v.pop("fairseq-fixed")}), "cannot run on Python 3.11 or later"),
    ])  # fmt: skip
    def test_the_wrong_one(self, versions, fairseq_folder, change, line):
        change(versions)
        (found,) = wrong(doctor.check_fairseq)
        assert line + self.REINSTALL + doctor.FAIRSEQ_FIXED in found

    @pytest.mark.parametrize("name", doctor.COMPILED_MODULES)
    def test_not_compiled(self, versions, fairseq_folder, monkeypatch, name):
        monkeypatch.setattr(doctor, "check_compiler", lambda: iter([("wrong", "no compiler")]))
        for path in fairseq_folder.glob(f"{name}*"):
            path.unlink()
        found = wrong(doctor.check_fairseq)
        assert found[0].startswith(f"fairseq's compiled modules are missing ({name}){self.REINSTALL}")
        assert found[1:] == ["no compiler"]

    def test_none(self, versions, monkeypatch):
        del versions["fairseq-fixed"]
        monkeypatch.setattr(doctor, "folder_of", lambda module: None)
        monkeypatch.setattr(doctor, "check_compiler", lambda: iter([("wrong", "no compiler")]))
        assert facts(doctor.check_fairseq) == {"fairseq": "not installed"}
        found = wrong(doctor.check_fairseq)
        assert found[0].startswith(f"fairseq is not installed{self.REINSTALL}") and found[1:] == ["no compiler"]

    def test_one_that_cannot_be_imported(self, versions, fairseq_folder, monkeypatch):
        monkeypatch.setattr(doctor, "import_error", {"fairseq": "ImportError: x"}.get)
        (line,) = wrong(doctor.check_fairseq)
        assert line.startswith(f"fairseq cannot be imported (ImportError: x){self.REINSTALL}")

    def test_compiler(self, monkeypatch, tmp_path):
        (tmp_path / "Python.h").touch()
        monkeypatch.setattr(doctor.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
        monkeypatch.setenv("CXX", "clang++ -O2")
        there = {"clang++": "/usr/bin/clang++"}
        monkeypatch.setattr(doctor.shutil, "which", there.get)
        assert wrong(doctor.check_compiler) == []
        there.clear()
        assert wrong(doctor.check_compiler) == ["no C++ compiler; apt-get install g++, or dnf install gcc-c++"]
        there["g++"] = "/usr/bin/g++"
        (tmp_path / "Python.h").unlink()
        (line,) = wrong(doctor.check_compiler)
        assert line == f"{tmp_path}/Python.h is missing; apt-get install python3-dev, or dnf install python3-devel"


class TestHardware:
    @pytest.fixture
    def gpus(self, monkeypatch):
        """No GPU seen by torch or by the driver; ``gpus.seen`` and ``gpus.devices`` change that."""
        state = types.SimpleNamespace(seen=False, devices=[])
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(state.devices))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(state.devices))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: state.devices[index])
        monkeypatch.setattr(torch, "ones", self.ones)
        monkeypatch.setattr(torch.version, "cuda", None)
        monkeypatch.setattr(doctor, "driver_sees_gpu", lambda: state.seen)
        monkeypatch.setattr(doctor, "cpu_bfloat16_speed", lambda: 2.0)
        return state

    @staticmethod
    def ones(*size, device):
        """A GPU of number 1 can't compute."""
        if device == "cuda:1":
            raise RuntimeError("CUDA error: no kernel image is available\nand a long story")
        return types.SimpleNamespace(sum=lambda: types.SimpleNamespace(item=lambda: 8.0))

    def test_none(self, gpus):
        assert wrong(doctor.check_hardware) == [] and facts(doctor.check_hardware)["GPU"] == "none (CPU build)"

    @pytest.mark.parametrize("built, words", [(None, "CPU build"), ("12.8", "torch is built for CUDA 12.8")])
    def test_one_that_torch_does_not_see(self, gpus, monkeypatch, built, words):
        monkeypatch.setattr(torch.version, "cuda", built)
        gpus.seen = True
        (line,) = wrong(doctor.check_hardware)
        assert line.startswith(f"the driver sees a GPU, torch {torch.__version__} ({words}) does not; install")
        assert line.endswith("https://pytorch.org/get-started/locally")

    def test_two_of_which_one_cannot_compute(self, gpus):
        gpus.devices = [types.SimpleNamespace(name=name, total_memory=80 * 2**30, major=major)
                        for name, major in (("H100", 9), ("V100", 7))]  # fmt: skip
        found = list(doctor.check_hardware())
        assert ("GPU", "H100, 80 GiB, bfloat16: yes") in found
        assert ("GPU", "V100, 80 GiB, bfloat16: not in hardware: no gain") in found
        (line,) = wrong(doctor.check_hardware)
        assert line.startswith("GPU 1 cannot compute (CUDA error: no kernel image is available); install a torch")

    def test_without_torch_only_the_cpu(self, gpus, monkeypatch):
        monkeypatch.setattr(doctor, "import_error", lambda module: "ImportError: x")
        assert set(facts(doctor.check_hardware)) == {"CPU"}

    @pytest.mark.parametrize("speed, words", [(2.04, "2.0 times as fast as float32"),
                                              (0.6, "0.6 times as fast as float32: no gain")])  # fmt: skip
    def test_bfloat16(self, gpus, monkeypatch, speed, words):
        monkeypatch.setattr(doctor, "cpu_bfloat16_speed", lambda: speed)
        assert facts(doctor.check_hardware)["CPU bfloat16"] == words

    def test_bfloat16_is_measured(self, monkeypatch):
        threads = torch.get_num_threads()
        assert doctor.cpu_bfloat16_speed() > 0 and torch.get_num_threads() == threads
        seconds = iter([[3.0, 2.0], [1.0, 5.0]])  # float32 first
        monkeypatch.setattr(doctor.timeit, "repeat", lambda *_, **__: next(seconds))
        assert doctor.cpu_bfloat16_speed() == 2.0

    @pytest.mark.parametrize("status, text, expected", [(0, "GPU 0: H100 (UUID: x)\n", True), (0, "", False),
                                                        (9, "GPU access blocked", False)])  # fmt: skip
    def test_what_the_driver_says(self, monkeypatch, tmp_path, status, text, expected):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\nprintf '%s' '{text.strip()}'\nexit {status}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        assert doctor.driver_sees_gpu() == expected
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hidden on purpose
        assert not doctor.driver_sees_gpu()


class TestCopies:
    def test_one(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [str(Path(doctor.__file__).parents[1]), str(tmp_path)])
        assert wrong(doctor.check_copies) == []

    @pytest.mark.parametrize("where", ["working folder", "path"])
    def test_two(self, monkeypatch, tmp_path, where):
        (tmp_path / "mass_plugins").mkdir()
        (tmp_path / "mass_plugins" / "__init__.py").touch()
        if where == "path":
            monkeypatch.setattr(sys, "path", [str(tmp_path)])
        else:
            monkeypatch.chdir(tmp_path)
            monkeypatch.setattr(sys, "path", [])
        (line,) = wrong(doctor.check_copies)
        assert str(tmp_path / "mass_plugins") in line and str(Path(doctor.__file__).parent) in line
        assert line.endswith("pip uninstall mass_plugins, then pip install -e the one to keep")


class TestFacts:
    @pytest.mark.parametrize("text, numbers", [
        ("2.13.0+cpu", (2, 13, 0)), ("1.26", (1, 26)), ("2.6.0a0+git1", (2, 6, 0)), ("2.4.0rc1", (2, 4, 0)),
        ("2.6.dev3", (2, 6)),
    ])  # fmt: skip
    def test_version_numbers(self, text, numbers):
        assert doctor.version_numbers(text) == numbers

    def test_version_of(self):
        assert doctor.version_of("torch").split("+")[0] == TORCH
        assert doctor.version_of("no-such-distribution") is None

    def test_folder_of(self):
        assert doctor.folder_of("torch") == Path(torch.__file__).parent
        assert doctor.folder_of("no_such_module") is None and doctor.folder_of("re_no") is None

    def test_import_error(self, monkeypatch, tmp_path):
        (tmp_path / "broken_for_a_test.py").write_text("raise OSError('libx.so\\nis missing')")
        monkeypatch.syspath_prepend(tmp_path)
        assert doctor.import_error("broken_for_a_test") == "OSError: libx.so"
        assert doctor.import_error("no_such_module") == "ModuleNotFoundError: No module named 'no_such_module'"
        assert doctor.import_error("json") is None

    @pytest.mark.parametrize("text, expected", [
        ("processor : 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512_bf16\n", "AMD EPYC"),
        ("processor : 0\nFeatures\t: fp asimd bf16\n", doctor.platform.machine()),
    ])  # fmt: skip
    def test_cpu(self, monkeypatch, text, expected):
        monkeypatch.setattr(doctor.Path, "read_text", lambda self: text)
        assert doctor.cpu_name() == expected

    def test_cpu_of_another_system(self, monkeypatch):
        def missing(self):
            raise FileNotFoundError

        monkeypatch.setattr(doctor.Path, "read_text", missing)
        assert doctor.cpu_name()
