"""Data sets, image-level labels, decoding and augmentation."""
