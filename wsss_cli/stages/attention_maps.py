"""The maps of a stage that makes attention: written shard by shard, counted on the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import LABELS, LAYOUT, ImageAttention, write_shard
from wsss_cli.artifacts.image_groups import SHARD_IMAGES, shard_path, write_index
from wsss_cli.stages.empty_maps import MapCount
from wsss_cli.stages.image_loop import Shard, Share
from wsss_cli.tracking import Track


def write_maps(
    directory: Path,
    image_ids: Sequence[str],
    class_names: Sequence[str],
    labels: str,
    attend: Callable[[Sequence[str]], Iterator[Mapping[str, ImageAttention]]],
    track: Track,
    label: str,
) -> dict[str, Any]:
    """Write ``attention.h5`` and its shards, leaving out shards that are there.

    Args:
        directory: The stage's directory.
        image_ids: All images.
        class_names: Names of classes 1..C.
        labels: Whose labels the maps are of: ``given`` or ``predicted``.
        attend: Given the images of a shard, yields their attention in groups of any size.
        track: Shown the progress.
        label: What is being done.

    Returns:
        How many images were made, and counts of their maps.

    Raises:
        WsssError: The disk is full.
    """
    firsts = range(0, len(image_ids), SHARD_IMAGES)
    shards = [
        Shard(shard_path(directory, number), image_ids[first : first + SHARD_IMAGES])
        for number, first in enumerate(firsts)
    ]
    share = Share(shards, Shard.left, size=len)
    count = MapCount(class_names)
    for shard in share.items:
        if not shard.left():
            count.add_shard(shard.path, shard.image_ids)
    groups = chain.from_iterable(map(attend, (shard.image_ids for shard in share.missing)))
    begun, left = iter(share.missing), 0
    # Progress is by groups, as they are computed: the images of one are finished together.
    with ExitStack() as stack:
        for group in share.follow(groups, track, label, size=len):
            for image_id, attention in group.items():
                if not left:
                    shard = next(begun)
                    write, left = stack.enter_context(write_shard(shard.path)), len(shard)
                write(image_id, attention)
                count.add(attention)
                left -= 1
                if not left:
                    stack.close()  # whole, so it appears
    made = share.made()
    if ranks.first():
        index = [shard.image_ids for shard in shards]
        write_index(directory, LAYOUT, index, class_names, {LABELS: labels})
    return {**made, **count.values()}
