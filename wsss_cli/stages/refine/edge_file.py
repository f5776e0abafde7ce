"""The checkpoint of an edge network."""

from pathlib import Path

from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.configs.backbones import BACKBONES
from wsss_cli.models.checkpoint_fit import content_of, rebuilt
from wsss_cli.models.edge_network import EdgeNetwork
from wsss_cli.models.trunks import build_trunk

_KIND = "edges"


def build(backbone: str) -> EdgeNetwork:
    """A network with random weights, on the CPU, at the finest stride of its trunk."""
    return EdgeNetwork(build_trunk(backbone, min(BACKBONES[backbone].output_strides)))


def write_edges(path: Path, network: EdgeNetwork, backbone: str) -> None:
    """Write a trained network, its trunk included."""
    write_checkpoint(path, _KIND, {"backbone": backbone, "network": network.state_dict()})


def read_edges(path: Path) -> EdgeNetwork:
    """Rebuild a trained network from its checkpoint, on the CPU, in evaluation mode.

    Raises:
        WsssError: The file is no such checkpoint.
    """
    content = read_checkpoint(path, _KIND)
    with content_of(path, "edge network"):
        network = rebuilt(lambda: build(content["backbone"]), content["network"])
    return network.eval()
