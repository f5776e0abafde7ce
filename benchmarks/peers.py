"""Time the attention of a CAM network beside grad-cam and torchcam, which give the same maps.

    python benchmarks/peers.py VOC2012

The network is torchvision's ResNet50 with global average pooling and a linear layer of twenty
classes, which all three can look into. ``wsss train`` has no such backbone, so ours is what
``wsss attend`` does with a network of the method cam (``attention_of`` and ``fuse_scales``), the
same layers being its trunk and the linear layer the 1x1 convolution of its head, without the two
3x3 ones. Weights are drawn: time does not depend on them.

Photographs lie in memory at 224 x 224, preprocessed for the peers and not for us, and the maps of
all present classes are made; 1.5 labels an image, no mirroring. The peers do as their READMEs show,
an image at a time and a class at a time: ``GradCAM`` on the last block, whose gradients are the
linear layer's weights; ``CAM`` after one forward for each image, whose maps stay 7 x 7. Ours takes
batches of 16 and enlarges to 224 x 224. The maps must be the same to 1e-4, once ours are normalised
and enlarged as the peer does it, or nothing is reported; float32, therefore. Where the device has
bfloat16, ``wsss attend`` takes it, so the ratio for it stands beside.

``pip install grad-cam torchcam``; the rows of a peer that is not there are left out.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from math import nan
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from ratios import Ratio, as_script, in_turn, ratio_of
from stage_runs import Watch, one_and_two_labels, voc_data_set
from torch import Tensor, nn
from torchvision.models import ResNet, resnet50

from wsss_cli.data.images import read_image
from wsss_cli.data.resizing import resize_image
from wsss_cli.device import autocast, resolve_device, resolve_precision
from wsss_cli.models.classifier import Classifier
from wsss_cli.models.trunks import TORCHVISION_PREPROCESSING, Trunk
from wsss_cli.ops.attention import BranchMaps, fuse_scales
from wsss_cli.stages.attend.network_attention import attention_of

FloatArray = npt.NDArray[np.float32]
Maps = list[FloatArray]

SAME_MAPS = 1e-4
BATCH_SIZE = 16


def measure(
    data: Path,
    *,
    split: str = "val",
    images: int = 16,
    size: int = 224,
    rounds: int = 3,
    device: str = "auto",
) -> list[Ratio]:
    """Ours against each peer that is there.

    Args:
        data: VOC tree.
        split: Where the photographs are from.
        images: How many; an even number.
        size: Side of the square that they are resized to.
        rounds: Medians are of so many.
        device: Where to compute.
    """
    data_set = voc_data_set(data)
    where = resolve_device(device)
    torch.manual_seed(0)
    theirs = resnet50(num_classes=len(data_set.class_names)).eval().to(where)
    nn.init.zeros_(theirs.fc.bias)  # the peers leave it out, our score maps would have it
    ours = _ours(copy.deepcopy(theirs)).to(memory_format=torch.channels_last)
    image_ids = one_and_two_labels(data_set, split, images)
    read = [resize_image(read_image(data_set.image_path(i)), (size, size)) for i in image_ids]
    pixels = torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2).to(where)  # (N, 3, H, W) uint8
    labels = torch.from_numpy(data_set.labels(image_ids)).float().to(where)
    ready = ((pixels - ours.trunk.mean) / ours.trunk.std).contiguous()

    precisions = list(dict.fromkeys(("float32", resolve_precision("auto", where))))
    ways = {one: partial(_attend, ours, pixels, labels, one) for one in precisions}
    raw = torch.cat([one.maps[:, 0] for one in _raw(ours, pixels, labels, "float32")]).cpu().numpy()
    for peer, (module, way, as_theirs) in PEERS.items():
        if find_spec(module) is not None:
            _require_same(peer, way(theirs, ready, labels), [as_theirs(one, size) for one in raw])
            ways[peer] = partial(way, theirs, ready, labels)

    watch = Watch("")
    seconds = in_turn({name: watch.timed(way) for name, way in ways.items()}, rounds, clock=watch)
    return [
        Ratio(
            f"attention of a ResNet50 with 1.5 labels an image, {precision}",
            peer,
            ratio_of(seconds[peer], seconds[precision]) if peer in seconds else nan,
            5 if precision == "float32" else None,
            higher=True,
            missing=None if peer in seconds else f"{peer} is not installed (the extra bench)",
        )
        for peer in PEERS
        for precision in precisions
    ]


def _ours(model: ResNet) -> Classifier:
    """The layers of a ResNet as a network of the method cam, in evaluation mode."""
    layers = OrderedDict(
        (name, layer) for name, layer in model.named_children() if name not in ("avgpool", "fc")
    )
    trunk = Trunk(nn.Sequential(layers), (4, 5, 6, 7, 8), channels=2048, stride=32)
    trunk.set_preprocessing(TORCHVISION_PREPROCESSING)
    network = Classifier(trunk, model.fc.out_features, head_channels=2048, reduction="sum")
    network.head_a.hidden = nn.Sequential()
    with torch.no_grad():
        network.head_a.score.weight.copy_(model.fc.weight[:, :, None, None])
    return network.eval().to(model.fc.weight.device)


def _raw(
    network: Classifier, pixels: Tensor, labels: Tensor, precision: str
) -> Iterator[BranchMaps]:
    """The present classes' maps at the network's stride, batch by batch."""
    with torch.inference_mode(), autocast(pixels.device, precision):
        for part, present in zip(pixels.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True):
            yield attention_of(network, part, present, flip=False)


def _attend(network: Classifier, pixels: Tensor, labels: Tensor, precision: str) -> Maps:
    """Ours: (H, W) in [0, 1] for every image and present class, in that order."""
    size = pixels.shape[2], pixels.shape[3]
    made = []
    for found in _raw(network, pixels, labels, precision):
        with torch.inference_mode():
            made += list(fuse_scales([found.maps], size).half().cpu().numpy())
    return made


def _grad_cam(model: ResNet, ready: Tensor, labels: Tensor) -> Maps:
    """grad-cam's: (H, W) in [0, 1]."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAM(model=model, target_layers=[model.layer4[-1]]) as cam:
        return [
            cam(input_tensor=ready[image : image + 1], targets=[ClassifierOutputTarget(column)])[0]
            for image, column in labels.nonzero().tolist()
        ]


def _torchcam(model: ResNet, ready: Tensor, labels: Tensor) -> Maps:
    """torchcam's: (h, w) in [0, 1] at the network's stride."""
    from torchcam.methods import CAM

    made = []
    with CAM(model, "layer4", "fc") as cam, torch.inference_mode():
        for image, present in zip(ready, labels, strict=True):
            scores = model(image[None])
            for column in present.nonzero()[:, 0].tolist():
                made.append(cam(column, scores)[0][0].cpu().numpy())
    return made


def _between_0_and_1(found: FloatArray) -> FloatArray:
    lifted = found - found.min()
    return lifted / (lifted.max() + 1e-7)  # a drawn class may be found nowhere


def _as_grad_cam(raw: FloatArray, size: int) -> FloatArray:
    """Clipped at 0, normalised, enlarged linearly and normalised again."""
    return _between_0_and_1(cv2.resize(_between_0_and_1(np.maximum(raw, 0)), (size, size)))


# Of each peer the module, its maps, and ours as it would normalise and enlarge them.
PEERS: dict[
    str,
    tuple[str, Callable[[ResNet, Tensor, Tensor], Maps], Callable[[FloatArray, int], FloatArray]],
] = {
    "grad-cam": ("pytorch_grad_cam", _grad_cam, _as_grad_cam),
    "torchcam": ("torchcam", _torchcam, lambda raw, _: _between_0_and_1(raw)),
}


def _require_same(peer: str, theirs: Maps, ours: Maps) -> None:
    """Refuse to compare ways that give different maps."""
    most = max(abs(a - b).max() for a, b in zip(theirs, ours, strict=True))
    if not most <= SAME_MAPS:
        raise SystemExit(f"the maps of {peer} differ from ours by {most:.1e}")


if __name__ == "__main__":
    as_script(measure, data="VOC tree")
