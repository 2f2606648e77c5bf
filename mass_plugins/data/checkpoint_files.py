"""Which file a checkpoint's folder stands for."""

from pathlib import Path

from mass_plugins.errors import InputError

NAMES = ("checkpoint.pt", "checkpoint_best.pt", "checkpoint_last.pt")  # an imported one's, then a training's


def find_checkpoint(path: Path) -> Path:
    """The checkpoint's file, where a folder is given.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        for name in NAMES:
            if (path / name).is_file():
                return path / name
        if (path / "config.json").is_file():
            raise InputError(f"{path} is a Hugging Face folder; turn it into a checkpoint first: mass-plugins import")
        raise InputError(f"{path} holds no {', '.join(NAMES)}; name the checkpoint's file")
    if not path.is_file():
        raise InputError(f"{path} doesn't exist; give a checkpoint*.pt, or its folder")
    return path
