"""A setting is one line: its option, help, checks and place in the fingerprint are made from it.

A config is a frozen dataclass derived from :class:`Config`, whose fields are declared by
:func:`setting`. Its docstring is the help of its command. Importing this imports no torch.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from enum import Enum, auto
from math import isfinite
from typing import Any, ClassVar

from wsss_cli.errors import UsageError, did_you_mean

KEY = "setting"
REQUIRED: Any = MISSING
"""The default of a setting that has none."""


class Role(Enum):
    """What a setting has to do with the result."""

    RESULT = auto()
    """It changes the result: the fingerprint holds its value."""
    WORK = auto()
    """It says where and how fast the result is computed, or whether another one is replaced."""
    EXTRA = auto()
    """It asks for something beside the result, which a finished one may get later."""
    INPUT = auto()
    """It is the path of an input: the fingerprint holds the content instead of the path."""


@dataclass(frozen=True)
class Setting:
    """What is declared of a field beside its name, type and default.

    Attributes:
        help: What it does, in whole sentences.
        role: What it has to do with the result.
        unset: What happens where it is None, as the help shows it.
        choices: Allowed values.
        pattern: Regular expression of allowed values, and how a message lists them.
        above: Numbers must be greater than this. Of a tuple, each of them; None is always allowed.
        at_least: Numbers must not be less than this.
        below: Numbers must be less than this.
        at_most: Numbers must not be greater than this.
        of: Methods or rules that it belongs to; with the others it is refused, and it stays out of
            their fingerprints. Empty for a setting that all have.
        needed: Those cannot do without it.
        group: Heading in the help that it stands under; None is that of the methods or rules that
            it belongs to, and empty the general one.
        later: Added after results without it had been made; None is what they were made with.
        exists: It must be the path of a file or folder that exists, as that of every input must.
        words: Values of a path that are words instead.
        variable: Environment variable that sets it, too.
        instead: Settings that take its place: one on the command line replaces it where a file or
            the environment sets it.
        argument: Name of the positional argument that it is, instead of an option.
        short: One letter that stands for the option, as ``-o``.
    """

    help: str
    role: Role = Role.RESULT
    unset: str | None = None
    choices: Collection[str] = ()
    pattern: tuple[str, str] | None = None
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    of: tuple[str, ...] = ()
    needed: bool = False
    group: str | None = None
    later: bool = False
    exists: bool = False
    words: tuple[str, ...] = ()
    variable: str | None = None
    instead: tuple[str, ...] = ()
    argument: str | None = None
    short: str | None = None

    @property
    def must_exist(self) -> bool:
        """Whether a path that leads nowhere is refused."""
        return self.exists or self.role is Role.INPUT

    @property
    def range(self) -> str:
        """The range of allowed numbers in words; empty where there is none."""
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least} to {self.at_most}"
        if self.at_least is not None and self.below is None:
            return f"{self.at_least} or more"
        words = ("above", "at least", "below", "at most")
        limits = zip(words, (self.above, self.at_least, self.below, self.at_most), strict=True)
        return " and ".join(f"{word} {limit}" for word, limit in limits if limit is not None)

    def allows(self, number: float) -> bool:
        """Whether a number is in the range."""
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
        )


def setting(default: Any, help: str, **declared: Any) -> Any:  # noqa: ANN401 - any type's
    """Declare a field of a config.

    Args:
        default: Its default; ``REQUIRED`` for none.
        help: What it does, in whole sentences.
        declared: Other attributes of :class:`Setting`.
    """
    metadata = {KEY: Setting(help, **declared)}
    if default is MISSING:
        return field(kw_only=True, metadata=metadata)
    return field(default=default, metadata=metadata)


def same_as(config: "type[Config]", name: str, **changes: Any) -> Any:  # noqa: ANN401 - any type's
    """Declare a field as another config declares it.

    Args:
        config: The other config.
        name: The field.
        changes: Attributes of :class:`Setting` that differ.
    """
    other = config.__dataclass_fields__[name]
    return field(default=other.default, metadata={KEY: replace(other.metadata[KEY], **changes)})


@dataclass(frozen=True)
class Config:
    """Settings of a command, each checked by what is declared of it.

    Raises:
        UsageError: A value is not allowed; the message names the option.
    """

    chosen_by: ClassVar[str] = ""
    """The setting whose value tells which of the settings that belong to some are in use."""

    def __post_init__(self) -> None:
        for declared, about in settings_of(type(self)):
            _check_value(declared.name, getattr(self, declared.name), about)
        for declared, about in self.of_others():
            unused = getattr(self, declared.name) == declared.default
            check(unused, declared.name, *self._belongs(about))

    def _belongs(self, about: Setting) -> tuple[str, str]:
        """To which methods or rules a setting belongs, and what to do where another is chosen."""
        return (
            f"belongs to {option(self.chosen_by)} {any_of(about.of)}, not to "
            f"{getattr(self, self.chosen_by)}",
            f"leave it out or choose another {option(self.chosen_by)}",
        )

    def check_command(self) -> None:
        """Refuse what no command can mean, though a config made of a result's record may have it.

        Raises:
            UsageError: Settings contradict each other; the message names the options.
        """

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """The settings that change nothing beside the others: what :func:`check` says of each."""
        return {declared.name: self._belongs(about) for declared, about in self.of_others()}

    def refuse_without_effect(self, given: Collection[str]) -> None:
        """Refuse a setting that somebody gave in vain.

        A config may have such a setting, of the defaults in a file or of a result's record.

        Args:
            given: The settings given for this very command.

        Raises:
            UsageError: One of them changes nothing; the message names the option.
        """
        for name, words in self.without_effect().items():
            value, default = getattr(self, name), self.__dataclass_fields__[name].default
            # No path, or a switch that stays where it is, asks for nothing.
            asks = value is not None and not (isinstance(value, bool) and value == default)
            check(name not in given or not asks, name, *words)

    def of_others(self) -> Iterator[tuple[Field[Any], Setting]]:
        """Settings of methods or rules that are not the chosen one."""
        for declared, about in settings_of(type(self)):
            if about.of and getattr(self, self.chosen_by) not in about.of:
                yield declared, about


def settings_of(config: type[Config]) -> Iterator[tuple[Field[Any], Setting]]:
    """The fields of a config and what is declared of them."""
    for declared in fields(config):
        yield declared, declared.metadata[KEY]


def names_with_role(config: type[Config], *roles: Role) -> frozenset[str]:
    """Names of a config's settings of some roles."""
    return frozenset(
        declared.name for declared, about in settings_of(config) if about.role in roles
    )


class SettingError(UsageError):
    """A setting that its config refuses.

    Attributes:
        fact: What is wrong, with the options concerned.
        advice: Which option to leave out or to give otherwise; empty where the fact says enough.
    """

    def __init__(self, fact: str, advice: str = "") -> None:
        """Compose the message."""
        super().__init__(f"{fact}; {advice}" if advice else fact)
        self.fact, self.advice = fact, advice


def check(condition: bool, field: str, rule: str, advice: str = "") -> None:
    """Refuse a setting.

    Args:
        condition: What must hold.
        field: The setting.
        rule: What is wrong with it, as the sentence goes on after its option.
        advice: Which option to leave out or to give otherwise.

    Raises:
        SettingError: The condition does not hold; the message names the option.
    """
    if not condition:
        raise SettingError(f"{option(field)} {rule}", advice)


def option(field: str) -> str:
    """The option of a field, as it is typed; one that Python reserves ends with an underscore."""
    return f"--{field.rstrip('_').replace('_', '-')}"


def field_of(option: str) -> str:
    """The field of an option as it is typed, also of ``--no-X``."""
    return option.removeprefix("--").removeprefix("no-").replace("-", "_")


def in_place_of_preset(names: Collection[str]) -> tuple[str, str]:
    """Say of a preset that each of its settings is given: what :func:`check` says of it."""
    return (
        f"sets nothing that is not given by {', '.join(map(option, names))}",
        "leave out --preset or one of them",
    )


def is_named(field: str, sentence: str) -> bool:
    """Whether a sentence names the option of a field."""
    return re.search(rf"{option(field)}(?![\w-])", sentence) is not None


def any_of(names: Sequence[str]) -> str:
    """Names as a sentence has them: ``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def require_choice(field: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is not among the choices."""
    check(
        value in choices,
        field,
        f"must be one of {', '.join(choices)}, not {value!r}{did_you_mean(value, choices)}",
    )


def _check_value(name: str, value: Any, about: Setting) -> None:  # noqa: ANN401 - any setting's
    for each in value if isinstance(value, tuple) else (value,):
        if each is None:
            continue
        if isinstance(each, int | float) and not isinstance(each, bool):
            check(isfinite(each), name, f"must be finite, not {each}")
            check(about.allows(each), name, f"must be {about.range}, not {each}")
        if about.choices:
            require_choice(name, each, about.choices)
        if about.pattern is not None:
            expression, values = about.pattern
            matches = re.fullmatch(expression, each) is not None
            check(matches, name, f"must be {values}, not {each!r}")
