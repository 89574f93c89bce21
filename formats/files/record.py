"""Basis of the tables of ``lens.toml``: strict records, numbers with a range, and errors in one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import wraps
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import LONGEST_MESSAGE, shown

MOST_TOLD = 4
"""Problems beside the first that a message tells; further ones are counted."""

LEAST, MOST = 1e-12, 1e12
"""Between these a number of a file is a quantity in its key's unit; squares and products of such are no overflow."""


def _not_vanishing(number: float) -> float:
    if number < LEAST:
        raise ValueError(f"expected {LEAST:g} or more, found {number:g}")
    return number


Positive = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False), AfterValidator(_not_vanishing)]
NotNegative = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
Nanometres = Annotated[Positive, Field(ge=1e-3, le=1e9)]
Micrometres = Annotated[Positive, Field(ge=1e-3, le=1e9)]
PixelPitch = Annotated[Positive, Field(ge=0.01, le=1e4)]
OpticalWavelength = Annotated[float, Field(ge=200, le=20_000, allow_inf_nan=False)]
LearningRate = Annotated[Positive, Field(le=1)]


Count = Annotated[int, Field(ge=1, le=10**12)]
NotNegativeCount = Annotated[int, Field(ge=0, le=2**63 - 1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_UNITS = ("_um", "_mm", "_nm", "_rad", "_deg", "_e", "_dn")


class Record(BaseModel):
    """A frozen table of a TOML file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, content: Any) -> Any:
        """Refuse true and false where no such thing is asked for; Python counts them as 1 and 0."""
        for name, value in content.items() if isinstance(content, dict) else ():
            if (
                _holds_truth(value)
                and name in cls.model_fields
                and not _asks_for_truth(cls.model_fields[name].annotation)
            ):
                raise ValueError(f"{name}: true and false are no such value, found {value!r}")
        return content


def _holds_truth(value: Any) -> bool:
    return any(map(_holds_truth, value)) if isinstance(value, list | tuple) else isinstance(value, bool)


def _asks_for_truth(annotation: Any) -> bool:
    return annotation in (bool, Any) or isinstance(annotation, bool) or any(map(_asks_for_truth, get_args(annotation)))


STRICT = ConfigDict(extra="forbid", strict=True)
"""For settings that are also set in Python: an integer must not be ``True`` or 8.5."""

Settings = TypeVar("Settings")


def told_as_input_error(what: str) -> Callable[[type[Settings]], type[Settings]]:
    """Decorate a pydantic dataclass of settings, so that invalid settings raise an :class:`InputError` of one sentence.

    Args:
        what: what is set, as the sentence begins.
    """

    def decorate(record: type[Settings]) -> type[Settings]:
        check = record.__init__

        @wraps(check)
        def init(self: Settings, *values: Any, **named: Any) -> None:
            try:
                check(self, *values, **named)
            except ValidationError as error:
                raise InputError(f"{what}: {first_problem(error, record)}") from error

        record.__init__ = init  # type: ignore[method-assign, assignment]
        return record

    return decorate


def tags_of(*unions: Any) -> frozenset[str]:
    """The names that tell the members of tagged unions apart, such as the families of a phase."""
    tagged = [(member, get_args(union)[1].discriminator) for union in unions for member in get_args(get_args(union)[0])]
    return frozenset(name for member, key in tagged for name in get_args(member.model_fields[key].annotation))


def _represented(value: Any) -> str:
    """Its representation; of a whole number of thousands of digits Python has none."""
    try:
        return repr(value)
    except ValueError:
        return "a number of very many digits"


def first_problem(error: ValidationError, record: type, tags: frozenset[str] = frozenset()) -> str:
    """The problems of a validation error as one sentence, the plainest one first.

    Args:
        error: what pydantic found.
        record: that was to be made, whose keys an unknown one is compared with.
        tags: names of members of unions, which are no keys and are left out of the place.

    Returns:
        Place, what was found and what was expected.
    """
    found = error.errors(include_url=False)
    # An array that lacks what is wrong in it is counted as too short: that is no problem of its own.
    found = [
        each
        for each in found
        if each["type"] != "too_short"
        or not any(
            len(other["loc"]) > len(each["loc"]) and other["loc"][: len(each["loc"])] == each["loc"] for other in found
        )
    ]
    # The unknown key is reported first: it shows more than the missing one.
    problems = sorted(found, key=lambda problem: problem["type"] not in _UNKNOWN)
    # A misspelt key is both unknown and missing; the unknown one shows the mistake.
    first = next((problem for problem in problems if problem["type"] in _UNKNOWN), problems[0])
    place = shown(_place_of(first, tags)) or "the file"
    if first["type"] in _UNKNOWN:
        what = f"unknown key {place}; {_advice(first['loc'], record, tags)}"
        lacking = [str(each["loc"][-1]) for each in problems if each["type"] == "missing"]
        if lacking:
            what += f"; missing: {', '.join(lacking)}"
        problems = [each for each in problems if each["type"] != "missing"]
    elif first["type"] == "missing":
        lacking = [shown(_place_of(each, tags)) for each in problems if each["type"] == "missing"]
        what = f"missing {'keys' if len(lacking) > 1 else 'key'} {', '.join(lacking)}"
        problems = [each for each in problems if each["type"] != "missing" or each is first]
    else:
        what = _told(first, tags)
    others = [_told(each, tags) for each in problems if each is not first]
    if len(others) > MOST_TOLD:
        others = [*others[:MOST_TOLD], f"and {len(others) - MOST_TOLD} more"]
    return "; ".join([what, *others]) + "."


def _place_of(problem: ErrorDetails, tags: frozenset[str]) -> str:
    return ".".join(str(part) for part in problem["loc"] if part not in tags)


def _told(problem: ErrorDetails, tags: frozenset[str]) -> str:
    """A problem of one key: its place, what is wrong, and what was found."""
    place = shown(_place_of(problem, tags)) or "the file"
    said = shown(expectation(problem), LONGEST_MESSAGE)
    what = said if problem["type"] == "value_error" and not problem["loc"] else f"{place}: {said}"
    if problem["type"] not in ("value_error", "missing", "union_tag_invalid", "union_tag_not_found"):
        what += f", found {shown(_represented(problem['input']))}"
    return what


_BOUNDS = {
    "greater_than": "more than {}",
    "greater_than_equal": "{} or more",
    "less_than": "less than {}",
    "less_than_equal": "{} or less",
}


_SAID = {
    "too_short": "expected at least {min_length} {values}",
    "too_long": "expected at most {max_length} {values}",
    "string_too_short": "expected at least {min_length} {characters}",
    "string_too_long": "expected at most {max_length} {characters}",
    "union_tag_invalid": "'{tag}' is none of {expected_tags}",
    "union_tag_not_found": "the key {discriminator} is missing",
    "extra_forbidden": "is not known",
    "unexpected_keyword_argument": "is not known",
}


_VALID = re.compile(r"an? valid (\w+)")
_KINDS = {"integer": "a whole number", "array": "a list", "tuple": "a list", "dictionary": "a table"}


def expectation(problem: ErrorDetails) -> str:
    """What a validation expected, in this package's words in place of pydantic's.

    Args:
        problem: one of a validation error's.
    """
    bound = _BOUNDS.get(problem["type"])
    if bound is not None:
        (limit,) = problem["ctx"].values()
        return "expected " + bound.format(f"{limit:g}" if isinstance(limit, float) else limit)
    if problem["type"] in _SAID:
        context = problem.get("ctx", {})
        many = "" if 1 in (context.get("min_length"), context.get("max_length")) else "s"
        return _SAID[problem["type"]].format(values=f"value{many}", characters=f"character{many}", **context)
    said = problem["msg"].removeprefix("Value error, ").replace("Field required", "is missing")
    said = said.replace("Input should be", "expected").replace(", unable to parse string as a number", "")
    return _VALID.sub(lambda match: _KINDS.get(match[1], f"a {match[1]}"), said)


def _advice(place: Sequence[int | str], record: type, tags: frozenset[str]) -> str:
    """What to do about an unknown key: the nearest known key, or all of them; and units, if they are in the keys."""
    known = _keys_beside(place, record, tags)
    units = [unit for unit in _UNITS if any(key.endswith(unit) for key in known)]
    nearest = get_close_matches(str(place[-1]), known, 1)
    advice = "check its spelling" + (f" and unit (keys end in {' or '.join(units)})" if units else "")
    return f"{advice}: the nearest key is {nearest[0]}" if nearest else f"{advice}: expected one of {', '.join(known)}"


def _keys_beside(place: Sequence[int | str], record: type, tags: frozenset[str]) -> list[str]:
    """The known keys of the table in which a key stands, sorted."""
    tables = [record]
    for part in place[:-1]:
        if part in tags:
            # The tag of a union's member: one of its keys can have only this value.
            inner = [each for each in tables if any(part in get_args(key.annotation) for key in _keys(each).values())]
        else:
            inner = [found for each in tables if part in _keys(each) for found in _tables(_keys(each)[part].annotation)]
        tables = inner or tables  # the number of an entry in an array leads to no other table
    return sorted({key for each in tables for key in _keys(each)})


def _keys(table: Any) -> dict[Any, FieldInfo]:
    return {each.alias or name: each for name, each in table.__pydantic_fields__.items()}


def _tables(annotation: Any) -> list[type]:
    """The records in an annotation such as ``tuple[A | B, ...]``."""
    if hasattr(annotation, "__pydantic_fields__"):
        return [annotation]
    return [found for part in get_args(annotation) for found in _tables(part)]
