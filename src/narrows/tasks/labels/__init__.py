"""Semi-supervised learning: all examples train the encoder, but only some of them have labels.

Four methods, the cheapest first:

- probe: a linear model on the frozen codes.
- spread: label spreading along the graph of nearest neighbours among the codes, F = (1 - a) (I - a S)^-1 Y with
  S = D^-1/2 W D^-1/2, W the weights of the edges. The class probabilities are multiplied by those of the probe
  (Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with local and global consistency, 2004,
  https://papers.nips.cc/paper/2506-learning-with-local-and-global-consistency).
- fine-tune: encoder and decoder continue to train, while a head on the encoder learns the labels, both the known ones
  and those from spreading: loss = - log p(x | z) + costs - w log q(y | x); for numbers q is a normal distribution.
- joint: one VAE of examples and labels, in which an unknown label is a second latent variable (M2: Kingma, Rezende,
  Mohamed and Welling, Semi-supervised learning with deep generative models, 2014, https://arxiv.org/abs/1406.5298).
"""

from narrows.tasks.labels.classifier import Classifier
from narrows.tasks.labels.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
