"""``mass-plugins evaluate xor-retrieve``: do the first so many tokens of what was retrieved hold an answer?"""

from pathlib import Path

from mass_plugins.commands.flags import add_json, positive, reporter, write_numbers

HELP = "R@2kt and R@5kt of XOR-Retrieve: an answer in the first 2000 or 5000 tokens of the retrieved passages"


def add_flags(command):
    command.add_argument("run_file", metavar="RUN", help="a TREC run of the questions")
    add = command.add_argument
    add("--questions", required=True, type=Path, metavar="FILE", help="JSON lines with id, lang, answers")
    add("--corpus", required=True, nargs="+", type=Path, metavar="FILE", help="the passages that were searched")
    add("--tokens", nargs="+", type=positive, default=[2000, 5000], metavar="N", help="(default: 2000 5000)")
    add_json(command, "the numbers, the hit of each question included")


def run(options):
    from mass_plugins.data.retrieval_files import read_passages, read_run
    from mass_plugins.scoring import xor_retrieve
    from mass_plugins.scoring.retrieval import mean_over_languages

    say = reporter(options)
    questions = xor_retrieve.read_questions(options.questions)
    rankings = dict(read_run(Path(options.run_file), "RUN"))
    texts = xor_retrieve.texts_of(read_passages(options.corpus), rankings)
    found, hits, signatures = {}, {}, {}
    for budget in dict.fromkeys(options.tokens):
        name = f"R@{budget // 1000}kt" if budget % 1000 == 0 else f"R@{budget}t"
        hits[name] = xor_retrieve.answer_hits(questions, rankings, texts, budget)
        found[name] = mean_over_languages(hits[name])
        signatures[name] = xor_retrieve.signature(budget)
        say(f"{name}: " + "  ".join(f"{language} {value:.2f}" for language, value in found[name].items()))
    missing = sum(question.id not in rankings for question in questions)
    say(f"{len(questions)} questions" + (f"; {missing} without a ranking count 0" if missing else ""))
    say("\n".join(signatures.values()))
    write_numbers(options.json, {"signatures": signatures, "recall": found, "questions": hits})
