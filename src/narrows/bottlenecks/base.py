"""What every bottleneck is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from narrows.types import Code


class Bottleneck(nn.Module, ABC):
    """Abstract: the narrow place between encoder and decoder.

    Attributes
    ----------
    n_components : L, the numbers in a code.
    n_inputs : the numbers that the encoder must give for each example.
    costs : the names of the costs that `forward` states, which an objective may weigh.
    needs_gradient : whether `encode` takes gradients itself, as by torch.autograd.grad; a model is otherwise applied
        in inference mode, where there are none. Any other part of a model may say the same.
    reviving : whether `forward` gives a spare code; part of a checkpoint, so that a resumed run goes on alike.
    """

    n_components: int
    n_inputs: int
    costs: tuple[str, ...] = ()
    needs_gradient: bool = False
    reviving: bool = False

    @abstractmethod
    def forward(self, h: Tensor) -> Code:
        """The code in training, with its costs; `h` is B x `n_inputs`. It may draw random numbers."""

    @abstractmethod
    def encode(self, h: Tensor) -> Tensor:
        """The code at inference (B x L): no random numbers."""

    def attend(self) -> None:
        """Look after what must be decided outside a step; the training calls it now and then."""
        return
