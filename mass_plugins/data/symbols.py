"""Symbols of a dictionary that are no text. Nothing is imported here, for tools that are to start at once."""

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")  # fairseq adds them itself, in this order, to every dictionary
MASK = "[MASK]"
UNUSED = "madeupword"  # entries that fill a dictionary up begin with it, fairseq's as well


def unused_symbol(number: int) -> str:
    return f"{UNUSED}{number:04d}"


def is_reserved(symbol: str) -> bool:
    return symbol in SPECIAL or symbol == MASK or symbol.startswith(UNUSED)
