"""House rules that a program can check: abstract or final classes, open seams, short files and functions."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import narrows

SOURCE = Path(narrows.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 400, 60  # lines; lines of code
LONGEST = {"training/loop.py": 270}  # lines of files that are to stay shorter than others
# Hooks: the method of the base does nothing, and a class that has something to do there replaces it.
HOOKS = {
    "Bottleneck.update_dead_units": "most codes have no state that needs a wait for the device",
    "Bottleneck.aux_active": "a code with labels revives as its free part does",
    "Bottleneck.advance": "most codes have no temperature",
    "Bottleneck.condition": "most codes do not depend on the encoder",
    "Bottleneck.n_start_rows": "most codes have no prior that starts at training rows",
    "Bottleneck.start_prior": "most codes have no prior that starts at training rows",
    "Bottleneck.linear_start": "a code that is not linear has no start at PCA",
    "Bottleneck.health": "what can go wrong with a code depends on its kind",
    "Bottleneck.project": "a code of real numbers can be anything",
    "Bottleneck.interpolate": "a line suits codes without a geometry",
    "Bottleneck.takes_deferred": "most codes need all outputs of the encoder",
    "Objective.restart": "a capacity does not grow again after a collapse",
    "Cost.start": "few costs depend on the number of training examples",
    "Sparse.start_at": "most sparse codes have no threshold to learn",
    "Selective.choose": "some codes find their entries without looking at all",
    "Selective.training_mask": "a code may compare the examples of a batch in training",
    "Selective.takes_deferred": "the number of entries of most codes depends on the data",
    "Selective.cost": "a code that fixes the number of active units has no cost",
    "Selective.gate": "most codes have no gates",
    "Sampler.bind": "only a sampler of indices needs the code that has them",
    "Stochastic.code": "a code may compute its draw and its cost together",
    "Stochastic.kl": "a code on a sphere has a KL, but none of each component",
    "Stochastic.sample_given": "most posteriors do not need the likelihood",
    "Stochastic.n_modes": "few priors are mixtures",
    "Stochastic.mode_probs": "few priors are mixtures",
    "Prior.condition": "most priors do not depend on the encoder",
    "Prior.start": "most priors need no start at training rows",
    "Prior.mode_probs": "few priors are mixtures",
    "Stochastic.prior_std": "not every prior's is known",
    "Stochastic.forward": "a code with labels takes these, too",
    "Stochastic.health": "a code with labels has the health of its free part",
    "PriorCode.interpolate": "a code with labels has the paths of its free part",
    "Likelihood.params_shape": "the likelihood of a table has other numbers of outputs for each column",
    "Decoder.undo_scaling": "few encoders scale each example by its own numbers",
    "Decoder.weigh_examples": "few encoders scale each example by its own numbers",
    "Estimator._after_fit": "most models have nothing of their own to find out about the training rows",
    "Likelihood.soft_mean": "the mean of most likelihoods changes smoothly",
    "Likelihood.link": "a likelihood without a link has no linear path",
    "Likelihood.outputs_of": "only the likelihood of a masked table has outputs for each column",
    "Likelihood.update_scale": "most likelihoods have no parameter that does not follow the gradient",
    "Scoring.predict": "a masked table predicts a column, too; without one it tells outliers as all models do",
    "Inference._encode": "a map encodes in the precision of its training, any other model in its own",
}
NOT_IMPORTED = {"narrows.__main__"}  # it runs the command


def modules():
    for module in pkgutil.walk_packages(narrows.__path__, "narrows."):
        if module.name not in NOT_IMPORTED:
            yield importlib.import_module(module.name)


def classes() -> list[type]:
    """All classes that the modules of narrows define."""
    defined = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    return sorted(defined, key=lambda c: (c.__module__, c.__qualname__))


def is_abstract(cls: type) -> bool:
    return inspect.isabstract(cls) or (cls.__doc__ or "").startswith("Abstract")


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


ABSTRACT = [c for c in classes() if is_abstract(c)]


@pytest.mark.parametrize("cls", ABSTRACT, ids=lambda c: c.__qualname__)
def test_an_abstract_class_says_so_and_cannot_be_made(cls):
    assert (cls.__doc__ or "").startswith("Abstract: ")
    with pytest.raises(TypeError, match="abstract"):
        cls()


def test_a_method_without_a_body_belongs_to_an_abstract_class():
    for cls in classes():
        for method, value in vars(cls).items():
            if getattr(value, "__isabstractmethod__", False):
                assert inspect.isabstract(cls), f"{cls.__qualname__}.{method} is abstract in a class without ABC"


def test_a_concrete_method_is_never_overridden():
    overridden = set()
    for cls in classes():
        for method, value in vars(cls).items():
            if method.startswith("__") or not (
                callable(value) or isinstance(value, (property, classmethod, staticmethod))
            ):
                continue
            for base in cls.__mro__[1:]:
                first = vars(base).get(method)
                if base.__module__.startswith("narrows.") and first is not None:
                    if not getattr(first, "__isabstractmethod__", False):
                        overridden.add(f"{base.__qualname__}.{method}")
                    break
    assert overridden == set(HOOKS)


def test_nothing_becomes_too_long():
    too_long = set()
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > LONGEST.get(name(path), LONGEST_FILE):
            too_long.add(name(path))
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                and n_code_lines(node, text) > LONGEST_FUNCTION
            ):
                too_long.add(f"{name(path)}:{node.name}")
    assert too_long == set()


def n_code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> int:
    """Lines of a function without its docstring, blank lines and comments."""
    lines = text.splitlines()
    documented = ast.get_docstring(node, clean=False) is not None
    skipped = range(node.body[0].lineno, node.body[0].end_lineno + 1) if documented else range(0)
    numbers = (n for n in range(node.lineno, node.end_lineno + 1) if n not in skipped)
    return sum(1 for n in numbers if lines[n - 1].strip() and not lines[n - 1].strip().startswith("#"))


def test_no_module_of_narrows_is_imported_by_its_name_in_a_string():
    """The layer check is blind to such imports; `narrows/__init__.py` may, because it is no layer."""
    assert {name(path) for path in FILES if path != SOURCE / "__init__.py" and imports_by_name(path)} == set()


def test_an_import_by_name_is_noticed(tmp_path):
    for line in (
        'importlib.import_module("narrows.studio")',
        '__import__("narrows.plots")',
        'import_module(f"narrows.{layer}")',
        'import_module(name=".plots", package="narrows")',
    ):
        path = tmp_path / "module.py"
        path.write_text(line, encoding="utf-8")
        assert imports_by_name(path), line
    path.write_text('importlib.import_module(library); importlib.import_module("pandas")', encoding="utf-8")
    assert not imports_by_name(path)


def imports_by_name(path: Path) -> bool:
    """True if a file imports a module of narrows by a string, whole or in parts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            strings = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            if any(string.split(".")[0] == "narrows" for string in strings):
                return True
    return False


def test_only_a_part_itself_asks_of_which_kind_it_is():
    assert {name(path): n for path in FILES if (n := n_questions(path)) > 0} == {}


def n_questions(path: Path) -> int:
    """Count the tests of a file by `isinstance` or `issubclass` for a bottleneck, an objective or a likelihood."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    homes = {"bottlenecks", "objectives", "likelihoods"}
    if homes & {path.parent.name, path.stem}:
        return 0
    imported = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[1:2]
            and node.module.split(".")[1] in homes
        ):
            imported |= {alias.asname or alias.name for alias in node.names}
    n = 0
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            for kind in ast.walk(node.args[1]):
                by_name = isinstance(kind, ast.Name) and kind.id in imported
                by_module = (
                    isinstance(kind, ast.Attribute) and isinstance(kind.value, ast.Name) and kind.value.id in homes
                )
                n += by_name or by_module
    return n


QUESTIONS = {"How", "One", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"}


def test_docstrings_open_with_their_subject():
    opened, wrong = 0, []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                words = re.findall(r"\w+", ast.get_docstring(node) or "")
                opened += bool(words)
                if words and words[0] in QUESTIONS:
                    wrong.append(f"{name(path)}:{getattr(node, 'name', '')}")
    assert opened > 1000
    assert len(wrong) < 0.02 * opened, wrong
