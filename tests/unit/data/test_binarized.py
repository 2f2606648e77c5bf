"""Each way that binarized text can be wrong, told in one line before training begins."""

import struct

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary, indexed_dataset

from mass_plugins.data.binarized import (
    find_languages,
    load_joint_dictionary,
    open_checked,
    open_monolingual,
    open_parallel,
)
from mass_plugins.errors import InputError


def dictionary(mask=True, words=20):
    made = Dictionary()
    if mask:
        made.add_symbol("[MASK]")
    for number in range(words):
        made.add_symbol(f"w{number}")
    return made


def write(prefix, rows, dtype=np.uint16):
    builder = indexed_dataset.MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    for row in rows:
        builder.add_item(torch.tensor(row))
    builder.finalize(f"{prefix}.idx")


@pytest.fixture
def folder(tmp_path):
    for language in ("de", "en"):
        dictionary().save(str(tmp_path / f"dict.{language}.txt"))
        write(tmp_path / f"train.{language}-None.{language}", [[5, 6, 2], [7, 2]])
        write(tmp_path / f"train.de-en.{language}", [[5, 6, 2], [7, 2]])
    return tmp_path


def test_good_files_open(folder):
    voc = load_joint_dictionary(str(folder), ["de", "en"])
    (folder / "dict.txt").write_text("")  # of some of fairseq's own tasks
    assert find_languages(str(folder)) == ["de", "en"]
    assert open_monolingual(str(folder), "train", "en", voc)[1].tolist() == [7, 2]
    for pair in (("de", "en"), ("en", "de")):
        assert [len(side) for side in open_parallel(str(folder), "train", *pair, voc)] == [2, 2]


def refuses(call, *words):
    with pytest.raises(InputError) as error:
        call()
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_language_without_data(folder):
    refuses(lambda: load_joint_dictionary(str(folder), ["de", "fr"]), "dict.fr.txt", "--langs")
    refuses(lambda: open_monolingual(str(folder), "train", "fr", dictionary()), "train.fr-None.fr", "'fr'")
    refuses(lambda: open_parallel(str(folder), "valid", "de", "en", dictionary()), "valid", "de-en")


def test_folder_that_is_none(tmp_path):
    refuses(lambda: find_languages(str(tmp_path)), "dict.<language>.txt")
    refuses(lambda: find_languages(str(tmp_path / "missing")), "is not a folder")


def test_dictionaries_that_differ(folder):
    dictionary(words=21).save(str(folder / "dict.en.txt"))
    refuses(lambda: load_joint_dictionary(str(folder), ["de", "en"]), "dict.en.txt", "dict.de.txt")


def test_dictionary_without_mask(folder):
    for language in ("de", "en"):
        dictionary(mask=False).save(str(folder / f"dict.{language}.txt"))
    refuses(lambda: load_joint_dictionary(str(folder), ["de", "en"]), "[MASK]", "prepare.py")


def test_empty_corpus(folder):
    write(folder / "train.en-None.en", [])
    refuses(lambda: open_monolingual(str(folder), "train", "en", dictionary()), "train.en-None.en", "empty")


def test_id_beyond_the_dictionary(folder):
    write(folder / "x", [[5, 25, 2]])
    refuses(lambda: open_checked(str(folder / "x"), dictionary()), "x.bin", "25", "entries")


def test_mask_in_the_text(folder):
    write(folder / "x", [[5, 4, 2]])
    refuses(lambda: open_checked(str(folder / "x"), dictionary()), "x.bin", "[MASK]")


def test_pairs_of_different_number(folder):
    write(folder / "train.de-en.en", [[5, 2]])
    refuses(lambda: open_parallel(str(folder), "train", "de", "en", dictionary()), "2 lines", "1")


@pytest.mark.parametrize("kept", [0, 5, 25, 30])
def test_truncated_index(folder, kept):
    path = folder / "train.en-None.en.idx"
    path.write_bytes(path.read_bytes()[:kept])
    refuses(lambda: open_monolingual(str(folder), "train", "en", dictionary()), "train.en-None.en.idx")


def test_index_with_a_wrong_number(folder):
    path = folder / "train.en-None.en.idx"
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack("<Q", 10**12)
    path.write_bytes(content)
    refuses(lambda: open_monolingual(str(folder), "train", "en", dictionary()), "train.en-None.en.idx")


def test_truncated_tokens(folder):
    path = folder / "train.en-None.en.bin"
    path.write_bytes(path.read_bytes()[:-2])
    refuses(lambda: open_monolingual(str(folder), "train", "en", dictionary()), "train.en-None.en.bin")


def test_text_file_in_place_of_an_index(folder):
    (folder / "train.en-None.en.idx").write_text("this is no index, it is a line of text\n")
    refuses(lambda: open_monolingual(str(folder), "train", "en", dictionary()), "train.en-None.en.idx")
