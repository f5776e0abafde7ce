"""Explains soft maps of other tools: one array on disk."""

from pathlib import Path

from wsss_cli.artifacts.soft_map_folder import look
from wsss_cli.command_line import FOLDER, command_line
from wsss_cli.inspect.show.explanation import Explanation, Writer


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
    kind = "probabilities" if found.probable else "logits"
    refine = command_line("crf", scores=path.parent, logits=not found.probable, data=FOLDER)
    advice = f"`{refine}` refines a folder of them"
    return Explanation(f"soft maps of labels, by their values {kind}", facts, advice)
