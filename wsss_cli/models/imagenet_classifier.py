"""VGG16's fully connected layers as the fc6 and fc7 of DeepLab-LargeFOV.

Chen et al. (ICLR 2015, section 3.1) turn the classifier of the ImageNet network into convolutions
and shrink it: of the 4096 channels 1024 are left, of the 7x7 positions 3x3. The public
re-implementation of their reduced network by Liu (SSD, github.com/weiliu89/caffe, issues 147 and
258) says that the parameters are sub-sampled, and 3x3 of the 7x7 evenly, which makes a dilation of
3. Which channels stay it does not say: every fourth is how ports of it to PyTorch have it, and
that nothing is rescaled afterwards is from memory.

The positions 0, 3 and 6 lie 3 positions of pool5 apart in the ImageNet network, 3 * 32 = 96 pixels;
at output stride 8, dilation 12 is 12 * 8 = 96 pixels, so the three taps see what they have learned
to see. They are 9 of 49, so fc6 answers with less than it did, and fc7, of whose inputs a quarter
is left, as well; the biases are whole.
"""

from collections.abc import Mapping

from torch import Tensor

# torchvision's names; classifier.6 is ImageNet's thousand classes.
_FC6, _FC7 = "classifier.0", "classifier.3"
_POSITIONS = 7
_CHANNELS = 4096
_EVERY = 4  # of the channels
_APART = 3  # positions of the kernel: 0, 3, 6


def largefov_layers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Sub-sample an ImageNet classifier.

    Args:
        tensors: By torchvision's names.

    Returns:
        ``fc6.weight`` (1024, 512, 3, 3), ``fc6.bias`` (1024,), ``fc7.weight`` (1024, 1024, 1, 1)
        and ``fc7.bias`` (1024,); None where there is no VGG16 classifier, or one that is not of
        numbers, as in torchvision's file of Oxford's features, which has nan in its place.
    """
    names = [f"{layer}.{part}" for layer in (_FC6, _FC7) for part in ("weight", "bias")]
    if not all(name in tensors and tensors[name].isfinite().all() for name in names):
        return None
    weight6, bias6, weight7, bias7 = (tensors[name] for name in names)
    inputs = weight6.numel() // (_CHANNELS * _POSITIONS**2)  # 512 of VGG16
    if weight6.shape != (_CHANNELS, inputs * _POSITIONS**2):
        return None
    if weight7.shape != (_CHANNELS, _CHANNELS):
        return None
    kernels = weight6.reshape(_CHANNELS, inputs, _POSITIONS, _POSITIONS)  # (4096, 512, 7, 7)
    return {
        "fc6.weight": kernels[::_EVERY, :, ::_APART, ::_APART].clone(),
        "fc6.bias": bias6[::_EVERY].clone(),
        "fc7.weight": weight7[::_EVERY, ::_EVERY, None, None].clone(),
        "fc7.bias": bias7[::_EVERY].clone(),
    }
