"""Formats of pictures that are opened. Pillow knows many more.

Among those is PostScript, which it hands to Ghostscript to be run, and whatever a plugin adds; the
name of a file says nothing about what is in it.
"""

from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

# Of JPEG come also the files with a second picture behind the first (MPO), as phones write them.
PICTURE_FORMATS = (
    BmpImagePlugin.BmpImageFile.format,
    JpegImagePlugin.JpegImageFile.format,
    PngImagePlugin.PngImageFile.format,
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
)
