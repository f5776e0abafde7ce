"""What every solver here has in common: groups of parameters and the fall of the learning rate."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from wsss_cli.configs.schedule import polynomial_share

# Of a bias, times that of its weights; it does not decay either. As in the SeeNet group's solver.
BIAS_LR_FACTOR = 2.0


def parameter_groups(
    named_parameters: Iterable[tuple[str, nn.Parameter]],
    weight_decay: float,
    lr_factor: Callable[[str], float] = lambda _: 1.0,
) -> list[dict[str, Any]]:
    """Group parameters as Caffe's solvers do: biases learn twice as fast and do not decay.

    Args:
        named_parameters: Parameters of the network; frozen ones are left out.
        weight_decay: Weight decay of the weights.
        lr_factor: Further factor of the learning rate, by parameter name.

    Returns:
        Groups for ``torch.optim.SGD``, each with its ``lr_factor``.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named_parameters:
        if not parameter.requires_grad:
            continue
        is_bias = name.endswith("bias")
        key = (
            lr_factor(name) * (BIAS_LR_FACTOR if is_bias else 1.0),
            0.0 if is_bias else weight_decay,
        )
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr_factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def polynomial_fall(lr: float, iterations: int) -> Callable[[int], float]:
    """The learning rate by iteration, from ``lr`` to 0."""
    return lambda iteration: lr * polynomial_share(iteration, iterations)
