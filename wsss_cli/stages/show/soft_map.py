"""Explains soft maps of other tools: one array on disk."""

from pathlib import Path

from wsss_cli.artifacts.soft_map_folder import look
from wsss_cli.stages.show.explanation import Explanation, Writer


def explain_soft_map(path: Path, writer: Writer | None) -> Explanation:
    """Shape, type and range, and whether the values are probabilities."""
    del writer
    found = look(path)
    shape = "x".join(map(str, found.shape))
    facts = {"shape": shape, "type": found.dtype, "least": found.low, "largest": found.high}
    if len(found.shape) != 3 or "float" not in found.dtype:
        return Explanation(
            "a numpy array",
            facts,
            "soft maps for wsss crf --scores are (L, h, w) floats, a map for each label",
        )
    facts["labels"] = found.shape[0]
    if found.probable is None:
        return Explanation("soft maps of labels", facts)
    kind, option = ("probabilities", "") if found.probable else ("logits", " --logits")
    advice = f"wsss crf --scores {path.parent}{option} refines a folder of them"
    return Explanation(f"soft maps of labels, by their values {kind}", facts, advice)
