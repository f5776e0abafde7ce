"""How much of a branch's attention lies on the object, and how much on the background."""

from torch import Tensor

from wsss_cli.labels import IGNORE

# At which a position counts as lit: the middle of the range in which attention is read.
LIT = 0.3


def branch_shares(attention: Tensor, class_id: int, target: Tensor) -> dict[str, float]:
    """Shares of one map's mass and of the image's area, nan where there is nothing to share.

    Args:
        attention: (H, W) map of one class in [0, 1].
        class_id: The map's class, 1..C.
        target: (H, W) integer labels; 255 is not counted anywhere.

    Returns:
        ``mass_object`` and ``mass_background``, the shares of the map's sum that lie on the class
        and on label 0 (the rest lies on other classes); ``lit_object`` and ``lit_background``,
        the shares of the class's and of label 0's pixels where the map is at least 0.3; and
        ``strength``, the mean of the map.
    """
    mass = attention.double()
    total = mass[target != IGNORE].sum()
    shares = {"strength": float(mass[target != IGNORE].mean())}
    for name, region in (("object", target == class_id), ("background", target == 0)):
        shares[f"mass_{name}"] = float(mass[region].sum() / total)
        shares[f"lit_{name}"] = float((attention[region] >= LIT).double().mean())
    return shares
