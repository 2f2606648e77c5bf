"""``mass-plugins teach``: a cross-encoder's scores for the passages of groups, to distil."""

from itertools import islice
from pathlib import Path

from mass_plugins.commands.encoder_flags import add_data
from mass_plugins.commands.flags import refuse_idle
from mass_plugins.commands.represent import add_running, running

HELP = (
    "score the passages of training groups, by a cross-encoder or from a file; run again, it resumes where it stopped"
)


def add_flags(command):
    command.add_argument("checkpoint", nargs="?", help="a checkpoint*.pt of relevance_finetuning, or its folder")
    add = command.add_argument
    add_data(command)
    add("--scores", type=Path, metavar="RUN", help="instead of a checkpoint: another program's scores, as a TREC run")
    add("--groups", required=True, type=Path, help="groups, JSON lines (mass-plugins mine)")
    add("--output", required=True, type=Path, help="the same groups with scores")
    add("--overwrite", action="store_true", help="overwrite an existing file")
    add_running(command)


def run(options):
    from mass_plugins.data.retrieval_files import read_run
    from mass_plugins.data.retrieval_groups import GroupFile
    from mass_plugins.data.text_files import fingerprint
    from mass_plugins.encoding.retrieval_models import CrossEncoderModel
    from mass_plugins.encoding.teaching import import_scores, teach
    from mass_plugins.errors import InputError
    from mass_plugins.retrieval.lines_file import LinesFile

    if (options.checkpoint is None) == (options.scores is None):
        raise InputError("give one source of scores: a checkpoint, or --scores")
    groups = GroupFile(options.groups, "--groups")
    settings = {"groups": fingerprint(options.groups)}
    if options.scores:
        names = ("data", "query_tokens", "passage_tokens", "device", "dtype", "batch_tokens")
        refuse_idle(options, names, "with --scores")
        settings["scores"] = fingerprint(options.scores)
    else:
        model = CrossEncoderModel(options.checkpoint, options.data, running(options))
        model.set_lengths(options.query_tokens, options.passage_tokens)
        settings |= {
            "model": model.fingerprint(),
            "tokenizer": model.text.fingerprint(),
            "precision": model.running.dtype,
        }
        settings["tokens"] = [model.query_tokens, model.passage_tokens]
    file = LinesFile(options.output, settings, options.overwrite)
    rest = islice((groups[number] for number in range(len(groups))), file.done, None)
    if options.scores:
        scores = {query: dict(found) for query, found in read_run(options.scores, "--scores")}
        lines = import_scores(scores, rest, f"--scores: {options.scores}")
    else:
        lines = teach(model, rest)
    file.write(lines, len(groups), "teach")  # which asks for nothing if it is finished
    print(f"{options.output}: {len(groups)} groups")
