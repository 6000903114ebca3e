"""Random numbers that depend on a seed only, not on the user's random state or on other threads.

The parts of narrows draw with `narrows.rng` from the generators of a `RandomStream`, so trainings can run in several
threads at once. Dropout, users' modules, compiled steps and CUDA graphs draw from torch's global generators. A lock
gives these to one thread at a time, and the user's state is restored afterwards.
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

_GLOBAL_RNG_LOCK = threading.RLock()  # held while a thread uses torch's global generators

# torch's modules that draw no random numbers; all others may draw
_DETERMINISTIC_MODULES = {
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
_RANDOM_CLASSES = (nn.RReLU, nn.MultiheadAttention, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


def draws_globally(*modules: nn.Module) -> bool:
    """True if a part may draw from torch's global generators: a user's module, or one of torch's such as dropout."""
    return any(_may_draw(part) for module in modules for part in module.modules())


def _may_draw(part: nn.Module) -> bool:
    home = type(part).__module__
    return home.partition(".")[0] != "narrows" and (
        home not in _DETERMINISTIC_MODULES or isinstance(part, _RANDOM_CLASSES)
    )


@contextlib.contextmanager
def forked_rng(seed: int) -> Iterator[None]:
    """Seed torch's global generators inside the context, and restore them afterwards. Other threads wait meanwhile."""
    # leave a GPU alone that is not initialized: a process that has initialized one cannot fork, and a seed set now
    # would be applied at its later initialization
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with _GLOBAL_RNG_LOCK, torch.random.fork_rng(gpus), drawing_from(None):
        mps_state = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
        if gpus or mps_state is not None:
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


class RandomStream:
    """A sequence of random numbers that continues from one use to the next.

    Parameters
    ----------
    seed : seed of the sequence.
    device : device on which numbers are drawn, in addition to the CPU.
    is_global : if True, torch's global generators draw the numbers. Modules for which `draws_globally` is True need it.
    """

    def __init__(self, seed: int, device: torch.device, is_global: bool) -> None:
        devices = {torch.device("cpu").type: torch.device("cpu"), device.type: device}
        self._generators = {name: torch.Generator(place).manual_seed(seed) for name, place in devices.items()}
        self.is_global = is_global
        self._global = {name: _global_generator(place) for name, place in devices.items()} if is_global else {}

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Draw from this sequence inside the context, continuing after its last use."""
        if not self._global:
            with drawing_from(self._generators):
                yield
            return
        with _GLOBAL_RNG_LOCK, drawing_from(None):
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
        """Return the state of the generators, by device type."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the state of a sequence. Device types that only one of the two has are ignored."""
        for name in self._generators.keys() & state.keys():
            self._generators[name].set_state(state[name].cpu())


@contextlib.contextmanager
def seeded_init(seed: int, is_global: bool = False) -> Iterator[None]:
    """Initialise modules that are made inside the context from `seed`.

    Parameters
    ----------
    is_global : if True, seed torch's global generators and lock them. It is needed where the initialisation may draw
        by other means than torch's common functions, as recipes of other packages may.
    """
    if is_global:
        with forked_rng(seed):
            yield
        return
    generator = torch.Generator().manual_seed(seed)
    with drawing_from({"cpu": generator}), _DrawFrom(generator):
        yield


class _DrawFrom(TorchFunctionMode):
    """Makes torch's drawing functions use `generator` instead of the global one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, with the generator if it draws."""
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
