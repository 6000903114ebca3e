"""Activations of a torch model, such as one of transformers: blocks of rows for `fit`, or files for later.

    with narrows.hook(model, "encoder.layer.2") as hooked:
        sae = narrows.SAE(4096, max_examples=1_000_000).fit(hooked.blocks(batches))

The output of a layer for a batch, (sequences, tokens, width) or (rows, width), becomes rows; tokens that a mask marks
as padding are left out. The model computes only up to the last of the layers, without gradients, as in evaluation.
"""

from __future__ import annotations

import contextlib
import difflib
import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Real
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from narrows.data.cache import write_rows
from narrows.data.edits import as_edit, replace_tensor
from narrows.data.fanned import fit_together
from narrows.data.outputs import as_rows, copy_rows, first_tensor, keep_ordinary, mask_of_ordinary, mask_of_rows
from narrows.params import enumerate_names

_MASK = "attention_mask"  # the key of the inputs of transformers' models

Mask = str | Callable[[Any], Tensor] | None


class _Complete(Exception):
    """Raised within a pass after the last layer, because the rest of the model is not needed."""


def hook(
    model: nn.Module,
    layers: str | Sequence[str],
    *,
    mask: Mask = _MASK,
    norm_limit: float | None = None,
    stops_early: bool = True,
) -> HookedModel:
    """Return a context manager that reads the activations of some layers of a model.

    Parameters
    ----------
    model : any module of torch. It stays on its device, and in its dtype.
    layers : name of a layer as in `model.named_modules()`, or several names. A layer that is called several times in a
        pass gives the output of its first call.
    mask : key of the mask in inputs that are dicts; or a function of the inputs of a batch that returns the mask,
        (sequences, tokens), where 0 marks padding; None to keep all tokens. Inputs without this key have no padding.
    norm_limit : a number above 1, such as 10: tokens whose activation in one of the layers is longer than this many
        times the median of their batch are left out like padding. Language models have some tokens whose activations
        are hundreds of times as long as others, and would be most of the variance; Sun et al., Massive activations in
        large language models (2024), https://arxiv.org/abs/2402.17762. None to keep all.
    stops_early : True to end each pass of the model after the last of the layers; False to run it whole.

    Raises
    ------
    ValueError
        If the model has no layer of that name, or `norm_limit` is not above 1.

    Examples
    --------
    >>> import torch, narrows
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    >>> with narrows.hook(model, "1") as hooked:
    ...     [tuple(block.shape) for block in hooked.blocks([torch.ones(5, 8), torch.ones(3, 8)])]
    [(5, 16), (3, 16)]
    """
    return HookedModel(model, [layers] if isinstance(layers, str) else list(layers), mask, norm_limit, stops_early)


class HookedModel:
    """A model whose layers are read, in a `with` block. Make it with `narrows.hook`.

    Attributes
    ----------
    layers : names of the layers.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[str], mask: Mask, norm_limit: float | None, stops_early: bool
    ) -> None:
        self.model, self.layers, self.mask, self.stops_early = model, list(layers), mask, stops_early
        self.norm_limit = norm_limit
        if norm_limit is not None and not (isinstance(norm_limit, Real) and norm_limit > 1):
            raise ValueError(f"The `norm_limit` parameter of hook must be above 1, or None. Got {norm_limit!r}.")
        modules = dict(model.named_modules())
        for layer in self.layers:
            if layer not in modules or layer == "":
                raise ValueError(
                    f"The `layers` parameter of hook must name layers of the model. Got {layer!r}. "
                    f"{_suggest(layer, modules)}"
                )
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise ValueError(f"The `layers` parameter of hook must be different names. Got {self.layers}.")
        self._modules = {layer: modules[layer] for layer in self.layers}
        self._outputs: dict[str, Tensor] | None = None  # of a pass that runs
        self._lock = threading.Lock()
        self._stack: contextlib.ExitStack | None = None

    def __enter__(self) -> Self:
        if self._stack is not None:
            raise ValueError("The model is hooked already.")
        self._stack = contextlib.ExitStack()
        for layer, module in self._modules.items():
            handle = module.register_forward_hook(lambda _m, _i, output, layer=layer: self._take(layer, output))
            self._stack.callback(handle.remove)
        for module in self.model.modules():
            self._stack.callback(setattr, module, "training", module.training)
        self.model.eval()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._stack is not None
        self._stack.close()
        self._stack = None

    def blocks(self, batches: Any, layer: str | Sequence[str] | None = None) -> LayerBlocks:
        """Return the activations of a layer as blocks of rows, which `fit` reads while the `with` block is open.

        Those of several layers, for a crosscoder, are blocks (n, layers, width).

        Parameters
        ----------
        batches : inputs of the model, batch by batch: an iterable, or a function that makes one, so that it can be read
            again. A batch is a tensor, a tuple of positional or a dict of named arguments.
        layer : name of the layer; None if there is one. A list of names for several, which have the same width.

        Raises
        ------
        ValueError
            If `layer` is not one of the layers.
        """
        if layer is None and len(self.layers) > 1:
            raise ValueError(f"The `layer` parameter of blocks must be one of {self.layers}, or a list of them.")
        if layer is None or isinstance(layer, str):
            return LayerBlocks(self, batches, self._check_layer(layer or self.layers[0], "blocks"))
        if not layer:
            raise ValueError("The `layer` parameter of blocks must name a layer. Got an empty list.")
        return LayerBlocks(self, batches, [self._check_layer(name, "blocks") for name in layer])

    def fit(self, estimators: Mapping[str, Any], batches: Any) -> dict[str, Any]:
        """Fit several estimators in one pass of the model. Each trains in a thread of its own.

        Parameters
        ----------
        estimators : an estimator, with the parameter `max_examples`, or a list of them for each layer.
        batches : as for `blocks`. They are read once.

        Returns
        -------
        The fitted estimators: the values of `estimators`, by layer.

        Raises
        ------
        ValueError
            If a layer is not one of the layers, or a training fails; the others are completed first.
        """
        trainings = [
            (self._check_layer(layer, "fit"), estimator)
            for layer, value in estimators.items()
            for estimator in (value if isinstance(value, (list, tuple)) else [value])
        ]
        passes = (outputs for outputs, _ in self._passes(_open(batches)))
        fit_together(trainings, passes)
        return dict(estimators)

    def save(
        self,
        batches: Any,
        folder: Any,
        *,
        dtype: str = "float16",
        file_bytes: int = 256 << 20,
        max_bytes: int | None = None,
    ) -> dict[str, Any]:
        """Write the activations of all layers into files, one folder a layer, in one pass of the model.

        A layer's folder can be passed to `fit`, `stream` and other methods, and a list of them to those of a
        crosscoder. If this is stopped, the same call goes on after the last complete files. In a folder that is
        complete, nothing is read or written.

        Parameters
        ----------
        batches : as for `blocks`; the same ones in each call.
        folder : folder of the layers' folders.
        dtype : "float16", "bfloat16" or "float32".
        file_bytes : size of a file, about.
        max_bytes : largest size of all files together; None for no limit.

        Returns
        -------
        The paths of the layers' folders, by layer.

        Raises
        ------
        ValueError
            If activations are not finite, or not in float16; if the folder is of other layers, another dtype or
            another `norm_limit`; if there is nothing to write, or `max_bytes` is less than the first batch.
        OSError
            If a file cannot be written, or one of an earlier call is lost. Complete files stay.
        """

        def rows_from(n_batches: int) -> Iterator[dict[str, Tensor]]:
            inputs = _open(batches)
            for _ in range(n_batches):
                next(inputs, None)
            return (outputs for outputs, _ in self._passes(inputs))

        n_given = operator.length_hint(batches, 0)
        return write_rows(rows_from, self.layers, folder, dtype, file_bytes, max_bytes, n_given, self.norm_limit)

    @contextlib.contextmanager
    def replace(self, edit: Any, layer: str | None = None) -> Iterator[Callable[[], Tensor | None]]:
        """Return a context manager in which the model computes with other outputs of a layer.

        The whole model runs, and behind the block it is as before. Activations are edited without gradients; tokens
        that the mask leaves out, or that `norm_limit` leaves out of this layer, keep theirs. A mask that is a function
        gets the inputs of the call. The block gets a function that returns the mask of the latest call, None without
        padding.

        Parameters
        ----------
        edit : a fitted estimator, whose reconstructions take the place of the activations; or a function of
            activations, a tensor (rows, width), that returns others of this shape.
        layer : name of the layer; None if there is one.

        Raises
        ------
        ValueError
            If `layer` is not one of the layers, or `edit` returns another shape.

        Examples
        --------
        >>> import torch, narrows
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
        >>> with narrows.hook(model, "1") as hooked, hooked.replace(lambda x: 0 * x):
        ...     bool((model(torch.ones(5, 8)) == model[2].bias).all())
        True
        """
        if layer is None and len(self.layers) > 1:
            raise ValueError(f"The `layer` parameter of replace must be one of {self.layers}.")
        layer = self._check_layer(layer or self.layers[0], "replace")
        function, mask = as_edit(edit), None

        def see_inputs(_module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            nonlocal mask
            mask = self.mask_of(named or (inputs[0] if len(inputs) == 1 else inputs))

        def edit_tokens(output: Tensor) -> Tensor:
            is_edited = mask_of_rows(output, mask, layer)
            if self.norm_limit is not None:
                is_edited = mask_of_ordinary(output, is_edited, self.norm_limit)
            if is_edited is None:
                return function(output)
            edited = output.clone()
            edited[is_edited] = function(output[is_edited])
            return edited

        with contextlib.ExitStack() as stack:
            stack.callback(self.model.register_forward_pre_hook(see_inputs, with_kwargs=True).remove)
            module = self._modules[layer]
            handle = module.register_forward_hook(lambda _m, _i, output: replace_tensor(output, edit_tokens))
            stack.callback(handle.remove)
            yield lambda: mask

    # ---------------------------------------------------------------------------------------------- inside

    def _passes(self, inputs: Iterable[Any]) -> Iterator[tuple[dict[str, Tensor], Any]]:
        """Yield the rows of each layer for each batch of inputs, and the inputs."""
        for batch in inputs:
            yield self.run(batch), batch

    def run(self, batch: Any) -> dict[str, Tensor]:
        """Return the rows (n, width) of each layer for a batch of inputs."""
        if self._stack is None:
            raise ValueError("Read activations within the block: with narrows.hook(model, layers) as hooked: ...")
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        with self._lock, torch.inference_mode(), contextlib.suppress(_Complete):
            outputs = self._outputs = {}
            try:
                _call(self.model, batch, device)
            finally:
                self._outputs = None
        mask = self.mask_of(batch)
        rows = {}
        for layer in self.layers:
            if layer not in outputs:
                raise ValueError(f"The layer {layer!r} was not called in a pass of the model.")
            found = as_rows(outputs[layer], mask, layer)
            rows[layer] = copy_rows(found) if found.is_inference() else found
        return rows if self.norm_limit is None else keep_ordinary(rows, self.norm_limit)

    def mask_of(self, batch: Any) -> Tensor | None:
        """Return the mask of a batch of inputs, None without padding."""
        if callable(self.mask):
            return torch.as_tensor(self.mask(batch)).bool()
        if self.mask is None or not isinstance(batch, Mapping) or batch.get(self.mask) is None:
            return None
        return torch.as_tensor(batch[self.mask]).bool()

    def _take(self, layer: str, output: Any) -> None:
        """Keep the output of a layer, and end the pass after the last one."""
        if self._outputs is None:
            return  # the user calls the model
        is_last = self.stops_early and len(self._outputs.keys() | {layer}) == len(self.layers)
        if layer not in self._outputs:
            value = first_tensor(output, layer)
            # a later layer may change it in place; what this pass did not compute is the user's
            self._outputs[layer] = value if is_last and value.is_inference() else copy_rows(value)
        if is_last:
            raise _Complete

    def _check_layer(self, layer: str, method: str) -> str:
        if layer not in self.layers:
            raise ValueError(f"The layer of {method} must be one of {self.layers}. Got {layer!r}.")
        return layer


class LayerBlocks:
    """The activations of one layer as blocks of rows, (n, width) each, or of a list of layers, (n, layers, width).

    Attributes
    ----------
    can_begin_again : True if the inputs can be read again, and so the blocks; False if they are an iterator.
    """

    def __init__(self, hooked: HookedModel, batches: Any, layer: str | Sequence[str]) -> None:
        self.hooked, self.batches, self.layer = hooked, batches, layer
        self.can_begin_again = not isinstance(batches, Iterator)

    def __iter__(self) -> Iterator[Tensor]:
        return self.start_at(0)

    def start_at(self, row: int) -> Iterator[Tensor]:
        """Return the blocks from a row on. The model does not run for batches before it, if a mask tells their rows."""
        has_mask = None
        for batch in _open(self.batches):
            mask = self.hooked.mask_of(batch) if row > 0 else None
            n = int(mask.sum()) if mask is not None and has_mask else 0
            if 0 < n <= row:
                row -= n
                continue
            rows = self._rows(self.hooked.run(batch))
            if mask is not None and has_mask is None and self.hooked.norm_limit is None:
                has_mask = len(rows) == int(mask.sum())  # a layer behind a pooling has a row for each sequence
            if row < len(rows):
                yield rows[row:]
            row = max(0, row - len(rows))

    def _rows(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return the rows of the layers for a batch."""
        if isinstance(self.layer, str):
            return outputs[self.layer]
        parts = [outputs[name] for name in self.layer]
        shapes = {name: tuple(outputs[name].shape) for name in self.layer}
        if len(set(shapes.values())) > 1:
            raise ValueError(
                f"The layers of a crosscoder must give the same number of rows of one width. Got {shapes}."
            )
        return torch.stack([part.to(parts[0]) for part in parts], 1)


def _suggest(layer: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown layer: similar names, or the first ones."""
    known = [name for name in names if name]
    if close := difflib.get_close_matches(layer, known, n=3):
        return f"Did you mean {' or '.join(map(repr, close))}?"
    return f"Its layers are {enumerate_names(known) or 'none'}."


def _open(batches: Any) -> Iterator[Any]:
    return iter(batches() if callable(batches) and not hasattr(batches, "__iter__") else batches)


def _call(model: nn.Module, batch: Any, device: torch.device) -> None:
    def move(value: Any) -> Any:
        return value.to(device) if isinstance(value, Tensor) else value

    if isinstance(batch, Mapping):
        model(**{name: move(value) for name, value in batch.items()})
    elif isinstance(batch, (tuple, list)):
        model(*map(move, batch))
    else:
        model(move(torch.as_tensor(batch)))
