"""``mass-plugins evaluate lareqa``: answers of all languages to questions of all languages."""

from pathlib import Path

from mass_plugins.commands.encoder_flags import add_encoder, add_speed_flags, add_vector_flags, load_with
from mass_plugins.commands.flags import add_json, by_name, reporter, write_numbers

HELP = "mAP@20 of XQuAD-R (LAReQA): the answer sentences of all languages, in one pool, to each question"


def add_flags(command):
    add_encoder(command)
    command.add_argument(
        "--xquad", required=True, nargs="+", metavar="LANGUAGE=FILE", help="XQuAD-R's files: en=en.json de=de.json"
    )
    command.add_argument("--similarity", choices=("cosine", "dot"), help="default: dot of a retriever, else cosine")
    add_json(command, "the numbers, those of each question included")
    add_vector_flags(command)
    add_speed_flags(command)


def run(options):
    from mass_plugins.scoring import lareqa
    from mass_plugins.scoring.retrieval import load_ir_measures, mean_over_languages
    from mass_plugins.scoring.unit_rows import unit_rows

    say = reporter(options)
    load_ir_measures()  # missing it ends here, not after the encoding
    files = {language: Path(path) for language, path in by_name(options.xquad, "--xquad LANGUAGE=FILE").items()}
    pool = lareqa.read_pool(files)
    encoder = load_with(options)
    vectors = [encoder.encode(texts) for texts in ([question.text for question in pool.questions], pool.sentences)]
    similarity = options.similarity or encoder.similarity
    if similarity == "cosine":
        vectors = [unit_rows(rows) for rows in vectors]
    values = lareqa.average_precisions(pool, *vectors)
    found = mean_over_languages(values)
    say(f"{len(pool.questions)} questions, {len(pool.sentences)} sentences, {len(files)} languages")
    say("\n".join(f"{name}: mAP@{lareqa.DEPTH} {value:.2f}" for name, value in found.items()))
    signature = f"{lareqa.signature(pool)}|{similarity}"
    say(signature)
    questions = {name: {q: round(value, 4) for q, value in of.items()} for name, of in values.items()}
    numbers = {"average": found["all"], "signature": signature, "mAP@20": found, "questions": questions}
    write_numbers(options.json, numbers)
