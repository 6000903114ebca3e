"""Models of iterators: the mixing buffer, the budget and its schedule, exact resume, and what is wrong with a block."""

import numpy as np
import pytest
import torch
from interrupting import interrupt_at

import narrows
from narrows import AE, SAE, VAE, MapAE, TableAE
from narrows.data import Blocks, MixingBuffer, infer
from narrows.training import StreamFailed
from narrows.training.loop import Trainer

WIDTH, N = 6, 4_000


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(N, 3)) @ rng.normal(size=(3, WIDTH)) + 0.1 * rng.normal(size=(N, WIDTH))).astype(
        np.float32
    )


def blocks_of(X, size=70, log=None):
    """A function that makes an iterator of blocks; `log` gets the number of each block that is given."""

    def make():
        for number, start in enumerate(range(0, len(X), size)):
            if log is not None:
                log.append(number)
            yield X[start : start + size]

    return make


def make(kind=SAE, **parameters):
    defaults = {"n_components": 4, "max_examples": 3_000, "buffer_size": 800, "batch_size": 50}
    return kind(**{**defaults, "random_state": 0, "device": "cpu", "verbose": 0, **parameters})


def equal(a, b):
    states = (model.model_.state_dict().values() for model in (a, b))
    return all(torch.equal(p, q) for p, q in zip(*states, strict=True))


class Drawing:
    """Records the first entry of each row that a training draws."""

    def __init__(self, monkeypatch):
        self.drawn, batch = [], MixingBuffer.batch

        def recording(buffer, index):
            if len(index) == 50:
                self.drawn += buffer.rows[index, 0].tolist()
            return batch(buffer, index)

        monkeypatch.setattr(MixingBuffer, "batch", recording)


@pytest.mark.parametrize("kind", [SAE, AE, VAE])
def test_a_model_learns_from_an_iterator(X, kind):
    model = make(kind, max_examples=N).fit(blocks_of(X))
    first, last = model.history_[0], model.history_[-1]
    assert last["step"] == (N - 200) // 50
    assert last["learning_rate"] < 0.2 * max(record["learning_rate"] for record in model.history_)
    assert last["valid_loss"] < first["valid_loss"]
    assert model.transform(X).shape == (N, 4)
    assert "4,000 rows of an iterator" in model.report_


def test_each_row_is_drawn_once_and_mixed(X, monkeypatch):
    numbered = X.copy()
    numbered[:, 0] = np.arange(N)
    drawing = Drawing(monkeypatch)
    make().fit(blocks_of(numbered))
    drawn = np.array(drawing.drawn[:2_800]).round().astype(int)
    held_out = 200
    assert len(drawn) == len(set(drawn)) == 3_000 - held_out
    assert set(drawn) == set(range(held_out, 3_000))
    # a row is drawn among those that came within some buffers' lengths of it, not in the order of the iterator
    assert np.abs(np.diff(drawn)).mean() > 150
    assert np.corrcoef(drawn, np.arange(len(drawn)))[0, 1] > 0.7


def test_blocks_are_read_when_they_are_needed(X, monkeypatch):
    log = []
    steps = []
    batch = MixingBuffer.batch

    def recording(buffer, index):
        steps.append(len(log))
        return batch(buffer, index)

    monkeypatch.setattr(MixingBuffer, "batch", recording)
    make().fit(blocks_of(X, log=log))
    assert steps[0] <= 13  # 800 rows, of 70 each, and one to see that there are more
    assert log[-1] == 3_000 // 70


def test_the_seed_decides_all(X):
    assert equal(make().fit(blocks_of(X)), make().fit(blocks_of(X, size=33)))
    assert equal(make().fit(blocks_of(X)), make().fit(blocks_of(X)()))
    assert not equal(make().fit(blocks_of(X)), make(random_state=1).fit(blocks_of(X)))


def test_tensors_tuples_loaders_and_tokens_are_blocks(X):
    model = make().fit(blocks_of(X))
    tokens = [torch.from_numpy(X[i : i + 200]).reshape(10, 20, WIDTH) for i in range(0, N, 200)]
    assert equal(model, make().fit(lambda: iter(tokens)))
    assert equal(model, make().fit((block, np.zeros(len(block))) for block in blocks_of(X)()))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.from_numpy(X)), batch_size=64)
    assert equal(model, make().fit(loader))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_so_in_the_buffer(X, dtype, monkeypatch):
    seen = set()
    batch = MixingBuffer.batch
    monkeypatch.setattr(MixingBuffer, "batch", lambda b, i: seen.add(b.rows.dtype) or batch(b, i))
    half = torch.from_numpy(X).to(dtype)
    assert np.isfinite(make().fit(lambda: half.split(100)).score_samples(X)).all()
    assert seen == {dtype}


def test_an_iterator_that_fits_into_the_buffer_is_an_array(X):
    model = make(max_examples=5_000).fit(blocks_of(X[:500]))
    assert equal(model, make(max_examples=5_000).fit(X[:500]))
    assert model.history_[-1]["step"] == 100
    assert "500 rows of an iterator" in model.report_
    assert any("ended after 500 of 5,000 rows" in line and "drawn again" in line for line in model.report_)
    zeros = X[:500].copy()
    zeros[7] = 0
    whole = make(max_examples=500).fit(blocks_of(zeros))
    assert any("1 of 500 rows are all zero (first: row 7)" in line for line in whole.report_)
    assert not any("ended after" in line for line in whole.report_)


def test_an_iterator_that_ends_early_begins_again_or_says_so(X):
    model = make(max_examples=N + 1_000).fit(blocks_of(X))
    assert any("ended after 4,000 of 5,000 rows" in line and "begins again" in line for line in model.report_)
    once = make(max_examples=N + 1_000).fit(blocks_of(X)())
    assert any("ended after 4,000 of 5,000 rows" in line and "drawn again" in line for line in once.report_)
    assert once.history_[-1]["step"] == (N + 1_000 - 200) // 50


@pytest.mark.parametrize("step", [7, 12, 13, 30, 55])
def test_a_resumed_training_ends_with_the_same_weights(X, tmp_path, monkeypatch, step):
    whole = make(SAE).fit(blocks_of(X))
    with monkeypatch.context() as context:
        interrupt_at(context, step)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint=tmp_path).fit(blocks_of(X))
    resumed = make(checkpoint=tmp_path).fit(blocks_of(X))
    assert equal(whole, resumed)
    assert resumed.history_[-1]["valid_loss"] == whole.history_[-1]["valid_loss"]


def test_a_resumed_training_goes_on_in_a_new_pass(X, tmp_path, monkeypatch):
    whole = make(max_examples=N + 1_500).fit(blocks_of(X))
    with monkeypatch.context() as context:
        interrupt_at(context, 90)
        with pytest.raises(KeyboardInterrupt):
            make(max_examples=N + 1_500, checkpoint=tmp_path).fit(blocks_of(X))
    assert equal(whole, make(max_examples=N + 1_500, checkpoint=tmp_path).fit(blocks_of(X)))


def test_an_epoch_is_a_part_of_a_pass_where_the_budget_is_small(X, tmp_path, monkeypatch):
    def fit(**more):
        return make(max_examples=9_000, validation_fraction=0.02, **more).fit(X)

    drawn, train_step = [], Trainer.train_step
    with monkeypatch.context() as context:
        context.setattr(Trainer, "train_step", lambda t, i: drawn.extend(i.tolist()) or train_step(t, i))
        whole = fit()
    n_train = N - 80
    assert len(drawn) == 9_000
    for start in (0, n_train):
        assert len(set(drawn[start : start + n_train])) == n_train
    assert drawn[:n_train] != drawn[n_train : 2 * n_train]
    assert [record["step"] for record in whole.history_] == [50, 100, 150, 180]
    with monkeypatch.context() as context:
        interrupt_at(context, 97)
        with pytest.raises(KeyboardInterrupt):
            fit(checkpoint=tmp_path)
    assert equal(whole, fit(checkpoint=tmp_path))


class Restartable:
    """Blocks that can begin at any row, and record where they did; of a known number."""

    def __init__(self, X):
        self.X, self.starts = X, []

    def __len__(self):
        return -(-len(self.X) // 70)

    def __iter__(self):
        return self.start_at(0)

    def start_at(self, row):
        self.starts.append(row)
        return iter(self.X[row:][i : i + 70] for i in range(0, len(self.X) - row, 70))


def test_an_object_with_start_at_is_not_read_up_to_the_position(X, tmp_path, monkeypatch):
    whole = make().fit(Restartable(X))
    with monkeypatch.context() as context:
        interrupt_at(context, 30)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint=tmp_path).fit(Restartable(X))
    source = Restartable(X)
    assert equal(whole, make(checkpoint=tmp_path).fit(source))
    assert len(source.starts) == 2
    assert source.starts[1] > 1_000


def test_a_checkpoint_of_other_rows_is_refused(X, tmp_path, monkeypatch):
    with monkeypatch.context() as context:
        interrupt_at(context, 30)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint=tmp_path).fit(blocks_of(X))
    with pytest.raises(ValueError, match="checkpoint of another training"):
        make(checkpoint=tmp_path).fit(blocks_of(X + 1))
    with pytest.raises(StreamFailed, match=r"ended .* rows before the position of the checkpoint"):
        make(checkpoint=tmp_path).fit(blocks_of(X[:900]))


def test_a_resume_that_fails_keeps_the_checkpoint(X, tmp_path, monkeypatch):
    with monkeypatch.context() as context:
        interrupt_at(context, 30)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint=tmp_path).fit(blocks_of(X))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    model = make(checkpoint=tmp_path)
    with pytest.raises(
        ValueError, match=r"ended .* rows before the position.*\n?.*cannot resume; its checkpoint"
    ) as caught:
        model.fit(blocks_of(X[:900])())
    assert not isinstance(caught.value, StreamFailed)
    assert not hasattr(model, "n_iter_")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert equal(make().fit(blocks_of(X)), make(checkpoint=tmp_path).fit(blocks_of(X)))


# ------------------------------------------------------------------------------------------------ bad blocks


def failing(X, at, block):
    def make_blocks():
        yield X[:at]
        yield block

    return make_blocks


def test_an_iterator_that_fails_loses_nothing(X, tmp_path):
    def broken():
        yield X[:2_000]
        raise OSError("the disk is gone")

    model = make(checkpoint=tmp_path)
    with pytest.raises(StreamFailed, match=r"failed after row 2,000: OSError: the disk is gone\n.*best weights"):
        model.fit(broken)
    assert np.isfinite(model.score_samples(X)).all()
    assert equal(make().fit(blocks_of(X)), make(checkpoint=tmp_path).fit(blocks_of(X)))


def test_an_iterator_that_cannot_be_made_again_loses_nothing(X):
    class Once(Restartable):
        def start_at(self, row):
            if self.starts:
                raise OSError("the disk is gone")
            return super().start_at(row)

    n_made = []

    def once():
        n_made.append(1)
        if len(n_made) > 1:
            raise OSError("the disk is gone")
        return blocks_of(X)()

    for source in (once, Once(X)):
        model = make(max_examples=N + 1_500)
        with pytest.raises(StreamFailed, match=r"failed after row 200: OSError: the disk is gone\n.*best weights"):
            model.fit(source)
        assert np.isfinite(model.score_samples(X)).all()
    with pytest.raises(ValueError, match=r"passed to SAE failed: OSError: the disk is gone"):
        make().fit(once)


def test_a_further_pass_with_fewer_rows_is_named_so(X):
    n_made = []

    def shrinking():
        n_made.append(1)
        return blocks_of(X if len(n_made) == 1 else X[:150])()

    with pytest.raises(StreamFailed, match=r"ended 50 rows before row 200: a further pass has fewer rows"):
        make(max_examples=N + 1_500).fit(shrinking)


def test_rows_that_are_shuffled_in_each_pass_are_noticed(X):
    class Shuffling(Restartable):
        def start_at(self, row):
            self.X = np.random.default_rng(len(self.starts)).permutation(self.X)
            return super().start_at(row)

    class Rounding(Restartable):
        def start_at(self, row):
            self.X = self.X * np.float32(1.001)
            return super().start_at(row)

    loader = torch.utils.data.DataLoader(torch.from_numpy(X), batch_size=64, shuffle=True)
    for source, is_noted in (
        *((loader, True), (Shuffling(X), True)),
        *((blocks_of(X), False), (Restartable(X), False), (Rounding(X), False)),
    ):
        model = make(max_examples=N + 1_500).fit(source)
        assert any("gives other rows, or another order" in line for line in model.report_) == is_noted
        assert any("it begins again" in line for line in model.report_)
    once = make(max_examples=N - 500).fit(loader)
    assert not any("gives other rows" in line for line in once.report_)


def test_a_list_of_documents_is_no_block_of_examples_and_labels(X):
    with pytest.raises(ValueError, match=r"after row 0, is a list of 3 arrays of rows, \(100, 6\) and others"):
        make().fit(lambda: [[X[:100], X[100:170], X[170:400]]])
    model = make(max_examples=300).fit(lambda: [(X[:400], X[:400, :1]), [X[400:500], np.zeros(100)]])
    assert equal(model, make(max_examples=300).fit(lambda: [X]))


@pytest.mark.parametrize("kind", [tuple, list])
def test_targets_are_not_dropped(X, kind):
    with pytest.raises(
        ValueError, match=rf"is a {kind.__name__} of rows \(100, 6\) and an array \(100, 2\), such as targets"
    ):
        make().fit(lambda: iter([kind((X[:100], X[:100, :2]))]))
    tokens = torch.from_numpy(X[:400]).reshape(20, 20, WIDTH)
    labelled = make(max_examples=300).fit(lambda: [(tokens, torch.zeros(20, 20))])
    assert equal(labelled, make(max_examples=300).fit(lambda: [tokens]))


def test_a_block_with_nan_is_named_by_row_and_column(X):
    bad = X[2_000:2_100].copy()
    bad[7, 4] = np.nan
    model = make()
    with pytest.raises(ValueError, match="gives NaN in column 4, row 2,007: leave that row out"):
        model.fit(failing(X, 2_000, bad))
    assert model.transform(X).shape == (N, 4)
    with pytest.raises(ValueError, match="gives NaN in column 4, row 7"):
        make().fit(lambda: [bad])


def test_an_overflow_of_float16_is_explained(X):
    half = X.astype(np.float16)
    wide = X[2_000:2_100] * 1e6  # the first block was float16, and so are all
    with pytest.raises(ValueError, match="infinity in column 0, row 2,000: float16 holds numbers up to 65,504"):
        make().fit(failing(half, 2_000, wide))


def test_blocks_of_two_widths_are_refused(X):
    with pytest.raises(ValueError, match=r"after row 2,000, has rows of shape \(5,\), and the first block .* \(6,\)"):
        make().fit(failing(X, 2_000, X[:9, :5]))


def test_rows_of_zeros_are_counted(X):
    zeros = X.copy()
    zeros[[900, 2_500]] = 0
    model = make().fit(blocks_of(zeros))
    assert any("2 of 3,000 rows are all zero (first: row 900)" in line for line in model.report_)


def test_rows_in_memory_without_values_are_counted(X):
    rows = X[:400].copy()
    rows[[90, 250]], rows[[30, 31, 32]], rows[5, 2] = np.nan, 0, np.nan
    for fitted in (make(max_examples=200).fit(rows), make(max_examples=None).partial_fit(rows)):
        assert any("2 of 400 rows have no value (first: row 90). Nothing is" in line for line in fitted.report_)
        assert any("3 of 400 rows are all zero (first: row 30)" in line for line in fitted.report_)
    lines = make(narrows.AE, max_examples=200).fit(rows).report_
    assert any("2 of 400 rows have no value" in line for line in lines)
    assert not any("all zero" in line for line in lines)
    assert not any("have no value" in line for line in make(max_examples=200).fit(X[:400]).report_)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (lambda: [], "gave no rows"),
        (lambda: [np.zeros(5)], r"must be rows \(n, width\).*shape \(5,\)"),
        (lambda: [["a", "b"]], "A block after row 0 of the iterator: .*must hold numbers"),
    ],
)
def test_other_blocks_are_refused(blocks, message):
    with pytest.raises(ValueError, match=message):
        make().fit(blocks)


def test_an_iterator_needs_a_budget_and_no_passes(X):
    with pytest.raises(TypeError, match=r"X passed to SAE is a function: .*with the parameter `max_examples` calls it"):
        SAE(4).fit(blocks_of(X))
    with pytest.raises(TypeError, match=r"X passed to SAE is a generator: .*with the parameter `max_examples`"):
        SAE(4).fit(blocks_of(X)())
    with pytest.raises(ValueError, match=r"SAE.fit reads iterators.*pass max_examples=1_000_000"):
        SAE(4).fit(Restartable(X))
    with pytest.raises(ValueError, match="`max_epochs` parameter of SAE is for rows that are there"):
        make(max_epochs=3).fit(blocks_of(X))
    with pytest.raises(ValueError, match="takes no labels for the rows of an iterator"):
        make(VAE, conditional=True).fit(blocks_of(X), np.zeros(N))
    with pytest.raises(ValueError, match="MapAE compares rows with their neighbours"):
        make(MapAE, n_components=2).fit(blocks_of(X))


def test_a_buffer_of_less_than_two_batches_and_tables_are_refused(X):
    with pytest.raises(ValueError, match="`buffer_size` parameter of SAE must be at least 150, three batches of 50"):
        make(buffer_size=100).fit(blocks_of(X))
    with pytest.raises(ValueError, match="TableAE must see the columns of a table as a whole"):
        make(TableAE).fit(blocks_of(X))


def test_values_that_the_likelihood_cannot_score_are_noticed_in_later_blocks(rng):
    X = (rng.random((N, WIDTH)) > 0.5).astype(np.float32)
    bad = X[2_000:2_100] * 3
    with pytest.raises(ValueError, match=r"outside \{0, 1\}|outside \[0, 1\]"):
        make(AE, likelihood="bernoulli").fit(failing(X, 2_000, bad))


def test_a_position_behind_the_current_one_needs_an_iterator_that_begins_again(X):
    once = Blocks(blocks_of(X)(), "SAE")
    once.read(100)
    position = once.state()
    once.read(100)
    with pytest.raises(ValueError, match="is read once, and cannot go back to row 100"):
        once.restore(position)


def test_a_buffer_has_no_neighbours(X):
    blocks = Blocks(blocks_of(X), "SAE")
    buffer = MixingBuffer(blocks, blocks.read(100), 1_000, infer(X, "SAE"))
    with pytest.raises(TypeError, match="no neighbours"):
        buffer.find_neighbors(3, torch.arange(5))
