"""Pictures that nobody has labelled, with a ``classes.txt`` that names what a network looks for.

Nothing can be learned from them; a network trained elsewhere finds its classes in them
(``wsss attend --labels predicted``).
"""

from pathlib import Path

from wsss_cli.command_line import FILE, command_line
from wsss_cli.data.class_names import CLASSES_FILE, read_class_names
from wsss_cli.data.image_table import ImageTable, LabelledImage, masks_beside
from wsss_cli.data.pictures import Pictures, pictures_folder

LAYOUT = "pictures without labels"


def find(folder: Path) -> ImageTable | None:
    """The data set of a folder that has pictures and a ``classes.txt``; else None.

    Raises:
        WsssError: Two pictures have one id, or the names are impossible.
    """
    listed = folder / CLASSES_FILE
    place = pictures_folder(folder)
    if not listed.exists():
        return None
    masks = masks_beside(folder)
    pictures = Pictures.of_folder(place, without=masks)
    if not pictures.paths:
        return None
    nobody = {image_id: LabelledImage(path, None) for image_id, path in pictures.paths.items()}
    use = command_line("attend", labels="predicted", checkpoint=FILE, data=folder)
    return ImageTable(
        root=folder,
        layout=LAYOUT,
        class_names=read_class_names(listed),
        images=nobody,
        lists={"train": list(nobody)},
        found=list(pictures.paths.values()),
        masks=masks,
        remarks=[f"no picture is labelled; a network that is trained can use them: `{use}`"],
    )
