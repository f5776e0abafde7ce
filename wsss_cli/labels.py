"""What the numbers of a label map mean besides 0, the background, and 1..C, the classes."""

# Not known, or not to be counted: VOC's own value, for borders and in doubt.
IGNORE = 255
