"""Settings of ``wsss import``: maps of other tools as an attention file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, OverwriteConfig, run_beside_data
from wsss_cli.configs.setting import REQUIRED, Config, Role, same_as, setting

# Each kind is named after the tool whose files others imitate.
KINDS: Mapping[str, str] = {
    "irn": "high_res of irn, AdvCAM, ReCAM, AMN, LPCAM, BECO",
    "puzzlecam": "hr_cam or rw of PuzzleCAM",
    "sipe": "IS_CAM of SIPE",
    "psa": "a map for each number of psa, SEAM, PPC, EPS, MCTformer, WeakTr",
    "clip-es": "attn_highres of CLIP-ES, WeCLIP",
    "weaktr": "prob of WeakTr, retrained",
    "toco": "logits, msc_seg, of ToCo, DuPL, WeCLIP",
    "oaa": "ID_c.png of OAA, NSROM, L2G",
    "drs": "plain arrays of DRS",
}


@dataclass(frozen=True)
class ImportConfig(Config):
    """Make an attention file of another tool's maps: a folder with a file for each image.

    Examples:
      wsss import irn/result/cam --data VOC2012 -o irn.h5
      wsss import OAA/attention --data VOC2012 --split train -o oaa.h5 --as oaa
      wsss evaluate --what attention --attention irn.h5 --data VOC2012

    Read are the numpy dictionaries of irn, PuzzleCAM, SIPE, psa, SEAM, CLIP-ES, WeakTr and of tools
    that write as they do, logits of ToCo and WeCLIP (as probabilities), plain arrays of DRS and
    PNGs of OAA. They are pickles, of which no code is run: only arrays and tensors are taken. How
    the tool numbers its classes is decided by the image labels; the few images whose maps do not
    fit theirs are named.
    """

    maps: Path = setting(
        REQUIRED,
        "The folder of maps: ID.npy, or ID_c.png for class c.",
        role=Role.INPUT,
        argument="MAPS",
    )
    data: Path | None = same_as(CommonConfig, "data")
    run: Path = same_as(CommonConfig, "run")
    out: Path = setting(REQUIRED, "The attention file to write.", short="-o")
    split: str | None = setting(None, "List of images.", unset="the one to be trained on")
    as_: str | None = setting(
        None,
        "The kind of the files, named after a tool that writes such.",
        choices=tuple(KINDS),
        unset="recognised by their content",
    )
    workers: int | None = same_as(CommonConfig, "workers")
    overwrite: bool = same_as(OverwriteConfig, "overwrite", help="Replace a file that is there.")

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """The run, of which nothing but its data set is used."""
        return super().without_effect() | run_beside_data(self.data)
