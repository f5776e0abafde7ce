"""What a rule looks at in one image, read from the disk."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.data.images import Pixels, check_images
from wsss_cli.data.map_sizes import read_fitted_saliency, require_size
from wsss_cli.errors import WsssError
from wsss_cli.stages.proxy.plan import ProxyPlan
from wsss_cli.stages.proxy.rule import Evidence


@contextmanager
def opened_attention(plan: ProxyPlan) -> Iterator[tuple[AttentionFile, AttentionFile | None]]:
    """The attention file and, for a rule that takes one, the second, while they are open."""
    with ExitStack() as stack:
        first = stack.enter_context(AttentionFile(plan.attention, plan.class_names))
        if plan.potential is None:
            yield first, None
            return
        yield first, stack.enter_context(AttentionFile(plan.potential, plan.class_names))


def read_evidence(
    plan: ProxyPlan, file: AttentionFile, potential: AttentionFile | None, image_id: str
) -> Evidence:
    """Read everything that the config's rule looks at in an image.

    Raises:
        WsssError: A map cannot be read, or is of another size or of other classes.
    """
    attention = file.read(image_id)
    grey_maps = read_grey_maps(plan, image_id, attention.size)
    return Evidence(
        attention,
        {name: grey for name, (grey, _) in grey_maps.items()},
        any(resized for _, resized in grey_maps.values()),
        _photograph(plan, image_id),
        None if potential is None else _same_classes(potential, image_id, attention),
        _prediction(plan, image_id, attention.size),
    )


def read_grey_maps(
    plan: ProxyPlan, image_id: str, size: tuple[int, int]
) -> dict[str, tuple[Pixels, bool]]:
    """Saliency maps of an image, by option, and whether they were resized to fit it.

    Raises:
        WsssError: They cannot be read, or the photograph has another size than the attention says.
    """
    if plan.data_set is not None and plan.data_set.image_path(image_id).exists():
        (true_size,) = check_images([plan.data_set.image_path(image_id)])
        name = f"image {image_id} of {plan.attention}"
        require_size(name, size, true_size, beside="in the data it is")
    return {
        name: read_fitted_saliency(paths[image_id], size) for name, paths in plan.grey_maps.items()
    }


def _photograph(plan: ProxyPlan, image_id: str) -> Pixels | None:
    """An image, where rule or CRF look at it."""
    if plan.config.viewer is None or plan.data_set is None:
        return None
    return plan.data_set.read_image(image_id)


def _same_classes(file: AttentionFile, image_id: str, first: ImageAttention) -> ImageAttention:
    """The second attention of an image, its classes in the order of the first one's.

    Raises:
        WsssError: It has other classes, or is of an image of another size.
    """
    second = file.read(image_id)
    require_size(
        f"image {image_id} of {file.path}", second.size, first.size, beside="in --attention it is"
    )
    columns = {class_id: row for row, class_id in enumerate(second.class_ids.tolist())}
    class_ids = first.class_ids.tolist()
    if set(columns) != set(class_ids):
        raise WsssError(
            f"image {image_id} of {file.path} has maps of the classes {sorted(columns)}, in "
            f"--attention it has {sorted(class_ids)}; give --potential-attention of the same labels"
        )
    return replace(
        second,
        maps=second.maps[[columns[class_id] for class_id in class_ids]],
        class_ids=first.class_ids,
    )


def _prediction(plan: ProxyPlan, image_id: str, size: tuple[int, int]) -> Pixels | None:
    """The label map that a network predicts for an image, where the rule looks at one.

    Raises:
        WsssError: It has values that are no label, or another size.
    """
    if not plan.predictions:
        return None
    path = plan.predictions[image_id]
    prediction = read_label_map(path, num_labels=plan.num_labels)
    require_size(str(path), prediction.shape, size)
    return prediction
