"""Public functions describe their arguments: shapes, units, ranges."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FOLDERS = ("commands", "formats", "optics", "psf", "restore", "runners", "synth", "workflows")
"""Folders in which every public function of two or more arguments has an ``Args`` section."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


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


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_function_of_two_or_more_arguments_describes_them(folder):
    silent = [
        f"{path.relative_to(ROOT)}:{function.lineno} {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, function in public_functions(ast.parse(path.read_text(encoding="utf-8")))
        if argument_count(function) >= 2 and not is_command(function) and not describes_arguments(function)
    ]
    assert silent == []


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
