"""Public functions describe their arguments (shapes, units, ranges), results and the exceptions that they raise."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

ROOT = Path(__file__).resolve().parents[1]

FOLDERS = ("app", "commands", "formats", "optics", "psf", "restore", "runners", "synth", "workflows")
"""Folders in which public functions of two or more arguments have an ``Args`` section, and ``Raises`` if they raise,
and ``Returns`` if they return something."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_a_description_names_its_thing_before_it_says_of_what_it_is():
    lines = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line.lstrip().startswith('"""Of ')
    ]
    assert lines == []


def public_functions(tree: ast.AST, prefix: str = "") -> list[tuple[str, Function]]:
    """Public functions of a module and public methods of its public classes, by qualified name."""
    found: list[tuple[str, Function]] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found += public_functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, Function) and not node.name.startswith("_"):
            found.append((prefix + node.name, node))
    return found


def argument_count(function: Function) -> int:
    """Named arguments without ``self`` and ``cls``."""
    arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return sum(argument.arg not in ("self", "cls") for argument in arguments)


def is_command(function: Function) -> bool:
    """Whether it is a command: its docstring is the help text, and its options carry their own descriptions."""
    called = [each.func for each in function.decorator_list if isinstance(each, ast.Call)]
    return any(isinstance(each, ast.Attribute) and each.attr in ("command", "group") for each in called)


def describes_arguments(function: Function) -> bool:
    """Whether the docstring has an ``Args`` section or refers to the interface that a method implements."""
    text = ast.get_docstring(function) or ""
    return "\nArgs:\n" in text or "See :class:`" in text


def raises(function: Function) -> bool:
    """Whether its own body raises an exception that a caller may meet: no faults of ours, no interface left open."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if ast.unparse(kind) not in ("AssertionError", "NotImplementedError"):
                return True
        if not isinstance(node, (*get_args(Function), ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return False


def describes_exceptions(function: Function) -> bool:
    """Whether the docstring has a ``Raises`` section or refers to the interface that a method implements."""
    text = ast.get_docstring(function) or ""
    return "\nRaises:\n" in text or "See :class:" in text


def describes_result(function: Function) -> bool:
    """Whether a ``Returns`` section has text, nothing is returned, or the docstring refers to the interface."""
    text = ast.get_docstring(function) or ""
    if function.returns is None or ast.unparse(function.returns) in ("None", "NoReturn"):
        return True
    return re.search(r"\n(Returns|Yields):\n    +\S", text) is not None or "See :class:" in text


def undescribed(folder: str) -> list[str]:
    """Functions of a folder whose docstring is short of a section, a line each."""
    lines = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name, function in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
            if argument_count(function) < 2 or is_command(function):
                continue
            missing = [] if describes_arguments(function) else ["Args"]
            missing += ["Raises"] if raises(function) and not describes_exceptions(function) else []
            missing += [] if describes_result(function) else ["Returns"]
            lines += [f"{path.relative_to(ROOT)}:{function.lineno} {name}: {' and '.join(missing)}"] if missing else []
    return lines


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_function_of_two_or_more_arguments_describes_them_its_result_and_what_it_raises(folder):
    assert undescribed(folder) == []


def test_what_raises_is_found_and_what_an_inner_function_or_our_own_faults_raise_is_not():
    source = """
def refuses(a, b):
    if a:
        raise InputError("a")

def returns(a, b):
    def inner():
        raise ValueError
    raise AssertionError("never")

def passes_on(a, b):
    try:
        pass
    except OSError:
        raise
"""
    assert [name for name, each in public_functions(ast.parse(source)) if raises(each)] == ["refuses"]


def test_a_result_without_a_section_or_with_an_empty_one_is_found():
    source = '''
def bare(a, b) -> float:
    """Without."""

def empty(a, b) -> float:
    """Nothing said.

    Returns:

    Raises:
        InputError: never.
    """

def full(a, b) -> float:
    """With.

    Returns:
        Metres.
    """

def nothing(a, b) -> None:
    """Returns nothing."""

def implementation(a, b) -> float:
    """Loss. See :class:`Learner`."""
'''
    functions = public_functions(ast.parse(source))
    assert [name for name, each in functions if not describes_result(each)] == ["bare", "empty"]


def test_a_function_without_args_is_found_and_a_command_or_an_implementation_is_not():
    source = '''
def bare(a, b):
    """Without."""

def full(a, b):
    """With.

    Args:
        a: first.
        b: second.
    """

@click.command("name")
def command(a, b):
    """Help."""

class Method:
    def losses(self, a, b):
        """Loss. See :class:`Learner`."""

    def single(self, a):
        """One argument."""
'''
    functions = public_functions(ast.parse(source))
    counted = [(name, each) for name, each in functions if argument_count(each) >= 2 and not is_command(each)]
    assert [name for name, each in counted if not describes_arguments(each)] == ["bare"]
    assert [name for name, _ in functions] == ["bare", "full", "command", "Method.losses", "Method.single"]
