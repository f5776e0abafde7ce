"""Time ``wsss attend`` beside its trunk alone, and beside a loop over images and labels.

    python benchmarks/attend.py VOC2012 runs/default/train/checkpoint.pt

The images have 1.5 labels on average: half of them one, half two. Four ways, run in turn:

- the stage's run with mirroring, JPEG to HDF5, in a folder that is made and removed;
- the bare trunk: the layers conv1_1 .. relu5_3 of the same network on tensors that lie in memory,
  preprocessed, in batches of the same size, both orientations together, in the same precision and
  memory format. It has no heads, which cost SeeNet a seventh of the trunk's multiplications here;
- the loop, as research code does it: image by image and label by label, JPEG to ``.npy``, the
  whole network once for each orientation and present label, float32, no batches, no channels_last,
  nothing at the same time. Its maps must be the stage's but for precision, or nothing is reported;
- decoding: the JPEGs read and resized by as many threads as the stage has for it, and nothing else.

How much of what the device can convolve the trunk gets in the stage is the last row
(``convolutions.py``).

What the stage does before its first image is left out (``stage_runs.py`` says why). All have the
threads that torch takes by itself.
"""

import copy
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from convolutions import AT_BEST, fastest_convolution, flops_of
from PIL import Image
from ratios import Ratio, as_script, in_turn, ratio_of
from stage_runs import SPLIT, Watch, one_and_two_labels, tree_of, voc_data_set
from torch import Tensor

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.loading import prefetch
from wsss_cli.data.resizing import resize_image
from wsss_cli.data.voc import VocDataSet
from wsss_cli.device import autocast, resolve_device, resolve_precision, resolve_workers
from wsss_cli.methods.network_file import load_network
from wsss_cli.methods.seenet import SeeNetNetwork
from wsss_cli.models.trunks import Trunk
from wsss_cli.stages.attend import run

FloatArray = npt.NDArray[np.float32]

# Mean correlation of the stage's maps with the loop's, at least: bfloat16 moves single positions
# across the border of a zone.
SAME_MAPS = 0.98


def measure(
    data: Path,
    checkpoint: Path,
    *,
    split: str = "val",
    images: int = 64,
    size: int = 224,
    batch_size: int = 16,
    rounds: int = 3,
    device: str = "auto",
) -> list[Ratio]:
    """The stage against the trunk alone and against the loop.

    Args:
        data: VOC tree.
        checkpoint: A trained SeeNet.
        split: Where the images are from.
        images: How many; an even number.
        size: As ``wsss attend`` has it, and so the next three.
        batch_size: Images that pass the trunk together.
        rounds: Medians are of so many.
        device: Where to compute.
    """
    whole = voc_data_set(data)
    network, _, _ = load_network(checkpoint)
    if not isinstance(network, SeeNetNetwork):
        raise SystemExit(f"{checkpoint} should hold a SeeNet")
    where = resolve_device(device)
    precision = resolve_precision("auto", where)
    planar = copy.deepcopy(network).to(where)
    trunk = network.trunk.to(where).to(memory_format=torch.channels_last)
    watch = Watch("attending")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data_set = tree_of(whole, one_and_two_labels(whole, split, images), folder)
        config = AttendConfig(
            data=data_set.root,
            run=folder / "run",
            checkpoint=checkpoint,
            split=SPLIT,
            size=size,
            batch_size=batch_size,
            device=device,
            overwrite=True,
        )
        batches = _batches(trunk, data_set, size, batch_size)

        def trunk_alone() -> None:
            with torch.inference_mode(), autocast(where, precision):
                for batch in batches:
                    trunk.features(batch)

        def decoding() -> None:
            def load(image_id: str) -> object:
                return resize_image(read_image(data_set.image_path(image_id)), (size, size))

            for _ in prefetch(load, data_set.image_ids(SPLIT), resolve_workers(config.workers)):
                pass

        best = fastest_convolution(where, precision)
        seconds = in_turn(
            {
                "stage": lambda: run(config, track=watch),
                "trunk": watch.timed(trunk_alone),
                "loop": watch.timed(lambda: _loop(planar, data_set, size, folder)),
                "decoding": watch.timed(decoding),
                "convolution": watch.timed(best),
            },
            rounds,
            clock=watch,
        )
        at_best = best.seconds_for(flops_of(trunk_alone), seconds["convolution"])
        _require_same_maps(data_set, config.run / "attend" / INDEX, folder)
    what = f"attend, VGG16 at {size} mirrored, 1.5 labels an image"
    return [
        Ratio(what, "trunk alone", ratio_of(seconds["trunk"], seconds["stage"]), 0.9, higher=True),
        Ratio(
            what, "a loop over labels", ratio_of(seconds["loop"], seconds["stage"]), 8, higher=True
        ),
        Ratio(
            "decoding and resizing its JPEGs", what, ratio_of(seconds["decoding"], seconds["stage"])
        ),
        Ratio(what, AT_BEST, ratio_of([at_best], seconds["stage"]), higher=True),
    ]


def _batches(trunk: Trunk, data_set: VocDataSet, size: int, batch_size: int) -> list[Tensor]:
    """What the trunk's layers see, (2 B, 3, size, size) float32: images, then the same mirrored."""
    found = []
    for image_id in data_set.image_ids(SPLIT):
        image = resize_image(read_image(data_set.image_path(image_id)), (size, size))
        pixels = torch.from_numpy(image).permute(2, 0, 1).to(trunk.mean.device)
        found.append((pixels - trunk.mean) / trunk.std)
    upright = torch.stack(found).split(batch_size)
    return [
        torch.cat((part, part.flip(-1))).contiguous(memory_format=torch.channels_last)
        for part in upright
    ]


def _loop(network: SeeNetNetwork, data_set: VocDataSet, size: int, folder: Path) -> None:
    """The maps of all present classes, one after the other, to ``folder``."""
    image_ids = data_set.image_ids(SPLIT)
    for image_id, present in zip(image_ids, data_set.labels(image_ids), strict=True):
        image = np.array(Image.open(data_set.image_path(image_id)).convert("RGB"))
        height, width = image.shape[:2]
        pixels = torch.from_numpy(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        pixels = pixels.permute(2, 0, 1)[None].float().to(network.trunk.mean.device)
        view = ((pixels - network.trunk.mean) / network.trunk.std).contiguous()
        maps = {}
        for column in present.nonzero()[0].tolist():
            fused = np.zeros((height, width), np.float32)
            for mirrored in (False, True):
                for found in _whole_network(network, view.flip(-1) if mirrored else view, column):
                    upright = (found.flip(-1) if mirrored else found).cpu().numpy()
                    large = cv2.resize(upright, (width, height), interpolation=cv2.INTER_CUBIC)
                    large = np.maximum(large, 0)
                    fused = np.maximum(fused, large / (large.max() + 1e-8))
            maps[column + 1] = fused
        np.save(folder / f"{image_id}.npy", maps)


@torch.no_grad()
def _whole_network(network: SeeNetNetwork, view: Tensor, column: int) -> tuple[Tensor, Tensor]:
    """Maps of S_A and S_B, (h, w) each, of one image and one label."""
    features = network.trunk.features(view)  # (1, K, h, w)
    map_a = network.head_a(features)[0, column]
    positive = map_a.relu()
    prior = (positive - positive.min()) / (positive.max() - positive.min()).clamp_min(1e-12)
    mask = torch.ones_like(prior)
    mask[prior < network.config.delta_low] = -1
    mask[prior > network.config.delta_high] = 0
    return map_a, network.head_b(features * mask)[0, column]


def _require_same_maps(data_set: VocDataSet, index: Path, folder: Path) -> None:
    """Refuse to compare ways that give different maps."""
    correlations = []
    with AttentionFile(index) as file:
        for image_id in data_set.image_ids(SPLIT):
            found = file.read(image_id)
            maps = np.load(folder / f"{image_id}.npy", allow_pickle=True).item()
            for class_id, stage in zip(found.class_ids.tolist(), found.maps, strict=True):
                both = np.stack((stage.astype(np.float32).ravel(), maps[class_id].ravel()))
                correlations.append(np.corrcoef(both)[0, 1])
    mean = float(np.mean(correlations))
    if not mean >= SAME_MAPS:
        raise SystemExit(f"the loop's maps are others: their mean correlation is {mean:.4f}")


if __name__ == "__main__":
    as_script(measure, data="VOC tree", checkpoint="of a trained SeeNet")
