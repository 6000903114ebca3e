"""Labels from few: an encoder that learns from all examples, and labels that only some of them have.

Four ways, from the cheapest:

- probe: a linear model on the frozen codes.
- spread: labels flow along the graph of nearest neighbours among the codes, F = (1 - a) (I - a S)^-1 Y with
  S = D^-1/2 W D^-1/2, W the weights of its edges; what they say of an example is multiplied by what the probe says
  (Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with local and global consistency, 2004,
  https://papers.nips.cc/paper/2506-learning-with-local-and-global-consistency).
- fine-tune: encoder and decoder go on learning, while a head on the encoder learns the labels, those known and those
  that spreading gives: loss = - log p(x | z) + costs - w log q(y | x), where q is normal for numbers.
- joint: one VAE of examples and labels together, in which a label that is not known is a second latent variable (M2:
  Kingma, Rezende, Mohamed and Welling, Semi-supervised learning with deep generative models, 2014,
  https://arxiv.org/abs/1406.5298).
"""

from narrows.tasks.labels.classifier import Classifier
from narrows.tasks.labels.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
