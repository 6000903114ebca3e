"""Reads the files that people have into arrays, and writes arrays so that no crash leaves half a file.

Nothing here unpickles: a pickle can run any code when it is read.
"""

from narrows.data.files.loaded import Loaded, places
from narrows.data.files.reading import read
from narrows.data.files.writing import write_array

__all__ = ["Loaded", "places", "read", "write_array"]
