"""Labels from a file."""

import numpy as np
import pytest
import torch

from narrows.data.labels import check_labels, find_classes, read_labels


@pytest.mark.parametrize("n", [3, None])
@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("1\n2\n1\n", [1, 2, 1]),
        ("kind\n1\n2\n1\n", [1, 2, 1]),
        ("\ufeff0.5\r\n\r\n2\r\n-1", [0.5, 2, -1]),
        ("a\nb\n a \n", ["a", "b", "a"]),
        ("1\nb\n2\n", ["1", "b", "2"]),
    ],
)
def test_text(tmp_path, text, labels, n):
    for name in ("y.csv", "y.TXT", "y"):
        (tmp_path / name).write_bytes(text.encode())
        result = read_labels(tmp_path / name, n)
        assert result.tolist() == labels
        assert result.dtype.kind == np.asarray(labels).dtype.kind.replace("i", "f")


def test_a_heading_above_words_is_known_by_the_number_of_examples(tmp_path):
    (tmp_path / "y.csv").write_text("kind\na\nb")
    assert read_labels(tmp_path / "y.csv", 2).tolist() == ["a", "b"]
    assert read_labels(tmp_path / "y.csv").tolist() == ["kind", "a", "b"]


def test_labels_and_more_are_refused(tmp_path):
    (tmp_path / "y.csv").write_text("id,label\n0,cat\n1,dog\n")
    with pytest.raises(ValueError, match=r"one label per line, and nothing else. It has a line of 2 cells"):
        read_labels(tmp_path / "y.csv", 2)
    (tmp_path / "y.csv").write_text('"a, b"\nc\n')
    assert read_labels(tmp_path / "y.csv", 2).tolist() == ["a, b", "c"]


def test_a_first_word_is_no_heading_where_all_lines_are_wanted(tmp_path):
    (tmp_path / "y.csv").write_text("unknown\n1\n2\n")
    assert read_labels(tmp_path / "y.csv", 3).tolist() == ["unknown", "1", "2"]
    assert read_labels(tmp_path / "y.csv", 2).tolist() == [1, 2]


def test_arrays(tmp_path):
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "numbers.npy", np.array([[1], [2]]))
    np.savez(tmp_path / "numbers.npz", X=np.array([1, 2]))
    assert read_labels(tmp_path / "words.npy", 2).tolist() == ["a", "b"]
    assert read_labels(tmp_path / "numbers.npy", 2).tolist() == [1, 2]
    assert read_labels(tmp_path / "numbers.npz", 2).tolist() == [1, 2]


@pytest.mark.parametrize("text", ["1\n2\n", "1\n2\n3\n4\n", "a\nb", "", "kind"])
def test_another_number_of_labels(tmp_path, text):
    (tmp_path / "y.csv").write_text(text)
    with pytest.raises(ValueError, match=r"y\.csv must hold one label for each of the 3 examples\. It holds \d"):
        read_labels(tmp_path / "y.csv", 3)


def test_files_that_hold_no_labels(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="must hold an array of labels"):
        read_labels(tmp_path / "o.npy")
    with pytest.raises(FileNotFoundError):
        read_labels(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([1, 2], [1, 2]),
        (np.array([[1.5], [2.0]]), [1.5, 2.0]),
        (torch.tensor([3, 4]), [3, 4]),
        (np.array(["a", "b"], dtype=object), ["a", "b"]),
        (np.array(["a", None], dtype=object), ["a", None]),
    ],
)
def test_labels_in_memory(y, labels):
    checked = check_labels(y, 2, "fit")
    assert checked.tolist() == labels
    assert (checked.dtype.kind == "O") == (None in labels)


@pytest.mark.parametrize("y", [[1], [1, 2, 3], 1, np.eye(2), []])
def test_labels_in_memory_of_another_number(y):
    with pytest.raises(ValueError, match=r"y passed to fit must hold one number for each of 2 examples.*\. Pass y="):
        check_labels(y, 2, "fit", "number", " Pass y=.")


def test_classes():
    classes, indices = find_classes(np.array(["b", "a", "b"]), "fit", "pass more")
    assert (classes.tolist(), indices.tolist()) == (["a", "b"], [1, 0, 1])
    with pytest.raises(ValueError, match=r"at least 2 classes\. All 3 are of one class, 1: pass more\."):
        find_classes(np.ones(3, int), "fit", "pass more")
    for fraction in (0.5, np.inf):
        with pytest.raises(ValueError, match=f"must hold classes. Got numbers such as {fraction:g}"):
            find_classes(np.array([1, fraction]), "fit", "pass more")
