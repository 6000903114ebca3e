"""Random numbers of a seed, with which the user's own sequence and other threads have nothing to do.

narrows' parts draw by `narrows.rng` from the generators of a `RandomStream`, so that trainings in several threads run
side by side. Dropout, modules of users, and compiled and recorded steps draw from torch's global generators all the
same. One thread at a time has those to itself, and the user's state is put back afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from narrows.rng import drawing_from

_ALONE = threading.RLock()  # of whoever has torch's global generators to himself

# torch's modules that draw nothing; what is not known to draw nothing may draw
_STEADY = {
    f"torch.nn.modules.{name}"
    for name in (
        "activation",
        "batchnorm",
        "container",
        "conv",
        "distance",
        "flatten",
        "fold",
        "instancenorm",
        "linear",
        "module",
        "normalization",
        "padding",
        "pixelshuffle",
        "pooling",
        "sparse",
        "upsampling",
    )
}
_UNSTEADY = (nn.RReLU, nn.MultiheadAttention, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


def draws_globally(*modules: nn.Module) -> bool:
    """Tell whether a part may draw from torch's global generators: a user's own, or one of torch's such as dropout."""
    return any(_may_draw(part) for module in modules for part in module.modules())


def _may_draw(part: nn.Module) -> bool:
    home = type(part).__module__
    return home.partition(".")[0] != "narrows" and (home not in _STEADY or isinstance(part, _UNSTEADY))


@contextlib.contextmanager
def forked_rng(seed: int) -> Iterator[None]:
    """Seed torch's global generators, and put them back as they were afterwards. Other threads wait meanwhile."""
    # a GPU that nobody has used yet stays so: a process that has set one up cannot fork, and a seed given to it now
    # would wait for it until it is
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with _ALONE, torch.random.fork_rng(gpus), drawing_from(None):
        apple = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
        if gpus or apple is not None:
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            if apple is not None:
                torch.mps.set_rng_state(apple)


class RandomStream:
    """A sequence of random numbers that is drawn from now and then.

    Parameters
    ----------
    seed : with which the sequence begins.
    device : on which numbers are wanted, beside the CPU.
    is_global : whether they are drawn from torch's global generators, as what `draws_globally` demands.
    """

    def __init__(self, seed: int, device: torch.device, is_global: bool) -> None:
        devices = {torch.device("cpu").type: torch.device("cpu"), device.type: device}
        self._generators = {name: torch.Generator(place).manual_seed(seed) for name, place in devices.items()}
        self.is_global = is_global
        self._global = {name: _global_generator(place) for name, place in devices.items()} if is_global else {}

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Draw from this sequence, going on from where it stood when it was last used."""
        if not self._global:
            with drawing_from(self._generators):
                yield
            return
        with _ALONE, drawing_from(None):
            before = {name: generator.get_state() for name, generator in self._global.items()}
            for name, generator in self._global.items():
                generator.set_state(self._generators[name].get_state())
            try:
                yield
            finally:
                for name, generator in self._global.items():
                    self._generators[name].set_state(generator.get_state())
                    generator.set_state(before[name])

    def state(self) -> dict[str, Tensor]:
        """The place in the sequence, by the type of the device."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where a sequence stood; devices that only one side has are left alone."""
        for name in self._generators.keys() & state.keys():
            self._generators[name].set_state(state[name].cpu())


@contextlib.contextmanager
def seeded_init(seed: int, is_global: bool = False) -> Iterator[None]:
    """Let what is made within it begin with the numbers of `seed`.

    Parameters
    ----------
    is_global : whether what is made may draw by other means than torch's usual ones, as a recipe of another package; it
        then has torch's global generators to itself.
    """
    if is_global:
        with forked_rng(seed):
            yield
        return
    generator = torch.Generator().manual_seed(seed)
    with drawing_from({"cpu": generator}), _DrawnFrom(generator):
        yield


class _DrawnFrom(TorchFunctionMode):
    """Draws by torch's own functions, as modules begin with, come from `generator` instead of the global one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func` with the generator, where it draws."""
        kwargs = dict(kwargs or {})
        if func in _DRAWS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)


_DRAWS = {
    *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal),
    *(torch.bernoulli, torch.poisson, torch.multinomial),
    *(Tensor.uniform_, Tensor.normal_, Tensor.random_, Tensor.bernoulli_, Tensor.exponential_),
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
}


def _global_generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        torch.cuda.init()
        return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
    return torch.mps._get_default_mps_generator() if device.type == "mps" else torch.default_generator
