"""The words that the server and the page exchange: one class for each kind of reply or request body."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]  # of a code: `narrows.studio.session.FARTHEST`
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Picture = Annotated[str, Field(description="A data URI of a PNG.")]
Panel = Literal["dials", "map", "clean", "units", "outliers", "search", "report"]


class Body(BaseModel):
    """A request's body: unknown fields are refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """What went wrong, in one sentence."""

    detail: str


class Health(BaseModel):
    """The server answers."""

    status: Literal["ok"]


class Example(BaseModel):
    """One example: a picture of an image, or the values of a vector."""

    picture: Picture | None = None
    values: list[Finite] | None = None


# The state


class ModelState(BaseModel):
    """The model that is shown."""

    name: str
    recipe: str
    title: str
    summary: str
    kind: Literal["image", "vector"]
    shape: list[int]
    columns: list[str] | None
    n_components: int
    has_code: bool
    stochastic: bool
    sparse: bool
    can: list[Panel]
    low: Finite | None
    high: Finite | None
    noises: list[str]
    noise: str
    description: str
    report: list[str]
    path: str | None
    saved: bool
    python: str
    command: str
    classes: list[str] | None
    class_: str | None


class DataState(BaseModel):
    """The examples that are shown."""

    name: str
    n: int
    total: int
    labels: bool
    classes: list[str] | None
    columns: list[str] | None
    description: str


class ModelEntry(BaseModel):
    """A model of this session."""

    id: str
    name: str
    recipe: str
    current: bool
    saved: bool


class DatasetEntry(BaseModel):
    """A named data set on this machine."""

    name: str
    summary: str
    n: int


class ParameterEntry(BaseModel):
    """A parameter of a recipe."""

    name: str
    default: Any
    help: str
    must_be: str


class RecipeEntry(BaseModel):
    """What can be trained."""

    name: str
    summary: str
    parameters: list[ParameterEntry]


class Limits(BaseModel):
    """What the server takes at most."""

    upload_bytes: int
    dials: int
    rows: int


class State(BaseModel):
    """All that the page begins with."""

    version: int
    instance: str
    narrows: str
    model: ModelState | None
    data: DataState | None
    training: str | None
    models: list[ModelEntry]
    datasets: list[DatasetEntry]
    recipes: list[RecipeEntry]
    limits: Limits


# Dials


class DialEntry(BaseModel):
    """A component as a slider."""

    component: int
    label: str
    carries: Finite
    used: bool
    low: Finite
    high: Finite
    mean: Finite
    step: Finite


class Dials(BaseModel):
    """Sliders, those first that carry most."""

    unit: Literal["nats", "share"]
    total: int
    dials: list[DialEntry]


class Codes(Body):
    """Codes to decode."""

    codes: Annotated[
        list[Annotated[list[Number], Field(min_length=1, max_length=1_000_000)]], Field(min_length=1, max_length=256)
    ]
    format: Literal["raw", "png", "json"] = "raw"
    scale: Annotated[int, Field(ge=1, le=32)] = 1


class Examples(BaseModel):
    """Decoded examples."""

    examples: list[Example]


class OneRow(Body):
    """A row of the data."""

    row: Index


class OneVector(Body):
    """An example of your own."""

    values: Annotated[list[Number], Field(min_length=1, max_length=100_000)]


class Encoded(BaseModel):
    """A code, and what it stands for."""

    code: list[Finite]
    example: Example
    reconstruction: Example


class RandomCode(BaseModel):
    """A code that was drawn."""

    code: list[Finite]
    seed: int


# Data, map


class Row(BaseModel):
    """A row of the data."""

    row: int
    name: str
    label: str | None
    example: Example
    code: list[Finite] | None
    columns: dict[str, str | None] | None


class ColourEntry(BaseModel):
    """What the map can be coloured by."""

    by: str
    title: str
    kind: Literal["category", "number"]
    categories: list[str] | None


# Clean, units, outliers, search


class CleanRow(Body):
    """A row to spoil and to clean."""

    row: Index
    noise: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.3
    kind: Literal["gaussian", "masking", "salt_and_pepper", "poisson"] = "gaussian"
    seed: Index = 0


class Cleaned(BaseModel):
    """An example before, spoiled, and cleaned; peak signal to noise in dB."""

    original: Example | None
    noisy: Example
    clean: Example
    psnr_noisy: Finite | None
    psnr_clean: Finite | None
    method: Literal["denoise", "reconstruct"]


class UnitEntry(BaseModel):
    """A unit of a sparse code."""

    unit: int
    rate: Finite
    strength: Finite
    highest: Finite
    top: list[int]


class Units(BaseModel):
    """A page of the wall of units."""

    total: int
    pages: int
    page: int
    units: list[UnitEntry]


class NamedValue(BaseModel):
    """A column and a number."""

    name: str
    value: Finite


class Unit(UnitEntry):
    """A unit, and what it adds."""

    adds: Picture | None
    columns: list[NamedValue] | None


class ActiveUnit(UnitEntry):
    """A unit that an example sets off."""

    activation: Finite


class ActiveUnits(BaseModel):
    """The units that a row sets off, strongest first."""

    row: int
    units: list[ActiveUnit]


class Turn(Body):
    """A unit's activation to set for a row."""

    row: Index
    value: Number


class Turned(BaseModel):
    """A row's reconstruction before and after a unit was turned."""

    before: Example
    after: Example
    was: Finite


class Reason(BaseModel):
    """A column, and its share of what makes an example strange."""

    name: str
    share: Finite


class OutlierEntry(BaseModel):
    """A row by how strange it is."""

    row: int
    score: Finite
    outlier: bool
    label: str | None
    reasons: list[Reason]


class Outliers(BaseModel):
    """Rows, strangest first."""

    threshold: Finite
    rows: list[OutlierEntry]


class Contribution(BaseModel):
    """What a column adds to how strange an example is."""

    name: str
    value: Finite
    expected: Finite
    nats: Finite


class Outlier(BaseModel):
    """A row, and why it is strange."""

    row: int
    score: Finite | None
    threshold: Finite
    outlier: bool
    example: Example
    expected: Example
    heat: Picture | None
    contributions: list[Contribution] | None


class RowQuery(Body):
    """Search for what is like a row."""

    row: Index
    k: Annotated[int, Field(ge=1, le=200)] = 24


class CodeQuery(Body):
    """Search for what is near a code."""

    code: Annotated[list[Number], Field(min_length=1, max_length=1_000_000)]
    k: Annotated[int, Field(ge=1, le=200)] = 24


class Neighbour(BaseModel):
    """A row, and how far its code is."""

    row: int
    distance: Finite
    label: str | None


class Neighbours(BaseModel):
    """Rows, nearest first."""

    results: list[Neighbour]


# Training


class ClassName(Body):
    """One of the classes that a conditional model is told."""

    name: Annotated[str, Field(max_length=1000)]


class DatasetName(Body):
    """A named data set."""

    name: Annotated[str, Field(max_length=100)]


class ColumnEntry(BaseModel):
    """A column as narrows sees it."""

    name: str
    kind: Literal["number", "category", "empty"]
    use: bool
    missing: int
    low: Finite | None
    high: Finite | None
    mean: Finite | None
    distinct: int
    examples: list[str]


class LikelihoodEntry(BaseModel):
    """A likelihood to choose."""

    name: str
    help: str


class Suggested(BaseModel):
    """What a training begins with."""

    recipe: str
    n_components: int | None
    max_time: Finite
    likelihood: str
    label: str | None


class Preview(BaseModel):
    """A first look at an upload."""

    sheet: Picture | None
    rows: list[list[str]] | None


class Upload(BaseModel):
    """Data that was brought, as narrows sees it."""

    id: str
    name: str
    bytes: int
    n: int
    kind: Literal["image", "vector", "table"]
    description: str
    shape: list[int]
    support: Literal["binary", "unit", "real", "count"]
    labels: bool
    classes: list[str] | None
    notes: list[str]
    columns: list[ColumnEntry] | None
    likelihoods: list[LikelihoodEntry]
    suggested: Suggested
    preview: Preview


class Training(Body):
    """What to train."""

    upload: Annotated[str, Field(max_length=32)]
    recipe: Annotated[str, Field(max_length=64)]
    n_components: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_time: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 60.0
    max_epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    likelihood: Annotated[str, Field(max_length=64)] = "auto"
    columns: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100_000)] | None = None
    label: Annotated[str, Field(max_length=1000)] | None = None
    name: Annotated[str, Field(max_length=100)] | None = None
    parameters: Annotated[dict[Annotated[str, Field(max_length=64)], Any], Field(max_length=50)] = {}


class Job(BaseModel):
    """A training that runs, or ran."""

    job: str
    status: Literal["starting", "training", "stopping", "done", "failed", "cancelled"]
    name: str
    recipe: str
    seconds: Finite
    share: Finite | None
    detail: str | None
