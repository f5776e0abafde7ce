"""Numbers for each colour channel."""

from math import isfinite

from wsss_cli.configs.setting import check


def check_channels(**numbers: tuple[float, ...] | None) -> None:
    """Refuse settings that are neither one finite number nor three.

    Args:
        numbers: Values by field.
    """
    for name, each in numbers.items():
        fits = each is None or (len(each) in (1, 3) and all(map(isfinite, each)))
        check(fits, name, "must be one number, or given three times: red, green, blue")
