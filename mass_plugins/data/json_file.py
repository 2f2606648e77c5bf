"""JSON files that are whole or as they were, and records in them that a later run goes by."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Mapping, Optional, get_origin

from mass_plugins.data.text_files import write_whole
from mass_plugins.errors import InputError

ANEW = "make it anew with the same command and --overwrite"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace ``path``, whole or not at all.

    Raises:
        OSError: there is no such folder, the disk is full, ..
    """
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def read_record(path: Path, version: int, fields: Mapping[str, type], mend: str = ANEW) -> Optional[dict[str, Any]]:
    """The record that ``path`` holds; None if there is none.

    Args:
        fields: name -> type of what must be in it, besides ``version``.
        mend: what the reader can do about a damaged one.

    Raises:
        InputError: damaged, or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); {mend}") from None
    if not isinstance(content, dict) or "version" not in content:
        raise InputError(f"{path} is damaged (it has no version); {mend}")
    if content["version"] != version:
        raise InputError(f"{path} is of version {content['version']}, this program reads {version}; {mend}")
    for name, kind in fields.items():
        if not isinstance(content.get(name), kind):
            raise InputError(f"{path} is damaged (its {name!r} is no {kind.__name__}); {mend}")
    return content


def read_dataclass(path: Path, version: int, kind: Any, mend: str = ANEW) -> Optional[Any]:
    """As :func:`read_record`, the record as an object of ``kind``, a dataclass all of whose fields must be in it."""
    fields: dict[str, Any] = {field.name: get_origin(field.type) or field.type for field in dataclasses.fields(kind)}
    content = read_record(path, version, fields, mend)
    return None if content is None else kind(**{name: content[name] for name in fields})
