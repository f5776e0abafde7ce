"""The ignore label of label maps, in which 0 is the background and 1..C are the classes."""

# VOC's value for borders and for pixels whose class is unknown.
IGNORE = 255
