"""Texts of the demo: about the four models, the parts of an autoencoder, and each section of the page."""

from __future__ import annotations

PURPOSES = {
    "ae": "Turns each picture into a point on a map.",
    "vae": "Draws new pictures, with a dial for each number.",
    "dae": "Removes the noise from pictures.",
    "sae": "Finds the parts that pictures are made of.",
}
FULL_NAMES = {"ae": "Autoencoder", "vae": "Variational", "dae": "Denoising", "sae": "Sparse"}
PARTS = (
    ("x", "a picture, 64 numbers"),
    ("corrupt", "add noise, or change nothing"),
    ("encode", "turn it into a few numbers"),
    ("bottleneck", "the code: only these numbers pass"),
    ("decode", "draw the picture from the code"),
    ("likelihood", "how likely x is, given the drawing"),
)
COMMANDS = """\
narrows sample {models}/vae -n 64 --seed 1 -o samples.png
narrows traverse {models}/vae -o dials.png
narrows denoise {models}/dae digits -o cleaned.png
narrows fit mnist --recipe vae --n-components 16 --out mnist-vae
narrows recipes"""

# name of the section: its title, its text, and the model whose Python call is shown
SECTIONS = {
    "reconstructions": (
        "Pictures and their reconstructions",
        "The encoder turns each picture into a few numbers. The decoder draws the picture again from these numbers "
        "alone. PCA, the classical method, uses as many numbers. The twelve pictures were not used in training: "
        "four have the smallest errors of the VAE, four have typical errors, and four have the largest.",
        "vae",
    ),
    "map": (
        "A map of the pictures",
        "The code of a picture has two numbers, so it is a point on a map. Similar pictures lie close together. The "
        "model never saw the labels: the colours and numerals were added afterwards.",
        "ae",
    ),
    "dials": (
        "Dials to turn",
        "Each number of the code is a dial. The variational autoencoder keeps its codes close to a standard normal "
        "distribution, so most settings of the dials give a plausible picture. Turn them: the decoder runs in this "
        "page. The nats beside a dial say how much information about a picture it carries.",
        "",
    ),
    "samples": (
        "New pictures",
        "The decoder draws new pictures from random codes. The pictures are not selected, and some are hard to read.",
        "",
    ),
    "cleaning": (
        "Pictures without their noise",
        "The denoising autoencoder saw noisy pictures in training, and learned to return the clean ones. The decibels "
        "tell how close a picture is to the clean one: three more decibels mean half the squared error.",
        "dae",
    ),
    "units": (
        "A dictionary of strokes",
        "The sparse autoencoder has many units, but only a few are active for each picture. So each unit learns one "
        "kind of stroke. The first picture of a unit shows what it draws: blue adds ink, orange removes ink.",
        "sae",
    ),
    "training": (
        "How they learned",
        "The loss of a picture is measured in nats. Lower is better, and it can be below zero. The loss on held-out "
        "pictures shows whether a model learns or memorises. Early stopping keeps the weights with the lowest held-out "
        "loss.",
        "",
    ),
    "numbers": (
        "The numbers",
        "Everything here was measured when this page was made, on pictures that no model saw in training. PCA was "
        "fitted on the same training pictures, and its codes have the same size.",
        "",
    ),
    "decisions": (
        "What was decided, and why",
        "narrows chooses every setting that you leave open. It decides from the data, and records each decision.",
        "",
    ),
}
