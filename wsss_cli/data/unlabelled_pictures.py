"""Pictures without labels, with a ``classes.txt`` that names the classes of a network.

They cannot be used for training; a network trained elsewhere predicts its classes in them
(``wsss attend --labels predicted``).
"""

from pathlib import Path

from wsss_cli.command_line import FILE, command_line
from wsss_cli.data.class_names import CLASSES_FILE, read_class_names
from wsss_cli.data.image_table import ImageTable, LabelledImage, masks_beside
from wsss_cli.data.pictures import Pictures, pictures_folder

LAYOUT = "pictures without labels"


def find(folder: Path) -> ImageTable | None:
    """Find the data set of a folder with pictures and a ``classes.txt``; else None.

    Raises:
        WsssError: Two pictures have one id, or the names are impossible.
    """
    listed = folder / CLASSES_FILE
    images = pictures_folder(folder)
    if not listed.exists():
        return None
    masks = masks_beside(folder)
    pictures = Pictures.of_folder(images, without=masks)
    if not pictures.paths:
        return None
    unlabelled = {image_id: LabelledImage(path, None) for image_id, path in pictures.paths.items()}
    command = command_line("attend", labels="predicted", checkpoint=FILE, data=folder)
    return ImageTable(
        root=folder,
        layout=LAYOUT,
        class_names=read_class_names(listed),
        images=unlabelled,
        lists={"train": list(unlabelled)},
        photographs=list(pictures.paths.values()),
        masks=masks,
        remarks=[f"no picture has labels; a trained network can predict them: `{command}`"],
    )
