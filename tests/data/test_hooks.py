"""Activations of a torch model: rows of its layers, without padding, for one dictionary or several, or in files."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from interrupting import interrupt_at
from torch import nn

import narrows
from narrows import AE, SAE

WIDTH, TOKENS = 12, 7


class Block(nn.Module):
    """A layer that returns a tuple, as those of transformers do."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(torch.tanh(self.mix(x))), None


class Model(nn.Module):
    """A small stand-in for a transformer: named arguments, a mask, and blocks that return tuples."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(50, WIDTH)
        self.blocks = nn.ModuleList([Block(), Block(), Block()])
        self.head = nn.Linear(WIDTH, 50)
        self.n_passes = self.n_whole = 0

    def forward(self, input_ids, attention_mask=None):
        self.n_passes += 1
        x = self.embed(input_ids)
        for block in self.blocks:
            x, _ = block(x)
        self.n_whole += 1
        return {"logits": self.head(x)}


@pytest.fixture
def model():
    return Model()


def make_batches(n=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(n):
        lengths = torch.randint(2, TOKENS + 1, (8,), generator=generator)
        mask = torch.arange(TOKENS) < lengths[:, None]
        batches.append(
            {"input_ids": torch.randint(50, (8, TOKENS), generator=generator), "attention_mask": mask.long()}
        )
    return batches


def expected(model, batches, depth=2):
    """The activations by hand."""
    rows = []
    for batch in batches:
        x = model.embed(batch["input_ids"])
        for block in model.blocks[:depth]:
            x = torch.tanh(block.mix(x))
        rows.append(x[batch["attention_mask"].bool()].detach())
    return torch.cat(rows)


def test_blocks_are_the_rows_of_a_layer_without_padding(model):
    batches = make_batches(3)
    with narrows.hook(model, "blocks.1") as hooked:
        rows = torch.cat(list(hooked.blocks(batches)))
        again = torch.cat(list(hooked.blocks(lambda: iter(batches))))
    assert torch.equal(rows, expected(model, batches))
    assert torch.equal(rows, again)
    assert not rows.is_inference()
    assert not rows.requires_grad


def make_sink(model, token=7):
    """Give a token activations that are far longer than those of others, in the embedding and behind the blocks."""
    with torch.no_grad():
        model.embed.weight[token] *= 1_000
        for block in model.blocks:
            block.forward = lambda x, block=block: (block.mix(x), None)


def test_long_rows_are_left_out_of_all_layers(model):
    make_sink(model)
    batches = make_batches(20)
    tokens = torch.cat([batch["input_ids"][batch["attention_mask"].bool()] for batch in batches])
    assert 0 < (tokens == 7).sum() < 20
    with narrows.hook(model, ["embed", "blocks.1"], norm_limit=10) as hooked:
        first, last = (torch.cat(list(hooked.blocks(batches, layer))) for layer in hooked.layers)
        torch.testing.assert_close(first, model.embed(tokens[tokens != 7]).detach())
        assert len(first) == len(last)
        both = torch.cat(list(hooked.blocks(batches, hooked.layers)))
        torch.testing.assert_close(both[:, 1], last)
        for start in (1, 50, 300):
            part = torch.cat(list(hooked.blocks(batches, "embed").start_at(start)))
            torch.testing.assert_close(part, first[start:])
    with narrows.hook(model, "embed") as hooked:
        torch.testing.assert_close(torch.cat(list(hooked.blocks(batches))), model.embed(tokens).detach())


class Mean(nn.Module):
    """Each sequence as one row, beside its tokens: what a pooling makes."""

    def __init__(self, model):
        super().__init__()
        self.model, self.pool = model, nn.Identity()

    def forward(self, input_ids, attention_mask):
        self.model(input_ids, attention_mask)
        return self.pool(self.model.embed(input_ids).mean(1))


def test_layers_lose_the_same_tokens_beside_a_pooled_one(model):
    """One token is long in the embedding only, another in the block only."""
    with torch.no_grad():
        model.embed.weight[7] *= 1_000
        model.blocks[0].forward = lambda x: (torch.where(x == model.embed.weight[9], 1_000.0, x.clamp(-3, 3)), None)
    batches = make_batches(30)
    tokens = torch.cat([batch["input_ids"][batch["attention_mask"].bool()] for batch in batches])
    with narrows.hook(Mean(model), ["model.embed", "model.blocks.0", "pool"], norm_limit=10) as hooked:
        rows = torch.cat(list(hooked.blocks(batches, hooked.layers[:2])))
        n_pooled = sum(map(len, hooked.blocks(batches, "pool")))
    kept = tokens[(tokens != 7) & (tokens != 9)]
    assert len(kept) < len(tokens) - 2
    torch.testing.assert_close(rows[:, 0], model.embed(kept).detach())
    torch.testing.assert_close(rows[:, 1], model.embed(kept).detach().clamp(-3, 3))
    assert 0 < n_pooled <= 8 * 30


def test_a_folder_has_one_limit(model, tmp_path):
    batches = make_batches(4)
    for limit in (None, 10):
        with narrows.hook(model, "embed", norm_limit=limit) as hooked:
            hooked.save(batches, tmp_path / str(limit))
            hooked.save(batches, tmp_path / str(limit))  # complete
    with (
        narrows.hook(model, "embed", norm_limit=10) as hooked,
        pytest.raises(ValueError, match=r"holds rows of norm_limit=None, not 10\.0"),
    ):
        hooked.save(batches, tmp_path / "None")
    path = tmp_path / "None" / "manifest.json"
    older = json.loads(path.read_text())
    del older["norm_limit"]  # as written before there was a limit
    path.write_text(json.dumps(older))
    with narrows.hook(model, "embed") as hooked:
        hooked.save(batches, tmp_path / "None")


def test_long_rows_and_padding_keep_their_activations_in_an_edit(model):
    make_sink(model)
    batch = make_batches(1, seed=3)[0]
    batch["input_ids"][0, 0] = 7
    is_kept = batch["attention_mask"].bool() & (batch["input_ids"] != 7)
    with narrows.hook(model, "embed", norm_limit=10) as hooked, torch.no_grad():
        seen = []
        model.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with hooked.replace(torch.zeros_like):
            model(**batch)
    expected = torch.where(is_kept[..., None], 0.0, model.embed(batch["input_ids"]))
    torch.testing.assert_close(seen[0], expected)


def test_rows_of_zeros_set_no_limit_and_overflow_is_not_left_out():
    rows = torch.zeros(10, 3)
    rows[0], rows[1], rows[2] = torch.tensor([1.0, 0, 0]), torch.tensor([0, 2.0, 0]), torch.tensor([torch.inf, 0, 0])
    with narrows.hook(nn.Sequential(nn.Identity()), "0", norm_limit=5) as hooked:
        torch.testing.assert_close(next(iter(hooked.blocks([rows]))), rows)
        assert len(next(iter(hooked.blocks([torch.zeros(4, 3)])))) == 4


def test_the_model_is_as_it_was_behind_the_block(model):
    model.train()
    model.blocks[0].eval()
    with narrows.hook(model, "blocks.1") as hooked:
        assert not model.training
        next(iter(hooked.blocks(make_batches(1))))
    assert model.training
    assert model.blocks[1].training
    assert not model.blocks[0].training
    assert not any(module._forward_hooks for module in model.modules())
    with pytest.raises(ValueError, match="within the block"):
        next(iter(hooked.blocks(make_batches(1))))


def test_a_pass_ends_behind_the_last_layer_unless_told_otherwise(model):
    for stops_early, n_whole in ((True, 0), (False, 2)):
        model.n_whole = 0
        with narrows.hook(model, ["blocks.0", "blocks.1"], stops_early=stops_early) as hooked:
            list(hooked.blocks(make_batches(2), "blocks.0"))
        assert model.n_whole == n_whole


@pytest.mark.parametrize("stops_early", [True, False])
def test_what_a_later_layer_changes_in_place_is_kept_as_it_was(stops_early):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Identity(), nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 3), nn.ReLU(True))
    x = torch.randn(20, 4)
    with narrows.hook(network, ["0", "1", "3"], stops_early=stops_early) as hooked:
        rows = hooked.run(x)
    assert torch.equal(rows["1"], network[1](x))
    assert torch.equal(rows["3"], network[3](network[1](x).relu()))
    assert torch.equal(rows["0"], x)
    assert rows["0"].data_ptr() != x.data_ptr()
    assert not any(found.is_inference() or found.requires_grad for found in rows.values())


def test_padding_is_left_out_of_a_layer_that_flattens_tokens():
    network = nn.Sequential(nn.Flatten(0, 1), nn.Linear(4, 5))
    x, mask = torch.randn(3, 6, 4), torch.arange(6) < torch.tensor([6, 2, 4])[:, None]
    with narrows.hook(network, "1", mask=lambda _: mask) as hooked:
        (rows,) = hooked.blocks([x])
        assert torch.equal(torch.cat(list(hooked.blocks([x, x]).start_at(13))), rows[1:])
    torch.testing.assert_close(rows, network[1](x[mask]).detach())


def test_masks_and_inputs_of_other_kinds(model):
    batches = make_batches(2)
    ids = [batch["input_ids"] for batch in batches]
    with narrows.hook(model, "blocks.1", mask=None) as hooked:
        assert sum(map(len, hooked.blocks(batches))) == 2 * 8 * TOKENS
    with narrows.hook(model, "blocks.1", mask=lambda inputs: inputs < 25) as hooked:
        assert sum(map(len, hooked.blocks(ids))) == int(sum((i < 25).sum() for i in ids))
    with narrows.hook(model, "blocks.1") as hooked:
        assert sum(map(len, hooked.blocks([(i,) for i in ids]))) == 2 * 8 * TOKENS
    plain = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    with narrows.hook(plain, "0") as hooked:
        assert torch.equal(next(iter(hooked.blocks([np.ones((3, 4), np.float32)]))), plain[0](torch.ones(3, 4)))


def test_blocks_start_at_a_row_without_a_pass_for_those_before(model):
    batches = make_batches(20)
    with narrows.hook(model, "blocks.1") as hooked:
        rows = torch.cat(list(hooked.blocks(batches)))
        for start in (0, 1, 100, 311, len(rows) - 1, len(rows)):
            model.n_passes = 0
            found = list(hooked.blocks(batches).start_at(start))
            assert torch.equal(torch.cat([rows[:0], *found]), rows[start:])
        assert model.n_passes == 1  # the first batch tells that the mask counts rows


def test_a_training_on_batches_that_are_read_once_resumes_at_its_row(model, tmp_path, monkeypatch):
    batches = make_batches(60)
    with narrows.hook(model, "blocks.1") as hooked:
        assert hooked.blocks(batches).can_begin_again
        assert hooked.blocks(lambda: iter(batches)).can_begin_again
        assert not hooked.blocks(iter(batches)).can_begin_again
        whole = make().fit(hooked.blocks(iter(batches)))
        with monkeypatch.context() as context:
            interrupt_at(context, 15)
            with pytest.raises(KeyboardInterrupt):
                make(checkpoint=tmp_path).fit(hooked.blocks(iter(batches)))
        assert equal(whole, make(checkpoint=tmp_path).fit(hooked.blocks(iter(batches))))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layer", ["layers.0", "layers.2", "layers.1.linear1"])
def test_layers_of_a_transformer_of_torch(layer):
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 4, 32, batch_first=True), 3)
    x = torch.randn(4, TOKENS, WIDTH)
    mask = torch.arange(TOKENS) < torch.tensor([7, 3, 2, 5])[:, None]
    batch = {"src": x, "src_key_padding_mask": ~mask}
    with narrows.hook(encoder, layer, mask=lambda inputs: ~inputs["src_key_padding_mask"]) as hooked:
        (rows,) = hooked.blocks([batch])
    whole = nn.TransformerEncoder(encoder.layers[0], 3, enable_nested_tensor=False)
    whole.load_state_dict(encoder.state_dict())
    with narrows.hook(whole, layer, mask=lambda inputs: ~inputs["src_key_padding_mask"]) as hooked:
        (again,) = hooked.blocks([batch])
    assert len(rows) == int(mask.sum())
    torch.testing.assert_close(rows, again)


def make(kind=SAE, **parameters):
    defaults = {"n_components": 4, "max_examples": 1_500, "buffer_size": 400, "batch_size": 50, "random_state": 0}
    return kind(**{**defaults, "device": "cpu", "verbose": 0, **parameters})


def equal(a, b):
    states = (m.model_.state_dict().values() for m in (a, b))
    return all(torch.equal(p, q) for p, q in zip(*states, strict=True))


def test_several_dictionaries_of_one_pass_are_those_of_a_pass_each(model):
    batches = make_batches(60)
    with narrows.hook(model, ["blocks.0", "blocks.2"]) as hooked:
        fitted = hooked.fit({"blocks.0": make(), "blocks.2": [make(random_state=1), make(AE)]}, batches)
        assert model.n_passes <= 60
        assert equal(fitted["blocks.0"], make().fit(hooked.blocks(batches, "blocks.0")))
        assert equal(fitted["blocks.2"][0], make(random_state=1).fit(hooked.blocks(batches, "blocks.2")))
        assert equal(fitted["blocks.2"][1], make(AE).fit(hooked.blocks(batches, "blocks.2")))


def test_a_training_that_fails_leaves_the_others(model):
    good = make()
    with narrows.hook(model, ["blocks.0", "blocks.1"]) as hooked:
        with pytest.raises(ValueError, match="`max_epochs` parameter of SAE"):
            hooked.fit({"blocks.0": good, "blocks.1": make(max_epochs=3)}, make_batches(60))
        assert equal(good, make().fit(hooked.blocks(make_batches(60), "blocks.0")))


def test_a_pass_that_fails_ends_all_trainings_with_their_best_weights(model):
    batches = [*make_batches(30), {"wrong": torch.zeros(1)}]
    models = {"blocks.0": make(), "blocks.1": make()}
    with (
        narrows.hook(model, list(models)) as hooked,
        pytest.raises(ValueError, match=r"unexpected keyword.*\n.*best weights"),
    ):
        hooked.fit(models, batches)
    for fitted in models.values():
        assert np.isfinite(fitted.transform(np.zeros((1, WIDTH), np.float32))).all()


def test_ctrl_c_ends_all_trainings_with_their_best_weights(model):
    def batches():
        for number, batch in enumerate(make_batches(60)):
            if number == 30:
                os.kill(os.getpid(), signal.SIGINT)  # the main thread waits for the trainings
            yield batch

    models = {"blocks.0": make(), "blocks.1": make()}
    with narrows.hook(model, list(models)) as hooked, pytest.raises(KeyboardInterrupt):
        hooked.fit(models, batches)
    for fitted in models.values():
        assert np.isfinite(fitted.transform(np.zeros((1, WIDTH), np.float32))).all()


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_activations_are_saved_and_learned_from(model, tmp_path, dtype):
    batches = make_batches(20)
    with narrows.hook(model, ["blocks.0", "blocks.1"]) as hooked:
        folders = hooked.save(batches, tmp_path / "acts", dtype=dtype, file_bytes=5_000)
    rows = narrows.data.open_mapped(folders["blocks.1"])
    assert len(rows.files) > 3
    np.testing.assert_array_equal(rows[:], expected(model, batches).to(getattr(torch, dtype)).float().numpy())
    SAE(4, max_epochs=1, verbose=0).fit(folders["blocks.0"])


def test_a_stopped_saving_goes_on_and_a_complete_one_reads_nothing(model, tmp_path):
    batches = make_batches(20)

    def stopping():
        yield from batches[:13]
        raise KeyboardInterrupt

    with narrows.hook(model, "blocks.1") as hooked:
        with pytest.raises(KeyboardInterrupt):
            hooked.save(stopping, tmp_path, file_bytes=2_000)
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert 0 < manifest["n_batches"] <= 13
        assert not manifest["is_complete"]
        (tmp_path / "blocks.1" / f"{len(manifest['files']):05}.npy").write_bytes(b"half a file")
        model.n_passes = 0
        folder = hooked.save(batches, tmp_path, file_bytes=2_000)["blocks.1"]
        assert model.n_passes == 20 - manifest["n_batches"]
        hooked.save(None, tmp_path)
    np.testing.assert_array_equal(narrows.data.open_mapped(folder)[:], expected(model, batches).half().float().numpy())
    assert json.loads((tmp_path / "manifest.json").read_text())["is_complete"]


def test_a_saving_that_stops_before_its_first_file_goes_on(model, tmp_path):
    batches = make_batches(4)

    def stopping():
        yield batches[0]
        raise KeyboardInterrupt

    with narrows.hook(model, "blocks.1") as hooked:
        with pytest.raises(KeyboardInterrupt):
            hooked.save(stopping, tmp_path / "acts")
        folder = hooked.save(batches, tmp_path / "acts")["blocks.1"]
    assert len(narrows.data.open_mapped(folder)) == len(expected(model, batches))


def test_files_stay_below_their_bound(model, tmp_path):
    with narrows.hook(model, "blocks.1") as hooked:
        folder = hooked.save(make_batches(20), tmp_path, file_bytes=1_000, max_bytes=6_000)["blocks.1"]
        size = sum(path.stat().st_size for path in folder.iterdir())
        assert 4_000 < size < 6_000 + 128 * len(list(folder.iterdir()))
        hooked.save(make_batches(20), tmp_path, file_bytes=1_000)
    assert len(narrows.data.open_mapped(folder)) == len(expected(model, make_batches(20)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_lost_file_is_named(model, tmp_path, dtype):
    with narrows.hook(model, "blocks.1") as hooked:
        folder = hooked.save(make_batches(20), tmp_path / "acts", dtype=dtype, file_bytes=1_000)["blocks.1"]
        first, second, *_ = sorted(folder.iterdir())
        second.rename(tmp_path / second.name)
        for use in (lambda: hooked.save(make_batches(20), tmp_path / "acts", dtype=dtype), lambda: make().fit(folder)):
            with pytest.raises(
                FileNotFoundError, match=rf"There is no file .*{second.name}, which .*manifest.json lists"
            ):
                use()
        second.write_bytes(first.read_bytes())
        with pytest.raises(ValueError, match=r"blocks\.1 hold [\d,]+ rows, and .*manifest.json says"):
            make().fit(folder)
        (tmp_path / second.name).replace(second)
        assert len(narrows.data.open_mapped(folder)) == len(expected(model, make_batches(20)))


def test_a_saving_of_nothing_and_other_batches_are_named(model, tmp_path):
    batches = make_batches(20)
    with narrows.hook(model, "blocks.1") as hooked:
        with pytest.raises(
            ValueError, match=r"`max_bytes` parameter of save must hold .* Got 10, and the first batch has"
        ):
            hooked.save(batches, tmp_path, max_bytes=10)
        padding = {name: values * (name == "input_ids") for name, values in batches[0].items()}
        for empty in ([], [padding]):
            with pytest.raises(ValueError, match="`batches` parameter of save holds no rows"):
                hooked.save(empty, tmp_path)
        hooked.save([padding, *batches[:4]], tmp_path)
        with pytest.warns(UserWarning, match=r"is complete with 5 batches, and 20 are passed: nothing is") as caught:
            folder = hooked.save(batches, tmp_path)["blocks.1"]
    assert caught[0].filename == __file__
    assert len(narrows.data.open_mapped(folder)) == len(expected(model, batches[:4]))


def test_overflow_and_nan_are_named_and_files_before_them_stay(model, tmp_path):
    batches = make_batches(10)
    with torch.no_grad():
        model.embed.weight[49, 3] = 1e6
    batches[0]["input_ids"].clamp_(max=48)
    batches[1]["input_ids"][:] = 49
    with narrows.hook(model, "embed") as hooked:
        with pytest.raises(
            ValueError, match=r"'embed' gives 1e\+06 in batch 1, row 0, column 3; float16 holds.*bfloat16"
        ):
            hooked.save(batches, tmp_path / "a", file_bytes=1)
        assert len(narrows.data.open_mapped(tmp_path / "a" / "embed")) == int(batches[0]["attention_mask"].sum())
        hooked.save(batches, tmp_path / "b", dtype="bfloat16")
        with torch.no_grad():
            model.embed.weight[49, 3] = torch.nan
        with pytest.raises(ValueError, match=r"'embed' gives nan in batch 1, row 0, column 3\. Leave that input out"):
            hooked.save(batches, tmp_path / "c", dtype="float32")


def test_other_folders_are_refused(model, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with narrows.hook(model, "blocks.1") as hooked:
        with pytest.raises(ValueError, match="is not empty"):
            hooked.save(make_batches(1), tmp_path / "full")
        hooked.save(make_batches(1), tmp_path / "a")
        with pytest.raises(ValueError, match="in float16, not"):
            hooked.save(make_batches(1), tmp_path / "a", dtype="float32")
        with pytest.raises(ValueError, match="`dtype` parameter of save must be one of 'float16'"):
            hooked.save(make_batches(1), tmp_path / "b", dtype="int8")
        (tmp_path / "a" / "manifest.json").write_text("{")
        with pytest.raises(ValueError, match="damaged"):
            hooked.save(make_batches(1), tmp_path / "a")


# ------------------------------------------------------------------------------------------------ wrong arguments


def test_wrong_arguments_are_named(model):
    with pytest.raises(ValueError, match=r"Got 'block.1'. Did you mean 'blocks.1'"):
        narrows.hook(model, "block.1")
    with pytest.raises(ValueError, match=r"Got 'xyz'. Its layers are embed, blocks"):
        narrows.hook(model, "xyz")
    with pytest.raises(ValueError, match="must be different names"):
        narrows.hook(model, ["embed", "embed"])
    for limit in (0.5, "10", float("nan")):
        with pytest.raises(ValueError, match="`norm_limit` parameter of hook must be above 1"):
            narrows.hook(model, "embed", norm_limit=limit)
    with narrows.hook(model, ["blocks.0", "blocks.1"]) as hooked:
        with pytest.raises(ValueError, match="`layer` parameter of blocks"):
            hooked.blocks(make_batches(1))
        with pytest.raises(ValueError, match="Got 'head'"):
            hooked.fit({"head": make()}, [])
        with pytest.raises(ValueError, match="hooked already"), hooked:
            pass


def test_layers_without_rows_are_refused(model):
    with (
        narrows.hook(model, ["blocks.0", "blocks"]) as hooked,
        pytest.raises(ValueError, match="'blocks' was not called"),
    ):
        list(hooked.blocks(make_batches(1), "blocks.0"))
    pictures = nn.Sequential(nn.Conv2d(1, 2, 3))
    with narrows.hook(pictures, "0") as hooked, pytest.raises(ValueError, match=r"Got shape \(1, 2, 6, 6\)"):
        list(hooked.blocks([torch.zeros(1, 1, 8, 8)]))
    narrow = narrows.hook(model, "embed", mask=lambda _: torch.ones(2, 2))
    with narrow as hooked, pytest.raises(ValueError, match=r"The mask must be .*\(8, 7\).*Got \(2, 2\)"):
        list(hooked.blocks(make_batches(1)))
