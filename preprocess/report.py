"""``prepare.json``: the flags, the counts, and a fingerprint by which a finished data-bin is known."""

import dataclasses
import json
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Callable, Optional

from mass_plugins.data.dialogue import SETTINGS_FILE as DIALOGUE_FILE
from mass_plugins.data.text import MODEL_FILES, SETTINGS_FILE
from preprocess.destination import Found

REPORT_FILE = "prepare.json"
VERSION = 1
_MUCH_UNKNOWN = 0.01


def flags_as_dict(flags) -> dict:
    """The nested flags as plain values."""
    values = dataclasses.asdict(flags)
    values["cleaning"]["settings"] = flags.cleaning.settings.as_dict()
    for name in ("running_text", "dialogue"):  # later flags: data-bins of before are known still
        if not values.get(name):
            values.pop(name, None)
    return json.loads(json.dumps(values))


def fingerprint(flags, digests: dict) -> str:
    """Changes when the text, an existing vocabulary or a flag that matters changes."""
    content = json.dumps([VERSION, flags_as_dict(flags), digests], sort_keys=True)
    return blake2b(content.encode("utf-8"), digest_size=16).hexdigest()


def differences(old_flags: dict, flags: dict, old_text: dict, text: dict) -> list[str]:
    """What differs between two reports' flags and digests of text, in words for an error message."""
    old, new = _flatten(old_flags), _flatten(flags)
    changed = [
        f"{name} was {old.get(name)} and is {new.get(name)}"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    return changed + [f"{name} changed" for name in sorted({*old_text, *text}) if old_text.get(name) != text.get(name)]


def find_report(folder: Path, flags, digests: dict, files: Optional[Callable] = None) -> Optional[Found]:
    """What a finished data-bin says of itself beside these flags and text; None if the folder isn't one.

    Args:
        files: report -> paths of all its files; default: :func:`files_of`.
    """
    report = read_report(folder)
    if report is None:
        return None
    if report["fingerprint"] == fingerprint(flags, digests):
        return Found([], (files or files_of)(report))
    changed = differences(report["flags"], flags_as_dict(flags), report["text"], digests)
    return Found(changed or ["by another version"])


def _flatten(flags: dict) -> dict:
    flat = {}
    for name, value in flags.items():
        flat.update(_flatten(value) if isinstance(value, dict) else {name: value})
    return flat


def make_report(flags, digests: dict, size: int, languages: list[str], cleaned: list, encoded: list) -> dict:
    """Everything that prepare.json holds; no path of the machine, and the same for the same input."""
    rows = []
    for words, pieces in zip(cleaned, encoded):
        corpus = words.corpus
        rows.append(
            {
                "corpus": corpus.name,
                "kind": corpus.kind,
                "split": corpus.split,
                "files": [path.name for part in corpus.parts for path in part],
                "lines_read": words.read,
                "lines": sum(pieces.lines),
                "held_out_lines": pieces.held_out_lines,
                **({"cut": pieces.cut} if pieces.cut else {}),
                "dropped": dict(sorted((+(words.dropped + Counter(_too_long(flags, pieces)))).items())),
                "subwords": {side: sum(tokens.values()) for side, tokens in pieces.tokens.items()},
                "unknown": {side: tokens["<unk>"] for side, tokens in pieces.tokens.items()},
            }
        )
    return {
        "version": VERSION,
        "fingerprint": fingerprint(flags, digests),
        "flags": flags_as_dict(flags),
        "text": digests,
        "languages": languages,
        "vocabulary": size,
        "shards": flags.shards,
        "corpora": rows,
    }


def _too_long(flags, pieces) -> dict[str, int]:
    return {f"over {flags.max_pieces} sub-words": pieces.too_long}


def write_report(folder: Path, report: dict) -> None:
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    # The name of a file may be no UTF-8: Python's escape for it is JSON's, too.
    (folder / REPORT_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")


def read_report(folder: Path) -> Optional[dict]:
    """The report of a finished data-bin; None if the folder isn't one."""
    try:
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        return report if {"fingerprint", "flags", "text"} <= set(report) else None
    except (OSError, ValueError, TypeError):
        return None


def files_of(report: dict) -> set[str]:
    """Every file of a finished data-bin, as paths in it."""
    shards = [f"{i}/" for i in range(report["shards"])] if report["shards"] > 1 else [""]
    model = MODEL_FILES[report["flags"]["cleaning"]["settings"]["subwords"]]
    files = {REPORT_FILE}
    for shard in shards:
        files |= {f"{shard}{name}" for name in (SETTINGS_FILE, model)}
        files |= {f"{shard}{DIALOGUE_FILE}"} if report["flags"].get("dialogue") else set()
        files |= {f"{shard}dict.{language}.txt" for language in report["languages"]}
    for row in report["corpora"]:
        pair = f"{row['corpus']}-None" if row["kind"] == "mono" else row["corpus"]
        prefixes = {f"{shard}{row['split']}" for shard in (shards if row["split"] == "train" else shards[:1])}
        prefixes |= {f"{shards[0]}valid"} if row["held_out_lines"] else set()
        names = {f"{prefix}.{pair}.{language}" for prefix in prefixes for language in row["subwords"]}
        files |= {f"{name}.{end}" for name in names for end in ("bin", "idx")}
    return files


def format_report(report: dict, destdir: Path) -> str:
    """The summary that a user reads in the end."""
    head = ("corpus", "split", "lines read", "kept", "sub-words", "unknown", "dropped")
    table, notes = [head], []
    for row in report["corpora"]:
        total, unknown = sum(row["subwords"].values()), sum(row["unknown"].values())
        why = ", ".join(f"{count} {reason}" for reason, count in row["dropped"].items()) or "-"
        share = f"{unknown / max(1, total):.3%}"
        table.append((row["corpus"], row["split"], row["lines_read"], row["lines"], total, share, why))
        if row["held_out_lines"]:
            table.append((row["corpus"], "valid", "", row["held_out_lines"], "", "", "- (held out of train)"))
        if "cut" in row:
            where = f"{row['corpus']} {row['split']}: {row['cut']} sources"
            end = "last" if report["flags"].get("dialogue") else "first"
            notes.append(f"{where} are cut to the {end} {report['flags']['max_pieces']} sub-words (--max-pieces)")
        if unknown > _MUCH_UNKNOWN * total:
            notes.append(f"{row['corpus']} {row['split']}: {share} of the sub-words are unknown to the dictionary")
    widths = [max(len(str(line[i])) for line in table) for i in range(len(head) - 1)]
    lines = ["  ".join([*(_cell(c, i, w) for i, (c, w) in enumerate(zip(line, widths))), line[-1]]) for line in table]
    wanted = report["flags"]["vocab_size"] or 0
    if report["vocabulary"] < wanted:
        notes.append(f"the text has no more sub-words than these; --vocab-size asks for {wanted}")
    shards = range(report["shards"])
    data = ":".join(f"{destdir}/{i}" for i in shards) if report["shards"] > 1 else str(destdir)
    lines += [f"note: {note}" for note in notes]
    lines.append(
        f"{data}: {report['vocabulary']} entries in one dictionary, languages {', '.join(report['languages'])}"
    )
    return "\n".join(lines)


def _cell(value, column: int, width: int) -> str:
    return str(value).ljust(width) if column < 2 else str(value).rjust(width)
