"""Networks: trunks, heads and segmentation models."""
