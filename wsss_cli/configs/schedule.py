"""How a learning rate falls polynomially, as in DeepLab."""

POLY_POWER = 0.9


def polynomial_share(iteration: int, iterations: int) -> float:
    """Share of the first learning rate in an iteration, counted from 0."""
    return float((1 - iteration / iterations) ** POLY_POWER)
