"""GeoJSON polygons in pixels, as QuPath and others read them (RFC 7946)."""

from typing import Any

from wsss_cli.data.images import Pixels
from wsss_cli.inspect.mask_export.files import write_compact_json
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.inspect.mask_export.regions import Ring, classes_of, outlines, parts_of
from wsss_cli.tracking import Track


def write(maps: LabelMaps, track: Track) -> None:
    """Write ``ID.geojson`` for each image: a feature for each connected part of a class.

    Raises:
        WsssError: A label map cannot be read, or the disk is full.
    """
    for image_id, label_map in maps.read(track):
        features = _features(label_map, maps.class_names)
        maps.regions += len(features)
        write_compact_json(
            maps.config.out / f"{image_id}.geojson",
            {"type": "FeatureCollection", "features": features},
        )


def _features(label_map: Pixels, class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    features = []
    for label in classes_of(label_map):
        for part in parts_of(label_map == label):
            (outer,), holes = outlines(part)
            rings = [_closed(outer), *map(_closed, holes)]
            properties = {
                "objectType": "annotation",
                "classification": {"name": class_names[label - 1]},
            }
            geometry = {"type": "Polygon", "coordinates": rings}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return features


def _closed(ring: Ring) -> list[list[int]]:
    return [list(corner) for corner in (*ring, ring[0])]
