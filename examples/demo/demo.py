"""Translation without a pair in minutes, on two artificial languages: `make demo`, or python examples/demo/demo.py.

    text --prepare.py--> data-bin --fairseq-train--> MASS --fairseq-train--> back-translation --> translations, BLEU

Every command is printed and can be copied. Run again after Ctrl-C it goes on; README.md explains the rest.
"""

import argparse
import importlib.util
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple, Optional

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from languages import CONTROL, FIRST, SECOND, Languages  # noqa: E402
from stages import ROOT, DemoError, Stage, WorkFolder, open_work, run_stages, show  # noqa: E402

import preprocess.as_script  # noqa: E402, F401  what is imported of mass_plugins here needs neither torch nor fairseq
from mass_plugins.doctor import BFLOAT16_GAINS, cpu_bfloat16_speed  # noqa: E402
from mass_plugins.errors import InputError  # noqa: E402

CLAIM = "MASS and back-translation learn to translate two languages from text alone, without a single pair"
RESULT = "result.json"  # in the work folder
SYSTEM = "mass+bt"
SHOWN = 5  # translations of each direction
SIZES = ("seed", "sentences", "updates", "bt_updates", "shared", "control")  # flags that the result depends on
NEEDED = ("torch", "fairseq", "sentencepiece", "sacremoses", "sacrebleu")
WIDTH, LAYERS = 192, 2
# fmt: off
MODEL = (
    "--arch", "mass_tiny", "--encoder-layers", LAYERS, "--decoder-layers", LAYERS,
    "--encoder-embed-dim", WIDTH, "--decoder-embed-dim", WIDTH,
    "--encoder-ffn-embed-dim", 4 * WIDTH, "--decoder-ffn-embed-dim", 4 * WIDTH,
)
TRAINING = (
    "--user-dir", "mass_plugins", "--cpu", "--criterion", "label_smoothed_cross_entropy", "--label-smoothing", 0,
    "--optimizer", "adam", "--adam-betas", "(0.9,0.98)", "--clip-norm", 1.0, "--lr", 1e-3,
    "--lr-scheduler", "polynomial_decay", "--max-tokens", 500, "--num-workers", 0,
    "--log-format", "json", "--log-interval", 20, "--no-epoch-checkpoints", "--keep-interval-updates", 1,
    "--save-interval", 1000, "--validate-interval", 1000,  # in epochs: never; by updates below
)
WORDS = ("--subwords", "subword-nmt", "--tokenizer", "none", "--vocab-size", 1000)  # enough for each word to be one
PRETRAINING = ("--task", "mass_pretraining")
BACK_TRANSLATION = (
    "--task", "unsupervised_translation", "--denoising-weight", 1,
    "--best-checkpoint-metric", "round_trip_bleu", "--maximize-best-checkpoint-metric",
)
# fmt: on


class Plan(NamedTuple):
    """All stages, and the languages of their text."""

    text: Stage
    data: Stage
    pretraining: Stage
    back_translation: Stage
    translations: tuple[Stage, ...]  # one for each of ``directions``
    directions: tuple[tuple[str, str], ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        return (self.text, self.data, self.pretraining, self.back_translation, *self.translations)

    def test_file(self, end: str) -> Path:
        """The test sentences of a language, or their ``gloss``."""
        return self.text.makes / f"pairs.test.{'-'.join(self.directions[0])}.{end}"


def make_plan(args, work: Path) -> Plan:
    second = CONTROL if args.control else SECOND
    pair, directions = f"{FIRST}-{second}", ((FIRST, second), (second, FIRST))
    text, data_bin = work / "text", work / "data-bin"
    sizes = ["--seed", args.seed, "--sentences", args.sentences, "--second", second]
    sizes += [] if args.shared is None else ["--shared", args.shared]
    write = Stage(
        "text",
        f"write {args.sentences} sentences of each language, none of them with its translation",
        _python("examples/demo/languages.py", "--output", text, *sizes),
        makes=text,
        reads=(HERE / "languages.py", HERE / "meanings.py"),
    )
    prepare = Stage(
        "data-bin",
        "learn sub-words, binarize; the test pairs are for the curve of BLEU, nothing is chosen by it",
        _python("preprocess/prepare.py", *_corpora(text, pair, second), *WORDS, "--destdir", data_bin),
        makes=data_bin,
        needs=(write,),
    )
    model = (*MODEL, *TRAINING, *_bfloat16(), "--seed", args.seed)
    pretraining = Stage(
        "pretraining",
        "pre-train with MASS",
        _train(data_bin, work / "pretraining", (*PRETRAINING, *model), args.updates, checks=4),
        makes=work / "pretraining",
        needs=(prepare,),
        updates=args.updates,
    )
    start = ("--pretrained-checkpoint", pretraining.makes / "checkpoint_last.pt")
    both_ways = ("--directions", ",".join("-".join(direction) for direction in directions))
    tuned = Stage(
        "back-translation",
        "go on with back-translation, both ways",
        _train(data_bin, work / "mass+bt", (*BACK_TRANSLATION, *both_ways, *start, *model), args.bt_updates, checks=10),
        makes=work / "mass+bt",
        needs=(prepare, pretraining),
        updates=args.bt_updates,
    )
    translated = tuple(
        Stage(
            f"translate-{source}-{target}",
            f"translate the test sentences from {source} to {target}",
            _translate(tuned.makes / "checkpoint_best.pt", source, target),
            makes=work / f"test.{source}-{target}.{target}",
            needs=(tuned,),
            stdin=text / f"pairs.test.{pair}.{source}",
            stdout=work / f"test.{source}-{target}.{target}",
        )
        for source, target in directions
    )
    return Plan(write, prepare, pretraining, tuned, translated, directions)


def _corpora(text: Path, pair: str, second: str) -> list[str]:
    """Flags of prepare.py for the files of languages.py."""
    flags = []
    for flag, split in (("--mono", "train"), ("--valid-mono", "valid")):
        flags += [flag, *(f"{language}={show(text / split)}.{language}" for language in (FIRST, second))]
    return [*flags, "--valid-parallel", f"{pair}={show(text / f'pairs.test.{pair}')}"]


def _train(data_bin: Path, folder: Path, flags: tuple, updates: int, checks: int) -> tuple[str, ...]:
    """fairseq-train; validates and saves ``checks`` times. The rate falls to 0 at the end."""
    script = Path(sys.executable).with_name("fairseq-train")
    program = _words(script) if script.exists() else _python("-m", "fairseq_cli.train")
    interval = max(1, updates // checks)
    schedule = ("--max-update", updates, "--total-num-update", updates, "--warmup-updates", max(1, updates // 10))
    saving = ("--validate-interval-updates", interval, "--save-interval-updates", interval, "--save-dir", folder)
    return (*program, *_words(data_bin, *flags, *schedule, *saving))


def _translate(checkpoint: Path, source: str, target: str) -> tuple[str, ...]:
    flags = ("--source", source, "--target", target, "--beam", 5, "--buffer", 500)
    return _python("-m", "mass_plugins", "translate", checkpoint, *flags)


def _python(*words) -> tuple[str, ...]:
    return _words(Path(sys.executable), *words)


def _words(*words) -> tuple[str, ...]:
    return tuple(show(word) if isinstance(word, Path) else str(word) for word in words)


def _bfloat16() -> tuple[str, ...]:
    """Autocast where the processor gains by it; elsewhere it may be slower than float32."""
    return ("--autocast-bfloat16",) if cpu_bfloat16_speed() >= BFLOAT16_GAINS else ()


def run(plan: Plan, work: WorkFolder) -> None:
    run_stages(work, "1 of 5: text", plan.text)
    run_stages(work, "2 of 5: data", plan.data)
    run_stages(work, "3 of 5: MASS pre-training", plan.pretraining)
    run_stages(work, "4 of 5: back-translation", plan.back_translation)
    run_stages(work, "5 of 5: translation", *plan.translations)


def read_runs(args, plan: Plan) -> list:
    """The translations of the test set, and the sources as they are, as the scoring code takes them."""
    from mass_plugins.scoring.translation_runs import TranslationRun

    runs = []
    for (source, target), stage in zip(plan.directions, plan.translations):
        setting, reference = f"{source}-{target}", _lines(plan.test_file(target))
        runs.append(TranslationRun("copy", setting, args.seed, _lines(plan.test_file(source)), reference))
        runs.append(TranslationRun(SYSTEM, setting, args.seed, _lines(stage.makes), reference))
    return runs


def write_result(args, plan: Plan, work: WorkFolder, runs: list) -> None:
    """``result.json`` in the work folder, as those of the other examples."""
    from mass_plugins.scoring.result import Result
    from mass_plugins.scoring.translation_runs import compare_runs, score_runs

    Result(
        example=HERE.name,
        claim=CLAIM,
        status="scaled down",
        command=_command(args),
        config=[HERE / name for name in ("demo.py", "languages.py", "meanings.py", "stages.py")],
        seconds=round(sum(work.seconds(stage) for stage in plan.stages)),
        scores=score_runs(runs),
        comparisons=compare_runs(runs),
    ).write(work.path / RESULT, folder=HERE)


def _command(args) -> str:
    """What to type for the same numbers."""
    parser = make_parser()
    words = []
    for name in SIZES:
        value = getattr(args, name)
        if value != parser.get_default(name):
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return f"python examples/demo/demo.py {' '.join(words)}" if words else "make demo"


def report(plan: Plan, work: WorkFolder, runs: list) -> None:
    """Translations, BLEU, picture, and what to do next."""
    from mass_plugins.scoring.translation_runs import score_runs

    meanings = _lines(plan.test_file("gloss"))
    print(f"\nTest sentences that no training text holds, the first {SHOWN} each way of {len(meanings)}:")
    for (source, target), stage in zip(plan.directions, plan.translations):
        texts = zip(_lines(plan.test_file(source)), meanings, _lines(plan.test_file(target)), _lines(stage.makes))
        for line, meaning, reference, translation in list(texts)[:SHOWN]:
            right = "  (right)" if translation == reference else ""
            rows = {source: line, "meaning": meaning, f"{target}, ours": translation + right, "reference": reference}
            print()
            for name, text in rows.items():
                print(f"  {name:<12} {text}")
    print(f"\nBLEU of all {len(meanings)} test sentences, without a single pair in training")
    translations = {(one.system, one.setting): one for one in runs}
    for score in score_runs(runs):
        one = translations[score.system, score.setting]
        right = sum(map(str.__eq__, one.translation, one.reference)) / len(one.reference)
        title = "the source as it is" if score.system == "copy" else "MASS + back-translation"
        print(f"  {score.setting}  {title:<24} {score.mean:5.1f}   {right:4.0%} of the sentences without a fault")
    print(f"  signature: {score.signature}")
    picture = draw_curves(plan, work)
    example, source = plan.translations[0].command, _lines(plan.test_file(FIRST))[0]
    print("\nFiles")
    print(f"  {show(work.path)}/       text/, data-bin/, a folder of each model, test.*, logs/")
    print(f"  {show(work.path / RESULT)}    the scores, with all that they depend on")
    print(f"  {picture}")
    print("\nNext: translate a sentence of your own")
    print(f"  echo '{source}' | {' '.join(example[: example.index('--beam')])}")
    print("or train on your own text: README.md, and examples/unsupervised_multi30k for real languages")


def draw_curves(plan: Plan, work: WorkFolder) -> str:
    """Where the picture is, or why there is none."""
    if importlib.util.find_spec("matplotlib") is None:
        return f"no curves.png: matplotlib is not installed; {sys.executable} -m pip install matplotlib"
    from mass_plugins.scoring.curves import Run, draw, read_run

    names = {"loss": "pre-training loss"}  # its loss is of another task than back-translation's
    read = read_run("MASS", str(work.log(plan.pretraining)))
    values = {(split, names[metric]): points for (split, metric), points in read.values.items() if metric in names}
    tuned = read_run("back-translation", str(work.log(plan.back_translation)))
    path = work.path / "curves.png"
    draw([Run(read.name, values), tuned], ("pre-training loss", "round_trip_bleu", "bleu"), str(path))
    return f"{show(path)}    the curves: loss of MASS; BLEU of round trips, which choose, and of the test pairs"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


class OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"demo.py: error: {message}; --help tells more\n")


def _share(text: str) -> float:
    """Of words; one that the languages can't have is told before any stage begins."""
    try:
        Languages(1, float(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return float(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--work", type=Path, metavar="FOLDER", default=HERE / "work", help="default: work/ beside this")
    parser.add_argument("--again", action="store_true", help="start anew, even what is done")
    number = {"type": _positive, "metavar": "N"}
    parser.add_argument("--seed", default=1, help="of the languages and the trainings (default: %(default)s)", **number)
    parser.add_argument("--sentences", default=20000, help="of each language alone (default: %(default)s)", **number)
    parser.add_argument("--updates", default=2500, help="of pre-training (default: %(default)s)", **number)
    parser.add_argument("--bt-updates", default=400, help="of back-translation (default: %(default)s)", **number)
    parser.add_argument(
        "--shared", type=_share, metavar="S", help="share of words that are spelled alike (default: 0.19, all names)"
    )
    parser.add_argument(
        "--control", action="store_true", help="a second language that means nothing: no translation is to be learned"
    )
    return parser


def main(argv: Optional[list[str]] = None) -> int:
    args = make_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise DemoError(f"{', '.join(missing)} not installed for {sys.executable}; run `make demo` in {ROOT}")
        with open_work(args.work.absolute(), args.again) as work:
            plan = make_plan(args, work.path)
            if all(work.state(stage) == "done" for stage in plan.stages):
                print(f"All is done already, in {show(work.path)}; --again starts anew. The result:")
            else:
                print(f"{' and '.join(plan.directions[0])}: two artificial languages, no pair. Commands run in {ROOT}")
                (work.path / RESULT).unlink(missing_ok=True)
                run(plan, work)
            runs = read_runs(args, plan)
            if not (work.path / RESULT).exists():
                write_result(args, plan, work, runs)
            report(plan, work, runs)
        print(f"\n{time.monotonic() - started:.0f} s in all")
        return 0
    except KeyboardInterrupt:
        print("\ndemo.py: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (DemoError, InputError, OSError) as error:
        print(f"demo.py: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
