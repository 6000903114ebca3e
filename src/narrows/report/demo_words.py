"""What the demo says: of the four models, of the narrow place, and of each section of its page."""

from __future__ import annotations

PURPOSES = {
    "ae": "Squeezes each picture into two numbers: a map.",
    "vae": "Draws new pictures, and gives you dials to turn.",
    "dae": "Gives back clean pictures from noisy ones.",
    "sae": "Finds the parts that pictures are made of.",
}
FULL_NAMES = {"ae": "Autoencoder", "vae": "Variational", "dae": "Denoising", "sae": "Sparse"}
PARTS = (
    ("x", "a picture, 64 numbers"),
    ("corrupt", "spoil it on purpose, or not at all"),
    ("encode", "read it into a few numbers"),
    ("bottleneck", "the narrow place, the code"),
    ("decode", "draw it again from the code"),
    ("likelihood", "how likely x is, given the drawing"),
)
COMMANDS = """\
narrows sample {models}/vae -n 64 --seed 1 -o samples.png
narrows traverse {models}/vae -o dials.png
narrows denoise {models}/dae digits -o cleaned.png
narrows fit mnist --recipe vae --n-components 16 --out mnist-vae
narrows recipes"""

# by a section's name: its title, its words, and the model whose making is shown
SECTIONS = {
    "reconstructions": (
        "What comes out at the other end",
        "Each picture goes in, is squeezed to a few numbers, and is drawn again from those numbers alone. PCA, the "
        "classical way, gets as many. Twelve pictures that no model was trained on: the best, typical and worst by the "
        "error of the VAE.",
        "vae",
    ),
    "map": (
        "A map nobody drew",
        "With two numbers a picture, the code is a place on a map. Like lies by like, though the labels were never "
        "shown: the colours and numerals were added afterwards.",
        "ae",
    ),
    "dials": (
        "Dials to turn",
        "The variational autoencoder keeps its numbers near a standard bell curve, so that any setting of them draws "
        "something. Turn them: the decoder runs in this page. The nats say how much of a picture a dial carries.",
        "",
    ),
    "samples": (
        "Pictures that never were",
        "Random numbers in, new pictures out: the decoder draws what it has learned that digits look like. Not all "
        "are legible, and none was chosen.",
        "",
    ),
    "cleaning": (
        "Clean out of noisy",
        "The denoising autoencoder was shown spoiled pictures and asked for the clean ones, until it knew what noise "
        "is and what is not. Decibels say how near a picture is to the clean one; three more halve the squared error.",
        "dae",
    ),
    "units": (
        "A dictionary of strokes",
        "The sparse autoencoder has many units, of which few may speak for any one picture, so each becomes an "
        "expert. Its direction is what it draws: blue adds ink, orange takes ink away.",
        "sae",
    ),
    "training": (
        "How they learned",
        "The loss is how surprised a model is by a picture, in nats; lower is better, and below zero is allowed. "
        "Held-out pictures show whether it learns or memorises: the weights of the best look are kept.",
        "",
    ),
    "numbers": (
        "The numbers",
        "Everything here was measured while this page was made, on pictures that no model had seen. PCA had the same "
        "training pictures and as many numbers to spend.",
        "",
    ),
    "decisions": (
        "What was decided, and why",
        "Whatever you leave open is decided by the data, and every model keeps a record of it. Then it is your turn.",
        "",
    ),
}
