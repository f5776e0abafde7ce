"""Label a photograph by a network of `wsss export-network`, with onnxruntime alone.

python run_onnx.py network.onnx photograph.jpg labels.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

network, photograph, out = sys.argv[1:]
session = onnxruntime.InferenceSession(network)
class_names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
image = np.asarray(Image.open(photograph).convert("RGB"), np.float32)
logits, labels = session.run(None, {"images": image.transpose(2, 0, 1)[None]})
Image.fromarray(labels[0].astype(np.uint8)).save(out)
print([class_names[label - 1] for label in np.unique(labels) if label])
