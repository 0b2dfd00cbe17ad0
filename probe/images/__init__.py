"""The user's images as a Dataset: a folder with a subfolder for each class, or the arrays of an .npz file."""

from probe.images.arrays import Keys, from_npz, names_in
from probe.images.folder import Files, files_in, from_folder
from probe.images.patch import pasted
from probe.images.superpixels import featured, in_segments, segments

__all__ = [
    "Files",
    "Keys",
    "featured",
    "files_in",
    "from_folder",
    "from_npz",
    "in_segments",
    "names_in",
    "pasted",
    "segments",
]
