"""Texts of the demo: about the four models, the parts of an autoencoder, and each section of the page."""

from __future__ import annotations

from collections.abc import Mapping

PURPOSES = {
    "ae": "Turns each picture into a point on a map.",
    "vae": "Draws new pictures, with a dial for each number.",
    "dae": "Removes the noise from pictures.",
    "sae": "Finds the parts that pictures are made of.",
}
FULL_NAMES = {"ae": "Autoencoder", "vae": "Variational", "dae": "Denoising", "sae": "Sparse"}
# the parts of an autoencoder, each with what it does, by kind: "" is every kind that is not named
PARTS: Mapping[str, Mapping[str, str]] = {
    "x": {"": "a picture, 64 numbers"},
    "corrupt": {"": "changes nothing", "dae": "adds noise"},
    "encode": {
        "ae": "turns 64 numbers into {ae}",
        "vae": "turns 64 numbers into {vae}, each with a width",
        "dae": "hands the picture on",
        "sae": "turns 64 numbers into {sae} units",
    },
    "bottleneck": {
        "ae": "only these {ae} numbers pass",
        "vae": "{vae} numbers pass, each drawn from a small cloud",
        "dae": "none: everything passes",
        "sae": "only the {k} largest units pass",
    },
    "decode": {
        "": "draws the picture from the code",
        "dae": "takes the noise away",
        "sae": "adds up what each unit draws",
    },
    "likelihood": {"": "how likely x is, given the drawing"},
}
# the parts in which a kind differs from the plain autoencoder
CHANGES = {"ae": (), "vae": ("bottleneck",), "dae": ("corrupt", "bottleneck"), "sae": ("bottleneck", "decode")}
ANATOMY = {
    "ae": "The plain autoencoder. Only {ae} numbers pass, so each picture becomes a place on a map. The others "
    "change a part or two of it.",
    "vae": "A code is a small cloud instead of a point. Its cost, the KL divergence, keeps all clouds together around "
    "0, so a new code from there makes a new picture.",
    "dae": "The network sees a noisy picture and must draw the clean one. Here the noise is what makes the task hard, "
    "so no narrow place is needed.",
    "sae": "The code is wide, but only {k} of its {sae} units may be active for a picture. So each unit learns one "
    "kind of stroke.",
}
HINTS = {
    "ae": "What decode draws with {name} from {low} to {high} {unit}.",
    "vae": "What decode draws with {name} from {low} to {high} {unit}.",
    "dae": "Above, what the network sees, with noise from {low} to {high}. Below, what it draws.",
    "sae": "What decode draws with {name} from {low} to {high} {unit}.",
}
# the code and the loss of a kind, in HTML; what differs from the plain autoencoder is bold
FORMULAS = {
    "ae": ("z = encode(x)", "loss(x) = \u2212log p(x | z)"),
    "vae": (
        "<b>z ~ q(z | x)</b>, a cloud from encode(x)",
        "loss(x) = \u2212log p(x | z) <b>+ KL(q(z | x) \u2016 p(z))</b>",
    ),
    "dae": ("z = <b>x + noise</b>", "loss(x) = \u2212log p(x | z)"),
    "sae": ("z = <b>the {k} largest of</b> encode(x)", "loss(x) = \u2212log p(x | z)"),
}
COMMANDS = """\
narrows sample {model} -n 64 --seed 1 -o samples.png
narrows traverse {model} -o dials.png
narrows denoise {dae} digits -o cleaned.png
narrows fit digits --recipe vae --n-components 16 --max-time 20s --out digits-vae
narrows recipes"""
ONWARD = (
    "Turn the dials in the studio",
    "The studio opens in the browser and runs on this machine: it has the dials and the map of this VAE, and trains "
    "models on your own data. It needs pip install 'narrows[studio]'.",
)

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
