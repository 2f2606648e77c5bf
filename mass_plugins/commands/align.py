"""``mass-plugins align``: the tokens of one language or several in one space, without a pair."""

from pathlib import Path

from mass_plugins.commands.flags import positive
from mass_plugins.errors import InputError

HELP = (
    "bring the tokens of several languages into one space by monolingual text alone; writes vectors for "
    "mass_pretraining and mlm_pretraining to start from (--pretrained-embeddings)"
)
_SHOWN = 10  # translations of a language


def add_flags(command):
    add = command.add_argument
    add(
        "data",
        help="data-bin with monolingual text of a joint vocabulary, as preprocess/prepare.py or prepare_encoder.py "
        "writes it; shards like bin1:bin2 are read in turn",
    )
    add(
        "--pivot",
        required=True,
        metavar="LANGUAGE",
        help="whose space it is: the language with the most text; may be the only one",
    )
    add("--output", required=True, type=Path, metavar="FILE", help="the vectors, in word2vec's text format")
    add("--languages", help="languages to align, like de,en,fr (default: all that have text)")
    add("--dim", type=positive, default=256, help="dimensions, those of the model's embeddings (default 256)")
    add("--window", type=positive, default=10, help="tokens to either side that are neighbours (default 10)")
    add("--min-count", type=positive, default=10, help="rarer tokens of a language get no vector from it (default 10)")
    add("--max-tokens", type=positive, default=10_000_000, help="of a language to read (default 10 million)")


def run(options):
    import numpy as np
    from fairseq import utils

    from mass_plugins.alignment.joint import JointSpace
    from mass_plugins.alignment.neighbours import token_vectors
    from mass_plugins.data.binarized import (
        flat_tokens,
        monolingual_languages,
        open_monolingual,
    )
    from mass_plugins.data.languages import parse_languages
    from mass_plugins.data.vectors_text import write_vectors

    if not options.output.name or options.output.is_dir() or not options.output.parent.is_dir():  # before the work
        raise InputError(f"--output {options.output} must be a file in an existing folder; name one, like vectors.txt")
    shards = utils.split_paths(options.data)
    present = languages = monolingual_languages(shards[0], "train")
    if options.languages:
        languages = parse_languages(options.languages, "--languages")
    missing = [language for language in languages if language not in present]
    if missing:
        raise InputError(
            f"--languages {','.join(missing)}: {shards[0]} has monolingual text only in {','.join(present)}"
        )
    if options.pivot not in languages:
        raise InputError(
            f"--pivot {options.pivot} must be one of the languages, but these are {','.join(languages)}; "
            f"{shards[0]} has monolingual text in {','.join(present)}"
        )
    dictionary, vocabulary = load_vocabulary(shards, languages)
    ordinary = vocabulary.ordinary_table(len(dictionary))

    def vectors_of(language):
        text = np.empty(0, dtype=np.int64)
        for shard in shards:
            if len(text) < options.max_tokens:
                open_monolingual(shard, "train", language, dictionary)
                more = flat_tokens(shard, "train", language)[: options.max_tokens - len(text)]
                text = np.concatenate([text, more]) if len(text) else more
        return token_vectors(text, ordinary, options.dim, options.window, options.min_count)

    space, current = None, options.pivot
    try:
        space = JointSpace(vectors_of(current))
        print(f"{current}: {len(space.pivot.tokens)} tokens, the pivot", flush=True)
        for current in (language for language in languages if language != options.pivot):
            found = space.add(vectors_of(current))
            print(
                f"{current}: {found.tokens} tokens, {found.seeds} of them in {options.pivot}, too; "
                f"{found.agreement:.0%} of translations found twice: {examples(found.translations, dictionary)}",
                flush=True,
            )
    except InputError as error:
        raise InputError(f"{current}: {error}") from None
    tokens, vectors = space.joint()
    try:
        write_vectors(options.output, (dictionary[token] for token in tokens), vectors.numpy())
    except OSError as error:
        raise InputError(f"--output: {options.output}: {error.strerror or error}") from None
    print(f"{options.output}: {len(tokens)} of the dictionary's {len(dictionary)} tokens")


def load_vocabulary(shards, languages):
    """The dictionary of a translation model's data-bin or of an encoder's, the same in all shards, and its ids."""
    from mass_plugins.data.binarized import check_shards, load_joint_dictionary
    from mass_plugins.data.encoder_text import ENCODER_FILE, EncoderText
    from mass_plugins.data.vocabulary import Vocabulary

    if (Path(shards[0]) / ENCODER_FILE).is_file():
        text = EncoderText.load_shards(shards)
        return text.dictionary, text.vocabulary
    dictionary = load_joint_dictionary(shards[0], languages)
    check_shards(shards, dictionary)
    return dictionary, Vocabulary.of(dictionary)


def examples(pairs, dictionary):
    """The most frequent pairs of words, for a person to look at."""
    start = "▁" if any(symbol.startswith("▁") for symbol in dictionary.symbols) else ""
    shown = []
    for pair in pairs:
        tokens = [dictionary[token] for token in pair]
        if all(token.startswith(start) and token.removeprefix(start).isalpha() for token in tokens):
            shown.append(" ".join(token.removeprefix(start) for token in tokens))
    return ", ".join(shown[:_SHOWN])
