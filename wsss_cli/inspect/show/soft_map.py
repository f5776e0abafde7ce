"""Explains soft maps of other tools: one array on disk."""

from pathlib import Path

from wsss_cli.artifacts.soft_map_folder import look
from wsss_cli.command_line import FOLDER, command_line
from wsss_cli.inspect.show.explanation import Explanation, Writer


def explain_soft_map(path: Path, writer: Writer | None) -> Explanation:
    """Explain shape, type and range, and whether the values are probabilities."""
    del writer
    soft_map = look(path)
    shape = "x".join(map(str, soft_map.shape))
    facts = {
        "shape": shape,
        "type": soft_map.dtype,
        "least": soft_map.low,
        "largest": soft_map.high,
    }
    if len(soft_map.shape) != 3 or "float" not in soft_map.dtype:
        return Explanation(
            "a numpy array",
            facts,
            "soft maps for wsss crf --scores are (L, h, w) floats, a map for each label",
        )
    facts["labels"] = soft_map.shape[0]
    if soft_map.probable is None:
        return Explanation("soft maps of labels", facts)
    kind = "probabilities" if soft_map.probable else "logits"
    refine = command_line("crf", scores=path.parent, logits=not soft_map.probable, data=FOLDER)
    advice = f"`{refine}` refines a folder of them"
    return Explanation(f"soft maps of labels, by their values {kind}", facts, advice)
