"""Sets of pairs in the formats in which they are published; every way that a file can be wrong."""

from pathlib import Path

import pytest

from mass_plugins.errors import InputError
from mass_plugins.scoring.similarity_sets import choose_sets, find_sets, load_sets, read_file, read_set


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def one(folder, name):
    return read_set(name, find_sets([folder])[name])


def rows(pairs):
    return list(zip(pairs.first, pairs.second, pairs.gold.tolist()))


STS = '4.4\tA "quoted" cat.\tA cat, too.\n0.8\tDogs\tÄpfel\n'
EXPECTED = [('A "quoted" cat.', "A cat, too.", 4.4), ("Dogs", "Äpfel", 0.8)]

KNOWN = {
    "by year, flat": ({"2012.MSRpar.test.tsv": STS, "2012.MSRpar.train.tsv": STS}, "STS12"),
    "by year, a folder": ({"2013__FNWN.test.tsv": STS, "2013__00-readme.test.txt": "x"}, "STS13"),
    "a whole year": ({"2016.test.tsv": STS, "2016.headlines.test.tsv": STS}, "STS16"),
    "SentEval": (
        {"STS14-en-test__STS.input.images.txt": 'A "quoted" cat.\tA cat, too.\nno\tscore\nDogs\tÄpfel\n',
         "STS14-en-test__STS.gs.images.txt": "4.4\n\n0.8\n"},
        "STS14",
    ),
    "SemEval, sources behind the texts": (
        {"sts-en-test-gs-2015__STS.input.belief.txt": 'A "quoted" cat.\tA cat, too.\tnet\tnet\nDogs\tÄpfel\tb\tc\n',
         "sts-en-test-gs-2015__STS.gs.belief.txt": "4.4\n0.8"},
        "STS15",
    ),
    "the benchmark's own": (
        {"sts-test.csv": 'g\tf\t2012\t1\t4.4\tA "quoted" cat.\tA cat, too.\nn\tf\t2\t2\t0.8\tDogs\tÄpfel\tlicence\n'},
        "STS-B",
    ),
    "the benchmark as CSV": (
        {"stsb-en-dev.csv": '"A ""quoted"" cat.","A cat, too.",4.4\r\nDogs,Äpfel,0.8\r\n'}, "STS-B/dev"),
    "the benchmark, another language": (
        {"stsb-de-train.csv": '"A ""quoted"" cat.","A cat, too.",4.4\nDogs,Äpfel,0.8\n'}, "STS-B.de/train"),
    "SICK": (
        {"SICK_test_annotated.txt": "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
         '1\tA "quoted" cat.\tA cat, too.\t4.4\tNEUTRAL\n2\tDogs\tÄpfel\t0.8\tNEUTRAL\n'},
        "SICK-R",
    ),
    "SICK with all splits": (
        {"SICK.txt": "pair_ID\tsentence_A\tsentence_B\tentailment_label\trelatedness_score\tSemEval_set\n"
         '1\tA "quoted" cat.\tA cat, too.\tNEUTRAL\t4.4\tTRIAL\n9\tz\tz\tN\t1\tTEST\n2\tDogs\tÄpfel\tN\t0.8\tTRIAL\n'},
        "SICK-R/trial",
    ),
    "words": ({"EN-RG-65.txt": 'A "quoted" cat.\tA cat, too.\t4.4\nDogs\tÄpfel\t0.8\n'}, "RG-65"),
    "words under a header, returns as ends": (
        {"multi.simlex-german.txt": 'word 1\tword 2\tscore\rA "quoted" cat.\tA cat, too.\t4.4\rDogs\tÄpfel\t0.8'},
        "SimLex-999.de",
    ),
    "SimLex's own": (
        {"SimLex-999.txt": 'word1\tword2\tPOS\tSimLex999\tconc(w1)\nA "quoted" cat.\tA cat, too.\tN\t4.4\t9\n'
         "Dogs\tÄpfel\tA\t0.8\t2\n"},
        "SimLex-999",
    ),
    "WordSim's own": (
        {"combined.csv": 'Word 1,Word 2,Human (mean)\n"A ""quoted"" cat.","A cat, too.",4.4\nDogs,Äpfel,0.8\n'},
        "WordSim-353",
    ),
    "Multi-SimLex": (
        {"translation.csv": 'ID,ENG 1,ENG 2,FRA 1,FRA 2\n1,a,b,"A ""quoted"" cat.","A cat, too."\n2,c,d,Dogs,Äpfel\n',
         "scores.csv": "ID,ENG,FRA\n1,5,4.4\n2,6,0.8\n"},
        "Multi-SimLex.fra",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KNOWN, ids=str)
def test_formats(case, tmp_path):
    files, name = KNOWN[case]
    assert rows(one(write(tmp_path, **files), name)) == EXPECTED


def test_words_between_spaces_and_a_byte_order_mark(tmp_path):
    write(tmp_path, **{"EN-MC-30.txt": b"\xef\xbb\xbfcar auto 3.9\ngem jewel 3.8\n"})
    assert rows(one(tmp_path, "MC-30")) == [("car", "auto", 3.9), ("gem", "jewel", 3.8)]


def test_parts_of_a_year_are_one_set_and_copies_count_once(tmp_path):
    other = STS.replace("Dogs", "Cows")
    write(tmp_path, **{"2014.images.test.tsv": STS, "2014.OnWN.test.tsv": other, "2014__images.test.tsv": STS})
    pairs = one(tmp_path, "STS14")
    assert pairs.parts == ("OnWN", "images") and len(pairs.gold) == 4
    write(tmp_path, **{"2014__images.test.tsv": other})
    with pytest.raises(InputError, match="name one of the folders"):
        find_sets([tmp_path])


def test_choice_of_sets(tmp_path):
    words = "a\tb\t1\nc\td\t2\n"
    table = "a,b,1\nc,d,2\n"
    write(tmp_path, **{"2012.A.test.tsv": STS, "stsb-en-dev.csv": table, "stsb-en-train.csv": table,
          "stsb-de-dev.csv": table, "EN-RG-65.txt": words, "EN-MC-30.txt": words, "EN-WS-353-REL.txt": words,
          "EN-WS-353-ALL.txt": words})  # fmt: skip
    found = find_sets([tmp_path])
    assert choose_sets(found, "sentences") == ["STS-B/dev", "STS12"]
    assert choose_sets(found, "words") == ["RG-65", "WordSim-353"]
    assert choose_sets(found, "STS-B.de/dev, MC-30,MC-30") == ["STS-B.de/dev", "MC-30"]
    assert [pairs.name for pairs in load_sets([tmp_path], "words")] == ["RG-65", "WordSim-353"]
    with pytest.raises(InputError, match="STS99 isn't there; there are MC-30, "):
        choose_sets(found, "STS12,STS99")
    write(tmp_path, **{"sts-test.csv": "g\tf\t2\t1\t4.4\ta\tb\ng\tf\t2\t1\t4.3\ta\tb\n"})
    assert choose_sets(find_sets([tmp_path]), "sentences") == ["STS-B", "STS12"]


def test_a_file_of_ones_own(tmp_path):
    write(tmp_path, **{"mine.tsv": "one\ttwo\t1\nthree\tfour\t2\n"})
    pairs = read_file(tmp_path / "mine.tsv")
    assert pairs.name == "mine" and rows(pairs) == [("one", "two", 1), ("three", "four", 2)]


TABLES = {
    "GLUE's": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
              '0\tmain-captions\tMSRvid\t2012\t0001\tnone\tnone\tA "quoted" cat.\tA cat, too.\t4.4\n'
              "1\tmain\tMSRvid\t2012\t4\tnone\tnone\tDogs\tÄpfel\t0.8\n",
    "score first": 'score,Sentence 1,Sentence 2\n4.4,"A ""quoted"" cat.","A cat, too."\n0.8,Dogs,Äpfel\n',
    "an index without a name": '\tsentence_A\tsentence_B\tsimilarity_score\n0\tA "quoted" cat.\tA cat, too.\t4.4\n'
                               "1\tDogs\tÄpfel\t0.8\n",
    "the first pair is not scored": '\tCows\t1984\n4.4\tA "quoted" cat.\tA cat, too.\n0.8\tDogs\tÄpfel\n',
    "not scored, the score behind": 'Cows\tCats\t\nA "quoted" cat.\tA cat, too.\t4.4\nDogs\tÄpfel\t0.8\n',
    "ratings one by one": 'A "quoted" cat.\tA cat, too.\t4.4\t4\t5\t6\t7\t8\nDogs\tÄpfel\t0.8\t0\t1\t2\t0\t1\n',
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES, ids=str)
def test_columns_are_found_wherever_they_are(case, tmp_path):
    write(tmp_path, **{"mine.tsv": TABLES[case]})
    assert rows(read_file(tmp_path / "mine.tsv")) == EXPECTED


@pytest.mark.parametrize("first", ["3.5\t1984\tA book", "3.5\tA book\t1984", "3.5\t1983\t1984"])
def test_a_text_may_be_a_number(first, tmp_path):
    write(tmp_path, **{"score.tsv": f"{first}\n4\tone\ttwo\n"})
    score, *texts = first.split("\t")
    assert rows(read_file(tmp_path / "score.tsv")) == [(*texts, float(score)), ("one", "two", 4)]
    write(tmp_path, **{"text.tsv": "\t".join([*texts, score]) + "\none\ttwo\t4\n"})
    assert rows(read_file(tmp_path / "text.tsv")) == [(*texts, float(score)), ("one", "two", 4)]


@pytest.mark.parametrize(
    ("header", "message"),
    [("index\tsentence1\tsentence2", "line 1 .*lacks the column of a score, like score;"),
     ("premise\thypothesis\tscore", "lacks the column of a first text, like sentence1 and of a second text, like"),
     ("A cat.\tA dog.", "line 1 holds no score, so it is a header, and lacks .* or give the line its score"),
     ("sentence1\tsentence2\tscore\tlabel", "line 1: score and label may mean the same"),
     ("sentence1\tsentence2\tword1\tscore", "line 1: sentence1 and word1 may mean the same")],
)  # fmt: skip
def test_a_header_that_does_not_name_its_columns_is_refused(header, message, tmp_path):
    cells = ["one", "two", "1", "2"]
    write(tmp_path, **{"mine.tsv": "".join(f"{line}\n" for line in (header, "\t".join(cells), "a\tb\t2\t3"))})
    with pytest.raises(InputError, match=f"mine.tsv, {message}" if message.startswith("line") else message) as error:
        read_file(tmp_path / "mine.tsv")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"SICK.txt": "sentence_A\tsentence_B\trelatedness_score\tSemEval_set\na\tb\t1\tTRAIN\nc\td\t2\tTEST\n"},
         "SICK-R, SICK-R/train, SICK-R/trial"),
        ({"translation.csv": "ENG 1,ENG 2,FRA 1,FRA 2\na,b,c,d\n", "scores.csv": "ENG,FRA\n1,2\n"},
         "Multi-SimLex, Multi-SimLex.fra"),
    ],
)  # fmt: skip
def test_a_file_of_several_sets_is_not_one_set(tmp_path, files, name):
    """Validation on SICK.txt would choose a checkpoint by the test pairs, too."""
    write(tmp_path, **files)
    with pytest.raises(InputError, match="give a file of one of them") as error:
        read_file(tmp_path / next(iter(files)))
    assert all(one in str(error.value) for one in name.split(", "))


BAD = {
    "no number": ({"2012.A.test.tsv": "4.4\ta\tb\nx\ta\tb\n"}, "line 2: the score 'x' is not a number"),
    "not a number": ({"2012.A.test.tsv": "4.4\ta\tb\nnan\ta\tb\n"}, "line 2: the score 'nan' is not a number"),
    "a missing column": ({"2012.A.test.tsv": "4.4\ta\tb\n\n1.0\ta\n"}, "line 3 has 2 columns"),
    "a missing text": ({"2012.A.test.tsv": "4.4\ta\tb\n1.0\ta\t \n"}, "line 2 lacks one of its two texts"),
    "an index without a header": (
        {"2012.A.test.tsv": "0\ta\tb\t4.4\n1\tc\td\t0.8\n"},
        "line 1: the score 'b' is not a number",
    ),
    "empty": ({"2012.A.test.tsv": "\n"}, "is empty"),
    "all alike": ({"2012.A.test.tsv": "1\ta\tb\n1\tc\td\n"}, "all scored alike"),
    "not UTF-8": ({"2012.A.test.tsv": "1\tä\tb\n".encode("latin-1")}, "not UTF-8"),
    "no gold": ({"STS12-en-test__STS.input.A.txt": "a\tb\n"}, "STS.gs.A.txt doesn't exist"),
    "less gold": (
        {"STS12-en-test__STS.input.A.txt": "a\tb\nc\td\n", "STS12-en-test__STS.gs.A.txt": "1\n"},
        "has 2 lines and STS.gs.A.txt 1",
    ),
    "not SICK": ({"SICK_train.txt": "a\tb\tc\n1\t2\t3\n"}, "is it SICK?"),
    "short table": (
        {"translation.csv": "ID,ENG 1,ENG 2\n1,a,b\n2,a\n", "scores.csv": "ID,ENG\n1,1\n2,2\n"},
        "line 3 has too few columns",
    ),
    "unequal tables": (
        {"translation.csv": "ID,ENG 1,ENG 2\n1,a,b\n", "scores.csv": "ID,ENG\n1,1\n2,2\n"},
        "has 1 pairs and scores.csv 2",
    ),
    "nothing known": ({"notes.txt": "x"}, "no set of pairs in"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_files_are_told_in_one_line(case, tmp_path):
    files, message = BAD[case]
    write(tmp_path, **files)
    with pytest.raises(InputError, match="(?s)" + message.replace("?", r"\?")) as error:
        for name, parts in find_sets([tmp_path]).items():
            read_set(name, parts)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there():
    with pytest.raises(InputError, match="doesn't exist"):
        find_sets([Path("nowhere")])
