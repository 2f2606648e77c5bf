"""``mass-plugins evaluate tatoeba``: is the nearest neighbour the translation?"""

from pathlib import Path

from mass_plugins.commands.encoder_flags import add_encoder, add_speed_flags, add_vector_flags, load_with
from mass_plugins.commands.flags import add_json, by_name, reporter, write_numbers

HELP = "accuracy of the nearest neighbour among the translations, both ways, of files of parallel sentences"


def add_flags(command):
    add_encoder(command)
    command.add_argument(
        "--pairs", required=True, nargs="+", metavar="NAME=SOURCE,TARGET",
        help="parallel files, one sentence per line: de=tatoeba.deu-eng.deu,tatoeba.deu-eng.eng",
    )  # fmt: skip
    add_json(command, "the numbers, the hits of each sentence included")
    add_vector_flags(command)
    add_speed_flags(command)


def run(options):
    from mass_plugins.data.text_files import count_lines, read_lines
    from mass_plugins.errors import InputError
    from mass_plugins.scoring import bitext

    say = reporter(options)
    sides = {}
    for name, paths in by_name(options.pairs, form := "--pairs NAME=SOURCE,TARGET").items():
        files = [Path(path) for path in paths.split(",")]
        if len(files) != 2:
            raise InputError(f"{name}={paths} is not of the form {form}")
        counts = [count_lines([path], "--pairs") for path in files]
        if counts[0] != counts[1]:
            raise InputError(f"--pairs {name}: {files[0]} has {counts[0]} lines and {files[1]} has {counts[1]}")
        sides[name] = files
    encoder = load_with(options)
    found = {}
    for name, files in sides.items():
        vectors = [encoder.encode([line for _, line in read_lines([path], "--pairs")]) for path in files]
        found[name] = bitext.bitext_accuracy(*vectors)
        say(f"{name}: {found[name].forward:.2f} there, {found[name].backward:.2f} back ({found[name].pairs} pairs)")
    mean = sum(accuracy.mean for accuracy in found.values()) / len(found)
    signature = bitext.signature({name: accuracy.pairs for name, accuracy in found.items()})
    say(f"average of both ways over {len(found)} pairs of languages: {mean:.2f}\n{signature}")
    pairs = {name: accuracy.record() for name, accuracy in found.items()}
    write_numbers(options.json, {"average": mean, "signature": signature, "pairs": pairs})
