"""MASS in five minutes, on two artificial languages: `make demo`, or python examples/demo/demo.py.

    text --prepare.py--> data-bin --fairseq-train--> MASS --fairseq-train--> MASS, fine-tuned  \\
                             \\------fairseq-train--> from scratch                              --> BLEU

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
from languages import FIRST, SECOND  # noqa: E402
from stages import ROOT, DemoError, Stage, WorkFolder, open_work, run_stages, show  # noqa: E402

import preprocess.as_script  # noqa: E402, F401  what is used of mass_plugins here needs neither torch nor fairseq
from mass_plugins.doctor import CPU_BFLOAT16, cpu_name_and_flags  # noqa: E402
from mass_plugins.errors import InputError  # noqa: E402

CLAIM = "pre-trained with MASS on text alone, a model makes more of few pairs than one that sees nothing else"
RESULT = "result.json"  # in the work folder
TITLES = {"mass": "MASS", "scratch": "scratch"}  # of the systems, for the reader
PAIR = f"{FIRST}-{SECOND}"
SHOWN = 10  # translations
SIZES = ("seed", "sentences", "pairs", "updates", "tuning_updates")  # flags that the result depends on
NEEDED = ("torch", "fairseq", "sentencepiece", "sacremoses", "sacrebleu")
WIDTH, LAYERS = 192, 2
# fmt: off
MODEL = (
    "--arch", "mass_tiny", "--encoder-layers", LAYERS, "--decoder-layers", LAYERS,
    "--encoder-embed-dim", WIDTH, "--decoder-embed-dim", WIDTH,
    "--encoder-ffn-embed-dim", 4 * WIDTH, "--decoder-ffn-embed-dim", 4 * WIDTH,
)
TRAINING = (
    "--user-dir", "mass_plugins", "--cpu", "--criterion", "label_smoothed_cross_entropy", "--optimizer", "adam",
    "--adam-betas", "(0.9,0.98)", "--clip-norm", 1.0, "--lr-scheduler", "polynomial_decay", "--num-workers", 0,
    "--log-format", "json", "--log-interval", 10, "--no-epoch-checkpoints", "--keep-interval-updates", 1,
    "--save-interval", 1000, "--validate-interval", 1000,  # in epochs: never; by updates below
)
PRETRAINING = (
    "--task", "mass_pretraining", "--label-smoothing", 0, "--max-tokens", 1500,
    "--lr", 1e-3,  # at 2e-3 the encoder's output shrinks to a constant before the decoder has use for it
)
FINE_TUNING = (
    "--task", "seq2seq_finetuning", "--directions", PAIR, "--label-smoothing", 0.1, "--lr", 2e-3, "--max-tokens", 1000,
    "--dropout", 0.2, "--eval-bleu", "--best-checkpoint-metric", "bleu", "--maximize-best-checkpoint-metric",
)
# fmt: on


class Plan(NamedTuple):
    """All stages; ``scratch`` and ``mass`` are fine-tuned alike."""

    text: Stage
    data: Stage
    pretraining: Stage
    scratch: Stage
    mass: Stage
    scratch_translations: Stage
    mass_translations: Stage


def make_plan(args, work: Path) -> Plan:
    text, data_bin, test = work / "text", work / "data-bin", work / "text" / f"pairs.test.{PAIR}"
    generator = (HERE / "languages.py", HERE / "meanings.py")
    sizes = ("--seed", args.seed, "--sentences", args.sentences, "--pairs", args.pairs)
    write = Stage(
        "text",
        f"write {args.sentences} sentences of each language and {args.pairs} pairs",
        _python("examples/demo/languages.py", "--output", text, *sizes),
        makes=text,
        reads=generator,
    )
    prepare = Stage(
        "data-bin",
        "learn sub-words, binarize",
        _python("preprocess/prepare.py", *_corpora(text), "--destdir", data_bin, "--vocab-size", 600),
        makes=data_bin,
        needs=(write,),
    )
    model = (*MODEL, *TRAINING, *_bfloat16(), "--seed", args.seed)
    pretraining = Stage(
        "pretraining",
        "pre-train with MASS on text alone",
        _train(data_bin, work / "pretraining", (*PRETRAINING, *model), args.updates, checks=4),
        makes=work / "pretraining",
        needs=(prepare,),
        updates=args.updates,
    )
    tuned, translated = [], []
    for name, needs in (("scratch", (prepare,)), ("mass", (prepare, pretraining))):
        folder = work / name
        start = ("--pretrained-checkpoint", pretraining.makes / "checkpoint_last.pt") if name == "mass" else ()
        tuned.append(
            Stage(
                name,
                f"train on the {args.pairs} pairs, {'from MASS' if name == 'mass' else 'from scratch'}",
                _train(data_bin, folder, (*FINE_TUNING, *start, *model), args.tuning_updates, checks=8),
                makes=folder,
                needs=needs,
                updates=args.tuning_updates,
            )
        )
        translated.append(
            Stage(
                f"translate-{name}",
                f"translate the test sentences with {'MASS' if name == 'mass' else 'the model from scratch'}",
                _translate(folder / "checkpoint_best.pt"),
                makes=work / f"test.{name}.{SECOND}",
                needs=(tuned[-1],),
                stdin=Path(f"{test}.{FIRST}"),
                stdout=work / f"test.{name}.{SECOND}",
            )
        )
    return Plan(write, prepare, pretraining, *tuned, *translated)


def _corpora(text: Path) -> list[str]:
    """Flags of prepare.py for the files of languages.py."""
    flags = []
    for flag, split in (("--mono", "train"), ("--valid-mono", "valid")):
        flags += [flag, *(f"{language}={show(text / split)}.{language}" for language in (FIRST, SECOND))]
    for flag, split in (("--parallel", "train"), ("--valid-parallel", "valid")):
        flags += [flag, f"{PAIR}={show(text / f'pairs.{split}.{PAIR}')}"]
    return flags


def _train(data_bin: Path, folder: Path, flags: tuple, updates: int, checks: int) -> tuple[str, ...]:
    """fairseq-train; validates and saves ``checks`` times. The rate falls to 0 at the end."""
    script = Path(sys.executable).with_name("fairseq-train")
    program = _words(script) if script.exists() else _python("-m", "fairseq_cli.train")
    interval = max(1, updates // checks)
    schedule = ("--max-update", updates, "--total-num-update", updates, "--warmup-updates", max(1, updates // 10))
    saving = ("--validate-interval-updates", interval, "--save-interval-updates", interval, "--save-dir", folder)
    return (*program, *_words(data_bin, *flags, *schedule, *saving))


def _translate(checkpoint: Path) -> tuple[str, ...]:
    flags = ("--source", FIRST, "--target", SECOND, "--beam", 5, "--buffer", 500)
    return _python("-m", "mass_plugins", "translate", checkpoint, *flags)


def _python(*words) -> tuple[str, ...]:
    return _words(Path(sys.executable), *words)


def _words(*words) -> tuple[str, ...]:
    return tuple(show(word) if isinstance(word, Path) else str(word) for word in words)


def _bfloat16() -> tuple[str, ...]:
    """Autocast where the processor computes in bfloat16; elsewhere it is slower than float32."""
    _, flags = cpu_name_and_flags()
    return ("--autocast-bfloat16",) if set(CPU_BFLOAT16) & set(flags) else ()


def run(plan: Plan, work: WorkFolder) -> None:
    """Everything; two processes at a time, a thread each."""
    run_stages(work, "1 of 5: text", plan.text)
    run_stages(work, "2 of 5: data", plan.data)
    run_stages(work, "3 of 5: MASS pre-training, and training from scratch beside it", plan.pretraining, plan.scratch)
    run_stages(work, "4 of 5: fine-tuning from MASS", plan.mass)
    run_stages(work, "5 of 5: translation", plan.scratch_translations, plan.mass_translations)


def read_runs(args, plan: Plan) -> list:
    """The two translations of the test set, as the scoring code takes them."""
    from mass_plugins.scoring.translation_runs import TranslationRun

    reference, setting = _lines(_test_file(plan, SECOND)), f"{PAIR}, {args.pairs} pairs"
    systems = (("scratch", plan.scratch_translations), ("mass", plan.mass_translations))
    return [TranslationRun(name, setting, args.seed, _lines(stage.makes), reference) for name, stage in systems]


def write_result(args, plan: Plan, work: WorkFolder, runs: list) -> None:
    """``result.json`` in the work folder, as those of the other examples."""
    from mass_plugins.scoring.result import Result, hash_of_files
    from mass_plugins.scoring.translation_runs import compare_runs, score_runs

    Result(
        example=HERE.name,
        claim=CLAIM,
        status="scaled down",
        command=_command(args),
        config_hash=hash_of_files([HERE / name for name in ("demo.py", "languages.py", "meanings.py", "stages.py")]),
        seconds=round(sum(work.seconds(stage) for stage in plan)),
        scores=score_runs(runs),
        comparisons=compare_runs(runs),
    ).write(work.path / RESULT, repository=HERE)


def _command(args) -> str:
    """What to type for the same numbers."""
    parser = make_parser()
    names = [name for name in SIZES if getattr(args, name) != parser.get_default(name)]
    flags = [f" --{name.replace('_', '-')} {getattr(args, name)}" for name in names]
    return f"python examples/demo/demo.py{''.join(flags)}" if flags else "make demo"


def report(plan: Plan, work: WorkFolder, runs: list) -> None:
    """BLEU, translations, picture, and what to do next."""
    from mass_plugins.scoring.translation_runs import score_runs

    sources, meanings, references = (_lines(_test_file(plan, end)) for end in (FIRST, "gloss", SECOND))
    translations, scores = ({one.system: one for one in found} for found in (runs, score_runs(runs)))
    systems = {title: translations[name].translation for name, title in TITLES.items()}
    print(f"\nThe first {SHOWN} of {len(sources)} test sentences, which no training text holds:")
    for number in range(min(SHOWN, len(sources))):
        rows = {"source": sources[number], "meaning": meanings[number], "reference": references[number]}
        print()
        for name, line in {**rows, **{name: lines[number] for name, lines in systems.items()}}.items():
            right = "  (right)" if name in systems and line == references[number] else ""
            print(f"  {name:<10} {line}{right}")
    print(f"\nBLEU of all {len(sources)} test sentences, {FIRST} to {SECOND}")
    for name, title in TITLES.items():
        lines, score = systems[title], scores[name]
        right = sum(line == reference for line, reference in zip(lines, references)) / len(lines)
        print(f"  {title:<10} {score.mean:5.1f}   {right:4.0%} of the sentences without a fault")
    print(f"  signature: {score.signature}")
    picture = draw_curves(plan, work)
    example = plan.mass_translations.command
    print("\nFiles")
    print(f"  {show(work.path)}/       text/, data-bin/, a folder of each model, test.*.{SECOND}, logs/")
    print(f"  {show(work.path / RESULT)}    the scores, with all that they depend on")
    print(f"  {picture}")
    print("\nNext: translate a sentence of your own")
    print(f"  echo '{sources[0]}' | {' '.join(example[: example.index('--beam')])}")
    print("or train on your own text: README.md, and examples/multi30k_low_resource for a real language pair")


def draw_curves(plan: Plan, work: WorkFolder) -> str:
    """Where the picture is, or why there is none."""
    if importlib.util.find_spec("matplotlib") is None:
        return f"no curves.png: matplotlib is not installed; {sys.executable} -m pip install matplotlib"
    from mass_plugins.scoring.curves import Run, draw, read_run

    read = read_run("MASS pre-training", str(work.log(plan.pretraining)))
    # Its loss is of another task than fine-tuning's, so it gets a panel of its own.
    own = {(split, "pre-training loss"): points for (split, metric), points in read.values.items() if metric == "loss"}
    runs = [read_run("MASS", str(work.log(plan.mass))), read_run("scratch", str(work.log(plan.scratch)))]
    path = work.path / "curves.png"
    draw([*runs, Run(read.name, own)], ("pre-training loss", "loss", "bleu"), str(path))
    return f"{show(path)}    the curves"


def _test_file(plan: Plan, end: str) -> Path:
    return plan.text.makes / f"pairs.test.{PAIR}.{end}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


class OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"demo.py: error: {message}; --help tells more\n")


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
    parser.add_argument("--pairs", default=500, help="to learn translation from (default: %(default)s)", **number)
    parser.add_argument("--updates", default=900, help="of pre-training (default: %(default)s)", **number)
    parser.add_argument(
        "--tuning-updates", default=400, help="of either training on pairs (default: %(default)s)", **number
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
            if all(work.state(stage) == "done" for stage in plan):
                print(f"All is done already, in {show(work.path)}; --again starts anew. The result:")
            else:
                print(f"MASS on two artificial languages, {FIRST} and {SECOND}. Commands run in {ROOT}")
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
